"""Dates as a day among modes, with the parts of the calendar and the time of day that matter in the data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .columns import Typed
from .encode_numbers import NumberEncoder, number_encoder
from .layout import Part

DAY = 86400.0
"""Seconds."""

LEAST = 0.05
"""The total variation, from what is expected of all dates, that makes a part of the calendar worth a softmax."""

_SPANS = {"weekday": 28, "day of month": 62, "month": 730}  # days that a column must span, and that density is taken of
_WINDOW = {"weekday": 6, "day of month": 61, "month": 365}  # so many days to one side hold every value of a part
_COST = {"weekday": 1, "day of month": 2, "month": 4}  # of a date without the wanted value; 8 outside the range
_AT_ONCE = 4096  # rows


@dataclass(frozen=True)
class DatePart:
    """One part of the calendar and the values of it that occur: weekdays from Monday 0, months and days from 1."""

    role: str
    values: tuple[int, ...]


@dataclass(frozen=True)
class DateEncoder:
    """One column of dates, or of dates with a time of day.

    The day is a number among modes, exact in real rows but only about right in generated ones. What dates turn on more
    finely than that, such as weekdays, is a softmax of its own where the data shows it. Decoding takes the nearest date
    in the column's range that has the parts asked for: the month before the day of the month before the weekday, if
    there is none with all.

    Args:
        column: its name.
        timed: numbers are seconds since 1970, not days.
        days: encodes days since 1970; its special values are in the column's own unit.
        time: encodes seconds since midnight; None where there are none.
        calendar: the parts that are softmaxes, or of one value that all dates have.
    """

    column: str
    timed: bool
    days: NumberEncoder
    time: NumberEncoder | None = None
    calendar: tuple[DatePart, ...] = ()

    def parts(self) -> tuple[Part, ...]:
        """The segments."""
        softmaxes = (Part(part.role, len(part.values)) for part in self.calendar if len(part.values) > 1)
        return (*self.days.parts("day"), *(self.time.parts("time") if self.time else ()), *softmaxes)

    def encode(self, typed: Typed, draws: np.ndarray) -> list[np.ndarray]:
        """Cells as arrays (n,), one a part: float32 scalars, integer slots."""
        assert typed.numbers is not None
        days, seconds = days_and_seconds(typed.numbers, self.timed)
        arrays = self.days.encode(Typed(days, typed.codes), draws, typed.numbers)
        known = np.where(np.isnan(days), self.days.low, days)
        if self.time:
            seconds = np.where(np.isnan(seconds), self.time.low, seconds)
            arrays += self.time.encode(Typed(seconds), draws * 2**20 % 1)  # other digits of the same number
        for part in self.calendar:
            if len(part.values) > 1:
                known_value = calendar(known.astype(np.int64), part.role)
                arrays.append(np.searchsorted(part.values, known_value).clip(0, len(part.values) - 1))
        return arrays

    def decode(self, arrays: Sequence[np.ndarray], draws: np.ndarray) -> Typed:
        """The cells of such arrays; nothing is drawn."""
        given, numbers_of_days = list(arrays), len(self.days.parts())
        day_arrays, given = given[:numbers_of_days], given[numbers_of_days:]
        numbers, slots = self.days.decode_slots(day_arrays, len(draws))
        ordinary = slots < len(self.days.means)
        seconds = np.zeros(len(draws))
        if self.time:
            count = len(self.time.parts())
            seconds, _ = self.time.decode_slots(given[:count], len(draws))
            given = given[count:]
        wanted = {}
        for part in self.calendar:
            values = np.array(part.values)
            wanted[part.role] = values[given.pop(0)][ordinary] if len(values) > 1 else values.repeat(ordinary.sum())
        days = self._nearest(numbers[ordinary].astype(np.int64), wanted)
        numbers[ordinary] = days * DAY + seconds[ordinary] if self.timed else days
        return Typed(numbers, self.days.word_codes(slots) if self.days.words else None)

    def _nearest(self, days: np.ndarray, wanted: Mapping[str, np.ndarray]) -> np.ndarray:
        """The nearest days with the wanted parts."""
        first, table = self._table
        fits = np.ones(len(days), bool)
        for role, values in wanted.items():
            fits &= table[role][days - first] == values
        days = days.copy()
        rest = np.flatnonzero(~fits)
        for rows in np.array_split(rest, max(-(-len(rest) // _AT_ONCE), 1)):
            window = max((_WINDOW[role] for role in wanted), default=0)
            offsets = np.array(sorted(range(-window, window + 1), key=abs))
            places = days[rows, None] - first + offsets
            cost = table["outside"][places]
            for role, values in wanted.items():
                cost = cost + _COST[role] * (table[role][places] != values[rows, None])
            days[rows] += offsets[cost.argmin(1)]
        return days

    @cached_property
    def _table(self) -> tuple[int, dict[str, np.ndarray]]:
        """The first day and, from it on, the parts of all days that may be asked about, as small integers."""
        margin = max(_WINDOW.values())
        days = np.arange(int(self.days.low) - margin, int(self.days.high) + margin + 1)
        table = {part.role: calendar(days, part.role).astype(np.int8) for part in self.calendar}
        outside = (days < self.days.low) | (days > self.days.high)
        return int(days[0]), {**table, "outside": 8 * outside.astype(np.int8)}


def days_and_seconds(numbers: np.ndarray, timed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Days since 1970 and seconds since midnight, NaN where numbers are."""
    if not timed:
        return numbers, np.zeros(len(numbers))
    days = np.floor(numbers / DAY)
    return days, numbers - days * DAY


