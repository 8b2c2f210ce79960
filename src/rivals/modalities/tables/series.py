"""What polars' series are asked often: plain numbers for answers, 0 where there are no cells, and plain text."""

from typing import Any

import polars as pl


def mean(cells: pl.Series) -> float:
    """The mean of numbers; of truths, the share that is true."""
    value: Any = cells.mean()
    return float(value or 0.0)


def least(cells: pl.Series) -> int:
    """The smallest of whole numbers."""
    value: Any = cells.min()
    return int(value or 0)


def most(cells: pl.Series) -> int:
    """The largest of whole numbers."""
    value: Any = cells.max()
    return int(value or 0)


def divided(cells: pl.Series, by: float) -> pl.Series:
    """Numbers divided to the last bit, float64; polars multiplies by the reciprocal, which is a bit off."""
    return pl.Series(cells.name, cells.cast(pl.Float64).to_numpy() / by).fill_nan(None)


def as_text(cells: pl.Series) -> pl.Series:
    """Values as text, with one text for 0.0 and -0.0, which are the same value."""
    return (cells.set(cells == 0, 0.0) if cells.dtype.is_float() else cells).cast(pl.String)
