"""How strongly columns hang together: mutual information, and a matrix of associations of all kinds of pairs."""

import numpy as np
from numpy.typing import NDArray

from .fidelity import MOST_CELLS, Coded, Pairs, Values, correlations, cramers_v
from .rows import Numbers, Rows

QUANTILES = 20


def information(real: Rows, fake: Rows, pairs: Pairs) -> tuple[Values, Values]:
    """Normalised mutual information of pairs of columns, in the real and in the fake rows: (pairs,) each.

    I(a, b) / sqrt(H(a) H(b)), 0 for independent columns and 1 where each tells the other (Strehl and Ghosh 2002);
    numbers are cut at the real rows' twentieths, missing cells are a category. 0 where a column is constant.
    """
    cut = {name: np.unique(np.nanquantile(column, np.arange(1, QUANTILES) / QUANTILES)) if known(column) else column[:0]
           for name, column in real.numbers.items()}  # fmt: skip
    found = []
    for rows in (real, fake):
        columns = [
            np.where(np.isnan(rows.numbers[name]), 0, 1 + np.digitize(rows.numbers[name], cut[name])) for name in cut
        ]
        columns += [rows.codes[name].astype(np.int64) + 1 for name in rows.codes]
        entropies = [entropy(column) for column in columns]
        found.append(np.array([shared(columns[a], columns[b], entropies[a], entropies[b]) for a, b in pairs]))
    return found[0], found[1]


def known(column: Numbers) -> bool:
    """Whether any cell is there."""
    return bool((~np.isnan(column)).any())


def entropy(codes: NDArray[np.int64]) -> float:
    """Of whole numbers from 0 on, in nats."""
    counts = np.bincount(codes) if codes.max() < MOST_CELLS else np.unique(codes, return_counts=True)[1]
    shares = counts[counts > 0] / len(codes)
    return float(-(shares * np.log(shares)).sum())


def shared(a: NDArray[np.int64], b: NDArray[np.int64], entropy_a: float, entropy_b: float) -> float:
    """The normalised mutual information of two columns of codes."""
    if min(entropy_a, entropy_b) < 1e-12:
        return 0.0
    both = entropy(a * (int(b.max()) + 1) + b)
    return max(0.0, (entropy_a + entropy_b - both) / (entropy_a * entropy_b) ** 0.5)


def associations(side: Coded) -> Values:
    """A matrix (columns, columns) of how strongly columns hang together; NaN where a column is constant.

    Two numbers: Pearson's correlation, -1 to 1. Two categories: Cramér's V, 0 to 1. One of each: the correlation ratio,
    0 to 1. Missing cells are left aside.
    """
    count, numeric = len(side.names), side.numbers.shape[1]
    found = np.eye(count)
    found[:numeric, :numeric] = correlations(side.numbers)
    for b in range(numeric, count):
        for a in range(b):
            value = ratio(side.numbers[:, a], side.fine[:, b]) if a < numeric else cramer(side, a, b)
            found[a, b] = found[b, a] = value
    return found


def ratio(numbers: Values, codes: NDArray[np.int32]) -> float:
    """The correlation ratio: the root of the share of a number's variance that lies between the categories."""
    there = ~np.isnan(numbers) & (codes >= 0)
    values, groups = numbers[there], codes[there]
    if not len(values):
        return np.nan
    values = values - values.mean()
    total = (values**2).sum()
    counts = np.bincount(groups)
    sums = np.bincount(groups, weights=values)
    between = (sums[counts > 0] ** 2 / counts[counts > 0]).sum()
    return float(np.sqrt(between / total)) if total > 0 else np.nan


def cramer(side: Coded, a: int, b: int) -> float:
    """Cramér's V of two categories over the rows where both are there."""
    there = (side.fine[:, a] >= 0) & (side.fine[:, b] >= 0)
    return cramers_v(side.fine[there, a], side.fine[there, b], (side.fine_sizes[a], side.fine_sizes[b]))
