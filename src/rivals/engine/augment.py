"""How strongly the critic's samples are augmented: along a curve, or as much as its overfitting asks for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from .errors import RequestError
from .parallel import processes
from .schedule import Curve
from .types import Round, Verdict, size

Strengthen = Callable[[Tensor, Round, int, float], None]
"""Changes the strength (a number from 0 to 1, in place) after a critic's turn: (strength, round, step, progress)."""

EVERY = 4  # steps between two adjustments of an adaptive strength (Karras et al., 2020, section 3.1)


@dataclass(frozen=True)
class Augment:
    """What the critic's samples, real and fake, go through on their way to it.

    Args:
        operations: names of operations, or groups of them, that the modality knows; none for no augmentation.
        strength: with which probability each is applied, over training.
        target: adapt the strength instead, so that the critic's overfitting stays here: 0 is a critic that can't tell
            its training samples from fakes, 1 one that is always right (0.6 in the paper). None for the curve.
        samples: real samples in which an adaptive strength goes from 0 to 1 at most.
    """

    operations: tuple[str, ...] = ()
    strength: Curve = field(default_factory=lambda: Curve(1.0))
    target: float | None = None
    samples: float = 100_000.0

    def __post_init__(self) -> None:
        ends = (self.strength.start, self.strength.start if self.strength.stop is None else self.strength.stop)
        if not all(0 <= end <= 1 for end in ends):
            raise RequestError(f"an augmentation's strength lies between 0 and 1, not between {ends[0]} and {ends[1]}")
        if self.target is not None and not 0 < self.target < 1:
            raise RequestError(f"augment.target lies between 0 and 1, not at {self.target}; 0.6 is usual")
        if not self.samples > 0:
            raise RequestError(f"augment.samples must be above 0, not {self.samples}")


def strengthener(augment: Augment) -> Strengthen:
    """What changes the strength during training."""

    def along(strength: Tensor, game_round: Round, step: int, progress: float) -> None:
        del game_round, step
        strength.fill_(augment.strength(progress))

    def adapt(strength: Tensor, game_round: Round, step: int, progress: float) -> None:
        del progress
        if step % EVERY == 0:
            seen = EVERY * size(game_round.real) * processes()[1]
            way = torch.sign(overfitting(game_round) - (augment.target or 0.0))
            strength.add_(way.to(strength.device) * seen / augment.samples).clamp_(0, 1)

    return along if augment.target is None else adapt


@torch.no_grad()
def overfitting(game_round: Round) -> Tensor:
    """How sure the critic is of its training samples: the mean sign of their logits, -1 to 1, over all processes.

    As r_t of Karras et al. (2020, eq. 1), but a logit is taken from the middle between the means of both sides, since
    relativistic and Wasserstein losses leave the zero point of a critic free.
    """
    real, fake = level(game_round.on_real), level(game_round.on_fake)
    middle = over_processes((real.mean() + fake.mean()) / 2)
    return over_processes(torch.sign(real - middle).mean())


def over_processes(number: Tensor) -> Tensor:
    """The mean of a number over all processes."""
    if processes()[1] > 1:
        dist.all_reduce(number)
        number /= processes()[1]
    return number


def level(verdict: Verdict) -> Tensor:
    """One number a sample (or pack): the mean of all its logits, (batch,)."""
    parts: list[Any] = [part.detach().float().flatten(1).mean(1) for part in verdict.logits]
    return torch.stack(parts).mean(0)
