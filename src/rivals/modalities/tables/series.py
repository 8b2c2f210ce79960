"""Questions to polars' series with a plain number for an answer, 0 where there are no cells."""

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
