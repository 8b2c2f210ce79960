"""The held-out part: the same for the same pictures, in the proportions of the classes, and never seen in training."""

import numpy as np


def wanted(count: int) -> int:
    """How many of `count` pictures to hold out.

    A fifth up to 1,000 of the first 10,000 pictures, a tenth up to 10,000 of more; two at the very least, since one
    picture has no spread to measure.
    """
    part = min(1000, count // 5) if count <= 10_000 else min(10_000, count // 10)
    return max(2, part)


def hold_out(prints: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """Choose the held-out rows by what the pictures are, not by where they stand.

    Pictures that are equal stay together, and single ones go first, so that nothing held out is also trained on.

    Args:
        prints: (n,) uint64, equal for equal pictures.
        labels: (n,) int64, or None.

    Returns:
        (n_held,) int64 rows, ascending.
    """
    _, group, copies = np.unique(prints, return_inverse=True, return_counts=True)
    if labels is None:
        labels = np.zeros(len(prints), np.int64)
    mixed = np.zeros(len(copies), bool)  # equal pictures of different classes stay in training
    first = np.empty(len(copies), np.int64)
    first[group] = labels
    np.logical_or.at(mixed, group, first[group] != labels)
    free = ~mixed[group]
    sizes = np.bincount(labels)
    quotas = _shares(sizes, wanted(len(prints)))
    held = [_take(np.flatnonzero(free & (labels == c)), int(quotas[c]), group, copies) for c in np.flatnonzero(quotas)]
    rows = np.sort(np.concatenate(held)) if held else np.empty(0, np.int64)
    if len(rows) >= 2:
        return rows
    # So few or so repeated that no group fits its class's share: the smallest groups serve, whatever their class.
    order = np.lexsort((np.arange(len(copies)), copies))
    ends = np.cumsum(copies[order])
    chosen = order[: int(np.searchsorted(ends, 2)) + 1]
    return np.flatnonzero(np.isin(group, chosen))


def together(*prints: np.ndarray) -> np.ndarray:
    """The group of every row (n,) int64: rows that are equal by any of these prints (n,), and rows equal to those.

    A group has the number of its first row.
    """
    groups = np.arange(len(prints[0]))
    while True:
        before = groups
        for each in prints:
            _, same = np.unique(each, return_inverse=True)
            first = np.full(len(each), len(each))
            np.minimum.at(first, same, groups)
            groups = first[same]
        if (groups == before).all():
            return groups


def alone(rows: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Those of some rows that no other row equals; `groups` (n,) are those of all rows."""
    return rows[np.bincount(groups)[groups[rows]] == 1]


def _shares(sizes: np.ndarray, total: int) -> np.ndarray:
    """Share `total` out in proportion to the classes (largest remainder); each class keeps one picture for training."""
    exact = total * sizes / sizes.sum()
    shares = np.floor(exact).astype(np.int64)
    rest = total - int(shares.sum())
    shares[np.argsort(shares - exact, kind="stable")[:rest]] += 1
    return np.minimum(shares, np.maximum(sizes - 1, 0))


def _take(rows: np.ndarray, quota: int, group: np.ndarray, copies: np.ndarray) -> np.ndarray:
    """Up to `quota` rows in whole groups, the smallest groups first; groups are numbered in the order of their prints.

    Args:
        rows: (m,) the rows of one class.
        quota: How many to take.
        group: (n,) the group of every row.
        copies: How many rows each group has.
    """
    order = rows[np.lexsort((group[rows], copies[group[rows]]))]
    whole = np.flatnonzero(np.diff(group[order], append=-1))  # the last row of each group
    fits = whole[whole < quota]
    return order[: int(fits[-1]) + 1] if len(fits) else order[:0]
