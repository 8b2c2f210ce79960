"""Synthetic tables without any network, to be honest about what a network adds.

Every cell of them is a cell of the real table, so types, decimals and missing cells come out right by themselves; rows
are new.
"""

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from .fidelity import Values, correlations
from .rows import Kinds, Rows, parts_of

Maker = Callable[[pl.DataFrame, Kinds, int, int], pl.DataFrame]


def independent(train: pl.DataFrame, kinds: Kinds, count: int, seed: int) -> pl.DataFrame:
    """Every column drawn by itself: right shapes, no relation between columns."""
    rng = np.random.default_rng(seed)
    return train.select(train[name].gather(rng.integers(train.height, size=count)) for name in kinds)


def gaussian_copula(train: pl.DataFrame, kinds: Kinds, count: int, seed: int) -> pl.DataFrame:
    """Every column's own distribution, tied together by the correlations of normal scores (Nelsen 2006, 2.10).

    Numbers are ordered by value and categories by frequency, missing cells last. Cells that are equal share the mean of
    their normal scores, and their correlations are scaled up by what that takes from a column's variance, so that ties
    don't weaken them.

    Args:
        train: the real rows.
        kinds: the columns to make.
        count: rows to make.
        seed: of the draws.
    """
    rows = parts_of({"training": train}, kinds)["training"]
    ordered = {name: np.argsort(column, kind="stable") for name, column in ranks(rows).items()}
    scores = np.stack([scored(column) for column in ranks(rows).values()], 1)
    tie = np.nan_to_num(correlations(scores)) / np.outer(deviations(scores), deviations(scores))
    np.fill_diagonal(tie, 1.0)
    values, vectors = np.linalg.eigh(np.clip(tie, -1, 1))
    root = vectors * np.sqrt(values.clip(0))
    root /= np.sqrt((root**2).sum(1, keepdims=True))  # cut eigenvalues took from the variances
    drawn = np.random.default_rng(seed).standard_normal((count, len(kinds))) @ root.T
    shares = torch.special.ndtr(torch.from_numpy(drawn)).numpy()
    places = np.minimum((shares * train.height).astype(np.int64), train.height - 1)
    made = {name: train[name].gather(order[places[:, k]]) for k, (name, order) in enumerate(ordered.items())}
    return pl.DataFrame({name: made[name] for name in kinds})


def ranks(rows: Rows) -> Mapping[str, Values]:
    """Columns whose order is that of the copula, missing cells last."""
    numbers = {name: np.where(np.isnan(column), np.inf, column) for name, column in rows.numbers.items()}
    codes = {
        name: np.where(column < 0, len(rows.levels[name]), column).astype(np.float64)
        for name, column in rows.codes.items()
    }
    return {**numbers, **codes}


def scored(column: Values) -> Values:
    """Each cell's mean normal score among the cells that equal it: (n,)."""
    _, place, counts = np.unique(column, return_inverse=True, return_counts=True)
    edges = torch.from_numpy(np.concatenate([[0.0], counts.cumsum() / counts.sum()]))
    heights = torch.exp(-(torch.special.ndtri(edges).square()) / 2) / (2 * torch.pi) ** 0.5  # 0 at both ends
    means = (heights[:-1] - heights[1:]).numpy() / (counts / counts.sum())
    return means[place]


def deviations(scores: Values) -> NDArray[np.float64]:
    """The deviations of columns, 1 for constant ones."""
    found = scores.std(0)
    return np.where(found > 1e-9, found, 1.0)


BASELINES: Mapping[str, Maker] = {"independent": independent, "gaussian_copula": gaussian_copula}
"""Those that take seconds."""
