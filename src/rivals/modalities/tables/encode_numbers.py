"""Numbers as a mode and a place within it: mode-specific normalisation (Xu et al., 2019, CTGAN, section 4.2)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .columns import Typed
from .layout import Part
from .mixture import fit_mixture

LONG = 4.0
"""A tail is long if it reaches further from the median than so many times the width of the middle four fifths."""

REACH = 4.0
"""Deviations from its mean to either end of a mode."""

FARTHEST = 6.0
"""The same of a mode that is widened for values which no mode reaches."""

FEW = 32
"""Different values, each of which is a mode: school years, ratings. A curve over a few numbers blurs rare ones away."""

STEPS = tuple(float(f"{digits}e{power}") for power in range(6, -7, -1) for digits in (5, 2.5, 2, 1))
"""What a column's values may all be multiples of: 5,000,000 to 0.000001."""

CLOCK = (86400.0, 3600.0, 1800.0, 900.0, 600.0, 300.0, 60.0, 30.0, 15.0, 10.0, 5.0, 1.0, 1e-3, 1e-6)
"""The same of times, in seconds."""


@dataclass(frozen=True)
class NumberEncoder:
    """One column of numbers: a scalar within a mode, and a softmax over modes, special values, words and missing.

    Modes come first, then each special value and each word, then missing; the scalar of those is 0. A column of one
    value has no scalar, one of one slot no softmax.

    Args:
        column: its name.
        low, high: the smallest and the largest ordinary value; what is decoded is clamped to them.
        step: what all values are multiples of; 0 for nothing.
        centre, scale: of the transform x -> asinh((x - centre) / scale) of columns with long tails: nearly linear in
            the middle, logarithmic outside. A scale of 0 for none.
        means, reaches: of the modes, after the transform; a scalar of 1 is the mean plus the reach.
        weights: of the modes, 0 for one that only takes what no other reaches.
        special: values that are slots of their own.
        words: how many words are.
        missing: whether missing is a slot.
    """

    column: str
    low: float
    high: float
    step: float
    centre: float
    scale: float
    means: tuple[float, ...]
    reaches: tuple[float, ...]
    weights: tuple[float, ...]
    special: tuple[float, ...] = ()
    words: int = 0
    missing: bool = False

    @property
    def slots(self) -> int:
        """Of the softmax."""
        return len(self.means) + len(self.special) + self.words + self.missing

    def parts(self, prefix: str = "") -> tuple[Part, ...]:
        """The segments."""
        scalar = (Part(prefix or "value"),) if self.low < self.high else ()
        softmax = (Part(f"{prefix} mode" if prefix else "mode", self.slots),) if self.slots > 1 else ()
        return (*scalar, *softmax)

    def encode(self, typed: Typed, draws: np.ndarray, whole: np.ndarray | None = None) -> list[np.ndarray]:
        """Cells as arrays (n,), one a part: float32 scalars, integer slots.

        Args:
            typed: the cells. Missing is the first slot in a column that knows no missing.
            draws: (n,) in [0, 1), which choose among modes that reach a value, each by its posterior probability.
            whole: (n,) what special values are compared with, if not with the numbers.
        """
        numbers = typed.numbers
        assert numbers is not None
        slots = np.full(len(numbers), self.slots - 1 if self.missing else 0)
        scalars = np.zeros(len(numbers), np.float32)
        taken = np.isnan(numbers)
        for place, value in enumerate(self.special, len(self.means)):
            same = (numbers if whole is None else whole) == value
            slots[same], taken = place, taken | same
        if typed.codes is not None:
            worded = typed.codes >= 0
            slots[worded] = len(self.means) + len(self.special) + typed.codes[worded]
        rest = np.flatnonzero(~taken)
        if len(rest) and self.means:
            values = forth(numbers[rest], self.centre, self.scale)
            slots[rest] = modes = self._modes(values, draws[rest])
            scalars[rest] = np.clip((values - np.array(self.means)[modes]) / np.array(self.reaches)[modes], -1, 1)
        given = {"scalar": scalars, "slot": slots}
        return [given["slot" if part.width else "scalar"] for part in self.parts()]

    def decode(self, arrays: Sequence[np.ndarray], draws: np.ndarray) -> Typed:
        """The cells of such arrays, in the order of the parts; nothing is drawn."""
        numbers, slots = self.decode_slots(arrays, len(draws))
        return Typed(numbers, self.word_codes(slots) if self.words else None)

    def word_codes(self, slots: np.ndarray) -> np.ndarray:
        """Which word each slot is, -1 for none: (n,) int32."""
        codes = slots - len(self.means) - len(self.special)
        return np.where((codes >= 0) & (codes < self.words), codes, -1).astype(np.int32)

    def decode_slots(self, arrays: Sequence[np.ndarray], count: int) -> tuple[np.ndarray, np.ndarray]:
        """The numbers, (count,) float64 with NaN for words and missing, and the slots, (count,)."""
        slots = arrays[-1] if self.slots > 1 else np.zeros(count, np.int64)
        numbers = np.full(count, np.nan)
        ordinary = slots < len(self.means)
        if ordinary.any():
            modes = slots[ordinary]
            values = np.array(self.means)[modes]
            if self.low < self.high:
                values += np.clip(arrays[0][ordinary].astype(np.float64), -1, 1) * np.array(self.reaches)[modes]
            numbers[ordinary] = self._back(values)
        for place, value in enumerate(self.special, len(self.means)):
            numbers[slots == place] = value
        return numbers, slots

    def _back(self, values: np.ndarray) -> np.ndarray:
        """Numbers that the transform made these values of, rounded and clamped."""
        numbers = np.sinh(values) * self.scale + self.centre if self.scale else values
        return np.clip(rounded(numbers, self.step) if self.step else numbers, self.low, self.high)

    def _modes(self, values: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """A mode for each value, drawn from the posterior of those that reach it; the nearest if none does."""
        reaches = np.array(self.reaches)[:, None]
        apart = np.abs(values - np.array(self.means)[:, None]) / reaches
        density = np.exp(-0.5 * (REACH * apart) ** 2) * (np.array(self.weights)[:, None] / reaches)
        summed = np.cumsum(np.where(apart <= 1, density, 0), 0)
        drawn = (summed <= draws * summed[-1]).sum(0)
        return np.where(summed[-1] > 0, np.minimum(drawn, len(summed) - 1), apart.argmin(0))


def forth(numbers: np.ndarray, centre: float, scale: float) -> np.ndarray:
    """Numbers after the transform of long tails."""
    return np.arcsinh((numbers - centre) / scale) if scale else numbers


def rounded(numbers: np.ndarray, step: float) -> np.ndarray:
    """The nearest multiples of a step; of decimal fractions the floats that are written so."""
    if step >= 1:
        return np.rint(numbers / step) * step
    parts = np.rint(1 / step)  # 1 / 0.01 is 100 exactly, 0.01 is not a hundredth
    return np.rint(numbers * parts) / parts


def step_of(numbers: np.ndarray, steps: Sequence[float], start: int = 0, slack: float = 0.0) -> int:
    """The place in `steps` of the first, from `start` on, that all numbers are multiples of; len(steps) for none.

    `slack` is how far from one a number may be besides what the digits of a float allow.
    """
    for place in range(start, len(steps)):
        nearest = rounded(numbers, steps[place])
        if np.all(np.abs(nearest - numbers) <= slack + 1e-15 * np.abs(numbers)):
            return place
    return len(steps)


def number_encoder(
    column: str,
    numbers: np.ndarray,
    low: float,
    high: float,
    *,
    step: float = 0.0,
    most: int = 10,
) -> NumberEncoder:
    """Fit an encoder of ordinary values.

    A column whose tail is long (`LONG`) goes through the transform first. No mode is narrower than rounding can
    resolve: whatever the scalar, a mode on one value decodes to that value. A mode is widened, up to `FARTHEST`, for
    values that none reaches; for those still farther out one more mode spans everything.

    Args:
        column: its name.
        numbers: (n,) finite ordinary values, or a sample of them.
        low: the smallest of all ordinary values.
        high: the largest.
        step: what all are multiples of; 0 for nothing.
        most: the most modes, of more than `FEW` different values.
    """
    if not len(numbers):
        return NumberEncoder(column, 0.0, 0.0, step, 0.0, 0.0, (), (), ())
    centre, scale = _long(numbers)
    values = forth(numbers, centre, scale)
    slope = 1 / np.hypot(scale, np.median(numbers) - centre) if scale else 1.0  # the transform's, at the median
    different = len(np.unique(values))
    most = different if different <= FEW else most
    fit = fit_mixture(values, most=most, narrowest=0.95 * step / 2 / REACH * float(slope))
    ends = forth(np.array([low, high]), centre, scale)
    means, reaches = _covering(np.array(fit.means), REACH * np.array(fit.deviations), np.append(values, ends))
    weights = (*fit.weights, 0.0)[: len(means)]
    return NumberEncoder(
        column, low, high, step, centre, scale, tuple(means.tolist()), tuple(reaches.tolist()), weights
    )


def _covering(means: np.ndarray, reaches: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and reaches of modes of which each value is reached by one."""
    apart = np.abs(values - means[:, None])
    nearest = (apart / reaches[:, None]).argmin(0)
    apart = apart[nearest, np.arange(len(values))]
    near = apart <= FARTHEST / REACH * reaches[nearest]
    reaches = reaches.copy()
    np.maximum.at(reaches, nearest[near], apart[near])
    if not near.all():
        half_low, half_high = values.min() / 2, values.max() / 2  # a sum of the largest floats is infinite
        return np.append(means, half_low + half_high), np.append(reaches, half_high - half_low)
    return means, reaches


def _long(numbers: np.ndarray) -> tuple[float, float]:
    """Centre and scale of the transform, a scale of 0 where no tail is long."""
    low, below, middle, above, high = np.quantile(numbers, [0.001, 0.1, 0.5, 0.9, 0.999]).tolist()
    if max(high - middle, middle - low) <= LONG * (above - below) or above == below:
        return 0.0, 0.0
    return middle, (above - below) / 2
