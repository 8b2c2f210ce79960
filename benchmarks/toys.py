"""Rings and grids of Gaussians: which modes each method finds, and how many of its samples lie on one.

Two sets that the literature has used since 2016, with its protocol (Lin et al., 2018, PacGAN, section 4.1, after
Srivastava et al., 2017, VEEGAN): 2,500 samples; a mode is found if at least 20 lie within three standard deviations of
it; "on a mode" is the share of samples that do so for any mode (98.9 % of the data themselves).

    ring  8 Gaussians on a circle of radius 2, standard deviation 0.02
    grid  25 Gaussians at -4, -2, 0, 2, 4 in both directions, standard deviation 0.05

One pair of perceptrons, one noise, one batch size, one number of generator steps, the learning rate annealed to zero,
and the running average judged, for all methods; loss, penalties, normalisation, critic steps and Adam's numbers are
each method's own, learning rates adapted to these networks. The engine alone is used, as in a script of one's own.
Resumable: a method's seed that is done is not trained again. Writes results/toys.json.
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise

import torch
from torch import Tensor, nn

from common import RUNS, write_result
from rivals.engine.build import add_spectral_norm
from rivals.engine.equilibrium import duality_gap
from rivals.engine.game import Duel
from rivals.engine.losses import LOSSES
from rivals.engine.pack import Packed
from rivals.engine.schedule import Budget, Curve
from rivals.engine.terms import TERMS, Term, adversarial
from rivals.engine.train import NonFiniteError, Pace, Training, rounds
from rivals.engine.types import Batch, Verdict

BATCH, LATENT, FREQUENCY, STEPS = 256, 2, 6.0, 6000
SEEDS = 3  # of what a paper claims, and of these:
SEEDED = ("wgan-gp", "r3gan")
NETWORKS = "G: 2-128-128-128-2, ReLU; D: 2 and 16 waves of frequency 6-64-64-64-1, leaky ReLU; per sample of a pack"
JUDGED, FOUND, SIGMAS = 2500, 20, 3.0
GAP = {"steps": 200, "lr": 1e-3, "held_out": 8}


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

    def __init__(self, inputs: int, width: int, outputs: int, act: nn.Module) -> None:
        hidden = [part for a, b in pairwise([inputs, width, width, width]) for part in (nn.Linear(a, b), act)]
        super().__init__(*hidden, nn.Linear(width, outputs))


class Generator(Perceptron):
    """Noise to points. Wide and with corners: it has to jump from mode to mode, and what lies between is no sample."""

    def __init__(self) -> None:
        super().__init__(LATENT, 128, 2, nn.ReLU())

    def forward(self, z: Tensor, cond: Tensor | None = None) -> Tensor:
        """(batch, LATENT) -> (batch, 2)."""
        return super().forward(z)


class Critic(Perceptron):
    """Sees each sample with sines and cosines of it (Tancik et al., 2020): modes are a hundredth of their distance."""

    waves: Tensor

    def __init__(self, inputs: int) -> None:
        super().__init__(9 * inputs, 64, 1, nn.LeakyReLU(0.2))
        self.register_buffer("waves", FREQUENCY * torch.randn(inputs, 4 * inputs))

    def forward(self, x: Tensor, cond: Tensor | None = None) -> Verdict:
        """(batch, inputs) -> one logit each."""
        angles = x @ self.waves
        return Verdict((super().forward(torch.cat([x, angles.sin(), angles.cos()], 1)),))


@dataclass(frozen=True)
class Toy:
    """A method's own numbers.

    `claims`: the sets on which its paper says that it finds the modes: PacGAN counts them (section 4.1: nearly all of
    both sets), LSGAN shows a picture of a ring (Mao et al., 2017, figure 5). WGAN-GP's paper shows only critics there,
    R3GAN's counts modes of Stacked-MNIST.
    """

    loss: str
    terms: Mapping[str, Curve] = field(default_factory=dict)
    lr: float = 2e-3
    betas: tuple[float, float] = (0.0, 0.99)
    critic_steps: int = 1
    spectral: bool = False
    clip: float | None = None
    pack: int = 1
    claims: tuple[str, ...] = ()


SOFT = Curve(0.1, 0.003, end=0.8)  # of R1 and R2: strong at first, as in R3GAN's own recipe
LIPSCHITZ = {"gradient_penalty": Curve(0.1)}  # smaller than on pictures, where it is 10
FREE = {"lr": 5e-4, "betas": (0.5, 0.99)}  # critics that nothing holds back

TOYS = {
    "gan": Toy("logistic", **FREE),
    "lsgan": Toy("least_squares", **FREE, claims=("ring",)),
    "wgan": Toy("wasserstein", clip=0.1, critic_steps=3),
    "wgan-gp": Toy("wasserstein", LIPSCHITZ, betas=(0.5, 0.9), critic_steps=3),
    "dragan": Toy("logistic", {"dragan": Curve(1.0)}, lr=1e-3, betas=(0.5, 0.9)),
    "sngan": Toy("hinge", spectral=True, critic_steps=3),
    "score-difference": Toy("score_difference", LIPSCHITZ, betas=(0.5, 0.9), critic_steps=3),
    "lecam": Toy("logistic", {"lecam": Curve(0.1)}, **FREE),
    "gan-r1": Toy("logistic", {"r1": SOFT}),
    "gan-r1-r2": Toy("logistic", {"r1": SOFT, "r2": SOFT}),
    "ragan-gp": Toy("relativistic_average", LIPSCHITZ, betas=(0.5, 0.9)),
    "pacgan": Toy("logistic", pack=2, **FREE, claims=("ring", "grid")),
    "pacgan-gp": Toy("logistic", LIPSCHITZ, betas=(0.5, 0.9), pack=2),
    "r3gan": Toy("relativistic", {"r1": SOFT, "r2": SOFT}),
}


def game_of(toy: Toy) -> Duel:
    generator, critic = Generator(), Critic(2 * toy.pack)
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
        joined=not {"r1", "r2"} & set(toy.terms),  # as `rivals train` decides it
    )


def trained(toy: Toy, mixture: Mixture, seed: int, steps: int) -> Training:
    torch.manual_seed(seed)
    game = game_of(toy)
    generator, critic = (
        torch.optim.Adam(side.parameters(), toy.lr, toy.betas, fused=True) for side in (game.generator, game.critic)
    )
    training = Training.of(game, (generator, critic))
    pace = Pace(
        critic_steps=toy.critic_steps,
        clip_weights=toy.clip,
        anneal=Curve(1.0, 0.0, begin=0.5),
        average_half_life=Curve(20.0 * BATCH),
    )
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


def one(name: str, set_name: str, seed: int, steps: int) -> dict:
    """A method trained and judged, or what was found when it was."""
    toy, mixture = TOYS[name], SETS[set_name]
    protocol = {"toy": asdict(toy), "steps": steps, "networks": NETWORKS, "batch": BATCH, "gap": GAP}
    protocol = json.loads(json.dumps(protocol))
    path = RUNS / "toys" / f"{name}-{set_name}-{seed}.json"
    if path.exists() and (found := json.loads(path.read_text()))["protocol"] == protocol:
        return found
    began = time.process_time()
    try:
        training = trained(toy, mixture, seed, steps)
    except NonFiniteError as error:
        found = {"modes": 0, "on_a_mode": 0.0, "gap": None, "failed": str(error)}
    else:
        seconds = time.process_time() - began
        noise = torch.randn(JUDGED, LATENT, generator=torch.Generator().manual_seed(seed))
        gap = duality_gap(training.game, mixture.batches(seed + 1000), clip=toy.clip, **GAP)
        found = {**judged(training.average(noise), mixture), "gap": round(gap, 4), "cpu_seconds": round(seconds, 1)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**found, "seed": seed, "protocol": protocol}))
    print(f"{name:18} {set_name} {seed}: {found}", flush=True)
    return json.loads(path.read_text())


def seeds_of(name: str, set_name: str) -> tuple[int, ...]:
    """Three seeds of what is claimed, of the default and of what it is usually compared with; one of the others."""
    return tuple(range(SEEDS)) if set_name in TOYS[name].claims or name in SEEDED else (0,)


def row(name: str, set_name: str, runs: list[dict]) -> dict:
    """Seeds together; `reached`: every seed finds all modes, with at least 95 % of its samples on them."""
    modes = len(SETS[set_name].centres)
    gaps = [run["gap"] for run in runs if run["gap"] is not None]
    return {
        "method": name,
        "set": set_name,
        "claimed": set_name in TOYS[name].claims,
        "modes": [run["modes"] for run in runs],
        "of": modes,
        "on_a_mode": [run["on_a_mode"] for run in runs],
        "gap": round(statistics.mean(gaps), 4) if gaps else None,
        "cpu_seconds": round(sum(run.get("cpu_seconds", 0.0) for run in runs), 1),
        "reached": all(run["modes"] == modes and run["on_a_mode"] >= 95 for run in runs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", help="of " + ", ".join(TOYS) + "; all if not given")
    parser.add_argument("--quick", action="store_true", help="a smoke run of seconds; writes no result")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    names = asked.methods.split(",") if asked.methods else list(TOYS)
    steps = 20 if asked.quick else STEPS
    rows = [
        row(name, kind, [one(name, kind, seed, steps) for seed in ((0,) if asked.quick else seeds_of(name, kind))])
        for name in names
        for kind in SETS
    ]
    for found in rows:
        print(f"{found['method']:18} {found['set']}  {found['modes']} of {found['of']}  {found['on_a_mode']} %")
    if not asked.quick and names == list(TOYS):
        protocol = {
            "samples": JUDGED,
            "found_from": FOUND,
            "sigmas": SIGMAS,
            "steps": STEPS,
            "batch": BATCH,
            "latent": LATENT,
            "networks": NETWORKS,
            "seeds": {f"{name} {kind}": len(seeds_of(name, kind)) for name in TOYS for kind in SETS},
            "judged": "the running average",
            "duality_gap": {**GAP, "of": "the game at the end; compares only at the same loss"},
            "methods": {name: asdict(toy) for name, toy in TOYS.items()},
        }
        write_result("toys", {"protocol": protocol, "rows": rows})


if __name__ == "__main__":
    main()
