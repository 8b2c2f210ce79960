"""Finding out what the columns of a table are."""

from collections.abc import Mapping, Sequence

import polars as pl

from rivals.engine.names import named

from .columns import KINDS, Column, Kind
from .identifiers import warnings
from .kinds import column_of
from .tally import Tally, in_order, merged, tally_of

_PENDING = 200_000
"""Cells of new chunks that are kept before they are counted together with those before."""


class Survey:
    """Columns from a table in chunks, in memory that doesn't grow with the table.

    >>> survey = Survey()
    >>> for chunk in (pl.DataFrame({"age": [31, 47]}), pl.DataFrame({"age": [18, 65]})):
    ...     survey.feed(chunk)
    >>> [(column.name, column.kind, column.low, column.high) for column in survey.columns()]
    [('age', 'integer', 18.0, 65.0)]
    """

    def __init__(self) -> None:
        self._tallies: dict[str, list[Tally]] = {}

    def feed(self, chunk: pl.DataFrame) -> None:
        """Count the cells of some rows."""
        for cells in chunk:
            kept = self._tallies.setdefault(cells.name, [])
            kept.append(tally_of(cells))
            if sum(len(tally.values) for tally in kept[1:]) > max(_PENDING, len(kept[0].values)):
                kept[:] = [merged(kept)]

    def columns(self, overrides: Mapping[str, Kind] | None = None) -> tuple[Column, ...]:
        """What the columns are.

        Args:
            overrides: Kinds that are given rather than found.

        Raises:
            RequestError: A column or kind that there is not, or cells that can't be of the kind that was given.
        """
        wanted = dict(overrides or {})
        known = {name: name for name in self._tallies}
        kinds = {str(kind): kind for kind in KINDS}
        for name, kind in wanted.items():
            named(name, known, "column")
            named(kind, kinds, f"kind of column for {name!r}:")
        whole = ((name, in_order(merged(tallies))) for name, tallies in self._tallies.items())
        return tuple(column_of(name, tally, wanted.get(name)) for name, tally in whole)


def infer(frame: pl.DataFrame, overrides: Mapping[str, Kind] | None = None) -> tuple[Column, ...]:
    """What the columns of a table in memory are; as `Survey` for tables in chunks.

    Raises:
        RequestError: as `Survey.columns`.
    """
    survey = Survey()
    survey.feed(frame)
    return survey.columns(overrides)


def remarks(columns: Sequence[Column]) -> tuple[str, ...]:
    """What a person should know before training on these columns, a line each."""
    said = []
    entities = [column.name for column in columns if column.kind == "id" and column.distinct < 0.9 * _present(column)]
    dated = [column.name for column in columns if column.kind in ("date", "datetime")]
    if entities and dated:
        said.append(
            f"several rows share one {entities[0]!r} and {dated[0]!r} tells their order: each row is learned "
            "for itself, not the sequence of an entity's rows"
        )
    elif entities:
        said.append(
            f"several rows share one {entities[0]!r}, so it may be a key into another table: "
            "each row gets a fresh one, and how many rows share one is not learned"
        )
    said.extend(
        f"column {column.name!r} is {'free text' if column.kind == 'text' else 'empty'} and is left empty: {column.why}"
        for column in columns
        if column.kind == "text"
    )
    return (*said, *warnings(columns))


def _present(column: Column) -> int:
    return column.rows - column.missing
