"""Columns whose cells are numbers on a line: amounts, counts, dates and times."""

import re
from dataclasses import replace

import numpy as np
import polars as pl

from .columns import Column, Kind
from .date_cells import DAY, Dates, find_dates, read_dates, write_dates
from .dtypes import is_listable
from .kinds_coded import category, ids, numeric_names
from .number_cells import LARGEST_EXACT, Numbers, find_decimals, find_numbers
from .series import divided, least, most
from .special import special_values
from .tally import Tally

MISSING = ("", "na", "n/a", "nan", "null", "?", "\\n", "#n/a", "<na>", "nat", "(null)")
"""Words for a missing cell in any column, in small letters."""

_MISSING_NUMBERS = (*MISSING, "none", "-", "--", ".", "missing")
_MOST_WORDS = 20
_MOST_PADDED = 0.001
_FEW_VALUES = 10
_ROWS_A_VALUE = 20
_LEAST_IDS = 20
_DENSE = 1.2
_LONG_ID = 9
_YEARS = (1000, 2200)
_THIS_CENTURY = (946_684_800, 2_147_483_648)
"""Seconds since 1970, as computers count them."""

_NAMES_TIME = re.compile(r"year|jahr|month|day|week|hour|minute|date|time|age$|^t$|step", re.IGNORECASE)
_PHONE = r"^\+\d[\d \-()/.]{6,}$"


def dates(base: Column, tally: Tally, *, forced: bool = False) -> Column | None:
    """Dates and times, of their own type, or written as text or as whole numbers like 20240131."""
    found = _find_dates(tally)
    if found is None or not (forced or _mostly(found.values, tally)):
        return None
    base, numbers, counts = _apart(base, tally, found.values)
    base = replace(base, format=replace(base.format, pattern=found.pattern, also=found.also))
    why = found.pattern or base.format.dtype
    if found.also:
        why += f" and {' and '.join(found.also)}, written by the first"
    if "z" in found.pattern:
        why += ", of several zones, written in that of Greenwich"
    if found.unsure:
        why += ", unless day and month are the other way round"
    return _measured(base, found.kind, numbers, counts, why)


def numbers(base: Column, tally: Tally, kind: Kind | None = None) -> Column | None:
    """Amounts and counts, with units and words between them; whole numbers that name things are categories or ids.

    Args:
        base: The column as far as it is known.
        tally: Its cells.
        kind: "number" or "integer" where that is asked for.
    """
    found = _find_numbers(tally)
    if found is None or not _mostly(found.values, tally, words=_MOST_WORDS if kind is None else len(tally.values)):
        return None
    if kind is None:
        if found.zeros > _MOST_PADDED or (tally.values.dtype == pl.String and tally.values.str.contains(_PHONE).any()):
            return None
        few = tally.distinct <= _FEW_VALUES and tally.present >= _ROWS_A_VALUE * tally.distinct
        if few and is_listable(tally.values.dtype):
            return category(base, tally)
    apart, values, counts = _apart(base, tally, found.values)
    whole = bool((values == np.rint(values)).all())
    if kind is None and whole and found.format.decimals == 0 and not apart.words:
        name = _names(base, tally, values, found)
        if name is not None:
            return name
    pad = found.digits if found.zeros else 0
    form = replace(found.format, dtype=base.format.dtype, missing=apart.format.missing, pad=pad)
    decimals = 0 if kind == "integer" else form.decimals
    own: Kind = "integer" if kind == "integer" or (kind is None and whole and form.decimals is not None) else "number"
    return _measured(replace(apart, format=replace(form, decimals=decimals)), own, values, counts, "")


def _mostly(values: pl.Series, tally: Tally, words: int = _MOST_WORDS) -> bool:
    """Whether at least half of the cells have a value and few different ones have none."""
    there = values.is_not_null().to_numpy()
    return bool(2 * tally.counts[there].sum() >= tally.counts.sum() and (~there).sum() <= words and there.any())


