"""Rings and grids of Gaussians: which modes each method finds, and how many of its samples lie on one.

Two sets that the literature has used since 2016, with its protocol (Lin et al., 2018, PacGAN, section 4.1, after
Srivastava et al., 2017, VEEGAN): 2,500 samples; a mode is found if at least 20 lie within three standard deviations of
it; "on a mode" is the share of samples that do so for any mode (98.9 % of the data themselves).

    ring  8 Gaussians on a circle of radius 2, standard deviation 0.02
    grid  25 Gaussians at -4, -2, 0, 2, 4 in both directions, standard deviation 0.05

One pair of perceptrons, one noise, one batch size, one number of generator steps, the learning rate annealed to zero,
and the running average judged, for all methods; loss, penalties, normalisation, critic steps and Adam's numbers are each
method's own, learning rates adapted to these networks. The engine alone is used, as a script of one's own would.
Resumable: a method's seed that is done is not trained again. Writes results/toys.json.
"""

import argparse
import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

import torch
from common import RUNS, write_result
from torch import Tensor, nn

from rivals.engine.build import add_spectral_norm
from rivals.engine.equilibrium import duality_gap
from rivals.engine.game import Duel
from rivals.engine.losses import LOSSES
from rivals.engine.pack import Packed
from rivals.engine.schedule import Budget, Curve
from rivals.engine.terms import TERMS, Term, adversarial
from rivals.engine.train import Pace, Training, rounds
from rivals.engine.types import Batch, Verdict

BATCH, LATENT, WIDTH, STEPS, SEEDS = 256, 8, 128, 4000, (0, 1, 2)
JUDGED, FOUND, SIGMAS = 2500, 20, 3.0


@dataclass(frozen=True)
class Mixture:
    """Gaussians of one deviation, equally likely, divided by `scale` for the networks."""

    centres: tuple[tuple[float, float], ...]
    deviation: float
    scale: float

    @property
    def modes(self) -> Tensor:
        """Their centres as the networks see them, (modes, 2)."""
        return torch.tensor(self.centres) / self.scale

    def batches(self, seed: int) -> Iterator[Batch]:
        """Samples without end, (BATCH, 2), of their own random numbers."""
        random = torch.Generator().manual_seed(seed)
        modes = self.modes
        while True:
            which = torch.randint(len(modes), (BATCH,), generator=random)
            noise = torch.randn(BATCH, 2, generator=random)
            yield Batch(modes[which] + self.deviation / self.scale * noise)


SETS = {
    "ring": Mixture(tuple((2 * math.cos(k * math.pi / 4), 2 * math.sin(k * math.pi / 4)) for k in range(8)), 0.02, 2.0),
    "grid": Mixture(tuple((float(x), float(y)) for x in range(-4, 5, 2) for y in range(-4, 5, 2)), 0.05, 4.0),
}


class Perceptron(nn.Sequential):
    """Three hidden layers."""

    def __init__(self, inputs: int, outputs: int) -> None:
        widths = [inputs, WIDTH, WIDTH, WIDTH]
        layers = [part for a, b in zip(widths, widths[1:], strict=False) for part in (nn.Linear(a, b), nn.LeakyReLU(0.2))]
        super().__init__(*layers, nn.Linear(WIDTH, outputs))


class Generator(Perceptron):
    def forward(self, z: Tensor, cond: Tensor | None = None) -> Tensor:
        return super().forward(z)


class Critic(Perceptron):
    def forward(self, x: Tensor, cond: Tensor | None = None) -> Verdict:
        return Verdict((super().forward(x),))


@dataclass(frozen=True)
class Toy:
    """A method's own numbers. `claims`: the sets on which its paper shows that it finds all modes."""

    loss: str
    terms: Mapping[str, float] = field(default_factory=dict)
    lr: float = 1e-3
    betas: tuple[float, float] = (0.0, 0.99)
    critic_steps: int = 1
    spectral: bool = False
    clip: float | None = None
    pack: int = 1
    claims: tuple[str, ...] = ()


TOYS = {
    "gan": Toy("logistic"),
    "lsgan": Toy("least_squares", claims=("ring",)),
    "wgan": Toy("wasserstein", clip=0.1, critic_steps=5),
    "wgan-gp": Toy("wasserstein", {"gradient_penalty": 10.0}, critic_steps=5),
    "r3gan": Toy("relativistic", {"r1": 0.05, "r2": 0.05}),
}


def game_of(toy: Toy) -> Duel:
    generator, critic = Generator(LATENT, 2), Critic(2 * toy.pack, 1)
    if toy.spectral:
        add_spectral_norm(critic)
    critic_half, generator_half = adversarial(LOSSES[toy.loss])
    found = {name: TERMS[name] for name in toy.terms}
    measures = {name: term() if isinstance(term, type) else term for name, term in found.items()}
    return Duel(
        generator,
        Packed(critic, toy.pack) if toy.pack > 1 else critic,
        latent=LATENT,
        critic_terms={
            "adversarial": Term(critic_half),
            **{name: Term(measures[name], weight) for name, weight in toy.terms.items()},
        },
        generator_terms={"adversarial": Term(generator_half)},
        joined={"r1", "r2"} <= set(toy.terms),
    )


def trained(toy: Toy, mixture: Mixture, seed: int, steps: int) -> Training:
    torch.manual_seed(seed)
    game = game_of(toy)
    generator, critic = (torch.optim.Adam(side.parameters(), toy.lr, toy.betas, fused=True) for side in (game.generator, game.critic))
    training = Training.of(game, (generator, critic))
    pace = Pace(critic_steps=toy.critic_steps, clip_weights=toy.clip, anneal=Curve(1.0, 0.0, "cosine", begin=0.5), average_half_life=Curve(20.0 * BATCH))
    for _ in rounds(training, mixture.batches(seed), Budget(steps=steps), pace=pace, seed=seed):
        pass
    return training


@torch.no_grad()
def judged(points: Tensor, mixture: Mixture) -> dict[str, float]:
    """The published protocol, for points (JUDGED, 2)."""
    distance, nearest = torch.cdist(points, mixture.modes).min(1)
    close = distance < SIGMAS * mixture.deviation / mixture.scale
    counts = nearest[close].bincount(minlength=len(mixture.modes))
    return {"modes": int((counts >= FOUND).sum()), "on_a_mode": round(100 * float(close.float().mean()), 2)}
