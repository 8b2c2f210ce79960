"""Nearest neighbours in feature space, and what is made of them: precision, recall, density, coverage.

A set is taken for the union of balls around its rows, each as large as the distance to the row's k-th neighbour.
Nothing here holds all pairs at once.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .stream import checked_pair

_PAIRS_AT_ONCE = 2**24  # numbers held at a time: 64 MiB of float32
_SPARE = 8  # further candidates whose distances `nearest` computes again
_SAME = 1e-12  # squared distances that agree to this are equal: copies in two sets make such ties


class PrecisionRecall(NamedTuple):
    """Shares in [0, 1]."""

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """A density >= 0, about 1 for sets of one distribution, and a share in [0, 1]."""

    density: float
    coverage: float


@dataclass(frozen=True)
class Neighbourhoods:
    """What precision, recall, density and coverage are means of, row by row; for intervals, and to show the rows.

    Given the other set's balls, each is a mean of independent rows, so `interval.bootstrap(mean, rows)` applies.
    """

    precise: Tensor  # (n) float64: 1 where the fake lies in a ball of the real set
    recalled: Tensor  # (m) float64: 1 where the real row lies in a ball of the fakes
    density: Tensor  # (n) float64: how many real balls hold the fake, divided by k
    covered: Tensor  # (m) float64: 1 where the real row's ball holds a fake


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
    squares, indices = _nearest(queries, keys, k)
    return squares.sqrt().to(queries.dtype), indices


def precision_recall(a: Tensor, b: Tensor, *, k: int = 3) -> PrecisionRecall:
    """Improved precision and recall of fakes `a` (n, d) against real rows `b` (m, d).

    Kynkäänniemi et al. 2019 (arXiv 1904.06991, eq. 1 and 2): precision is the share of fakes that lie within the
    distance of some real row to its `k`-th real neighbour, itself not counted; recall is the same with the sets
    swapped, so `precision_recall(b, a)` is (recall, precision). The paper takes 50,000 rows a side, k = 3 and 4,096
    features of VGG-16: other spaces give other numbers, and fewer rows larger balls, so compare equal counts only. One
    outlier in a set makes a large ball and may hold much of the other set (density and coverage mend that).

    Raises a ValueError for a set of k rows or fewer, different widths, and values that are not finite.

    >>> real = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    >>> precision_recall(torch.tensor([[0.5], [2.5], [9.0]]), real, k=1)
    PrecisionRecall(precision=0.6666666666666666, recall=1.0)
    """
    found = neighbourhoods(a, b, k=k, density_k=None)
    return PrecisionRecall(float(found.precise.mean()), float(found.recalled.mean()))


def density_coverage(a: Tensor, b: Tensor, *, k: int = 5) -> DensityCoverage:
    """Density and coverage of fakes `a` (n, d) against real rows `b` (m, d).

    Naeem et al. 2020 (arXiv 2002.09797, eq. 3 and 4): density is the mean over fakes of the number of real rows whose
    ball, of the distance to the `k`-th real neighbour, holds the fake, divided by k; coverage is the share of real rows
    whose ball holds a fake. As in the authors' code a ball does not hold its surface. Two sets of one distribution and
    n = m have density 1 and coverage 1 - 2^-k in the limit. Coverage falls with fewer fakes: compare equal counts only.

    Raises a ValueError for a `b` of k rows or fewer, different widths, and values that are not finite.

    >>> real = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    >>> density_coverage(torch.tensor([[0.5], [0.75], [9.0]]), real, k=1)
    DensityCoverage(density=1.3333333333333333, coverage=0.5)
    """
    found = neighbourhoods(a, b, k=None, density_k=k)
    return DensityCoverage(float(found.density.mean()), float(found.covered.mean()))


def neighbourhoods(a: Tensor, b: Tensor, *, k: int | None = 3, density_k: int | None = 5) -> Neighbourhoods:
    """The rows behind `precision_recall(a, b, k=k)` and `density_coverage(a, b, k=density_k)`, in one pass.

    It takes about 3 / 5 of the time of the two one after the other. None leaves a pair out: its rows are then empty.
    """
    checked_pair(a, b)
    radii_b = _radii(b, [k, density_k], "b")
    radii_a = _radii(a, [k], "a")
    precise, recalled = (torch.zeros(0 if k is None else len(rows), dtype=torch.float64) for rows in (a, b))
    density, covered = (torch.zeros(0 if density_k is None else len(rows), dtype=torch.float64) for rows in (a, b))
    step = max(1, _PAIRS_AT_ONCE // max(b.shape))
    for start in range(0, len(a), step):
        rows = slice(start, start + step)
        pairs = _Pairs(a[rows], b)
        if k is not None:
            precise[rows] = pairs.inside(radii_b[0][None], closed=True).any(1).double().cpu()
            recalled += pairs.inside(radii_a[0][rows, None], closed=True).any(0).cpu()
        if density_k is not None:
            held = pairs.inside(radii_b[1][None], closed=False)
            density[rows] = held.sum(1).double().cpu() / density_k
            covered += held.any(0).cpu()
    return Neighbourhoods(precise, recalled.clamp(max=1), density, covered.clamp(max=1))


class _Pairs:
    """Distances of some rows `q` to all rows `x`, rough at first, and exact where a rough one decides nothing."""

    def __init__(self, q: Tensor, x: Tensor) -> None:
        self.q, self.x = q, x.to(q.device)
        centre = self.x.mean(0)  # near the origin the product loses the fewest digits
        near_q, near_x = (_working(rows - centre) for rows in (self.q, self.x))
        norms = near_q.square().sum(1)[:, None] + near_x.square().sum(1)
        self.rough = norms - 2 * near_q @ near_x.T  # (rows of q, rows of x), squared
        # The product's error: a few units in the last place of |q| |x| <= (|q|² + |x|²) / 2, growing like a random walk
        # with the number of terms; eight times that is never reached.
        self.slack = norms.mul_(8 * torch.finfo(norms.dtype).eps * q.shape[1] ** 0.5)

    def inside(self, squares: Tensor, *, closed: bool) -> Tensor:
        """Whether each pair is within the root of `squares` (1, x) or (q, 1), in float64; with that distance or not."""
        limit = squares.to(self.rough)
        margin = self.rough - limit
        found = margin < 0
        i, j = (margin.abs() <= self.slack + 1e-6 * limit).nonzero(as_tuple=True)
        limits = squares.expand(self.rough.shape)
        for part in torch.arange(len(i), device=i.device).split(max(1, _PAIRS_AT_ONCE // (2 * self.x.shape[1]))):
            row, column = i[part], j[part]
            exact = (self.q[row].double() - self.x[column].double()).square().sum(1)
            edge = limits[row, column]
            found[row, column] = exact <= edge * (1 + _SAME) if closed else exact < edge * (1 - _SAME)
        return found


def _radii(x: Tensor, ks: list[int | None], name: str) -> list[Tensor]:
    """The squared distances of rows (n, d) to their k-th neighbour, (n) in float64 for every k; empty for None."""
    wanted = [k for k in ks if k is not None]
    if not wanted:
        return [torch.zeros(0) for _ in ks]
    most = max(wanted)
    if min(wanted) < 1 or most >= len(x):
        got = most if most >= len(x) else min(wanted)
        raise ValueError(f"k must be between 1 and the number of rows less one ({len(x) - 1} in {name}), got {got}")
    squares, _ = _nearest(x, x, most + 1)  # the row itself is at distance 0, the first
    return [squares[:, k] if k is not None else torch.zeros(0) for k in ks]


def _nearest(queries: Tensor, keys: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Squared distances (n, k) in float64, ascending, and indices (n, k)."""
    if not 1 <= k <= len(keys):
        raise ValueError(f"k must be between 1 and the number of keys ({len(keys)}), got {k}")
    centre = keys.mean(0)
    near = _working(keys - centre)
    squares = near.square().sum(1)
    step = max(1, _PAIRS_AT_ONCE // max(keys.shape))
    found = []
    for q in queries.split(step):
        rough = squares - 2 * _working(q - centre) @ near.T  # (rows, m); |q|² is the same for every key
        candidates = rough.topk(min(k + _SPARE, len(keys)), largest=False).indices.sort(1).values
        columns = [(q.double() - keys[column].double()).square().sum(1) for column in candidates.T]
        exact = torch.stack(columns, dim=1)  # (rows, candidates)
        order = exact.argsort(dim=1, stable=True)[:, :k]
        found.append((exact.gather(1, order), candidates.gather(1, order)))
    return torch.cat([distances for distances, _ in found]), torch.cat([indices for _, indices in found])


def _working(rows: Tensor) -> Tensor:
    """Rows in a precision that a product of them may be made in: their own, but not less than float32."""
    return rows if rows.dtype in (torch.float32, torch.float64) else rows.float()
