"""Cells of a column as numbers and codes, and numbers and codes as cells again."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import polars as pl

from rivals.engine.errors import RequestError

from .columns import CODED, NUMERIC, Column, Format, Typed
from .date_cells import read_dates, temporal, write_dates
from .dtypes import dtype_of
from .number_cells import LARGEST_EXACT, read_numbers, write_numbers
from .series import as_text, divided


def typed(column: Column, cells: pl.Series) -> Typed:
    """What the cells of a column mean.

    Cells that the column doesn't know, a new category or a new word between numbers, count as missing.

    Args:
        column: What the cells are.
        cells: (n,) of any type: those of a synthetic table may be text where the real ones are numbers.
    """
    if column.kind in ("number", "integer"):
        return Typed(_numbers(column, cells), _word_codes(column, cells))
    if column.kind in ("date", "time", "datetime"):
        values = read_dates(cells, column.kind, (column.format.pattern or "%Y-%m-%d", *column.format.also))
        return Typed(_array(values), _word_codes(column, cells))
    if column.kind in CODED:
        return Typed(codes=_codes(column.categories, _bare(column, cells)))
    there = cells.is_not_null()
    if cells.dtype == pl.String and column.format.missing is not None:
        there &= cells != column.format.missing
    present = there.to_numpy() & (column.kind != "empty")
    return Typed(codes=np.where(present, 0, -1).astype(np.int32))


def untyped(column: Column, cells: Typed, ids: Sequence[str] | None = None) -> pl.Series:
    """Cells in the column's own type and format.

    Args:
        column: What the cells are.
        cells: Numbers outside the column's decimals are rounded.
        ids: (n,) for columns of ids, as `fresh_ids` makes them; without them, and in columns of text, all are missing.
    """
    if column.kind in NUMERIC:
        return _measured(column, cells)
    assert cells.codes is not None
    codes, form = cells.codes, column.format
    if column.kind in CODED:
        return _in_type(column, _gathered(column.categories, codes, form.prefix, form.suffix))
    if column.kind == "id" and ids is not None:
        values = pl.Series(ids, dtype=pl.String).set(pl.Series(codes < 0), None)
        return _in_type(column, form.prefix + values + form.suffix)
    return _in_type(column, pl.Series([None] * len(codes), dtype=pl.String))


def _numbers(column: Column, cells: pl.Series) -> np.ndarray:
    """Float64, NaN where there is no number."""
    if isinstance(cells.dtype, pl.Duration):
        return _array(divided(cells.dt.total_microseconds(), 1e6))
    if cells.dtype != pl.String:
        values = cells.cast(pl.Float64, strict=False)
        return _array(values.set(values.is_infinite().fill_null(False), None))
    form = column.format
    plain = form.decimal == "." and not (form.thousands or form.prefix or form.suffix)
    values = cells.cast(pl.Float64, strict=False) if plain else read_numbers(cells, form)
    if plain:
        odd = (values.is_null() & cells.is_not_null()) | ~values.is_finite().fill_null(True)
        values = values.set(odd, None)
        if odd.any() and not set(cells.filter(odd).unique().to_list()) <= {*column.words, form.missing}:
            values = values.fill_null(read_numbers(cells, form))
    return _array(values)


def _word_codes(column: Column, cells: pl.Series) -> np.ndarray | None:
    """Where the words between numbers are, None in columns without."""
    if not column.words:
        return None
    if cells.dtype.is_float():
        cells = cells.set(cells.is_finite(), None)
    return _codes(column.words, cells.cast(pl.String))


def _bare(column: Column, cells: pl.Series) -> pl.Series:
    """The cells as text without prefix and suffix."""
    text = as_text(cells)
    form = column.format
    return text.str.strip_prefix(form.prefix).str.strip_suffix(form.suffix) if form.prefix or form.suffix else text


def _codes(names: tuple[str, ...], cells: pl.Series) -> np.ndarray:
    """The place of each cell among the names, int32, -1 for others."""
    return cells.cast(_enum(names), strict=False).to_physical().cast(pl.Int32).fill_null(-1).to_numpy()


@lru_cache(maxsize=64)
def _enum(names: tuple[str, ...]) -> pl.Enum:
    return pl.Enum(names)


def _array(values: pl.Series) -> np.ndarray:
    return values.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _measured(column: Column, cells: Typed) -> pl.Series:
    """Numbers, dates and the words between them as cells."""
    assert cells.numbers is not None
    form, values = column.format, cells.numbers
    dtype = dtype_of(form.dtype)
    if dtype == pl.String or isinstance(dtype, pl.Decimal) or (form.pattern and dtype.is_integer()):
        if _plain(form) and column.kind == "integer" and np.all(np.abs(values) < LARGEST_EXACT):
            written = pl.Series(np.rint(values).astype(np.int64)).cast(pl.String)  # many times as fast as below
        elif column.kind in ("number", "integer"):
            written = write_numbers(values, form)
        else:
            written = write_dates(values, column.kind, form.pattern)
        return _in_type(column, _with_words(column, cells, written))
    if column.kind in ("date", "time", "datetime"):
        return _clock(column, temporal(values, column.kind), dtype)
    if isinstance(dtype, pl.Duration):
        ticks = pl.Series(np.rint(np.nan_to_num(values) * 1e6).astype(np.int64)).cast(pl.Duration("us")).cast(dtype)
        return ticks.set(pl.Series(np.isnan(values)), None).alias(column.name)
    rounded = values if form.decimals is None else _rounded(values, form.decimals)
    if dtype.is_integer():
        rounded = np.clip(rounded, *_bounds(form.dtype))
    series = pl.Series(column.name, rounded, nan_to_null=True).cast(dtype, strict=False)
    if column.words:  # "inf" and "-inf"
        own = _with_words(column, cells, pl.Series([None] * len(values), dtype=pl.String))
        series = series.fill_null(own.cast(dtype))
    return series.fill_null(float("nan")) if form.missing == "nan" else series


def _rounded(values: np.ndarray, decimals: int) -> np.ndarray:
    """Numbers (n,) with so many decimals; those that are too large to have any are left alone."""
    return np.where(np.abs(values) * 10.0**decimals < LARGEST_EXACT, np.round(values, decimals), values)


def _plain(form: Format) -> bool:
    """Whether whole numbers are written as such, with nothing else."""
    bare = not (form.prefix or form.suffix or form.thousands or form.pad or form.least)
    return bare and form.decimals == 0 and form.minus == "-"


def _bounds(name: str) -> tuple[float, float]:
    """The smallest and the largest float that a whole number of this type can hold."""
    bits = int(name[1:])
    low, high = (0.0, 2.0**bits) if name[0] == "u" else (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1))
    return low, float(np.nextafter(high, 0)) if bits > 53 else high - 1


def _with_words(column: Column, cells: Typed, written: pl.Series) -> pl.Series:
    if not column.words or cells.codes is None:
        return written
    return _gathered(column.words, cells.codes).fill_null(written)


def _gathered(names: tuple[str, ...], codes: np.ndarray, prefix: str = "", suffix: str = "") -> pl.Series:
    """The name at each code, null at -1."""
    return _names(names, prefix, suffix)[np.where(codes < 0, len(names), codes)]  # half the time of `gather`


@lru_cache(maxsize=64)
def _names(names: tuple[str, ...], prefix: str, suffix: str) -> pl.Series:
    """The names as they are written, and null."""
    return pl.Series([*(prefix + name + suffix for name in names), None], dtype=pl.String)


def _clock(column: Column, cells: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Dates and times in the type of the source; times of a zone were counted in that of Greenwich."""
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        cells = cells.dt.replace_time_zone("UTC").dt.convert_time_zone(dtype.time_zone)
    return cells.cast(dtype).alias(column.name)


def _in_type(column: Column, written: pl.Series) -> pl.Series:
    """Text in the type of the source, with the column's own word for missing cells."""
    form = column.format
    dtype = dtype_of(form.dtype, column.categories)
    if dtype == pl.String:
        whole = form.missing is None or not written.null_count()
        return (written if whole else written.fill_null(form.missing)).alias(column.name)
    if dtype == pl.Boolean:
        return (written == form.true if column.kind == "boolean" else written == "true").alias(column.name)
    try:
        series = written.cast(dtype)
    except pl.exceptions.PolarsError as error:
        raise RequestError(
            f"column {column.name!r} can't be written as {form.dtype}: {str(error).splitlines()[0]}"
        ) from error
    return (series.fill_null(float("nan")) if form.missing == "nan" else series).alias(column.name)
