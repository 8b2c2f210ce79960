"""Constraints held against the real table: what they read, whether its rows keep them, what they have to know."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations as pairs

import numpy as np
import polars as pl

from rivals.engine.errors import RequestError
from rivals.engine.names import named

from .cells import typed
from .columns import CODED, NUMERIC, Column, Typed
from .constraints import Between, Check, Constraint, Greater, Sum, Together, Unique, constraint_of
from .constraints_built import Gap, Joint, Total, cut, keys, missing
from .constraints_rules import Range, Rules, ordered
from .constraints_sieve import Seen, passed
from .survey import Survey

MOST_COMBINATIONS = 500_000
_ALIKE = {"number": "numbers", "integer": "numbers", "date": "dates", "datetime": "dates", "time": "times"}

Frames = Callable[[], Iterable[pl.DataFrame]]


def fit_rules(constraints: Sequence[object], columns: Sequence[Column], frames: Frames) -> Rules:
    """Constraints as rules of a table, which all of its rows keep.

    Args:
        constraints: such, or their texts, or predicates.
        columns: of the table.
        frames: starts over and gives the table's rows.

    Raises:
        RequestError: a constraint doesn't read as one, is about columns that there aren't or that can't be compared,
            contradicts another, or rows break it; how many and the first of them are named.
    """
    given = tuple(dict.fromkeys(constraint_of(each) for each in constraints))
    if not given:
        return Rules()
    known = {column.name: column for column in columns}
    for rule in given:
        check_columns(rule, known)
    ranges = tuple(range_of(rule, known[rule.column]) for rule in given if isinstance(rule, Between))
    check_together(given, ranges)
    look = _Look(given, ranges, columns)
    for frame in frames():
        look.feed(frame)
    return look.rules()


def check_columns(rule: Constraint, known: Mapping[str, Column]) -> None:
    """Refuse columns that there aren't or that a constraint can't be about."""
    for name in rule.columns:
        kind = named(name, known, f"column for {str(rule)!r}:").kind
        fits = {Together: (*NUMERIC, *CODED), Unique: (*NUMERIC, *CODED, "id")}.get(type(rule), NUMERIC)
        if kind not in fits:
            need = "that is not learned" if len(fits) > len(NUMERIC) else "and neither a number nor a date"
            raise RequestError(f"{str(rule)!r}: {name!r} is {kind}, {need}; --column {name}=KIND overrules that")
    if len(set(rule.columns)) < len(rule.columns):
        raise RequestError(f"{str(rule)!r} names a column twice")
    if isinstance(rule, Sum | Together) and len(rule.columns) < 2:
        raise RequestError(f"{str(rule)!r} needs two columns or more")
    alike = {_ALIKE.get(known[name].kind) for name in rule.columns}
    if isinstance(rule, Greater) and len(alike) > 1:
        kinds = " and ".join(known[name].kind for name in rule.columns)
        raise RequestError(f"{str(rule)!r} compares {kinds}; --column NAME=KIND overrules what a column is")
    if isinstance(rule, Sum) and alike != {"numbers"}:
        raise RequestError(f"{str(rule)!r} needs columns of numbers")


def check_together(rules: Sequence[Constraint], ranges: Sequence[Range]) -> None:
    """Refuse constraints that no row could keep."""
    above = [rule for rule in rules if isinstance(rule, Greater)]
    graph: dict[str, tuple[str, ...]] = {}
    for rule in above:
        graph[rule.column] = (*graph.get(rule.column, ()), rule.than)
    if ordered(graph) is None and not all(rule.equal for rule in above):
        raise RequestError(f"these contradict each other: {', '.join(map(repr, map(str, above)))}")
    for one, other in pairs(ranges, 2):
        low, high = (end for end in zip(ends(one), ends(other), strict=True))
        if one.column == other.column and max(low) > min(high):
            raise RequestError(f"the two ranges of {one.column!r} have nothing in common")


def ends(limits: Range) -> tuple[float, float]:
    """Low and high, infinite where there is none."""
    return (-np.inf if limits.low is None else limits.low), (np.inf if limits.high is None else limits.high)


def range_of(rule: Between, column: Column) -> Range:
    """A range in the column's own units."""
    low, high = (None if end is None else edge(rule, column, end) for end in (rule.low, rule.high))
    if low is None and high is None:
        raise RequestError(f"{str(rule)!r} gives no bound: write it like {column.name} = 0..120")
    if low is not None and high is not None and low > high:
        raise RequestError(f"{str(rule)!r}: the range ends before it begins")
    return Range(column.name, low, high)


