"""Constraints that hold by construction: what is learned instead of a column, and the column made of that again.

Each of the three has `targets`, the columns that it makes, `sources`, the columns that it makes them of, `forth`, which
gives the cells to learn in place of the targets (under some of their names), and `back`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from .columns import Column, Typed
from .constraints import Greater, Sum

DAY = 86400.0
Cells = Mapping[str, Typed]
Known = Mapping[str, Column]


@dataclass(frozen=True)
class Gap:
    """A column as its difference from another.

    Where the other is missing, a value below all of both stands in for it. Special values and words are learned as
    words. A value made is rounded as the column is, and no higher than the highest there is, unless that would break
    the rule.
    """

    rule: Greater

    @property
    def targets(self) -> tuple[str, ...]:
        """What it makes."""
        return (self.rule.column,)

    @property
    def sources(self) -> tuple[str, ...]:
        """What it makes that of."""
        return (self.rule.than,)

    def forth(self, cells: Cells, known: Known) -> dict[str, Typed]:
        """Differences, in seconds where a date is compared with a date and time."""
        column, (unit, base) = known[self.rule.column], self._based(cells, known)
        values, codes = cells[column.name]
        assert values is not None
        gap = np.round(values * unit - base, 9)
        if not column.special and codes is None:
            return {column.name: Typed(gap)}
        codes = np.full(len(values), -1, np.int32) if codes is None else codes.copy()
        for place, special in enumerate(column.special, len(column.words)):
            codes[values == special] = place
        return {column.name: Typed(np.where(codes >= 0, np.nan, gap), codes)}

    def back(self, made: Cells, known: Known) -> dict[str, Typed]:
        """The column's own values."""
        column, (unit, base) = known[self.rule.column], self._based(made, known)
        gap, codes = made[column.name]
        assert gap is not None
        values = rounded((base + gap) / unit, column)
        low, high = column.low or 0.0, column.high or 0.0
        fits = high * unit >= base if self.rule.equal else high * unit > base
        values = np.where(fits, np.clip(values, low, high), np.maximum(values, low))
        values[np.isnan(gap)] = np.nan
        if codes is None:
            return {column.name: Typed(values)}
        for place, special in enumerate(column.special, len(column.words)):
            values[codes == place] = special
        words = np.where(codes < len(column.words), codes, -1).astype(np.int32) if column.words else None
        return {column.name: Typed(values, words)}

    def holds(self, cells: Cells, known: Known) -> np.ndarray:
        """Which rows keep the rule; missing values break none."""
        (above, than), (first, second) = units(known, self.rule.columns), self.rule.columns
        value, other = numbers(cells[first]) * above, numbers(cells[second]) * than
        return ~(value < other) if self.rule.equal else ~(value <= other)

    def _based(self, cells: Cells, known: Known) -> tuple[float, np.ndarray]:
        """The unit of the column, and what its values are measured from."""
        (unit, other), (own, than) = units(known, self.rule.columns), (known[name] for name in self.rule.columns)
        lowest = min((own.low or 0.0) * unit, (than.low or 0.0) * other)
        if not self.rule.equal:  # or zero would be learned from there, and made where it breaks the rule
            decimals = own.format.decimals if own.kind in ("number", "integer") else 0
            lowest -= unit * 10.0 ** -(decimals or 0)
        base = numbers(cells[than.name]) * other
        return unit, np.where(np.isnan(base), lowest, base)


@dataclass(frozen=True)
class Total:
    """A column reckoned as a sum. Whether it is missing, or a word, is learned where that happens."""

    rule: Sum

    @property
    def targets(self) -> tuple[str, ...]:
        """What it makes."""
        return (self.rule.total,)

    @property
    def sources(self) -> tuple[str, ...]:
        """What it makes that of."""
        return self.rule.parts

    def forth(self, cells: Cells, known: Known) -> dict[str, Typed]:
        """A code: 0 where there is a total, 1 and so on for words, -1 where it is missing; nothing if it always is."""
        column = known[self.rule.total]
        if not column.missing and not column.words:
            return {}
        words = cells[column.name].codes
        codes = np.where(np.isnan(numbers(cells[column.name])), -1, 0)
        codes = codes if words is None else np.where(words >= 0, words + 1, codes)
        return {column.name: Typed(None, codes.astype(np.int32))}

    def back(self, made: Cells, known: Known) -> dict[str, Typed]:
        """The sum, or what stands instead."""
        column = known[self.rule.total]
        values = rounded(self._sum(made), column)
        words = np.full(len(values), -1, np.int32) if column.words else None
        if column.name in made:
            codes = made[column.name].codes
            assert codes is not None
            values = np.where(codes == 0, values, np.nan)
            words = np.maximum(codes - 1, -1).astype(np.int32) if column.words else None
        return {column.name: Typed(values, words)}

    def holds(self, cells: Cells, known: Known) -> np.ndarray:
        """Which rows add up, to half a unit of the total's last decimal; missing values break nothing."""
        column, summed = known[self.rule.total], self._sum(cells)
        total = numbers(cells[column.name])
        slack = 0.0 if column.format.decimals is None else 0.500001 * 10.0**-column.format.decimals
        precise = 1e-5 if column.format.dtype == "f32" else 1e-9
        size = np.sum([np.abs(np.nan_to_num(numbers(cells[name]))) for name in self.rule.columns], 0)
        return ~(np.abs(total - summed) > slack + precise * size)

    def _sum(self, cells: Cells) -> np.ndarray:
        parts = np.array([numbers(cells[name]) for name in self.rule.parts])
        if not self.rule.blanks:
            return parts.sum(0)
        return np.where(np.isnan(parts).all(0), np.nan, np.nansum(parts, 0))


