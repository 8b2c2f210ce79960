"""The constraints of a table as plain values that travel inside every saved model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

import numpy as np

from rivals.engine.errors import RequestError

from .columns import NUMERIC, Column, Typed
from .constraints import Greater, Sum, Unique
from .constraints_built import Built, Gap, Joint, Total, numbers, units
from .wishes import Demand


@dataclass(frozen=True)
class Range:
    """The bounds of a column in its own units, days or seconds for dates and times; None for no bound."""

    column: str
    low: float | None = None
    high: float | None = None

    def holds(self, cells: Mapping[str, Typed]) -> np.ndarray:
        """Which rows are within."""
        values = numbers(cells[self.column])
        low, high = (np.nan if end is None else end for end in (self.low, self.high))
        return ~((values < low) | (values > high))

    def __str__(self) -> str:
        return f"the range of {self.column}"


@dataclass(frozen=True)
class Rules:
    """All constraints of a table.

    Sums, combinations and differences hold by construction as far as no column is made twice or of itself; whatever
    else is left, is seen to by throwing rows away.

    Args:
        greater: columns above others.
        sums: columns that are sums of others.
        joints: columns of which only known combinations occur.
        ranges: bounds of columns.
        unique: groups of columns that no two rows have the same values in.
        checks: the names of predicates that have to be given again wherever rows are made.
    """

    greater: tuple[Greater, ...] = ()
    sums: tuple[Sum, ...] = ()
    joints: tuple[Joint, ...] = ()
    ranges: tuple[Range, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    checks: tuple[str, ...] = ()

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """All that are read by rules that can be looked up row by row."""
        rules: tuple[Greater | Sum | Joint, ...] = (*self.greater, *self.sums, *self.joints)
        read = [*(rule.columns for rule in rules), *((limits.column,) for limits in self.ranges)]
        return tuple(dict.fromkeys(name for names in read for name in names))

    @cached_property
    def built(self) -> tuple[Built, ...]:
        """What holds by construction, each after what it is made of."""
        made: dict[str, Built] = {}
        graph: dict[str, tuple[str, ...]] = {}
        rules: tuple[Built, ...] = (*map(Total, self.sums), *self.joints, *map(Gap, self.greater))
        for rule in rules:
            more = graph | dict.fromkeys(rule.targets, rule.sources)
            if not made.keys() & set(rule.targets) and ordered(more):
                graph = more
                made |= dict.fromkeys(rule.targets, rule)
        return tuple(dict.fromkeys(made[name] for name in ordered(graph) or () if name in made))

    def forth(self, cells: Mapping[str, Typed], columns: Sequence[Column]) -> dict[str, Typed]:
        """The cells that are learned, by column, of those of the table."""
        known = {column.name: column for column in columns}
        gone = {name for rule in self.built for name in rule.targets}
        learned = {name: own for name, own in cells.items() if name not in gone}
        for rule in self.built:
            learned |= rule.forth(cells, known)
        return learned

    def back(self, cells: Mapping[str, Typed], columns: Sequence[Column]) -> dict[str, Typed]:
        """The table's cells of those that were learned."""
        known = {column.name: column for column in columns}
        made = dict(cells)
        for rule in self.built:
            made |= rule.back(made, known)
        return made

    def holding(self, cells: Mapping[str, Typed], columns: Sequence[Column]) -> Iterator[tuple[str, np.ndarray]]:
        """Each rule in words, and which rows (n,) keep it; without `unique` and `checks`."""
        known = {column.name: column for column in columns}
        for gap in map(Gap, self.greater):
            yield str(gap.rule), gap.holds(cells, known)
        for total in map(Total, self.sums):
            yield str(total.rule), total.holds(cells, known)
        for joint in self.joints:
            yield " with ".join(joint.columns), joint.holds(cells, known)
        for bounds in self.ranges:
            yield str(bounds), bounds.holds(cells)

    def counts(self, column: Column) -> Sequence[int]:
        """How often each category that was learned in a column's place is in the data."""
        joint = next((rule for rule in self.built if isinstance(rule, Joint) and rule.columns[0] == column.name), None)
        return column.counts if joint is None else joint.counts

    def asked(self, demands: Sequence[Demand], columns: Sequence[Column]) -> tuple[Demand, ...]:
        """What the generator can be asked for: combinations instead of their columns, nothing of what is reckoned.

        Raises:
            RequestError: the demands contradict a rule.
        """
        self._refuse(demands, {column.name: column for column in columns})
        made = {name for rule in self.built for name in rule.targets}
        asked = [demand for demand in demands if demand.column not in made]
        for joint in (rule for rule in self.built if isinstance(rule, Joint)):
            own = [demand for demand in demands if demand.column in joint.columns]
            if own:
                asked.append(Demand(joint.columns[0], tuple(combinations(joint, own).tolist())))
        return tuple(asked)

    def _refuse(self, demands: Sequence[Demand], known: Mapping[str, Column]) -> None:
        """Nothing that no row can be."""
        for joint in self.joints:
            own = [demand for demand in demands if demand.column in joint.columns]
            if own and not len(combinations(joint, own)):
                asked = " with ".join(dict.fromkeys(demand.column for demand in own))
                raise RequestError(f"no {asked} is as asked: only combinations that the data has are made")
        bounds = bounds_of(demands, known)
        for limits in self.ranges:
            low, high = bounds[limits.column]
            if (limits.high is not None and low > limits.high) or (limits.low is not None and high < limits.low):
                raise RequestError(f"what is asked of {limits.column!r} is outside the range that it is held to")
        for rule in self.greater:
            above, than = units(known, rule.columns)
            high, low = bounds[rule.column][1] * above, bounds[rule.than][0] * than
            if high < low or (high == low and not rule.equal):
                raise RequestError(f"what is asked of {rule.column!r} and {rule.than!r} contradicts {str(rule)!r}")
        for summed in self.sums:
            low, high = (sum(bounds[part][end] for part in summed.parts) for end in (0, 1))
            if bounds[summed.total][0] > high or bounds[summed.total][1] < low:
                raise RequestError(f"what is asked of {summed.total!r} and its parts contradicts {str(summed)!r}")

    def words(self) -> tuple[str, ...]:
        """A line each."""
        joints = (" with ".join(joint.columns) for joint in self.joints)
        unique = (str(Unique(*names)) for names in self.unique)
        plain = (*map(str, self.sums), *joints, *map(str, self.greater), *map(str, self.ranges), *unique)
        return (*plain, *(f"check {name}" for name in self.checks))


def bounds_of(demands: Sequence[Demand], known: Mapping[str, Column]) -> dict[str, tuple[float, float]]:
    """What is asked of each column of numbers, low and high.

    Raises:
        RequestError: two demands contradict each other.
    """
    bounds = dict.fromkeys((name for name, column in known.items() if column.kind in NUMERIC), (-np.inf, np.inf))
    for demand in demands:
        if demand.column in bounds:
            low, high = bounds[demand.column]
            bounds[demand.column] = low, high = max(low, demand.low), min(high, demand.high)
            if low > high:
                raise RequestError(f"what is asked of {demand.column!r} contradicts itself")
    return bounds


def combinations(joint: Joint, demands: Sequence[Demand]) -> np.ndarray:
    """The combinations that meet all demands."""
    return np.flatnonzero(np.logical_and.reduce([demand.met(joint.cells[demand.column]) for demand in demands]))


def ordered(graph: Mapping[str, Sequence[str]]) -> tuple[str, ...] | None:
    """Names, each after those that it needs; None where some need themselves."""
    try:
        return tuple(TopologicalSorter(graph).static_order())
    except CycleError:
        return None
