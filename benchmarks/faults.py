"""What is planted into short runs for `doctor.py`: settings, changed data, or a patch of the one process that trains.

The doctor reads the run's folder alone and never this file.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

Arrays = tuple[np.ndarray, np.ndarray]
PICTURES = 5000
RATE, GAMMA_TIMES = 3e-3, 1000


def whole(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Arrays:
    """Some pictures of a set, as they are."""
    rows = rng.permutation(len(images))[:PICTURES]
    return images[rows], labels[rows]


def repeated(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Arrays:
    """Every picture twenty times."""
    rows = np.repeat(rng.permutation(len(images))[: PICTURES // 20], 20)
    return images[rows], labels[rows]


def hundred(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Arrays:
    """125 pictures, of which a fifth is held out."""
    rows = rng.permutation(len(images))[:125]
    return images[rows], labels[rows]


def shuffled(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Arrays:
    """The labels of other pictures."""
    images, labels = whole(images, labels, rng)
    return images, labels[rng.permutation(len(labels))]


def gap(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Arrays:
    """One of the numbered classes, neither the first nor the last, isn't there at all."""
    images, labels = whole(images, labels, rng)
    kept = labels != rng.integers(1, 9)
    return images[kept], labels[kept]


def sliver(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Arrays:
    """Two classes have four pictures each."""
    images, labels = whole(images, labels, rng)
    few = rng.choice(10, 2, replace=False)
    kept = np.ones(len(labels), bool)
    for number in few:
        kept[np.flatnonzero(labels == number)[4:]] = False
    return images[kept], labels[kept]


def no_noise() -> None:
    """The generator makes the same whatever the noise."""
    from rivals.modalities.images.networks import ConvGenerator as Net

    forward = Net.forward
    Net.forward = lambda self, z, cond=None: forward(self, 0 * z, cond)  # type: ignore[method-assign]


def no_noise_no_class() -> None:
    """The generator makes one and the same picture."""
    from rivals.modalities.images.networks import ConvGenerator as Net

    forward = Net.forward
    same = lambda self, z, cond=None: forward(self, 0 * z, None if cond is None else 0 * cond)  # noqa: E731
    Net.forward = same  # type: ignore[method-assign]


def some_without_noise() -> None:
    """Two classes get one picture each, whatever the noise."""
    from rivals.modalities.images.networks import ConvGenerator as Net

    forward = Net.forward

    def patched(self: Any, z: torch.Tensor, cond: torch.Tensor | None = None) -> torch.Tensor:
        stuck = torch.zeros(len(z), 1) if cond is None else ((cond == 2) | (cond == 6))[:, None]
        return forward(self, torch.where(stuck, 0 * z, z), cond)

    Net.forward = patched  # type: ignore[method-assign]


def classes_lost() -> None:
    """Asked for one of three classes, the generator makes another one."""
    from rivals.modalities.images.networks import ConvGenerator as Net

    forward = Net.forward

    def patched(self: Any, z: torch.Tensor, cond: torch.Tensor | None = None) -> torch.Tensor:
        lost = cond if cond is None else torch.where((cond == 0) | (cond == 5) | (cond == 8), 1 + 0 * cond, cond)
        return forward(self, z, lost)

    Net.forward = patched  # type: ignore[method-assign]


def not_a_number(first: int = 150) -> None:
    """From one step on, the critic's loss is not a number."""
    from rivals.engine.game import Duel

    loss = Duel.critic_loss

    def patched(self: Any, game_round: Any, step: int, progress: float) -> dict[str, torch.Tensor]:
        found = loss(self, game_round, step, progress)
        return {name: value * math.nan for name, value in found.items()} if step >= first else found

    Duel.critic_loss = patched  # type: ignore[method-assign]


def slow_average() -> None:
    """The running average is a hundred times as slow, its ramp too."""
    from rivals.engine import run
    from rivals.engine.pace import Pace

    build = run.build_pace

    def patched(recipe: Any) -> Pace:
        pace = build(recipe)
        life = replace(pace.average_half_life, start=100 * pace.average_half_life.start)
        return replace(pace, average_half_life=life, average_ramp=100 * pace.average_ramp)

    run.build_pace = patched


PATCHES: dict[str, Callable[[], None]] = {
    name: patch
    for name, patch in globals().items()
    if name in ("no_noise", "no_noise_no_class", "some_without_noise", "classes_lost", "not_a_number", "slow_average")
}


@dataclass(frozen=True)
class Plant:
    """A fault, or none.

    Args:
        names: of the findings that name it; none where nothing is wrong.
        settings: of the recipe.
        data: what is done to a set's training pictures and labels.
        patch: a name in `PATCHES`.
        method: of the run.
    """

    names: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: Callable[[np.ndarray, np.ndarray, np.random.Generator], Arrays] = whole
    patch: str | None = None
    method: str = "r3gan"


FAULTS = {
    "one picture": Plant(("collapse",), patch="no_noise_no_class"),
    "one picture a class": Plant(("collapse",), patch="no_noise"),
    "two classes collapsed": Plant(("partial-collapse",), patch="some_without_noise"),
    "three classes lost": Plant(("lost-classes", "missing-modes"), patch="classes_lost"),
    "critic's rate x30": Plant(("learning-rate-high",), {"critic_optimizer.lr": 30 * RATE}),
    "critic's rate /30": Plant(("critic-weak",), {"critic_optimizer.lr": RATE / 30}),
    "no penalty": Plant(("penalty-small",), {"critic_terms": "{}"}),
    "gamma x1000": Plant(("penalty-large",)),  # the settings follow from the data
    "duplicates": Plant(("duplicates",), data=repeated),
    "hundred pictures": Plant(("overfitting", "few-pictures"), {"augment.operations": "[]"}, hundred),
    "not a number": Plant(("not-finite",), patch="not_a_number"),
    "labels shuffled": Plant(("labels",), data=shuffled),
    "average x100": Plant(("average-slow",), patch="slow_average"),
    "a class missing": Plant(("missing-classes",), data=gap),
    "two classes of four": Plant(("missing-classes",), data=sliver),
}

SMALL = {"batch": 32}  # for 400 steps to take no longer
HEALTHY = {
    "healthy": Plant(()),
    "healthy, wider": Plant((), {"generator.options.width": 16, "critic.options.width": 16}),
    "healthy gan-r1": Plant((), SMALL, method="gan-r1"),
    "healthy dragan": Plant((), SMALL, method="dragan"),
    "healthy dcgan": Plant((), SMALL, method="dcgan"),
    "healthy ragan": Plant((), SMALL, method="ragan"),
}


def gamma_settings(images: np.ndarray, times: float = GAMMA_TIMES) -> dict[str, Any]:
    """R1 and R2 with so many times the weight that suits these pictures."""
    from rivals.engine.gamma import gamma_for

    gamma = gamma_for(torch.from_numpy(images[:2000].astype(np.float32) / 127.5 - 1))
    return {
        f"critic_terms.{name}.{end}": float(f"{times * gamma * share:.3g}")
        for name in ("r1", "r2")
        for end, share in (("start", 1.0), ("stop", 0.1))
    }
