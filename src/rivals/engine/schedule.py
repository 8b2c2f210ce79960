"""Numbers that change over training, and when it ends."""

import math
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .errors import RequestError

Shape = Literal["linear", "cosine", "switch"]
EQUILIBRIUM, PLATEAU = "equilibrium", "plateau"
RESTS = (EQUILIBRIUM, PLATEAU)  # scores of their own, 1 once a run is there
OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@dataclass(frozen=True)
class Curve:
    """A number from `start` to `stop`, moving while progress (0 to 1) goes from `begin` to `end`.

    `stop=None` means constant. Shapes: "linear", "cosine" (half a period), "switch" (all at once at `begin`).

    >>> Curve(1.0, 0.0, "linear", begin=0.5)(0.75)
    0.5
    """

    start: float
    stop: float | None = None
    shape: Shape = "cosine"
    begin: float = 0.0
    end: float = 1.0

    def __call__(self, progress: float) -> float:
        """The value at `progress`."""
        if self.stop is None:
            return self.start
        if self.shape == "switch":
            return self.stop if progress >= self.begin else self.start
        way = min(max((progress - self.begin) / max(self.end - self.begin, 1e-9), 0.0), 1.0)
        if self.shape == "cosine":
            way = (1 - math.cos(math.pi * way)) / 2
        return self.start + (self.stop - self.start) * way

    def __post_init__(self) -> None:
        if self.shape not in ("linear", "cosine", "switch"):
            raise RequestError(f"no curve {self.shape!r}: there are linear, cosine, switch")
        if not all(math.isfinite(value) for value in (self.start, self.stop or 0.0)):
            raise RequestError(f"a curve goes between finite numbers, not from {self.start} to {self.stop}")
        if not 0 <= self.begin <= self.end <= 1:
            raise RequestError(f"a curve goes from begin to end within 0 and 1, not from {self.begin} to {self.end}")


@dataclass(frozen=True)
class Weight(Curve):
    """How much a loss term counts over training, and how often it is taken.

    A lazy term (`every` > 1) counts `every` times over when it is taken (Karras et al., 2020, appendix B).
    """

    every: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.every < 1:
            raise RequestError(f"a term can be taken every 1, 2, 3 ... steps, not every {self.every}")


@dataclass(frozen=True)
class Budget:
    """When training ends: after `steps` rounds or `seconds`, whichever comes first. At least one must be given."""

    steps: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("steps", self.steps), ("minutes", self.seconds)):
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise RequestError(f"{name} must be a number above zero, not {value}")
        if self.steps is None and self.seconds is None:
            raise RequestError("training needs an end: give steps or minutes")

    def progress(self, step: int, seconds: float) -> float:
        """How much of the budget is used, from 0 to 1."""
        shares = [0.0]
        if self.steps is not None:
            shares.append(step / self.steps)
        if self.seconds is not None:
            shares.append(seconds / self.seconds)
        return min(max(shares), 1.0)


@dataclass(frozen=True)
class Target:
    """A wanted quality, such as "fd<5", or a state of rest: a score of its own, 1 once a run is there.

    >>> Target.parse("agreement >= 97").met({"agreement": 98.0})
    True
    """

    name: str
    sign: str
    value: float

    @classmethod
    def parse(cls, text: str, known: Sequence[str] = ()) -> "Target":
        """Read a target; `known` are the scores there are.

        Raises:
            RequestError: it does not read as name, sign, number, or the name is none of the known ones.
        """
        if text.strip() in RESTS:
            return cls(text.strip(), ">=", 1.0)
        match = re.fullmatch(r"\s*(\w+)\s*(<=|>=|<|>)\s*([-+.\deE]+)\s*", text)
        try:
            target = cls(match[1], match[2], float(match[3])) if match else None
        except ValueError:
            target = None
        if target is None:
            rests = " or ".join(repr(name) for name in RESTS)
            raise RequestError(
                f"--until {text!r} does not read as a quality: write it like 'fd<5' or 'fd<5, agreement>97', or {rests}"
            )
        if known and target.name not in known:
            raise RequestError(f"--until {text!r}: no score {target.name!r} here; there are {', '.join(known)}")
        return target

    def met(self, scores: Mapping[str, float]) -> bool:
        """Whether the scores reach it."""
        return self.name in scores and OPERATORS[self.sign](scores[self.name], self.value)


def targets(until: str | None, known: Sequence[str] = ()) -> tuple[Target, ...]:
    """What must all be reached for a run to end early, by comma; none for None.

    >>> [target.name for target in targets("fd<5, agreement>97")]
    ['fd', 'agreement']

    Raises:
        RequestError: as `Target.parse`.
    """
    return () if until is None else tuple(Target.parse(part, known) for part in until.split(","))


def reached(wanted: Sequence[Target], scores: Mapping[str, float]) -> bool:
    """Whether the scores reach all that is wanted, if anything is."""
    return bool(wanted) and all(target.met(scores) for target in wanted)
