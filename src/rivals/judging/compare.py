"""Distances between two sets of features: pure functions on matrices of shape (samples, dimensions).

Nothing here knows where the features come from, and none of it needs the rest of Rivals. In all of them `a` are the
fakes and `b` is real. Fewer samples than dimensions work everywhere; what that does to a number, its function says.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .frechet import (
    ClassFrechet,
    class_frechet,
    frechet,
    frechet_from,
    frechet_infinity,
    moments,
    total_variance,
)
from .neighbours import (
    DensityCoverage,
    Neighbourhoods,
    PrecisionRecall,
    density_coverage,
    nearest,
    neighbourhoods,
    precision_recall,
)
from .pairs import BlockSums, Pairs, membership
from .stream import checked_pair

__all__ = [
    "ClassFrechet",
    "DensityCoverage",
    "Kernel",
    "Neighbourhoods",
    "PrecisionRecall",
    "class_frechet",
    "density_coverage",
    "frechet",
    "frechet_from",
    "frechet_infinity",
    "kernel",
    "kernel_and_neighbourhoods",
    "mmd",
    "moments",
    "nearest",
    "neighbourhoods",
    "precision_recall",
    "sliced_wasserstein",
    "total_variance",
]

_NUMBERS_AT_ONCE = 2**23  # of a kernel matrix, or of projections: 64 MiB of float64


class Kernel(NamedTuple):
    """The mean of a squared kernel distance over blocks, its deviation, and the blocks that were really taken."""

    mean: float
    deviation: float
    blocks: int
    block_size: int


def kernel(a: Tensor, b: Tensor, *, blocks: int = 100, block_size: int = 1000, seed: int = 0) -> Kernel:
    """The mean and the deviation of `mmd` over random blocks of `a` (n, d) and `b` (m, d).

    With Inception features this is the KID of Bińkowski et al. 2018 (arXiv 1801.01401, section 4): no bias at any
    count, so it may be a little below zero. Each block is `block_size` rows of either set without repetition, other
    blocks may hold the same rows. Subsets are drawn as torch-fidelity draws them from its `rng_seed`, so with the same
    features, blocks and seed it gives the same numbers. `deviation` is that of single blocks, as in the literature; it
    is not the error of the mean, which is smaller.

    Sets of fewer rows than `block_size` are compared in blocks of as many rows as the smaller has, and the result says
    so; where a block is all of both sets, the blocks are the same and the deviation is 0 and means nothing.

    Raises a ValueError for fewer than 2 rows or blocks below 1, different widths, and values that are not finite.

    >>> rows = torch.randn(400, 8, generator=torch.Generator().manual_seed(0))
    >>> found = kernel(rows[:200] + 1, rows[200:], blocks=10, block_size=100)
    >>> found.mean > 1, found.block_size
    (True, 100)
    """
    size = _block_size(a, b, blocks, block_size)
    n, m, d = len(a), len(b), a.shape[1]
    drawn = _draws(n, m, blocks, size, seed)
    if (n + m) ** 2 / 2 * (d + blocks) <= blocks * 3 * size**2 * d:  # all pairs once are less work than all blocks
        values = _block_sums(a, b, *drawn).tolist()
    else:
        values = [mmd(a[i.to(a.device)], b[j.to(b.device)]) for i, j in zip(*drawn, strict=True)]
    return _kernel(values, size)


def kernel_and_neighbourhoods(
    a: Tensor,
    b: Tensor,
    *,
    k: int = 3,
    density_k: int = 5,
    blocks: int = 100,
    block_size: int = 1000,
    seed: int = 0,
) -> tuple[Kernel, Neighbourhoods]:
    """What `kernel` and `neighbourhoods` give for `a` (n, d) and `b` (m, d), in one pass over all pairs of rows.

    Both are sums over inner products of rows, which take nearly all of their time. For so many rows that the kernels of
    all pairs are more work than the blocks alone, the two are computed one after the other.
    """
    size = _block_size(a, b, blocks, block_size)
    if (len(a) + len(b)) ** 2 / 2 > 3 * size**2 * a.shape[1]:
        return kernel(a, b, blocks=blocks, block_size=size, seed=seed), neighbourhoods(a, b, k=k, density_k=density_k)
    sums = _block_sums_of(a, b, *_draws(len(a), len(b), blocks, size, seed))
    found = neighbourhoods(a, b, k=k, density_k=density_k, seen=sums.see)
    return _kernel(sums.found.tolist(), size), found


def mmd(a: Tensor, b: Tensor) -> float:
    """The unbiased estimate of the squared maximum mean discrepancy of `a` (n, d) and `b` (m, d), from all pairs.

    Gretton et al. 2012 (A kernel two-sample test, eq. 3), with the kernel (x.y / d + 1)³ of KID, which sees the first
    three moments. It has no bias at any count and may be below zero. The time grows with (n + m)² d, the memory with
    n + m: for large sets `kernel` is the usual measure. Products are made in the features' own precision, sums in
    float64. Raises a ValueError as `kernel` does.

    >>> mmd(torch.tensor([[0.0], [2.0]]), torch.tensor([[0.0], [0.0]]))  # (1 + 1) / 2 ... all kernels are 1
    0.0
    """
    checked_pair(a, b)
    return float(_block_sums(a, b, *(torch.arange(len(rows))[None] for rows in (a, b))))


def sliced_wasserstein(a: Tensor, b: Tensor, *, directions: int = 512, seed: int = 0) -> float:
    """The sliced 2-Wasserstein distance between `a` (n, d) and `b` (m, d), in the features' unit.

    Bonneel et al. 2015 (Sliced and Radon Wasserstein barycenters): the root of the mean, over random directions on the
    unit sphere, of the squared Wasserstein distance between the projections, which is exact in one dimension and for
    different counts too. A shift by s adds about |s|² / d to the square. Unlike the Fréchet distance it sees all of the
    distribution, not two moments, but for finite counts it isn't 0 between two sets of one distribution: compare equal
    counts. The error from the directions falls like 1 / sqrt(directions).

    Raises a ValueError for fewer than 2 rows or 1 direction, different widths, and values that are not finite.

    >>> a = torch.tensor([[0.0], [1.0]])
    >>> sliced_wasserstein(a, a + 2)
    2.0
    """
    checked_pair(a, b)
    if directions < 1:
        raise ValueError(f"there must be 1 direction or more, got {directions}")
    exact = torch.float32 if a.device.type == "mps" else torch.float64
    drawn = torch.randn(directions, a.shape[1], generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    units = (drawn / drawn.norm(dim=1, keepdim=True)).to(a.device, exact)
    # Both quantile functions are steps; between two neighbours of all their jumps both stand still.
    n, m = len(a), len(b)
    jumps = torch.cat([torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n]).unique()  # in units of 1 / nm
    widths = torch.diff(jumps, prepend=jumps.new_zeros(1)).to(a.device, exact) / (n * m)
    step_a, step_b = ((jumps - 1) // count for count in (m, n))
    total = 0.0
    for part in units.split(max(1, _NUMBERS_AT_ONCE // (n + m))):
        first, second = (_projected(rows, part).sort(0).values for rows in (a, b))  # (rows, directions)
        total += float((widths @ (first[step_a] - second[step_b]).square()).sum())
    return (total / directions) ** 0.5


def _projected(rows: Tensor, units: Tensor) -> Tensor:
    parts = rows.split(max(1, _NUMBERS_AT_ONCE // rows.shape[1]))
    return torch.cat([part.to(units) @ units.T for part in parts])


def _block_size(a: Tensor, b: Tensor, blocks: int, block_size: int) -> int:
    checked_pair(a, b)
    if blocks < 1 or block_size < 2:
        raise ValueError(f"there must be 1 block or more of 2 rows or more, got {blocks} of {block_size}")
    return min(block_size, len(a), len(b))


def _draws(n: int, m: int, blocks: int, size: int, seed: int) -> tuple[Tensor, Tensor]:
    """Rows of each block, (blocks, size) of n and of m."""
    draws = np.random.RandomState(seed)
    found = [[torch.from_numpy(draws.choice(count, size, replace=False)) for count in (n, m)] for _ in range(blocks)]
    return tuple(map(torch.stack, zip(*found, strict=True)))  # type: ignore[return-value]  # two


def _block_sums_of(a: Tensor, b: Tensor, drawn_a: Tensor, drawn_b: Tensor) -> BlockSums:
    return BlockSums(*(membership(drawn.to(a.device), rows) for drawn, rows in ((drawn_a, a), (drawn_b, b))))


def _block_sums(a: Tensor, b: Tensor, drawn_a: Tensor, drawn_b: Tensor) -> Tensor:
    """`mmd` of each of some blocks, (blocks,), by all pairs once."""
    sums = _block_sums_of(a, b, drawn_a, drawn_b)
    for which, pairs in (((0, 0), Pairs(a)), ((1, 1), Pairs(b.to(a.device))), ((0, 1), Pairs(a, b))):
        for tile in pairs.tiles():
            sums.see(which, pairs, tile)
    return sums.found


def _kernel(values: list[float], size: int) -> Kernel:
    return Kernel(float(np.mean(values)), float(np.std(values)), len(values), size)