@dataclass(frozen=True)
class Joint:
    """Columns as one category: which of the combinations that the data has, under the first one's name.

    Args:
        columns: that go together.
        numbers: of each column, its number in every combination, None for what is none; empty for categories.
        codes: of each column, its code in every combination; empty for numbers without words.
        counts: rows of each combination, the most frequent first.
    """

    columns: tuple[str, ...]
    numbers: tuple[tuple[float | None, ...], ...]
    codes: tuple[tuple[int, ...], ...]
    counts: tuple[int, ...]

    @property
    def targets(self) -> tuple[str, ...]:
        """What it makes."""
        return self.columns

    @property
    def sources(self) -> tuple[str, ...]:
        """It makes them of nothing."""
        return ()

    @cached_property
    def cells(self) -> dict[str, Typed]:
        """The combinations' cells."""
        return {
            name: Typed(
                np.array(numbers, float) if numbers else None,  # None becomes NaN
                np.array(codes, np.int32) if codes else None,
            )
            for name, numbers, codes in zip(self.columns, self.numbers, self.codes, strict=True)
        }

    @cached_property
    def table(self) -> pl.DataFrame:
        """The combinations and their places."""
        return keys(self.columns, self.cells).with_row_index("place")

    def which(self, cells: Cells) -> np.ndarray:
        """The combination of each row, (n,) int32; -1 for none of them."""
        asked = keys(self.columns, cells)
        found = asked.join(self.table, on=asked.columns, how="left", nulls_equal=True, maintain_order="left")
        return found["place"].cast(pl.Int32).fill_null(-1).to_numpy()

    def forth(self, cells: Cells, known: Known) -> dict[str, Typed]:
        """The combinations' codes."""
        del known
        return {self.columns[0]: Typed(None, self.which(cells))}

    def back(self, made: Cells, known: Known) -> dict[str, Typed]:
        """The columns."""
        del known
        codes = made[self.columns[0]].codes
        assert codes is not None
        return {
            name: Typed(*(None if part is None else part[codes] for part in own)) for name, own in self.cells.items()
        }

    def holds(self, cells: Cells, known: Known) -> np.ndarray:
        """Which rows have one of the combinations."""
        del known
        return self.which(cells) >= 0


Built = Gap | Total | Joint


def keys(columns: Sequence[str], cells: Cells) -> pl.DataFrame:
    """Cells of some columns as something that can be compared: numbers with null for NaN, and codes."""
    parts: dict[str, pl.Series] = {}
    for place, name in enumerate(columns):
        values, codes = cells[name]
        if values is not None:
            parts[f"{place} number"] = pl.Series(values + 0.0).fill_nan(None)
        if codes is not None:
            parts[f"{place} code"] = pl.Series(codes)
    return pl.DataFrame(parts)


def cut(cells: Cells, which: np.ndarray) -> dict[str, Typed]:
    """Some of the rows, by number."""
    return {name: Typed(*(None if part is None else part[which] for part in own)) for name, own in cells.items()}


def numbers(cells: Typed) -> np.ndarray:
    """The numbers of a numeric column."""
    assert cells.numbers is not None
    return cells.numbers


def missing(cells: Typed) -> np.ndarray:
    """Where nothing is: neither a number nor a code."""
    gone = np.array(True) if cells.numbers is None else np.isnan(cells.numbers)
    return gone & (np.array(True) if cells.codes is None else cells.codes < 0)


def units(known: Known, columns: Sequence[str]) -> list[float]:
    """What to multiply columns by to compare them: days in seconds where others are dates with a time."""
    timed = any(known[name].kind == "datetime" for name in columns)
    return [DAY if timed and known[name].kind == "date" else 1.0 for name in columns]


def rounded(values: np.ndarray, column: Column) -> np.ndarray:
    """Numbers as the column writes them."""
    decimals = {"date": 0, "datetime": 6, "time": 6}.get(column.kind, column.format.decimals)
    return values if decimals is None else np.round(values, decimals)