def _apart(base: Column, tally: Tally, values: pl.Series) -> tuple[Column, np.ndarray, np.ndarray]:
    """The values with their counts, and the column with the words between them, one of which may mean missing."""
    there = values.is_not_null().to_numpy()
    rest = [str(word) for word in tally.values.filter(pl.Series(~there)).to_list()]
    often = tally.counts[~there].tolist()
    for word, count in zip(rest, often, strict=True):
        if base.format.missing is None and count > base.missing and word.strip().lower() in _MISSING_NUMBERS:
            base = replace(base, missing=base.missing + count, format=replace(base.format, missing=word))
            rest.remove(word)
            break
    numbers = values.filter(pl.Series(there)).to_numpy().astype(float)
    return replace(base, words=tuple(rest)), numbers, tally.counts[there]


def _measured(base: Column, kind: Kind, values: np.ndarray, counts: np.ndarray, why: str) -> Column:
    """The column with its range and its special values."""
    special = special_values(values, counts)
    ordinary = values[~np.isin(values, special)] if special else values
    low, high = float(ordinary.min()), float(ordinary.max())
    shown = [_shown(value, kind, base.format.pattern) for value in (low, high, *special)]
    why = f"{shown[0]} to {shown[1]}" + (f", {why}" if why else f", {base.distinct:,} different")
    if special:
        why += f"; {', '.join(shown[2:])} {'are' if len(special) > 1 else 'is'} special"
    if base.words:
        why += f"; also {', '.join(map(repr, base.words[:3]))}"
    return replace(base, kind=kind, why=why, low=low, high=high, special=special)


def _shown(value: float, kind: Kind, pattern: str) -> str:
    if kind in ("date", "time", "datetime"):
        usual = {"date": "%Y-%m-%d", "time": "%H:%M:%S", "datetime": "%Y-%m-%d %H:%M"}[kind]
        return str(write_dates(np.array([value]), kind, pattern or usual)[0])
    whole = value == round(value) and abs(value) < LARGEST_EXACT
    if whole:
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.0f}"  # years have no comma
    return f"{value:,.6g}"


def _names(base: Column, tally: Tally, values: np.ndarray, found: Numbers) -> Column | None:
    """The column as ids or categories, if its whole numbers name things rather than measure them."""
    named = numeric_names(base, tally)
    if named is not None:
        return named
    if np.abs(values).max() > LARGEST_EXACT:
        return ids(base, tally) if tally.present < 2 * tally.distinct else category(base, tally)
    if tally.single < 0.999 or len(values) < _LEAST_IDS or _NAMES_TIME.search(base.name):
        return None
    low, high = values.min(), values.max()
    years = _YEARS[0] <= low and high <= _YEARS[1]
    running = high - low + 1 <= _DENSE * tally.distinct and tally.rising and not years  # ranks don't rise
    clock = any(_THIS_CENTURY[0] * unit <= low and high <= _THIS_CENTURY[1] * unit for unit in (1, 1000))
    long = found.digits >= _LONG_ID and low >= 10 ** (found.digits - 1) and not clock
    return ids(base, tally) if running or long else None


def _find_numbers(tally: Tally) -> Numbers | None:
    """The numbers among the cells, of text or of a numeric type."""
    cells = tally.values
    if cells.dtype == pl.String:
        return find_numbers(cells, tally.counts)
    if isinstance(cells.dtype, pl.Duration):
        cells = divided(cells.dt.total_microseconds(), 1e6)
    elif not cells.dtype.is_numeric():
        return None
    return find_decimals(cells)


def _find_dates(tally: Tally) -> Dates | None:
    """The dates among the cells, of text, of a type of their own, or of whole numbers."""
    cells = tally.values
    dtype = cells.dtype
    if dtype.is_integer() and least(cells) > 19_000_000 and most(cells) < 21_010_000:
        return find_dates(cells.cast(pl.String), tally.counts)
    if dtype == pl.String:
        return find_dates(cells, tally.counts)
    if dtype == pl.Date:
        return Dates("date", "", (), read_dates(cells, "date"), False)
    if dtype == pl.Time:
        return Dates("time", "", (), read_dates(cells, "time"), False)
    if isinstance(dtype, pl.Datetime):
        seconds = read_dates(cells, "datetime")
        if dtype.time_zone is None and bool((seconds % DAY == 0).all()):
            return Dates("date", "", (), divided(seconds, DAY), False)
        return Dates("datetime", "", (), seconds, False)
    return None
