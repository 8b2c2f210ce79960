"""Dates and times as people and programs write them: "2024-01-31T09:30:00Z", "31.1.24", "Jan 31, 2024", and back."""

import re
from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from .series import divided

DAY = 86_400.0
"""Seconds."""

DateKind = Literal["date", "time", "datetime"]

_DATES = (  # where day and month can't be told, the earlier one is taken
    "%Y-%m-%d", "%d-%m-%Y", "%m-%d-%Y", "%d-%m-%y", "%m-%d-%y",
    "%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d/%m/%y",
    "%Y.%m.%d", "%d.%m.%Y", "%m.%d.%Y", "%d.%m.%y", "%m.%d.%y",
    "%d %b %Y", "%d. %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d/%b/%Y", "%b %d, %Y", "%b %d %Y",
    "%a, %d %b %Y", "%a %d %b %Y", "%a, %b %d, %Y", "%d %B %Y", "%d. %B %Y", "%B %d, %Y", "%B %d %Y",
    "%A, %d %B %Y", "%A, %B %d, %Y", "%Y%m%d", "%Y-%m", "%Y/%m", "%m/%Y", "%b %Y", "%B %Y",
)  # fmt: skip
_CELL = (
    r"^(?<date>.*?)(?<join>T| |, |:)??(?:(?<clock>\d{1,2}:\d{2}(?<seconds>:\d{2})?(?<part>\.\d{1,9})?)"
    r"(?<half> ?[AaPp][Mm])?(?<zone> ?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))?)?$"
)
_LIKELY = r"^\d{8}$|\d[-/.:, ]+\w+[-/.:, ]+\d|\d:\d\d|^\d{4}[-/]\d{1,2}$|^\d{1,2}/\d{4}$|^\pL{3,} \d"
_VARIANTS = (
    ("%d", "%-d"), ("%m", "%-m"), ("%H", "%-H"), ("%I", "%-I"), ("%p", "%P"), ("%b", "%^b"), ("%B", "%^B"),
)  # fmt: skip
_FEW = 1_000
_SOME = 20
_MOST_PATTERNS = 3
_CENTURIES = (1900, 2100)
"""Eight digits are a date if their year is between these."""


class Dates(NamedTuple):
    """How the dates or times among some cells are written, and which cells they are.

    Attributes:
        kind: "date", "time" or "datetime".
        pattern: The one that most of the cells are written by.
        also: Others that occur.
        values: Float64, null where a cell is no date: days or seconds as in `Column.low`.
        unsure: Whether day and month could be the other way round.
    """

    kind: DateKind
    pattern: str
    also: tuple[str, ...]
    values: pl.Series
    unsure: bool


def find_dates(cells: pl.Series, counts: np.ndarray) -> Dates | None:
    """How the dates among the cells are written; None where most cells are something else.

    Args:
        cells: (k,) different cells, text without nulls.
        counts: (k,) how often each is there.
    """
    left = pl.DataFrame({"cell": cells, "count": counts}).sort("count", "cell", descending=True)
    left = left.filter(pl.col("cell").str.contains(_LIKELY))
    if left["count"].sum() * 2 < counts.sum():
        return None
    patterns: list[str] = []
    kinds: list[DateKind] = []
    while len(left) and len(patterns) < _MOST_PATTERNS:
        found = _pattern(left["cell"], left["count"])
        if found is None:
            break
        kinds.append(_kind(found))
        patterns.append(found)
        left = left.filter(_parsed(left["cell"], found, kinds[-1]).is_null())
    if not patterns:
        return None
    kind: DateKind = kinds[0] if len(set(kinds)) == 1 else "datetime"
    if "time" in kinds and kind != "time":
        return None
    also = tuple(dict.fromkeys(pattern for pattern in patterns[1:] if pattern != patterns[0]))
    values = read_dates(cells, kind, (patterns[0], *also))
    return Dates(kind, patterns[0], also, values, _unsure(cells, patterns[0]))


