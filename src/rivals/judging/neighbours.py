"""Nearest neighbours in feature space, and what is made of them: precision, recall, density, coverage.

A set is taken for the union of balls around its rows, each as large as the distance to the row's k-th neighbour.
Nothing here holds all pairs at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from torch import Tensor

from .pairs import Pairs, Tile, nearest_squares, squares_of
from .stream import checked_pair

Seen = Callable[[tuple[int, int], Pairs, Tile], None]

_EDGE = 1e-6  # of a squared radius: rough distances that near to it decide nothing
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
    if not 1 <= k <= len(keys):
        raise ValueError(f"k must be between 1 and the number of keys ({len(keys)}), got {k}")
    squares, indices = nearest_squares(queries, keys, k)
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


def neighbourhoods(
    a: Tensor, b: Tensor, *, k: int | None = 3, density_k: int | None = 5, seen: Seen = lambda which, pairs, tile: None
) -> Neighbourhoods:
    """The rows behind `precision_recall(a, b, k=k)` and `density_coverage(a, b, k=density_k)`, in one pass.

    It takes about 3 / 5 of the time of the two one after the other. None leaves a pair out: its rows are then empty.
    `seen` is shown every tile of pairs that is looked at, with the numbers of its sets, 0 for `a` and 1 for `b`; with
    both `k` and `density_k` these are all pairs of `a`, of `b` and of one and the other.
    """
    checked_pair(a, b)
    b = b.to(a.device)
    radii_b = _radii(b, [k, density_k], "b", lambda *each: seen((1, 1), *each))
    radii_a = _radii(a, [k], "a", lambda *each: seen((0, 0), *each))
    balls = _Balls(a, b, radii_a[0], radii_b[0], radii_b[1])
    pairs = Pairs(a, b, under=True)
    for tile in pairs.tiles():
        balls.see(pairs, tile)
        seen((0, 1), pairs, tile)
    found = Neighbourhoods(balls.precise, balls.recalled, balls.held / (density_k or 1), balls.covered)
    return Neighbourhoods(*(getattr(found, each.name).cpu() for each in fields(found)))


class _Balls:
    """Which rows lie in whose balls; distances are exact where a rough one decides nothing.

    Args:
        a: (n, d).
        b: (m, d).
        squares_a: squared radii (n) of the balls about `a`, with their surface; none, as the others, if not asked for.
        squares_b: those (m) about `b`, with their surface.
        open_b: those (m) about `b` without it.
    """

    def __init__(self, a: Tensor, b: Tensor, squares_a: Tensor, squares_b: Tensor, open_b: Tensor) -> None:
        self.a, self.b = a, b
        self.squares_a, self.squares_b, self.open_b = squares_a, squares_b, open_b
        about_b = [squares for squares in (squares_b, open_b) if len(squares)]
        self.most_b = torch.stack(about_b).amax(0) if about_b else a.new_zeros(0, dtype=torch.float64)
        counts = (len(squares_b) and len(a), len(squares_a) and len(b), len(open_b) and len(a), len(open_b))
        self.precise, self.recalled, self.held, self.covered = (
            torch.zeros(count, dtype=torch.float64, device=a.device) for count in counts
        )

    def see(self, pairs: Pairs, tile: Tile) -> None:
        """Take in a tile of squares that are not above the true ones."""
        maybe = torch.zeros_like(tile.squares, dtype=torch.bool)
        for squares, shape in ((self.most_b[tile.columns], (1, -1)), (self.squares_a[tile.rows], (-1, 1))):
            if len(squares):
                maybe |= tile.squares <= (squares * (1 + _EDGE)).to(tile.squares).view(shape)
        i, j = maybe.nonzero(as_tuple=True)
        slack = pairs.error * (pairs.norms[0][tile.rows][i] + pairs.norms[1][tile.columns][j])
        squares = (tile.squares[i, j] + slack).double()
        i, j = i + tile.rows.start, j + tile.columns.start
        limits = [each[at] for each, at in ((self.squares_a, i), (self.squares_b, j), (self.open_b, j)) if len(each)]
        doubt = torch.stack([(squares - limit).abs() <= slack + _EDGE * limit for limit in limits]).any(0)
        squares[doubt] = squares_of(self.a, self.b, i[doubt], j[doubt])
        if len(self.squares_a):
            self.precise[i[squares <= self.squares_b[j] * (1 + _SAME)]] = 1
            self.recalled[j[squares <= self.squares_a[i] * (1 + _SAME)]] = 1
        if len(self.open_b):
            inside = squares < self.open_b[j] * (1 - _SAME)
            self.held += torch.bincount(i[inside], minlength=len(self.held))
            self.covered[j[inside]] = 1


def _radii(x: Tensor, ks: list[int | None], name: str, seen: Callable[[Pairs, Tile], None]) -> list[Tensor]:
    """The squared distances of rows (n, d) to their k-th neighbour, (n) in float64 for every k; empty for None."""
    none = torch.zeros(0, dtype=torch.float64, device=x.device)
    wanted = [k for k in ks if k is not None]
    if not wanted:
        return [none for _ in ks]
    most = max(wanted)
    if min(wanted) < 1 or most >= len(x):
        got = most if most >= len(x) else min(wanted)
        raise ValueError(f"k must be between 1 and the number of rows less one ({len(x) - 1} in {name}), got {got}")
    squares, _ = nearest_squares(x, None, most + 1, seen)  # the row itself is at distance 0, the first
    return [squares[:, k] if k is not None else none for k in ks]
