"""What must hold in every row of a table: written in Python, or as text on the command line."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rivals.engine.errors import RequestError


@dataclass(frozen=True)
class Greater:
    """`column` is above `than`, or not below it if `equal`: numbers, dates, times.

    The generator learns the difference instead of the column, so that what is made of it can't be otherwise.
    """

    column: str
    than: str
    equal: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """What it reads."""
        return self.column, self.than

    def __str__(self) -> str:
        return f"{self.column} {'>=' if self.equal else '>'} {self.than}"


@dataclass(frozen=True)
class Sum:
    """`total` is the sum of the parts, to its last decimal. It isn't learned but reckoned.

    A missing part makes the total missing; with `blanks` it counts as 0 (set when fitted, where the data is so).
    """

    total: str
    parts: tuple[str, ...]
    blanks: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """What it reads."""
        return self.total, *self.parts

    def __str__(self) -> str:
        return f"{self.total} = {' + '.join(self.parts)}"


@dataclass(frozen=True, init=False)
class Together:
    """Only combinations of these columns' values that the data has: city with state. Learned as one category."""

    columns: tuple[str, ...]

    def __init__(self, *columns: str) -> None:
        object.__setattr__(self, "columns", columns)

    def __str__(self) -> str:
        return " with ".join(self.columns)


@dataclass(frozen=True, init=False)
class Unique:
    """No two rows of a sampled table have the same values in all of these columns; later ones are thrown away."""

    columns: tuple[str, ...]

    def __init__(self, *columns: str) -> None:
        object.__setattr__(self, "columns", columns)

    def __str__(self) -> str:
        return f"unique {', '.join(self.columns)}"


@dataclass(frozen=True)
class Between:
    """`column` lies from `low` to `high`, either of which may be None. Dates may be given as such or as text."""

    column: str
    low: Any = None
    high: Any = None

    @property
    def columns(self) -> tuple[str, ...]:
        """What it reads."""
        return (self.column,)

    def __str__(self) -> str:
        low, high = ("" if end is None else end for end in (self.low, self.high))
        return f"{self.column} = {low}..{high}"


@dataclass(frozen=True)
class Check:
    """A predicate of one's own: from a polars data frame to a truth for each row; rows that fail are thrown away.

    Numbers, dates and times that the table has as text come as numbers, dates and times; ids and free text don't come.
    The function isn't saved with a model.
    """

    function: Callable[[Any], Any]

    @property
    def columns(self) -> tuple[str, ...]:
        """Nothing that is known beforehand."""
        return ()

    @property
    def name(self) -> str:
        """Of the function."""
        return getattr(self.function, "__name__", type(self.function).__name__)

    def __str__(self) -> str:
        return f"check {self.name}"


Constraint = Greater | Sum | Together | Unique | Between | Check

_NAME = r"""\s*(?:"([^"]*)"|'([^']*)'|([^"'<>=+,]+?))\s*"""
_COMPARED = re.compile(rf"{_NAME}(<=|>=|<|>){_NAME}")
_RANGE = re.compile(rf"{_NAME}=(.*?)\.\.(.*)", re.DOTALL)
_SUM = re.compile(rf"{_NAME}=({_NAME}(?:\+{_NAME})+)")
_WITH = re.compile(rf"{_NAME}(?:\bwith\b{_NAME})+")
_UNIQUE = re.compile(rf"\s*unique\b({_NAME}(?:,{_NAME})*)")
_FORMS = "'end > start', 'total = a + b', 'city with state', 'unique a, b' or 'age = 0..120'"


def constraint_of(given: object) -> Constraint:
    """A constraint, or the text of one.

    Raises:
        RequestError: it is neither.
    """
    if isinstance(given, Constraint):
        return given
    if isinstance(given, str):
        return read_constraint(given)
    if callable(given):
        return Check(given)
    raise RequestError(f"{given!r} is no constraint: give a text such as {_FORMS}, or a Greater, Sum, Together ...")


def read_constraint(text: str) -> Constraint:
    """The constraint that a text means; names with signs in them go into quotes.

    >>> read_constraint("end > start"), read_constraint("total = a + 'b + c'")
    (Greater(column='end', than='start', equal=False), Sum(total='total', parts=('a', 'b + c'), blanks=False))

    Raises:
        RequestError: it doesn't read as one.
    """
    if found := _COMPARED.fullmatch(text):
        first, second = _names(found.groups()[:3]) + _names(found.groups()[4:])
        sign = found[4]
        ends = (first, second) if sign[0] == ">" else (second, first)
        return Greater(*ends, equal=sign.endswith("="))
    if found := _RANGE.fullmatch(text):
        low, high = (end.strip(" '\"") or None for end in found.groups()[3:])
        return Between(_names(found.groups()[:3])[0], low, high)
    if found := _SUM.fullmatch(text):
        return Sum(_names(found.groups()[:3])[0], _split(found[4], r"\+"))
    if found := _UNIQUE.fullmatch(text):
        return Unique(*_split(found[1], ","))
    if _WITH.fullmatch(text):
        return Together(*_split(text, r"\bwith\b"))
    raise RequestError(f"{text!r} does not read as a constraint: write it like {_FORMS}")


def _names(groups: Sequence[str | None]) -> list[str]:
    return [next(group for group in groups if group is not None)]


def _split(text: str, sign: str) -> tuple[str, ...]:
    """The names between signs, those in quotes whole."""
    found = re.finditer(rf"(?:^|{sign}){_NAME}(?={sign}|$)", text)
    return tuple(name for match in found for name in _names(match.groups()))
