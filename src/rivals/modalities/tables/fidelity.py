"""How like the real table a synthetic one is, column by column and pair by pair.

Column shapes and pair trends are those of SDMetrics by its public definitions (KSComplement, TVComplement,
CorrelationSimilarity, ContingencySimilarity; docs.sdv.dev/sdmetrics), written anew. All are 1 for tables that can't be
told apart by that column or pair, and 0 at worst.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .rows import Rows

Values = NDArray[np.float64]
Pairs = Sequence[tuple[int, int]]

BINS = 10  # of a number beside a category
MOST_CELLS = 2**20  # of a table of counts that is kept whole
MOST_PAIRS = 2_000
CORRELATED, ASSOCIATED = 0.5, 0.3  # from where on a pair is related: Pearson's correlation, Cramér's V
COMMON = 0.01  # the share from which on a category is expected to be met
NEAR = 0.1  # how near, as a share of its share


@dataclass(frozen=True)
class Coded:
    """Rows as small whole numbers, so that every score is one of counts.

    Args:
        names: of the columns, numbers first.
        numbers: (n, k) float64 of the first k columns, NaN for missing.
        fine: (n, columns) ranks among both tables' values, or categories; -1 for missing.
        coarse: (n, columns) bins, or categories; missing is one of them.
        fine_sizes, coarse_sizes: how many there can be, by column.
    """

    names: tuple[str, ...]
    numbers: Values
    fine: NDArray[np.int32]
    coarse: NDArray[np.int32]
    fine_sizes: tuple[int, ...]
    coarse_sizes: tuple[int, ...]

    def take(self, which: NDArray[np.integer]) -> "Coded":
        """Some of the rows."""
        return replace(self, numbers=self.numbers[which], fine=self.fine[which], coarse=self.coarse[which])


def coded(real: Rows, fake: Rows, *, own_bins: bool = False) -> tuple[Coded, Coded]:
    """Both tables as codes that mean the same on both sides.

    Args:
        real: the real rows.
        fake: the synthetic rows, of the same columns.
        own_bins: whether the numbers of either side get bins of their own. The definition takes the real side's for
            both; SDMetrics' quality report (0.32.0) gives each its own, as published tables of pair trends did.
    """
    k = len(real.numbers)
    sides: list[tuple[list, list]] = [([], []), ([], [])]
    sizes: list[tuple[int, int]] = []
    for name in real.numbers:
        a, b = real.numbers[name], fake.numbers[name]
        values = np.unique(np.concatenate([a, b]))
        values = values[~np.isnan(values)]
        for (fine, coarse), column in zip(sides, (a, b), strict=True):
            fine.append(np.where(np.isnan(column), -1, np.searchsorted(values, column)))
            coarse.append(own_binned(column) if own_bins else np.digitize(column, inner_edges(a)))
        sizes.append((len(values), BINS + 2))
    for name, levels in real.levels.items():
        for (fine, coarse), rows in zip(sides, (real, fake), strict=True):
            fine.append(rows.codes[name])
            coarse.append(rows.codes[name] + 1)
        sizes.append((len(levels), len(levels) + 1))
    fine_sizes, coarse_sizes = (tuple(each) for each in zip(*sizes, strict=True))
    tables = []
    for (fine, coarse), rows in zip(sides, (real, fake), strict=True):
        numbers = np.stack([rows.numbers[name] for name in real.numbers], 1) if k else np.empty((len(rows), 0))
        codes = [np.stack(each, 1).astype(np.int32) for each in (fine, coarse)]
        tables.append(Coded(real.names, numbers, codes[0], codes[1], fine_sizes, coarse_sizes))
    return tables[0], tables[1]


def inner_edges(column: Values) -> Values:
    """The edges between ten bins of equal width over a column's range, and infinity, behind which NaN falls."""
    known = column[~np.isnan(column)]
    return np.append(np.histogram_bin_edges(known, bins=BINS)[1:-1], np.inf) if len(known) else np.array([np.inf])


def own_binned(column: Values) -> NDArray[np.integer]:
    """A column in ten bins of its own; the largest value and NaN share an eleventh, as they do in SDMetrics' report."""
    known = column[~np.isnan(column)]
    return np.digitize(column, np.histogram_bin_edges(known, bins=BINS))


def shapes(real: Coded, fake: Coded) -> Values:
    """Column shapes (columns,): 1 less the Kolmogorov-Smirnov statistic, of categories 1 less the total variation.

    Missing cells are left aside; NaN for a column that has nothing else on one of the sides.
    """
    found = np.full(len(real.names), np.nan)
    for place, size in enumerate(real.fine_sizes):
        shares = [distribution(side.fine[:, place], size) for side in (real, fake)]
        if any(share is None for share in shares):
            continue
        difference = shares[0] - shares[1]  # type: ignore[operator]
        numeric = place < real.numbers.shape[1]
        found[place] = 1 - (np.abs(difference.cumsum()).max() if numeric else np.abs(difference).sum() / 2)
    return found


def distribution(codes: NDArray[np.int32], size: int) -> Values | None:
    """The share of each code (size,), -1 left aside; None if there is no other."""
    counts = np.bincount(codes + 1, minlength=size + 1)[1:]
    return counts / counts.sum() if counts.any() else None