def edge(rule: Between, column: Column, value: object) -> float:
    """A bound as a number; of a date given without a time, its midnight."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        found = typed(column, pl.Series([value])).numbers
    if found is None or np.isnan(found[0]):
        plain = replace(column, format=replace(column.format, pattern="%Y-%m-%d", also=()))
        found = typed(plain, pl.Series([value])).numbers if column.kind in ("date", "datetime") else found
    if found is None or np.isnan(found[0]):
        raise RequestError(f"{str(rule)!r}: {value!r} does not read as a value of {column.name!r} ({column.kind})")
    return float(found[0])


@dataclass
class _Broken:
    """How many rows break a constraint, and which is the first."""

    count: int = 0
    row: int = 0
    shown: str = ""


class _Look:
    """One pass over a table for its constraints."""

    def __init__(self, given: Sequence[Constraint], ranges: tuple[Range, ...], columns: Sequence[Column]) -> None:
        self.columns, self.known, self.count = columns, {column.name: column for column in columns}, 0
        read = {name for rule in given for name in rule.columns}
        self.read = [column for column in columns if column.name in read]
        self.checks = [rule for rule in given if isinstance(rule, Check)]
        self.unique = [Seen(rule.columns) for rule in given if isinstance(rule, Unique)]
        self.sums = [rule for rule in given if isinstance(rule, Sum)]
        self.blank, self.adds_up = dict.fromkeys(self.sums, False), dict.fromkeys(self.sums, True)
        self.together: dict[Together, list[pl.DataFrame]] = {r: [] for r in given if isinstance(r, Together)}
        self.plain = Rules(
            tuple(rule for rule in given if isinstance(rule, Greater)),
            tuple(self.sums),
            ranges=ranges,
            unique=tuple(seen.columns for seen in self.unique),  # type: ignore[misc]
            checks=tuple(check.name for check in self.checks),
        )
        self.broken: dict[str, _Broken] = {}
        self.reads = {str(limits): (limits.column,) for limits in ranges} | {str(rule): rule.columns for rule in given}

    def feed(self, frame: pl.DataFrame) -> None:
        """Look at some more rows."""
        cells = {column.name: typed(column, frame[column.name]) for column in self.read}
        for words, held in self.plain.holding(cells, self.columns):
            self.note(words, ~held, frame)
        for check in self.checks:
            self.note(str(check), ~passed(check, frame, self.columns), frame)
        for seen in self.unique:
            new = seen.new(frame, cells)
            self.note(str(Unique(*seen.columns)), ~new, frame)
            seen.keep(frame.filter(new), cut(cells, np.flatnonzero(new)))
        for rule in self.sums:
            gone = np.any([missing(cells[part]) for part in rule.parts], 0) & ~np.isnan(numbers_of(cells, rule.total))
            self.blank[rule] |= bool(gone.any())
            self.adds_up[rule] &= bool(Total(replace(rule, blanks=True)).holds(cells, self.known).all())
        for together, found in self.together.items():
            found[:] = [counted([*found, keys(together.columns, cells).with_columns(count=pl.lit(1, pl.Int64))])]
            if found[0].height > MOST_COMBINATIONS:
                raise RequestError(f"{str(together)!r}: there are more than {MOST_COMBINATIONS:,} combinations, too "
                                   "many to be known one by one")  # fmt: skip
        self.count += frame.height

    def note(self, words: str, broken: np.ndarray, frame: pl.DataFrame) -> None:
        """Remember what breaks a rule."""
        if broken.any():
            first = int(broken.argmax())
            told = self.broken.setdefault(words, _Broken(0, self.count + first + 1))
            if not told.count:
                told.shown = ", ".join(f"{name} {frame[name][first]}" for name in self.reads[words][:5])
            told.count += int(broken.sum())

    def rules(self) -> Rules:
        """The rules, if no row breaks one."""
        for words, found in self.broken.items():
            shown = f" ({found.shown})" if found.shown else ""
            raise RequestError(
                f"{found.count:,} of {self.count:,} rows break {words!r}, row {found.row:,} first{shown}: "
                "put the rows right, or leave the constraint out"
            )
        sums = tuple(replace(rule, blanks=self.blank[rule] and self.adds_up[rule]) for rule in self.sums)
        return replace(self.plain, sums=sums, joints=tuple(joint_of(r.columns, f[0]) for r, f in self.together.items()))


def numbers_of(cells: Mapping[str, Typed], name: str) -> np.ndarray:
    """The numbers of a column."""
    return np.asarray(cells[name].numbers)


def counted(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Combinations and how often each is there, counted together."""
    both = pl.concat(parts)
    return both.group_by([name for name in both.columns if name != "count"]).agg(pl.col("count").sum())


