"""Games: what two sides play for. The loop knows nothing else about a model."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from .augment import Strengthen
from .parallel import own_rows
from .terms import Term, weigh
from .types import Batch, Round, Sample, Verdict, each, leaf, leaves, size


class Game(Protocol):
    """Two sides that take turns: a round is played, and each side returns its weighted loss terms for it."""

    generator: nn.Module
    critic: nn.Module

    def play(self, batch: Batch) -> Any:
        """What both sides' terms read of a batch: the fakes, and whatever else the game is about."""
        ...

    def generator_loss(self, game_round: Any, step: int, progress: float) -> dict[str, Tensor]:
        """The generator's weighted terms, by name."""
        ...

    def critic_loss(self, game_round: Any, step: int, progress: float) -> dict[str, Tensor]:
        """The critic's weighted terms, by name; none of their gradients reach the generator."""
        ...


def same(raw: Any) -> Sample:
    """Show the critic just what the generator returned."""
    return raw


def plain(sample: Sample, cond: Tensor | None, strength: Tensor) -> tuple[Sample, Tensor | None]:
    """No augmentation."""
    del strength
    return sample, cond


class Duel(nn.Module):
    """One generator against one critic (which may be an ensemble).

    Args:
        generator: `(z, cond) -> raw`, with z of shape (batch, latent) from a standard normal distribution.
        critic: `(sample, cond) -> Verdict`.
        latent: width of z; 0 is a width like any other.
        generator_terms: what the generator minimises, by name.
        critic_terms: what the critic minimises, by name.
        show: turns `raw` into what the critic sees.
        augment: applied to all that the critic sees, at a strength from 0 to 1; penalties are taken through it.
        strengthen: how that strength changes (see `augment.py`).
        joined: show the critic real and fake in one pass in its own turn; not for a critic that couples a batch.
    """

    strength: Tensor

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        *,
        latent: int,
        generator_terms: Mapping[str, Term],
        critic_terms: Mapping[str, Term],
        show: Callable[[Any], Sample] = same,
        augment: Callable[[Sample, Tensor | None, Tensor], tuple[Sample, Tensor | None]] = plain,
        strengthen: Strengthen | None = None,
        joined: bool = False,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.critic = critic
        self.latent = latent
        self.generator_terms = generator_terms
        self.critic_terms = critic_terms
        terms = {f"{side}_{name}": term.measure for side, name, term in self.all_terms()}
        self.memories = nn.ModuleDict({name: part for name, part in terms.items() if isinstance(part, nn.Module)})
        self.show = show
        self.augment = augment
        self.strengthen = strengthen
        self.joined = joined
        self.register_buffer("strength", torch.zeros(()))

    def all_terms(self) -> Iterator[tuple[str, str, Term]]:
        """Every term: whose it is, its name, the term."""
        yield from (("generator", name, term) for name, term in self.generator_terms.items())
        yield from (("critic", name, term) for name, term in self.critic_terms.items())

    def judge(self, sample: Sample, cond: Tensor | None) -> Verdict:
        """The critic's verdict on a sample, augmented."""
        return self.critic(*self.augment(sample, cond, self.strength))

    def play(self, batch: Batch) -> Round:
        """Make fakes for a batch: one for each real sample, under the same condition."""
        real = leaves(batch.real)[0]
        z = own_rows(torch.randn, size(batch.real), self.latent, device=real.device)
        raw = self.generator(z, batch.cond)
        fake = each(lambda part, like: part.to(like.dtype), self.show(raw), batch.real)
        return Round(self.judge, batch.real, fake, batch.cond, raw, z)

    def critic_loss(self, game_round: Round, step: int, progress: float) -> dict[str, Tensor]:
        """The critic's weighted terms; gradients with respect to the samples can be taken, none reach the generator."""
        apart = replace(game_round, real=leaf(game_round.real), fake=leaf(game_round.fake), joined=self.joined)
        losses = weigh(self.critic_terms, apart, step, progress)
        if self.strengthen is not None:
            self.strengthen(self.strength, apart, step, progress)
        return losses

    def generator_loss(self, game_round: Round, step: int, progress: float) -> dict[str, Tensor]:
        """The generator's weighted terms."""
        return weigh(self.generator_terms, game_round, step, progress)


def coupled_parts(module: nn.Module) -> list[nn.Module]:
    """The parts that let what comes of one sample depend on the others in its batch (batch norm, batch deviation)."""
    torchs_own = nn.modules.batchnorm._BatchNorm
    return [part for part in module.modules() if getattr(part, "couples_batch", isinstance(part, torchs_own))]