def some_pairs(columns: int, most: int = MOST_PAIRS, seed: int = 0) -> list[tuple[int, int]]:
    """All pairs of columns, or `most` drawn from them."""
    count = columns * (columns - 1) // 2
    if count <= most:
        return [(a, b) for a in range(columns) for b in range(a + 1, columns)]
    rng = np.random.default_rng(seed)
    found: set[tuple[int, int]] = set()
    while len(found) < most:
        a, b = sorted(rng.integers(columns, size=2).tolist())
        found |= {(a, b)} if a < b else set()
    return sorted(found)


def trends(real: Coded, fake: Coded, pairs: Pairs) -> Values:
    """Pair trends (pairs,): similarity of correlations between numbers, of tables of counts between all others.

    Two numbers: 1 - |r - s| / 2 of Pearson's correlations, over rows where both are there; NaN where one is constant.
    Else 1 less the total variation between both tables of counts, numbers in ten bins of equal width over the real
    range, missing cells as a category.
    """
    numeric = real.numbers.shape[1]
    r, s = (correlations(side.numbers) for side in (real, fake))
    found = np.empty(len(pairs))
    for place, (a, b) in enumerate(pairs):
        if a < numeric and b < numeric:
            found[place] = 1 - abs(r[a, b] - s[a, b]) / 2
        else:
            found[place] = contingency(real, fake, a, b)
    return found


def related(real: Coded, pairs: Pairs) -> NDArray[np.bool_]:
    """Which pairs hang together in the real table (pairs,): |r| > 0.5 of two numbers, Cramér's V > 0.3 of all others.

    SDMetrics' quality report takes its mean of pair trends over these (0.32.0; older ones over all pairs, of which most
    are nearly independent in most tables, and right in any table whose columns are).
    """
    numeric = real.numbers.shape[1]
    r = correlations(real.numbers)
    found = np.zeros(len(pairs), dtype=bool)
    for place, (a, b) in enumerate(pairs):
        if a < numeric and b < numeric:
            found[place] = abs(r[a, b]) > CORRELATED
        else:
            sizes = real.coarse_sizes[a], real.coarse_sizes[b]
            found[place] = cramers_v(real.coarse[:, a], real.coarse[:, b], sizes) > ASSOCIATED
    return found


def cramers_v(a: NDArray[np.int32], b: NDArray[np.int32], sizes: tuple[int, int]) -> float:
    """Cramér's V of two columns of codes from 0 on; NaN where one is constant or the table of counts too large."""
    if sizes[0] * sizes[1] > MOST_CELLS or not len(a):
        return np.nan
    keys = a.astype(np.int64) * sizes[1] + b
    counts = np.bincount(keys, minlength=sizes[0] * sizes[1]).reshape(sizes).astype(np.float64)
    counts = counts[counts.any(1)][:, counts.any(0)]
    least = min(counts.shape) - 1
    if least < 1:
        return np.nan
    expected = counts.sum(1, keepdims=True) * counts.sum(0) / counts.sum()
    return float(np.sqrt(((counts - expected) ** 2 / expected).sum() / counts.sum() / least))


def contingency(real: Coded, fake: Coded, a: int, b: int) -> float:
    """1 less the total variation between two tables of counts."""
    width = real.coarse_sizes[b]
    keys = [side.coarse[:, a].astype(np.int64) * width + side.coarse[:, b] for side in (real, fake)]
    cells = real.coarse_sizes[a] * width
    if cells > MOST_CELLS:
        _, both = np.unique(np.concatenate(keys), return_inverse=True)
        keys, cells = [both[: len(keys[0])], both[len(keys[0]) :]], int(both.max()) + 1
    p, q = (np.bincount(key, minlength=cells) / len(key) for key in keys)
    return 1 - float(np.abs(p - q).sum()) / 2


def correlations(numbers: Values) -> Values:
    """Pearson's correlations (k, k) of columns (n, k) with NaN, each over the rows where both are there."""
    there = ~np.isnan(numbers)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(there, numbers, 0).sum(0) / there.sum(0)
        centred = np.where(there, numbers - mean, 0)
        scale = np.abs(centred).max(0, initial=0)
        centred = centred / np.where(scale > 0, scale, 1)
        known = there.astype(np.float64)
        count = known.T @ known
        first = centred.T @ known  # (i, j): the sum of column i over the rows where j is there
        products = centred.T @ centred - first * first.T / count
        squares = (centred**2).T @ known - first**2 / count
        # what rounding leaves of a constant column is no variance
        squares = np.where(squares > 1e-12 * count, squares, np.nan)
        return np.clip(products / np.sqrt(squares * squares.T), -1, 1)


def shares_met(real: Coded, fake: Coded) -> float:
    """How many of the categories that hold 1 % or more have a share within a tenth of theirs, in percent."""
    numeric, near, common = real.numbers.shape[1], 0, 0
    for place in range(numeric, len(real.names)):
        a, b = (np.bincount(side.fine[:, place] + 1, minlength=real.fine_sizes[place] + 1)[1:] for side in (real, fake))
        a, b = a / max(a.sum(), 1), b / max(b.sum(), 1)
        there = a >= COMMON
        common += int(there.sum())
        near += int((np.abs(a - b)[there] <= NEAR * a[there]).sum())
    return 100 * near / common if common else np.nan


def percent(values: Values) -> float:
    """The mean in percent, NaN left aside; NaN if there is nothing else."""
    return 100 * float(np.nanmean(values)) if (~np.isnan(values)).any() else float("nan")