def read_dates(cells: pl.Series, kind: str, patterns: Sequence[str] = ()) -> pl.Series:
    """What cells mean, float64: days since 1970, seconds since 1970, or seconds since midnight; null where nothing.

    Args:
        cells: Of polars' temporal types, or text, or whole numbers like 20240131.
        kind: What they are.
        patterns: Of the text, the first one that fits a cell counts.
    """
    if cells.dtype.is_temporal():
        return _numbers(cells, kind)
    text = cells.cast(pl.String)
    values = pl.Series(cells.name, [None] * len(cells), pl.Float64)
    for pattern in patterns:
        own = _kind(pattern)
        if own == kind or (kind == "datetime" and own == "date"):
            read = _parsed(text, pattern, own)
            values = values.fill_null(read * DAY if own != kind else read)
    return values


def write_dates(values: np.ndarray, kind: str, pattern: str) -> pl.Series:
    """Days or seconds as text of the pattern, null where NaN."""
    series = temporal(values, kind)
    if "z" in pattern:  # of several zones: written in that of Greenwich
        series = series.dt.replace_time_zone("UTC")
    written = series.dt.strftime(pattern.replace("%^", "%"))
    return written.str.to_uppercase() if "%^" in pattern else written  # polars has no %^b


def temporal(values: np.ndarray, kind: str) -> pl.Series:
    """Days or seconds as polars' dates, times or datetimes in microseconds, null where NaN."""
    missing = np.isnan(values)
    filled = np.where(missing, 0.0, values)
    if kind == "date":
        series = pl.Series(np.rint(filled).astype(np.int32)).cast(pl.Date)
    elif kind == "datetime":
        series = pl.Series(np.rint(filled * 1e6).astype(np.int64)).cast(pl.Datetime("us"))
    else:
        series = pl.Series((np.rint(filled * 1e6) % (DAY * 1e6)).astype(np.int64) * 1000).cast(pl.Time)
    return series.set(pl.Series(missing), None) if missing.any() else series


def _numbers(cells: pl.Series, kind: str) -> pl.Series:
    """Polars' dates, times and datetimes as days or seconds; times of a zone as of that zone's clock."""
    if kind == "time":
        return divided(cells.cast(pl.Int64), 1e9)
    if cells.dtype == pl.Date:
        days = cells.cast(pl.Int32).cast(pl.Float64)
        return days if kind == "date" else days * DAY
    micro = cells.cast(pl.Datetime("us", getattr(cells.dtype, "time_zone", None)))
    seconds = divided(micro.cast(pl.Int64), 1e6)
    return divided(seconds, DAY).floor() if kind == "date" else seconds


def _kind(pattern: str) -> DateKind:
    """What a pattern writes; a clock of literals, as in "%Y-%m-%d 00:00", is no time."""
    date = any(part in pattern for part in ("%Y", "%y"))
    clock = any(part in pattern for part in ("%H", "%I", "%-H", "%-I"))
    return ("datetime" if clock else "date") if date else "time"


def _parsed(cells: pl.Series, pattern: str, kind: str) -> pl.Series:
    """The cells that are of this pattern as numbers, null for the others."""
    read = pattern.replace("%-", "%").replace("%^", "%").replace("%P", "%p")
    text = cells.str.strip_chars()
    if kind == "date":
        parsed: pl.Series = text.str.strptime(pl.Date, read, strict=False)
    elif kind == "time":
        parsed = text.str.strptime(pl.Time, read, strict=False)
    else:
        parsed = text.str.strptime(pl.Datetime("us"), read, strict=False)
    values = _numbers(parsed, kind)
    if kind == "time":
        return values
    year = parsed.dt.year()
    return values.set(((year < 1000) | (year > 9999)).fill_null(False), None)


def _pattern(cells: pl.Series, counts: pl.Series) -> str | None:
    """The pattern that most of the cells are written by."""
    few = pl.DataFrame({"cell": cells.head(_FEW).str.strip_chars(), "count": counts.head(_FEW)})
    parts = few.with_columns(few["cell"].str.extract_groups(_CELL).struct.unnest().fill_null(""))
    shape = [(pl.col(name) != "").alias(f"has {name}") for name in ("clock", "seconds", "half", "zone")]
    parts = parts.with_columns(*shape)
    alike = ["join", *(f"has {name}" for name in ("clock", "seconds", "half", "zone"))]
    most = parts.group_by(alike).agg(pl.col("count").sum()).sort("count", *alike).tail(1)
    own = parts.join(most.select(alike), on=alike)
    clock = _clock_pattern(own)
    if not (own["date"] != "").any():
        return _as_written(own["cell"], clock) if clock else None
    date = _date_pattern(own["date"].str.strip_chars_end(), own["count"])
    return None if date is None else _as_written(own["cell"], date + own["join"][0] + clock)


