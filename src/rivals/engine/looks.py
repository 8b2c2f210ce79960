"""Looks at a game, read back from the log, and what many of them say together."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

SETTLED = 0.2  # of the run: before, nothing is wrong yet, only young
YOUNG = 1.0  # times its weights: a generator that has moved less, step by step, may not have found its feet


@dataclass(frozen=True)
class Look:
    """One look at a game, as `signals.signals` gives it; see there."""

    step: float
    progress: float
    accuracy: Mapping[str, float]
    logits: Mapping[str, tuple[float, float]]
    gradient: Mapping[str, float]
    update: Mapping[str, float]
    slope: float
    spread: float
    lag: float
    variety: float | None
    by_class: tuple[float | None, ...]
    modes: tuple[int, ...]
    recognised: tuple[tuple[int, int], ...]
    place: tuple[float, ...]

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> "Look | None":
        """The look in a line of the log; None where there is none, or it is damaged."""
        try:
            seen = line["signals"]
            return cls(
                float(line["step"]),
                float(line["progress"]),
                {name: float(line["accuracy"][name]) for name in ("real", "fake", "held_out")},
                {name: (float(seen["logits"][name][0]), float(seen["logits"][name][1])) for name in seen["logits"]},
                {name: float(seen["gradient"][name]) for name in ("generator", "critic")},
                {name: float(seen["update"][name]) for name in ("generator", "critic")},
                float(seen["slope"]),
                float(seen["spread"]),
                float(seen["lag"]),
                None if seen.get("variety") is None else float(seen["variety"]),
                tuple(None if value is None else float(value) for value in seen.get("by_class") or ()),
                tuple(int(value) for value in seen["modes"]),
                tuple((int(right), int(count)) for right, count in seen.get("recognised") or ()),
                tuple(float(value) for value in seen["place"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError, IndexError):
            return None

    @property
    def gap(self) -> float:
        """How far apart the critic holds real and fake, in logits."""
        return self.logits["real"][0] - self.logits["fake"][0]

    @property
    def change(self) -> float:
        """How much logits change over the data's own spread, by the critic's slope."""
        return self.slope * self.spread


def grown(looks: Sequence[Look]) -> list[Look]:
    """The looks of the later half of a run, at least two of them and none of a young one."""
    last = looks[-1].progress if looks else 0.0
    late = [look for look in looks if look.progress >= max(SETTLED, last / 2)]
    return late if len(late) >= 2 else []


def moved(looks: Sequence[Look], side: str) -> float:
    """How far a side's weights have gone, all steps' lengths added up, in sizes of the weights."""
    ways = [
        (after.step - before.step) * (before.update[side] + after.update[side]) / 2 for before, after in pairwise(looks)
    ]
    return sum(way for way in ways if math.isfinite(way))


def young(looks: Sequence[Look]) -> bool:
    """Whether the generator has hardly begun."""
    return moved(looks, "generator") < YOUNG


def since(looks: Sequence[Look], ill: Callable[[Look], bool]) -> float | None:
    """The step from which on all looks show something; None if the last doesn't."""
    found = None
    for look in reversed(looks):
        if not ill(look):
            break
        found = look.step
    return found


def middle(values: Sequence[float | None]) -> float:
    """The median of the numbers among these; NaN if there are none."""
    usable = [value for value in values if value is not None and not math.isnan(value)]
    return median(usable) if usable else math.nan


def percent(share: float) -> str:
    """A share in words.

    >>> percent(0.0312), percent(0.5)
    ('3.1 %', '50 %')
    """
    return f"{100 * share:.2g} %" if share < 0.99 else f"{100 * share:.0f} %"
