"""What kind of column some cells are: the rules, in the order in which they are tried."""

from collections.abc import Callable
from dataclasses import replace

import polars as pl

from rivals.engine.errors import RequestError

from .columns import Column, Format, Kind
from .dtypes import is_nested, name_of
from .kinds_coded import boolean, category, constant, ids, text, two, words
from .kinds_measured import MISSING, dates, numbers
from .tally import Tally

Rule = Callable[[Column, Tally], Column | None]

RULES: tuple[Rule, ...] = (constant, boolean, dates, numbers, words)


def column_of(name: str, tally: Tally, kind: Kind | None = None) -> Column:
    """The column with these cells.

    Args:
        name: Of the column.
        tally: Its cells.
        kind: What it is to be, rather than what it seems to be.

    Raises:
        RequestError: The cells can't be of the kind that was given.
    """
    tally, missing = _without_missing(tally)
    base = Column(
        name, "empty", rows=tally.rows, missing=tally.nulls, distinct=tally.distinct,
        format=Format(dtype=name_of(tally.values.dtype), missing=missing),
    )  # fmt: skip
    if kind is not None:
        return _forced(base, tally, kind)
    if not tally.present:
        return replace(base, why="no cell has anything in it")
    if is_nested(tally.values.dtype):
        return replace(base, kind="text", why=f"cells of type {tally.values.dtype}")
    if tally.values.dtype in (pl.Categorical, pl.Enum):
        return boolean(base, tally) or category(base, tally) or text(base, tally)
    return next(column for rule in RULES if (column := rule(base, tally)) is not None)


def _without_missing(tally: Tally) -> tuple[Tally, str | None]:
    """The tally without the word for a missing cell, if one is more frequent than empty cells; and that word."""
    if tally.values.dtype.is_float():
        own, cells = "nan", tally.values.filter(tally.values.is_nan())
    elif tally.values.dtype == pl.String:
        cells = tally.values.filter(tally.values.str.strip_chars().str.to_lowercase().is_in(MISSING)).head(1)
        own = cells[0] if len(cells) else ""
    else:
        return tally, None
    less = tally.without(cells.to_list())
    if tally.values.dtype.is_float():
        return less, own if less.nulls > 2 * tally.nulls else None
    return (less, own) if less.nulls > 2 * tally.nulls else (tally, None)


def _forced(base: Column, tally: Tally, kind: Kind) -> Column:
    """The column as the kind that was asked for."""
    rules: dict[str, Rule] = {
        "constant": constant, "boolean": two, "category": category, "text": text, "id": ids, "empty": _empty,
        "number": lambda column, cells: numbers(column, cells, "number"),
        "integer": lambda column, cells: numbers(column, cells, "integer"),
        **dict.fromkeys(("date", "time", "datetime"), lambda column, cells: dates(column, cells, forced=True)),
    }  # fmt: skip
    made = rules[kind](base, tally)
    if made is None or made.kind != kind:
        shown = ", ".join(repr(str(cell)) for cell in tally.values.head(3).to_list())
        instead = f"; it could be {made.kind}" if made is not None else ""
        raise RequestError(
            f"column {base.name!r} can't be of kind {kind}: it has {tally.distinct:,} different cells "
            f"like {shown}{instead}"
        )
    return replace(made, why=f"as asked; {made.why}")


def _empty(base: Column, tally: Tally) -> Column | None:
    return None if tally.present else replace(base, why="no cell has anything in it")