def _clock_pattern(own: pl.DataFrame) -> str:
    """The pattern of the time of day in cells of one shape; midnight everywhere is a word of the pattern."""
    clocks = own["clock"].unique()
    if clocks[0] == "":
        return ""
    if len(clocks) == 1 and not clocks.str.contains("[1-9]")[0] and (own["date"] != "").all():
        return str(clocks[0])
    half = own["half"][0]
    pattern = "%I:%M" if half else "%H:%M"
    if own["seconds"][0]:
        pattern += ":%S"
    digits = own["part"].str.len_chars().unique()
    if digits.max():
        pattern += f"%.{digits[0] - 1}f" if len(digits) == 1 and digits[0] - 1 in (3, 6, 9) else "%.f"
    pattern += " %p" if half.startswith(" ") else "%p" if half else ""
    zones = own["zone"].unique()
    if len(zones) == 1:
        return pattern + str(zones[0])
    return (
        pattern
        + (" " if zones.str.starts_with(" ").all() else "")
        + ("%:z" if zones.str.contains(":", literal=True).any() else "%z")
    )


def _date_pattern(dates: pl.Series, counts: pl.Series) -> str | None:
    """The pattern that most of these dates fit, if half of them do."""

    def fitting(pattern: str) -> int:
        days = _parsed(dates, pattern, "date")
        if pattern == "%Y%m%d":
            years = temporal(days.to_numpy(), "date").dt.year().fill_null(0)
            days = days.set((years < _CENTURIES[0]) | (years > _CENTURIES[1]), None)
        return int(counts.filter(days.is_not_null()).sum())

    some = dates.head(_SOME).to_list()
    fits = {pattern: fitting(pattern) for pattern in _DATES if any(_looks(pattern).fullmatch(cell) for cell in some)}
    best = max(fits, key=lambda pattern: fits[pattern], default=None)  # the first of equals
    return best if best is not None and 2 * fits[best] >= counts.sum() else None


@cache
def _looks(pattern: str) -> re.Pattern[str]:
    """What cells of a pattern look like, as a cheap first test."""
    digits = {"%Y": r"\d{4}", "%y": r"\d\d", "%m": r"\d\d?", "%d": r"\d\d?"}
    parts = re.split(r"(%\w)", pattern.replace("%Y%m%d", "%Y%Y"))
    return re.compile("".join(digits.get(part, r"\w+") if part.startswith("%") else re.escape(part) for part in parts))


def _as_written(cells: pl.Series, pattern: str) -> str:
    """The pattern with days, months, hours and halves of the day padded or not, as most cells have them."""
    kind = _kind(pattern)
    values = _parsed(cells, pattern, kind).to_numpy()

    def alike(variant: str) -> int:
        return int((write_dates(values, kind, variant) == cells).sum())

    choices = [(part, other) for part, other in _VARIANTS if part in pattern]
    variants = []
    for chosen in product((False, True), repeat=len(choices)):
        variant = pattern
        for (part, other), change in zip(choices, chosen, strict=True):
            variant = variant.replace(part, other) if change else variant
        variants.append(variant)
    return max(variants, key=alike)  # the first of equals


def _unsure(cells: pl.Series, pattern: str) -> bool:
    """Whether all cells would be dates with day and month exchanged as well."""
    swapped = pattern.replace("m", "\0").replace("d", "m").replace("\0", "d")
    if "%b" in pattern or "%B" in pattern or pattern.startswith("%Y") or "%d" not in swapped.replace("-", ""):
        return False
    kind = _kind(pattern)
    there = _parsed(cells, pattern, kind).is_not_null()
    return bool(there.any()) and bool(_parsed(cells.filter(there), swapped, kind).is_not_null().all())
