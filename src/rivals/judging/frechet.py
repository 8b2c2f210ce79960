"""Fréchet distances between Gaussians fitted to features: FD, its extrapolation to infinitely many, and by class.

For sets with fewer samples than features everything works, on the smaller matrix of inner products; covariances of such
sets have no full rank, so the distances hold far more of the samples' number than of what was sampled.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from .stream import Moments, checked, checked_pair, in_parts

_EXACT_ENOUGH = 1e-11  # of the variance: errors of squared singular values above it call for the singular values


class ClassFrechet(NamedTuple):
    """Fréchet distances by class, their mean, and how many rows (of a, of b) each class had."""

    mean: float
    by_class: dict[int, float]
    counts: dict[int, tuple[int, int]]


class Extrapolated(NamedTuple):
    """A distance for infinitely many rows, and its standard error from the fit of the line alone."""

    value: float
    error: float


def moments(a: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (d) and the unbiased covariance (d, d) of the rows of `a` (n, d), in float64.

    Raises a ValueError for fewer than two rows, which have no covariance, and for values that are not finite. Memory
    beyond the d² stays flat however many rows there are; for rows that come in parts there is `stream.Moments`.

    >>> mean, covariance = moments(torch.tensor([[0.0, 1.0], [2.0, 5.0]]))
    >>> mean.tolist(), covariance.tolist()
    ([1.0, 3.0], [[2.0, 4.0], [4.0, 8.0]])
    """
    return _moments(checked(a))


def total_variance(a: Tensor) -> float:
    """How much the rows of `a` (n, d) vary in all: the trace of their unbiased covariance.

    It is half the mean squared distance between two different rows, and the Fréchet distance that a set would have
    which repeats the mean for ever. A Fréchet distance divided by it has no unit and can be compared between spaces.

    >>> total_variance(torch.tensor([[0.0, 1.0], [2.0, 5.0]]))
    10.0
    """
    mean = _mean(checked(a))
    return sum(float((_exact(part) - mean).square().sum()) for part in in_parts(a)) / (len(a) - 1)


def frechet(a: Tensor, b: Tensor) -> float:
    """The Fréchet distance between Gaussians fitted to the rows of `a` (n, d) and `b` (m, d).

    With Inception features this is the FID of Heusel et al. 2017 (arXiv 1706.08500, eq. 6); the closed form is by
    Dowson and Landau 1982. It is squared: a shift of every row by s adds |s|². Sets of other sizes than d work, also
    n < d, but the estimate is biased upwards by about 1/n + 1/m, so compare only distances of equal counts, and give
    with them the distance between two sets of real data of these counts. It sees the first two moments only: sets with
    the same mean and covariance are at distance 0. Values beyond about 1e-11 of the variance are meaningful, for
    float32 features, which are rounded themselves, beyond 1e-8. Memory is that of d² numbers, however many rows there
    are. Raises a ValueError as `moments` does, and for different widths.

    >>> a = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> round(frechet(a, a + torch.tensor([3.0, 4.0])), 6)
    25.0
    """
    checked_pair(a, b)
    return _distance(_spread(a), _spread(b))


