"""The weight of R1 and R2, found by a measurement in the first rounds.

The right gamma spans four orders of magnitude over published settings (0.05 at 32x32, 150 at 256x256), because it is a
weight on gradients with respect to samples, whose scale depends on data and networks. What it does is the same
everywhere: it bounds how far apart the critic can hold real and fake. That margin is measured in logits, the loss's own
unit, so the rule is: **the weight is right when the mean margin in the first rounds is `margin`**. Much above it the
penalties are too weak (the critic is steep, the generator chases it); much below, too strong (the critic says little).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from .augment import level
from .errors import RequestError
from .parallel import processes
from .types import Round

Adjust = Callable[[Tensor, Round, int], None]
"""Changes the penalties' scale in place after a critic's turn: (scale, round, step)."""

PENALTIES = ("r1", "r2")


@dataclass(frozen=True)
class Tune:
    """How the weights of R1 and R2 are found: from their given values, by one factor, in the first rounds.

    Args:
        margin: wanted mean logit of real samples over fakes.
        rounds: over which the factor is sought; then it stays.
        wait: rounds before that, in which the untrained generator is beaten by any critic.
        speed: share of the margin's logarithmic error by which the factor's logarithm moves in a round, at first.
    """

    margin: float = 2.5
    rounds: int = 300
    wait: int = 30
    speed: float = 0.08

    def __post_init__(self) -> None:
        if not self.margin > 0 or not 0 < self.speed <= 1:
            raise RequestError(f"tune.margin is above 0 and tune.speed from 0 to 1, not {self.margin} and {self.speed}")
        if not 0 <= self.wait < self.rounds:
            raise RequestError(f"tune.wait lies between 0 and tune.rounds, not at {self.wait} of {self.rounds}")


def adjuster(tune: Tune) -> Adjust:
    """What finds the scale: a feedback on the margin whose speed falls to zero, so that its noise averages out."""

    def adjust(scale: Tensor, game_round: Round, step: int) -> None:
        if tune.wait <= step < tune.rounds:
            left = (tune.rounds - step) / (tune.rounds - tune.wait)
            error = torch.log(margin(game_round).clamp(0.1 * tune.margin, 10 * tune.margin) / tune.margin)
            scale.mul_(torch.exp(tune.speed * left * error).to(scale.device))

    return adjust


@torch.no_grad()
def margin(game_round: Round) -> Tensor:
    """Mean logit of real samples less that of fakes, over all processes."""
    found = level(game_round.on_real).mean() - level(game_round.on_fake).mean()
    if processes()[1] > 1:
        dist.all_reduce(found)
        found /= processes()[1]
    return found
