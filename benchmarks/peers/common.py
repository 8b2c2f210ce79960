"""What all peers share: what a comparison is, our side of it, and modules that a peer imports but never uses."""

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from itertools import cycle
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from rivals.engine.game import Duel
from rivals.engine.losses import Loss
from rivals.engine.schedule import Budget
from rivals.engine.terms import Term, adversarial
from rivals.engine.train import Training, rounds
from rivals.engine.types import Batch, Verdict

Play = Callable[[int], Any]
"""Trains for so many steps of both sides."""


@dataclass(frozen=True)
class Comparison:
    """The same networks, batch, data, loss and Adam, trained by a peer's code and by ours.

    Args:
        name: of the peer and its program.
        theirs: their code.
        ours: one or more ways to train with ours, by name.
        batch: pictures a step.
        note: what is not the same, if anything.
    """

    name: str
    theirs: Play
    ours: dict[str, Play]
    batch: int
    note: str = ""


class WithoutLabels(nn.Module):
    """A peer's generator as `(z, cond) -> raw`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, z: Tensor, cond: Tensor | None = None) -> Tensor:
        """(batch, latent) -> pictures."""
        del cond
        return self.network(z)


class Judging(nn.Module):
    """A peer's critic as `(sample, cond) -> Verdict`; `logits` runs it up to its logits."""

    def __init__(self, network: nn.Module, logits: Callable[[nn.Module, Tensor], Tensor] = lambda d, x: d(x)) -> None:
        super().__init__()
        self.network = network
        self.logits = logits

    def forward(self, sample: Tensor, cond: Tensor | None = None) -> Verdict:
        """Pictures -> their logits."""
        del cond
        return Verdict((self.logits(self.network, sample),))


def player(
    generator: nn.Module,
    critic: Judging,
    data: list[Tensor],
    *,
    latent: int,
    loss: Loss,
    penalties: dict[str, Term] | None = None,
    lr: float,
    betas: tuple[float, float],
    channels_last: bool = True,
) -> Play:
    """Our training of these networks, running average and all, as `rivals train` sets it up."""
    critic_half, generator_half = adversarial(loss)
    couples = any(isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d) for part in critic.modules())
    game = Duel(
        WithoutLabels(dense(generator, channels_last)),
        dense(critic, channels_last),
        latent=latent,
        generator_terms={"adversarial": Term(generator_half)},
        critic_terms={"adversarial": Term(critic_half), **(penalties or {})},
        joined=not couples and not penalties,  # as `rivals train` decides it
    )
    return played(game, [Batch(pictures) for pictures in data], lr=lr, betas=betas)


def dense(network: nn.Module, channels_last: bool = True) -> nn.Module:
    """A network as `rivals train` keeps it in memory."""
    return network.to(memory_format=torch.channels_last) if channels_last else network  # type: ignore[call-overload]


def played(game: Duel, batches: list[Batch], *, lr: float, betas: tuple[float, float]) -> Play:
    """Our training of a game."""
    adams = [torch.optim.Adam(side.parameters(), lr, betas=betas, fused=True) for side in (game.generator, game.critic)]
    training = Training.of(game, (adams[0], adams[1]))
    going = rounds(training, cycle(batches), Budget(steps=10**9))

    def play(steps: int) -> None:
        for _ in range(steps):
            next(going)

    return play


def pictures(batch: int, channels: int, side: int, count: int = 4) -> list[Tensor]:
    """Batches of noise in [-1, 1], (batch, channels, side, side), ready in memory for both."""
    seeded = torch.Generator().manual_seed(0)
    return [torch.rand(batch, channels, side, side, generator=seeded) * 2 - 1 for _ in range(count)]


def stand_in(name: str, **holds: Any) -> None:
    """A module of that name if none is installed, for imports that training never uses."""
    try:
        if name in sys.modules or importlib.util.find_spec(name):
            return
    except ModuleNotFoundError:
        pass
    module = ModuleType(name)
    module.__path__ = []  # type: ignore[attr-defined]  # a package: submodules can be imported
    module.__spec__ = ModuleSpec(name, None, is_package=True)  # torch looks for it
    for key, value in holds.items():
        setattr(module, key, value)
    sys.modules[name] = module
    parent, _, last = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], last, module)