def frechet_from(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> float:
    """The Fréchet distance between two Gaussians, given by means (d) and covariances (d, d).

    It is |mean_a - mean_b|² + tr(A + B - 2 (A B)^½), where tr (A B)^½ is the sum of the singular values of Q R' for
    any roots Q'Q = A, R'R = B: no root of a general matrix is needed, and covariances without full rank lose no digits.

    >>> one = torch.eye(3)
    >>> round(frechet_from(torch.zeros(3), one, torch.zeros(3), 4 * one), 6)  # d (1 - 2)²
    3.0
    """
    if mean_a.shape != mean_b.shape:
        raise ValueError(f"the sets have {len(mean_a)} and {len(mean_b)} features a row; they must come from one space")
    return _distance((_exact(mean_a), root(_exact(cov_a))), (_exact(mean_b), root(_exact(cov_b))))


def frechet_infinity(a: Tensor, b: Tensor, *, points: int = 15, seed: int = 0) -> float:
    """The Fréchet distance of `a` (n, d) to `b` (m, d) that infinitely many rows of `a`'s kind would have.

    FID-infinity of Chong and Forsyth 2020 (arXiv 1911.07023): the distances of `points` random subsets of `a`, of
    evenly spaced sizes from n/10 to n, are fitted by a line in 1/size and the line is followed to 1/size = 0. The
    bias is a line where sizes are well above d, so subsets of fewer than 2d are avoided as far as n allows (they are
    never above n/2); with n < d the result is a rough guess. The bias that the count of `b` brings stays, so give `b`
    all there is. It may come out below zero, where the distance is small beside its own error.

    Raises a ValueError for fewer than 8 rows in `a`, fewer than 2 `points`, and as `frechet` does.

    >>> rows = torch.randn(2000, 3, generator=torch.Generator().manual_seed(0))
    >>> abs(frechet_infinity(rows[:1000] + 1, rows) - 3) < 0.3
    True
    """
    return extrapolated(a, b, points=points, seed=seed).value


def extrapolated(a: Tensor, b: Tensor, *, points: int = 15, seed: int = 0) -> Extrapolated:
    """As `frechet_infinity`, with the standard error of the line at 1/size = 0, by what it leaves of the points.

    That error is of the choice of subsets, not of the choice of `a` and `b`: see `interval.infinity_interval`.
    """
    checked_pair(a, b)
    if len(a) < 8 or points < 2:
        raise ValueError(f"an extrapolation needs 8 samples or more and 2 points or more, got {len(a)} and {points}")
    least = max(len(a) // 10, min(2 * a.shape[1], len(a) // 2), 2)
    sizes = torch.linspace(least, len(a), points, dtype=torch.float64).round().long().tolist()
    generator, known = torch.Generator().manual_seed(seed), _spread(b)
    chosen = [torch.randperm(len(a), generator=generator)[:size].to(a.device) for size in sizes]
    distances = torch.tensor([_distance(_spread(a[rows]), known) for rows in chosen], dtype=torch.float64)
    inverse = 1 / torch.tensor(sizes, dtype=torch.float64)
    apart = (inverse - inverse.mean()).square().sum()
    slope = ((inverse - inverse.mean()) * distances).sum() / apart
    value = distances.mean() - slope * inverse.mean()
    left = (distances - value - slope * inverse).square().sum() / max(points - 2, 1)
    return Extrapolated(float(value), float((left * (1 / points + inverse.mean().square() / apart)).sqrt()))


def class_frechet(a: Tensor, labels_a: Tensor, b: Tensor, labels_b: Tensor) -> ClassFrechet:
    """The Fréchet distance within every class of `b`, and the mean over classes.

    With Inception features this is the intra-FID of Miyato and Koyama 2018 (arXiv 1802.05637, section 6.1). `labels_a`
    (n) and `labels_b` (m) are whole numbers, for `a` those that were asked for. A class has far fewer rows than a set,
    often fewer than d, so the values are much larger than that of the whole: compare them at equal `counts` only.

    Raises a ValueError where a class of `b` has fewer than 2 rows in either set: a mean without it would say that a
    generator which never makes it is better than it is. Classes that `b` doesn't have are refused too.

    >>> rows, labels = torch.randn(60, 2), torch.arange(60) % 3
    >>> class_frechet(rows, labels, rows, labels).counts[2]
    (20, 20)
    """
    checked_pair(a, b)
    for name, rows, labels in (("a", a, labels_a), ("b", b, labels_b)):
        if labels.shape != (len(rows),):
            raise ValueError(
                f"{name} has {len(rows)} rows, so its labels have shape ({len(rows)},), got {tuple(labels.shape)}"
            )
    classes = sorted(set(labels_a.tolist()) | set(labels_b.tolist()))
    counts = {one: (int((labels_a == one).sum()), int((labels_b == one).sum())) for one in classes}
    few = [one for one, pair in counts.items() if min(pair) < 2]
    if few:
        found = ", ".join(f"{one} ({counts[one][0]} in a, {counts[one][1]} in b)" for one in few[:5])
        raise ValueError(f"{len(few)} of {len(counts)} classes have fewer than 2 rows in a set: {found}")
    distances = {one: frechet(a[labels_a == one], b[labels_b == one]) for one in classes}
    return ClassFrechet(sum(distances.values()) / len(distances), distances, counts)


def root(covariance: Tensor) -> Tensor:
    """R (k, d) with R'R = covariance (d, d); k < d where there are directions of no variance beyond rounding.

    By Cholesky's factors where the matrix is far enough from singular; else by symmetric eigenvalues.
    """
    factor = _triangle(covariance, 1e-10)
    return orthogonal_root(covariance) if factor is None else factor


def orthogonal_root(covariance: Tensor) -> Tensor:
    """R (k, d) with R'R = covariance (d, d) and orthogonal rows, whose squared lengths are the eigenvalues."""
    values, vectors = torch.linalg.eigh(covariance)
    noise = values.abs().max() * len(values) * torch.finfo(values.dtype).eps
    kept = values > noise
    return values[kept].sqrt()[:, None] * vectors[:, kept].T


def centred_root(a: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of few rows `a` (n, d), and R (n, d) with R'R = their covariance: the centred rows themselves."""
    rows = _exact(a)
    mean = rows.mean(0)
    return mean, (rows - mean) / (len(rows) - 1) ** 0.5


def _spread(a: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of rows and a root of their covariance, of at most min(n, d) rows.

    Products of float32 features are made in float32, twice as fast, where no feature is all but a combination of
    others: rounding of 1e-7 is then nothing, as that of the features themselves. Sums are float64 always.
    """
    if len(a) <= a.shape[1]:
        return centred_root(a)
    if a.dtype != torch.float64:
        mean, covariance = _moments(a, products=torch.float32)
        factor = _triangle(covariance, 1e-3)
        if factor is not None:
            return mean, factor
    mean, covariance = _moments(a)
    return mean, root(covariance)


def _triangle(covariance: Tensor, least: float) -> Tensor | None:
    """R (k, d) with R'R = covariance (d, d) by Cholesky's factors of the correlations.

    None where a feature's share of variance that those before it don't explain is not above `least`. Features that
    never vary, as many rectified ones do, are left out first.
    """
    varies = covariance.diagonal() > 0
    scales = covariance.diagonal()[varies].sqrt()
    factor, failed = torch.linalg.cholesky_ex(covariance[varies][:, varies] / scales / scales[:, None])
    if int(failed) or not bool((factor.diagonal().square() > least).all()):
        return None
    found = covariance.new_zeros(len(scales), len(covariance))
    found[:, varies] = factor.T * scales
    return found


def _distance(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> float:
    (mean_a, root_a), (mean_b, root_b) = a, b
    root_b = root_b.to(root_a.device)
    traces = float(root_a.square().sum() + root_b.square().sum())
    shift = float((mean_a - mean_b.to(mean_a.device)).square().sum())
    return max(0.0, shift + traces - 2 * _nuclear(root_a @ root_b.T, traces))


def _nuclear(matrix: Tensor, traces: float) -> float:
    """The sum of the singular values of a matrix.

    Roots of the eigenvalues of M M' are two to four times as fast, but an error e of an eigenvalue s² is one of
    e / 2s in s. They are taken where the sum of these errors is nothing beside the variance.
    """
    if not min(matrix.shape):
        return 0.0
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    squares = torch.linalg.eigvalsh(wide @ wide.T)
    error = float(squares[-1]) * torch.finfo(squares.dtype).eps * len(squares) ** 0.5
    if float(squares[0]) > 4 * error:
        singular = squares.sqrt()
        if error * float((0.5 / singular).sum()) < _EXACT_ENOUGH * traces:
            return float(singular.sum())
    return float(torch.linalg.svdvals(matrix).sum())


def _moments(a: Tensor, *, products: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    seen = Moments(a.shape[1], _device(a))
    for part in in_parts(a):
        seen._add(part.detach().to(_device(a)), products=products)
    return seen.mean, seen.covariance


def _mean(a: Tensor) -> Tensor:
    first = _exact(a[0])  # of the differences from some row: far from the origin, sums would lose digits
    return first + sum((_exact(part) - first).sum(0) for part in in_parts(a)) / len(a)


def _exact(values: Tensor) -> Tensor:
    return values.detach().to(_device(values), torch.float64)


def _device(values: Tensor) -> torch.device:
    return torch.device("cpu") if values.device.type == "mps" else values.device  # which has no float64
