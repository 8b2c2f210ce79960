"""Distances between two sets of features: pure functions on matrices of shape (samples, dimensions).

Nothing here knows where the features come from. Statistics are computed in float64, whatever comes in.
"""

import torch
from torch import Tensor

_PAIRS_AT_ONCE = 2**24  # numbers held at a time by `nearest`: 64 MiB of float32
_SPARE = 8  # further candidates whose distances `nearest` computes again


def moments(a: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (d) and the unbiased covariance (d, d) of the rows of `a` (n, d), in float64.

    Raises a ValueError for fewer than two rows, which have no covariance, and for values that are not finite.

    >>> mean, covariance = moments(torch.tensor([[0.0, 1.0], [2.0, 5.0]]))
    >>> mean.tolist(), covariance.tolist()
    ([1.0, 3.0], [[2.0, 4.0], [4.0, 8.0]])
    """
    rows = _checked(a)
    mean = rows.mean(0)
    centred = rows - mean
    return mean, centred.T @ centred / (len(rows) - 1)


def total_variance(a: Tensor) -> float:
    """How much the rows of `a` (n, d) vary in all: the trace of their unbiased covariance.

    It is half the mean squared distance between two different rows, and the Fréchet distance that a set would have
    which repeats the mean for ever. A Fréchet distance divided by it has no unit and can be compared between spaces.

    >>> total_variance(torch.tensor([[0.0, 1.0], [2.0, 5.0]]))
    10.0
    """
    return float(_checked(a).var(0).sum())


def frechet(a: Tensor, b: Tensor) -> float:
    """The Fréchet distance between Gaussians fitted to the rows of `a` (n, d) and `b` (m, d).

    With Inception features this is the FID of Heusel et al. 2017 (arXiv 1706.08500, eq. 6); the closed form is by
    Dowson and Landau 1982. It is squared: a shift of every row by s adds |s|². Sets of other sizes than d work, also
    n < d, but the estimate is biased upwards by about 1/n + 1/m, so compare only distances of equal counts, and give
    with them the distance between two sets of real data of these counts. It sees the first two moments only: sets with
    the same mean and covariance are at distance 0. Values beyond about 1e-12 of the variance are meaningful.

    >>> a = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> round(frechet(a, a + torch.tensor([3.0, 4.0])), 6)
    25.0
    """
    return frechet_from(*moments(a), *moments(b))


def frechet_from(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> float:
    """The Fréchet distance between two Gaussians, given by means (d) and covariances (d, d).

    It is |mean_a - mean_b|² + tr(A + B - 2 (A B)^½), where tr (A B)^½ is the sum of the singular values of A^½ B^½.
    The roots come from symmetric eigenvalues and nothing is squared on the way, so covariances without full rank lose
    no digits, as they would in a general matrix root.

    >>> one = torch.eye(3)
    >>> round(frechet_from(torch.zeros(3), one, torch.zeros(3), 4 * one), 6)  # d (1 - 2)²
    3.0
    """
    if mean_a.shape != mean_b.shape:
        raise ValueError(f"the sets have {len(mean_a)} and {len(mean_b)} features a row; they must come from one space")
    a, b = cov_a.double(), cov_b.double()
    shift = (mean_a.double() - mean_b.double()).square().sum()
    overlap = torch.linalg.svdvals(_root(a) @ _root(b).T).sum()
    return max(0.0, float(shift + a.trace() + b.trace() - 2 * overlap))


def nearest(queries: Tensor, keys: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
    """The `k` keys (m, d) nearest to each query (n, d): Euclidean distances (n, k), ascending, and indices (n, k).

    Memory stays flat however many queries there are. Candidates are found by a matrix product, whose rounding would
    blur small distances, and the distances to them are then computed directly: a copy is at distance 0 exactly. Keys
    whose distances agree to about 1e-6 of the norm may change places beyond the first `k`.

    >>> keys = torch.tensor([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
    >>> distances, indices = nearest(torch.tensor([[3.0, 4.0], [0.0, 1.0]]), keys, k=2)
    >>> distances[0].tolist(), indices[:, 0].tolist()
    ([0.0, 5.0], [1, 0])
    """
    if not 1 <= k <= len(keys):
        raise ValueError(f"k must be between 1 and the number of keys ({len(keys)}), got {k}")
    centre = keys.mean(0)  # near the origin the product loses the fewest digits
    q, x = queries - centre, keys - centre
    step = max(1, _PAIRS_AT_ONCE // max(keys.shape))
    found = [_nearest_of(part, x, k) for part in q.split(step)]
    return torch.cat([distances for distances, _ in found]), torch.cat([indices for _, indices in found])


def _nearest_of(q: Tensor, x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    rough = x.square().sum(1) - 2 * q @ x.T  # (n, m); |q|² is the same for every key
    candidates = rough.topk(min(k + _SPARE, len(x)), largest=False).indices.sort(1).values
    exact = torch.stack([(q - x[column]).norm(dim=1) for column in candidates.T], dim=1)  # (n, candidates)
    order = exact.argsort(dim=1, stable=True)[:, :k]
    return exact.gather(1, order), candidates.gather(1, order)


def _root(covariance: Tensor) -> Tensor:
    """R (d, d) with R.T @ R = covariance; directions of no variance beyond rounding are dropped."""
    values, vectors = torch.linalg.eigh(covariance)
    noise = values.abs().max() * len(values) * torch.finfo(values.dtype).eps
    return torch.where(values > noise, values, 0.0).sqrt()[:, None] * vectors.T


def _checked(a: Tensor) -> Tensor:
    if a.ndim != 2 or len(a) < 2:
        raise ValueError(
            f"a set of features has shape (samples, dimensions) with 2 samples or more, got {tuple(a.shape)}"
        )
    bad = int((~a.isfinite()).any(1).sum())
    if bad:
        raise ValueError(f"{bad} of {len(a)} rows have values that are not finite (NaN or infinite)")
    return a.double()
