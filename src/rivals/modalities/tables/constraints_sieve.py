"""Throwing away the rows that break a rule: what can't hold by construction, and a last look at what does."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from rivals.engine.errors import RequestError

from .cells import typed
from .columns import NUMERIC, Column, Typed
from .constraints import Check
from .constraints_built import cut, missing
from .date_cells import temporal

if TYPE_CHECKING:
    from .modality import Tables


class Seen:
    """The values of some columns that rows had before; a row in which one of them is missing is like no other."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = columns
        self._hashes: set[int] = set()

    def new(self, frame: pl.DataFrame, cells: Mapping[str, Typed]) -> np.ndarray:
        """Which rows are like none before, neither of earlier frames that were kept nor of this one."""
        hashes, whole = self._of(frame, cells)
        first = np.zeros(len(hashes), bool)
        first[np.unique(hashes, return_index=True)[1]] = True
        known = np.fromiter((each in self._hashes for each in hashes.tolist()), bool, len(hashes))
        return ~whole | (first & ~known)

    def keep(self, frame: pl.DataFrame, cells: Mapping[str, Typed]) -> None:
        """Remember rows."""
        hashes, whole = self._of(frame, cells)
        self._hashes.update(hashes[whole].tolist())

    def _of(self, frame: pl.DataFrame, cells: Mapping[str, Typed]) -> tuple[np.ndarray, np.ndarray]:
        """A number for the values of each row, and where none of them is missing."""
        gone = [np.broadcast_to(missing(cells[name]), frame.height) for name in self.columns]
        return frame.select(self.columns).hash_rows().to_numpy(), ~np.any(gone, 0)


class Sieve:
    """Lets through the rows of a model that keep every rule of its table, over several frames.

    Args:
        tables: the modality of the model.
        checks: predicates, given again.
    """

    def __init__(self, tables: "Tables", checks: Sequence[Check] = ()) -> None:
        ids = {column.name for column in tables.columns if column.kind == "id"}
        groups = [names for names in tables.rules.unique if not ids & set(names)]  # fresh ids are unique
        self.tables, self.checks, self.seen = tables, checks, [Seen(names) for names in groups]
        read = {*tables.rules.columns, *(name for names in groups for name in names)}
        self.columns = [column for column in tables.columns if column.name in read]

    @property
    def open(self) -> bool:
        """Whether all rows go through."""
        return not (self.columns or self.checks)

    def kept(self, frame: pl.DataFrame, most: int) -> np.ndarray:
        """The numbers of the first rows, at most so many, that keep all rules; they are remembered as there."""
        cells = {column.name: typed(column, frame[column.name]) for column in self.columns}
        good = np.ones(frame.height, bool)
        for _, held in self.tables.rules.holding(cells, self.tables.columns):
            good &= held
        for check in self.checks:
            good &= passed(check, frame, self.tables.columns)
        places = np.flatnonzero(good)
        for seen in self.seen:
            places = places[seen.new(frame[places], cut(cells, places))]
        places = places[:most]
        for seen in self.seen:
            seen.keep(frame[places], cut(cells, places))
        return places


def passed(check: Check, frame: pl.DataFrame, columns: Sequence[Column]) -> np.ndarray:
    """Which rows pass a predicate; where it says null, as comparisons with missing values do, they do.

    Raises:
        RequestError: it fails, or doesn't give a truth for each row.
    """
    shown = readable(frame, columns)
    try:
        told = check.function(shown)
        found = shown.select(told).to_series() if isinstance(told, pl.Expr) else pl.Series(told)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else ""
        raise RequestError(f"{check} can't be made: {type(error).__name__}: {reason}; it gets a polars data frame with "
                           f"the columns {', '.join(shown.columns)}") from error  # fmt: skip
    if len(found) != frame.height or found.dtype not in (pl.Boolean, pl.Null):
        raise RequestError(f"{check} gives {len(found)} values of type {found.dtype} for {frame.height} rows: "
                           "it should give a truth for each")  # fmt: skip
    return found.cast(pl.Boolean).fill_null(True).to_numpy()


def readable(frame: pl.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
    """The rows with numbers, dates and times as such where the table has them as text; without ids and free text."""
    shown = []
    for column in columns:
        if column.kind in ("id", "text"):
            continue
        cells = frame[column.name]
        if cells.dtype == pl.String and column.kind in NUMERIC:
            values = typed(column, cells).numbers
            assert values is not None
            plain = pl.Series(values).fill_nan(None)
            measured = plain.cast(pl.Int64, strict=False) if column.kind == "integer" else plain
            cells = temporal(values, column.kind) if column.kind in ("date", "datetime", "time") else measured
        shown.append(cells.alias(column.name))
    return pl.DataFrame(shown)
