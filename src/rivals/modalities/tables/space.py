"""Rows of a table as points, so that near means alike: for distances in the judging of privacy."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .rows import Codes, Numbers, Rows

MOST_SLOTS = 64  # categories with a direction of their own
DIRECTIONS = 48  # that more categories than that share


def placed(scale: Rows, parts: Sequence[Rows], seed: int = 0) -> list[Tensor]:
    """Points of several parts in one space, (n, d) float32 each.

    A number becomes its normal score among the rows of `scale` (0 where it is missing, with a coordinate that says so),
    a category a corner of a simplex. Two categories that differ are as far apart as two typical numbers are. Of columns
    with more than 64 categories the corners are random directions, nearly at right angles.

    Args:
        scale: the rows whose distribution gives the normal scores.
        parts: the rows to place.
        seed: of the random directions.
    """
    columns: list[list[Tensor]] = [[] for _ in parts]
    for name, known in scale.numbers.items():
        found = [part.numbers[name] for part in parts]
        blanks = any(np.isnan(column).any() for column in found)
        for place, column in zip(columns, found, strict=True):
            place.append(normal_scores(column, known)[:, None])
            if blanks:
                place.append(torch.from_numpy(np.isnan(column)).float()[:, None])
    for number, (name, levels) in enumerate(scale.levels.items()):
        table = corners(len(levels) + 1, seed + number)  # the last for missing
        for place, part in zip(columns, parts, strict=True):
            place.append(table[codes_index(part.codes[name], len(levels))])
    return [torch.cat(place, 1) for place in columns]


def normal_scores(column: Numbers, known: Numbers) -> Tensor:
    """Numbers (n,) as quantiles of a normal distribution by their ranks among others; 0 for NaN. (n,) float32."""
    values, counts = np.unique(known[~np.isnan(known)], return_counts=True)
    if not len(values):
        return torch.zeros(len(column))
    ranks = (counts.cumsum() - counts / 2) / counts.sum()
    shares = torch.from_numpy(np.interp(column, values, ranks))
    edge = 0.5 / counts.sum()
    return torch.special.ndtri(shares.clamp(edge, 1 - edge)).nan_to_num(0.0).float()


def corners(count: int, seed: int) -> Tensor:
    """A direction of length 1 for each category: (count, d)."""
    if count <= MOST_SLOTS:
        return torch.eye(count)
    drawn = torch.randn(count, DIRECTIONS, generator=torch.Generator().manual_seed(seed))
    return drawn / drawn.norm(dim=1, keepdim=True)


def codes_index(codes: Codes, missing: int) -> Tensor:
    """Codes as an index, missing ones last."""
    return torch.from_numpy(np.where(codes < 0, missing, codes).astype(np.int64))