def calendar(days: np.ndarray, role: str) -> np.ndarray:
    """A part of days since 1970: weekday 0 to 6 from Monday, month 1 to 12, day of month 1 to 31."""
    if role == "weekday":
        return (days + 3) % 7  # the first of January 1970 was a Thursday
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    if role == "month":
        return months.astype(np.int64) % 12 + 1
    return (dates - months).astype(np.int64) + 1


def date_encoder(
    column: str,
    numbers: np.ndarray,
    low: float,
    high: float,
    *,
    timed: bool,
    step: float = 0.0,
    clock: tuple[float, float] = (0.0, 0.0),
    most: int = 10,
) -> DateEncoder:
    """Fit an encoder of ordinary values.

    A part of the calendar is encoded if the column spans long enough to tell, has more than `most` different days, and
    the part's shares differ, by more than chance and in total by at least `LEAST`, from what they would be if only the
    dates' smooth density mattered.

    Args:
        column: its name.
        numbers: (n,) finite ordinary values, days or seconds since 1970, or a sample of them.
        low: the smallest of all ordinary values.
        high: the largest.
        timed: seconds, not days.
        step: what all seconds are multiples of; 0 for nothing.
        clock: the earliest and the latest second of a day.
        most: the most modes.
    """
    days, seconds = days_and_seconds(numbers, timed)
    first, last = (float(np.floor(end / DAY)) if timed else end for end in (low, high))
    encoder = number_encoder(column, days, first, last, step=1.0, most=most)
    time = number_encoder(column, seconds, *clock, step=step, most=most) if timed and clock != (0.0, 0.0) else None
    whole = days.astype(np.int64)
    parts = [_part(whole, role, most) for role in ("month", "day of month", "weekday")] if len(whole) else []
    return DateEncoder(column, timed, encoder, time, tuple(part for part in parts if part))


def _part(days: np.ndarray, role: str, most: int) -> DatePart | None:
    """A part of the calendar, None where it tells nothing."""
    first, span = int(days.min()), int(days.max() - days.min()) + 1
    if span < _SPANS[role] or len(np.unique(days)) <= most:
        return None
    seen = np.bincount(calendar(days, role), minlength=32)
    smooth = _smoothed(np.bincount(days - first, minlength=span), _SPANS[role] // 2)
    expected = np.bincount(calendar(np.arange(first, first + span), role), smooth, 32)
    expected *= len(days) / expected.sum()
    possible = expected > 0
    distance = ((seen - expected)[possible] ** 2 / expected[possible]).sum()
    freedom = possible.sum() - 1
    if distance <= freedom + 5 * np.sqrt(2 * freedom) or np.abs(seen - expected).sum() / 2 < LEAST * len(days):
        return None
    return DatePart(role, tuple(np.flatnonzero(seen).tolist()))


def _smoothed(counts: np.ndarray, half: int) -> np.ndarray:
    """The mean over as many as there are of the `half` days on either side of each."""
    summed = np.concatenate([[0], np.cumsum(counts)])
    here = np.arange(len(counts))
    start, stop = np.maximum(here - half, 0), np.minimum(here + half, len(counts))
    return (summed[stop] - summed[start]) / (stop - start)
