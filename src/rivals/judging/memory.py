"""Did the generator copy its training data? Three answers, each against what real held-out data would give.

`copies` names the pictures that are copies. `authenticity` and `ct_score` look at features: they see that samples crowd
around training data, and depend on the space, so compare them with the same number for held-out data.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .compare import nearest
from .copies import Copies, Matches, copies, matches
from .pairs import nearest_squares
from .stream import in_parts

__all__ = ["Copies", "Matches", "authenticity", "copies", "ct_score", "matches"]

_CELLS, _ROUNDS = 10, 20  # of k-means
_ENOUGH = 20  # samples of a cell that is scored, as in the paper's experiments


def authenticity(a: Tensor, train: Tensor) -> Tensor:
    """Which samples are authentic, after Alaa et al. 2022 (arXiv 2102.08921, section 3): (n,) booleans.

    A sample of `a` (n, d) is not authentic if it is nearer to its nearest row of `train` (m, d) than that row is to
    its own nearest other training row. The share of authentic samples is the published score (AuthPct in Stein et al.
    2023, in percent). Even fresh real data are not all authentic, about half of them in many dimensions: put the score
    of held-out data beside it. A space with few training rows, or with repeated ones, makes everything authentic.

    >>> train = torch.tensor([[0.0], [1.0], [5.0]])
    >>> authenticity(torch.tensor([[0.1], [3.0], [-2.0]]), train).tolist()
    [False, True, True]
    """
    if len(train) < 2:
        raise ValueError(f"two training rows or more are needed, got {len(train)}")
    squares, which = (found[:, 0] for found in nearest_squares(a, train, 1))
    own = nearest_squares(train, None, 2)[0][:, 1]
    return squares >= own[which]


def ct_score(a: Tensor, train: Tensor, held_out: Tensor, *, cells: int = _CELLS, seed: int = 0) -> float:
    """The data-copying score C_T of Meehan, Chaudhuri and Dasgupta 2020 (arXiv 2004.05675, eq. 2).

    The training rows are divided into cells by k-means. In each, the distances of samples to the cell's training rows
    are ranked against those of held-out rows (Mann and Whitney's U, as a z-score), and the z-scores are averaged,
    weighted by how many held-out rows the cell has. Cells with fewer than 20 samples or without held-out rows are left
    out.

    Args:
        a: (n, d) samples.
        train: (m, d), what the generator learned from.
        held_out: (k, d), from the same source, not learned from.
        cells: of the division; 1 for none.
        seed: of k-means.

    Returns:
        About 0 for a good generator; far below 0 (under -3) where samples are nearer to training data than fresh data
        are: copying; far above 0 where they are farther: underfitting. It grows with the square root of the counts, so
        compare equal counts only. A few copies among many samples hardly move it: see `copies`.

    Raises:
        ValueError: no cell has enough samples and a held-out row.

    >>> rng = torch.Generator().manual_seed(0)
    >>> train, fresh, test = torch.randn(3, 500, 2, generator=rng)
    >>> ct_score(train + 0.01, train, test) < -5 < ct_score(fresh, train, test) < 3
    True
    """
    centres = _means(train.double(), min(cells, len(train)), seed)
    parts = [_cell(rows, centres) for rows in (a, train, held_out)]
    total, weight = 0.0, 0
    for cell in range(len(centres)):
        ours, known, fresh = (rows[part == cell] for rows, part in zip((a, train, held_out), parts, strict=True))
        if len(ours) >= _ENOUGH and len(fresh) and len(known):
            total += len(fresh) * _z(nearest(ours, known)[0][:, 0], nearest(fresh, known)[0][:, 0])
            weight += len(fresh)
    if not weight:
        raise ValueError(f"no cell has {_ENOUGH} samples and a held-out row: give more samples, or fewer cells")
    return total / weight


def _z(a: Tensor, b: Tensor) -> float:
    """Mann and Whitney's U of `a` (n) over `b` (m) in its deviations from what equal distributions give."""
    order = b.sort().values
    below = torch.searchsorted(order, a.contiguous(), right=False)
    upto = torch.searchsorted(order, a.contiguous(), right=True)
    n, m = len(a), len(b)
    u = float((below + upto).sum()) / 2  # ties count half
    return (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)


def _means(rows: Tensor, count: int, seed: int) -> Tensor:
    """Lloyd's k-means from random rows: centres (count, d)."""
    centres = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:count]]
    for _ in range(_ROUNDS):
        members = F.one_hot(_cell(rows, centres), count).to(rows)  # (n, count)
        sizes = members.sum(0)[:, None]
        centres = torch.where(sizes > 0, members.T @ rows / sizes.clamp_min(1), centres)
    return centres


def _cell(rows: Tensor, centres: Tensor) -> Tensor:
    """The nearest centre (count, d) of each row (n, d): (n,)."""
    lengths = centres.square().sum(1) / 2
    return torch.cat([(lengths - part.to(centres) @ centres.T).argmin(1) for part in in_parts(rows)])
