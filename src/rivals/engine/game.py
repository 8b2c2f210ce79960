"""Games: what two sides play for. The loop knows nothing else about a model."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from .parallel import own_rows
from .terms import Term, weigh
from .types import Batch, Round, Sample, Verdict, each, leaf, leaves, size


class Game(Protocol):
    """Two sides that take turns; each returns its weighted loss terms for a batch."""

    generator: nn.Module
    critic: nn.Module

    def generator_loss(self, batch: Batch, step: int, progress: float) -> dict[str, Tensor]:
        """The generator's weighted terms, by name."""
        ...

    def critic_loss(self, batch: Batch, step: int, progress: float) -> dict[str, Tensor]:
        """The critic's weighted terms, by name."""
        ...


def same(raw: Any) -> Sample:
    """Show the critic just what the generator returned."""
    return raw


def plain(sample: Sample, cond: Tensor | None) -> tuple[Sample, Tensor | None]:
    """No augmentation."""
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
        augment: applied to all that the critic sees; penalties are taken through it.
    """

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        *,
        latent: int,
        generator_terms: Mapping[str, Term],
        critic_terms: Mapping[str, Term],
        show: Callable[[Any], Sample] = same,
        augment: Callable[[Sample, Tensor | None], tuple[Sample, Tensor | None]] = plain,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.critic = critic
        self.latent = latent
        self.generator_terms = generator_terms
        self.critic_terms = critic_terms
        self.show = show
        self.augment = augment

    def judge(self, sample: Sample, cond: Tensor | None) -> Verdict:
        """The critic's verdict on a sample, augmented."""
        return self.critic(*self.augment(sample, cond))

    def play(self, batch: Batch) -> Round:
        """Make fakes for a batch: one for each real sample, under the same condition."""
        real = leaves(batch.real)[0]
        z = own_rows(torch.randn, size(batch.real), self.latent, device=real.device)
        raw = self.generator(z, batch.cond)
        fake = each(lambda part, like: part.to(like.dtype), self.show(raw), batch.real)
        return Round(self.judge, batch.real, fake, batch.cond, raw, z)

    def critic_loss(self, batch: Batch, step: int, progress: float) -> dict[str, Tensor]:
        """The critic's weighted terms; gradients with respect to the samples can be taken, none reach the generator."""
        game_round = self.play(batch)
        at_leaves = replace(game_round, real=leaf(game_round.real), fake=leaf(game_round.fake))
        return weigh(self.critic_terms, at_leaves, step, progress)

    def generator_loss(self, batch: Batch, step: int, progress: float) -> dict[str, Tensor]:
        """The generator's weighted terms."""
        return weigh(self.generator_terms, self.play(batch), step, progress)