def joint_of(columns: Sequence[str], found: pl.DataFrame) -> Joint:
    """Counted combinations, the most frequent first and ties in their order."""
    own = [name for name in found.columns if name != "count"]
    table = found.sort(["count", *own], descending=[True, *(False for _ in own)], nulls_last=True)

    def values(place: int, kind: str) -> tuple[float, ...]:
        name = f"{place} {kind}"
        return tuple(table[name].to_list()) if name in table.columns else ()

    places = range(len(columns))
    return Joint(
        tuple(columns),
        tuple(values(place, "number") for place in places),
        tuple(values(place, "code") for place in places),  # type: ignore[misc]
        tuple(table["count"].to_list()),
    )


def learned_columns(
    rules: Rules, columns: Sequence[Column], chunks: Callable[[], Iterable[Mapping[str, Typed]]]
) -> tuple[Column, ...]:
    """The columns that are learned, in the order of the table; those of differences by one pass over them."""
    known = {column.name: column for column in columns}
    gaps = [rule for rule in rules.built if isinstance(rule, Gap)]
    survey = Survey()
    for chunk in chunks() if gaps else ():
        found = {gap.rule.column: gap.forth(chunk, known)[gap.rule.column].numbers for gap in gaps}
        survey.feed(pl.DataFrame(found).fill_nan(None))
    differences = {gap.rule.column: "number" for gap in gaps}
    surveyed = {column.name: column for column in survey.columns(differences)} if gaps else {}  # type: ignore[arg-type]
    instead: dict[str, Column | None] = {}
    for rule in rules.built:
        instead |= dict.fromkeys(rule.targets)
        if isinstance(rule, Joint):
            instead[rule.columns[0]] = category(known[rule.columns[0]], rule.counts, 0)
        elif isinstance(rule, Gap):
            instead[rule.rule.column] = difference(rule.rule, surveyed[rule.rule.column], known)
        elif known[rule.rule.total].missing or known[rule.rule.total].words:
            total = known[rule.rule.total]
            instead[total.name] = category(total, (1,) * (1 + len(total.words)), total.missing)
    learned = (instead.get(column.name, column) for column in columns)
    return tuple(column for column in learned if column is not None)


def category(column: Column, counts: Sequence[int], gone: int) -> Column:
    """A category learned in a column's place."""
    names = tuple(map(str, range(len(counts))))
    return Column(column.name, "category", rows=column.rows, missing=gone, categories=names, counts=tuple(counts))


def difference(rule: Greater, found: Column, known: Mapping[str, Column]) -> Column:
    """What a difference is, with the words and special values of its column as words; of moments in steps of clocks."""
    column = known[rule.column]
    moments = {known[name].kind for name in rule.columns} & {"time", "datetime"}
    words = (*column.words, *map(str, column.special))
    return replace(found, kind="time" if moments else found.kind, words=words, missing=column.missing)
