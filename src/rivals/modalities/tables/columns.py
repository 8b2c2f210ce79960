"""What a table's columns are: plain values that travel inside every saved model.

Beside this file: `survey.py` finds the columns of a table (`infer`, `Survey`), `cells.py` turns a column's cells into
numbers and codes and back (`typed`, `untyped`), `ids.py` makes fresh ids (`fresh_ids`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

Kind = Literal[
    "number", "integer", "date", "time", "datetime", "category", "boolean", "id", "text", "constant", "empty"
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)

NUMERIC: tuple[Kind, ...] = ("number", "integer", "date", "time", "datetime")
"""Kinds whose cells are numbers: `Typed.numbers` is there."""

CODED: tuple[Kind, ...] = ("category", "boolean", "constant")
"""Kinds whose cells are codes into `Column.categories`."""


@dataclass(frozen=True)
class Format:
    """How the cells of a column are written.

    Attributes:
        dtype: Of the source: "str", "i64", "f64", "bool", "date", "datetime[us]", "datetime[us, Europe/Berlin]", ...
        decimals: Digits after the decimal sign that numbers have at most; 0 for whole numbers, None for as many as a
            float has.
        least: Digits after the decimal sign that are always written: 2 for "1.50", 1 for the whole number "3.0".
        decimal: The decimal sign, "." or ",".
        thousands: What parts thousands: "", ",", ".", " ", "'" or a narrow space.
        prefix, suffix: What every cell begins and ends with: "$", " %", or the space after a comma; for any kind.
        minus: How negative numbers are marked: "-", "−" or "(" for "(5.00)".
        inside: The minus follows the prefix, "$-5".
        pad: Digits that whole numbers are padded to with zeros.
        pattern: Of dates and times as in `strftime`; of ids as a regular expression with one class a character; of
            numbers "e" where some have an exponent.
        also: Other patterns that dates of the column are read by, never written.
        true: The one of the two categories of a boolean that means yes.
        missing: What a missing cell looks like; None for a cell that is empty.
    """

    dtype: str = "str"
    decimals: int | None = 0
    least: int = 0
    decimal: str = "."
    thousands: str = ""
    prefix: str = ""
    suffix: str = ""
    minus: str = "-"
    inside: bool = False
    pad: int = 0
    pattern: str = ""
    also: tuple[str, ...] = ()
    true: str = ""
    missing: str | None = None


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: Of the column.
        kind: What the cells are.
        why: What made it that kind, in a few words.
        rows: Rows of the table.
        missing: Rows with a missing cell here.
        format: How the cells are written.
        distinct: Different cells, missing ones aside; estimated (to about 1 %) in columns with very many.
        categories: The different cells as they are written without prefix and suffix, the most frequent first and ties
            by name; of categories, booleans and constants.
        counts: Rows of each category.
        low, high: Smallest and largest ordinary value, `special` ones aside: dates in days and datetimes in seconds
            since 1970, times in seconds since midnight. Of ids: fresh ones are numbered from `low` to `high`.
        special: Values of a numeric column that are so frequent, or so far out, that they mean something of their own:
            0 in capital-gain, -1 in age, 99999.
        words: What stands between numbers: "unknown".
    """

    name: str
    kind: Kind
    why: str = ""
    rows: int = 0
    missing: int = 0
    format: Format = Format()
    distinct: int = 0
    categories: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    low: float | None = None
    high: float | None = None
    special: tuple[float, ...] = ()
    words: tuple[str, ...] = ()


class Typed(NamedTuple):
    """The cells of a column as arrays.

    Attributes:
        numbers: (n,) float64 for numeric kinds, NaN where a cell is missing or a word; else None.
        codes: (n,) int32, -1 for a missing cell: into `categories` for categories, booleans and constants, 0 for any
            cell of an id or a text. For numeric kinds None, or into `words` where the column has some, and -1 for
            numbers as well as for missing cells.
    """

    numbers: np.ndarray | None = None
    codes: np.ndarray | None = None


def column_from(values: Mapping[str, Any]) -> Column:
    """The column that `dataclasses.asdict` made these values from, after JSON as well."""
    plain = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    form = {key: tuple(value) if isinstance(value, list) else value for key, value in values["format"].items()}
    return Column(**{**_known(Column, plain), "format": Format(**_known(Format, form))})


def _known(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values whose names are fields, so that a model saved by a later version can still be read."""
    return {field.name: values[field.name] for field in fields(kind) if field.name in values}
