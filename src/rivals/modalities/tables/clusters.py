"""Clusters of rare categories: those found in similar rows share a slot."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from .columns import CODED, NUMERIC, Column, Typed

WIDEST = 32
"""The most features of a row that categories are compared by."""

_INDICATORS = 3  # a column of categories is seen by its most frequent ones
_PRIOR = 5.0  # rows of no particular kind that every category is taken to have been seen in besides its own

Feature = Callable[[Mapping[str, Typed]], np.ndarray]


class Company:
    """What kind of rows each category of one column is found in: sums over rows of features of their other columns.

    A feature is the rank of a number or whether a category is there, about 0 on average. Memory is `WIDEST` floats a
    category, whatever the table's length.
    """

    def __init__(self, column: Column, features: Sequence[Feature]) -> None:
        self.column = column
        self.features = features
        self.sums = np.zeros((len(column.categories), len(features)))

    def feed(self, chunk: Mapping[str, Typed]) -> None:
        """Count some more rows."""
        codes = chunk[self.column.name].codes
        assert codes is not None
        here = codes >= 0
        for place, feature in enumerate(self.features):
            self.sums[:, place] += np.bincount(codes[here], feature(chunk)[here], len(self.sums))

    def groups(self, own: int, groups: int) -> np.ndarray:
        """The cluster, 0 to groups - 1, of each category from code `own` on: (categories - own,)."""
        counts = np.array(self.column.counts[own:], np.float64)
        return split(self.sums[own:] / (counts + _PRIOR)[:, None], counts, groups)


def features_of(columns: Sequence[Column], chunk: Mapping[str, Typed], widest: int) -> list[Feature]:
    """Features by a first chunk of a table, of all columns but those with more than `widest` categories."""
    features: list[Feature] = []
    for column in columns:
        if column.kind in NUMERIC:
            numbers = chunk[column.name].numbers
            assert numbers is not None
            known = numbers[~np.isnan(numbers)]
            features += [_rank(column.name, np.unique(np.quantile(known, np.linspace(0, 1, 33))))] * bool(len(known))
        elif column.kind in CODED and 1 < len(column.categories) <= widest:
            few = range(min(len(column.categories) - 1, _INDICATORS))
            features += [_indicator(column.name, code, column.counts[code] / max(column.rows, 1)) for code in few]
    return features[:WIDEST]


def _rank(name: str, quantiles: np.ndarray) -> Feature:
    def feature(chunk: Mapping[str, Typed]) -> np.ndarray:
        numbers = chunk[name].numbers
        assert numbers is not None
        return np.nan_to_num(np.interp(numbers, quantiles, np.linspace(-1, 1, len(quantiles))))

    return feature


def _indicator(name: str, code: int, share: float) -> Feature:
    def feature(chunk: Mapping[str, Typed]) -> np.ndarray:
        return np.equal(np.asarray(chunk[name].codes), code) - share

    return feature


def split(points: np.ndarray, weights: np.ndarray, groups: int) -> np.ndarray:
    """Points in groups of about equal weight: halved again and again across the direction they differ most in.

    Args:
        points: (n, d), n at least `groups`; d may be 0, then neighbours in the order given are together.
        weights: (n,) above 0.
        groups: at least 1.

    Returns:
        (n,) int64, 0 to groups - 1, each at least once.
    """
    labels = np.zeros(len(points), np.int64)
    todo = [(np.arange(len(points)), 0, groups)]
    while todo:
        members, first, count = todo.pop()
        labels[members] = first
        if count == 1:
            continue
        left = count // 2
        ordered = members[np.argsort(_along(points[members], weights[members]), kind="stable")]
        mass = np.cumsum(weights[ordered])
        cut = int(np.searchsorted(mass, mass[-1] * left / count)) + 1
        cut = min(max(cut, left), len(ordered) - (count - left))
        todo += [(ordered[:cut], first, left), (ordered[cut:], first + left, count - left)]
    return labels


def _along(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Where points lie along their first principal component: (n, d) -> (n,)."""
    if not points.shape[1]:
        return np.zeros(len(points))
    centred = points - np.average(points, 0, weights)
    _, directions = np.linalg.eigh((weights[:, None] * centred).T @ centred)
    return centred @ directions[:, -1]
