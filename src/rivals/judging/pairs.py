"""All pairs of rows of two sets, or of one, tile by tile: one matrix product for all that is made of them.

Nothing here holds all pairs at once. What is made of them: the nearest rows, and the sums of a kernel over many random
blocks of the rows, all blocks in one pass.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from .products import laid_out, product
from .stream import in_parts

_TILE = 2048  # rows of either set at a time: 16 MiB of float32; work on fewer is not worth sharing out to threads
_EXACT_AT_ONCE = 2**18  # differences held in float64
_SPARE = 8  # further candidates whose distances are computed again


class Tile(NamedTuple):
    """Some rows of one set against some of the other."""

    rows: slice
    columns: slice
    squares: Tensor  # (rows, columns): rough squared distances


class Pairs:
    """Rough squared distances between the rows of `a` (n, d) and `b` (m, d), or between those of `a` alone.

    A product with the squared lengths as two more features gives |x|² + |y|² - 2 x.y at once. Its error is a few units
    in the last place of |x|² + |y|², from the centre of `b`, and grows like a random walk with the number of terms;
    eight times that, `error` of these two, is never reached. With `under`, so much is taken off.
    """

    def __init__(self, a: Tensor, b: Tensor | None = None, *, under: bool = False) -> None:
        self.alone = b is None
        queries = _working(a)
        keys = queries if b is None else _working(b.to(a.device))
        centre = keys.mean(0)  # near the origin the product loses the fewest digits
        near_b = keys - centre
        self._near = near_b if b is None else queries - centre
        self.norms = tuple(near.square().sum(1) for near in (self._near, near_b))  # (n), (m)
        self.error = 8 * torch.finfo(keys.dtype).eps * keys.shape[1] ** 0.5
        self._share = 1 - self.error if under else 1.0
        middle = centre.double()
        self._halves = tuple(  # of |x|², so far as the squares know it: with those of y, what they lack is 2 x.y
            (self._share * norms.double() / 2 + _times(near, middle) + middle.square().sum() / 2).to(norms)
            for norms, near in zip(self.norms, (self._near, near_b), strict=True)
        )
        lengths = self._share * self.norms[1][:, None]
        keys = torch.cat([near_b, torch.ones_like(lengths), lengths], 1)
        self._keys = [laid_out(part) for part in keys.split(_TILE)]

    def tiles(self) -> Iterator[Tile]:
        """All pairs; of a set alone each pair once, but those of the tiles on the diagonal twice."""
        for number, near in enumerate(self._near.split(_TILE)):
            rows = slice(number * _TILE, number * _TILE + len(near))
            lengths = self._share * self.norms[0][rows, None]
            queries = laid_out(torch.cat([-2 * near, lengths, torch.ones_like(lengths)], 1))
            start = rows.start if self.alone else 0
            for keys in self._keys[start // _TILE :]:
                yield Tile(rows, slice(start, start + len(keys)), product(queries, keys))
                start += len(keys)

    def kernels(self, tile: Tile) -> Tensor:
        """(x.y / d + 1)³ of a tile's pairs, the kernel of KID."""
        d = self._near.shape[1]
        first, second = (half[part] / d for half, part in zip(self._halves, (tile.rows, tile.columns), strict=True))
        base = torch.add(second + 1, tile.squares, alpha=-0.5 / d)
        base += first[:, None]
        return base.square().mul_(base)


class Nearest:
    """The `keep` rows that are nearest to each of `count` so far, roughly."""

    def __init__(self, count: int, keep: int, like: Tensor) -> None:
        self.squares = torch.full((count, keep), torch.inf, dtype=_working(like[:0]).dtype, device=like.device)
        self.which = torch.zeros(count, keep, dtype=torch.int64, device=like.device)

    def see(self, pairs: Pairs, tile: Tile) -> None:
        """Take in a tile."""
        self._see(tile.rows, tile.columns.start, tile.squares)
        if pairs.alone and tile.rows != tile.columns:  # each of these pairs comes but once
            self._see(tile.columns, tile.rows.start, tile.squares.T.contiguous())

    def _see(self, rows: slice, first: int, squares: Tensor) -> None:
        keep = self.squares.shape[1]
        near = squares.topk(min(keep, squares.shape[1]), largest=False)
        values = torch.cat([self.squares[rows], near.values], 1)
        which = torch.cat([self.which[rows], near.indices + first], 1)
        self.squares[rows], best = values.topk(keep, largest=False)
        self.which[rows] = which.gather(1, best)

    def exactly(self, queries: Tensor, keys: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Squared distances (n, k) of the first `k`, computed directly in float64, ascending, and indices (n, k)."""
        found = []
        step = max(1, _EXACT_AT_ONCE // (self.which.shape[1] * queries.shape[1]))
        for rows, which in zip(queries.split(step), self.which.sort(1).values.split(step), strict=True):
            squares = (rows[:, None].double() - keys[which].double()).square().sum(2)
            order = squares.argsort(dim=1, stable=True)[:, :k]
            found.append((squares.gather(1, order), which.gather(1, order)))
        return torch.cat([squares for squares, _ in found]), torch.cat([which for _, which in found])


class BlockSums:
    """Unbiased squared kernel distances between blocks of rows of two sets, from tiles of all their pairs.

    Args:
        members: for either set (n, blocks), 1 where a row is in a block, else 0; all blocks of a set are of one size.
    """

    def __init__(self, *members: Tensor) -> None:
        self.members = members
        self.sizes = [int(each[:, 0].sum()) for each in members]
        self.found = torch.zeros(members[0].shape[1], dtype=torch.float64, device=members[0].device)

    def see(self, which: tuple[int, int], pairs: Pairs, tile: Tile) -> None:
        """Take in a tile of the pairs of these two sets, 0 or 1; of a set with itself, without the diagonal."""
        n, m = (self.sizes[each] for each in which)
        left, right = (self.members[each][part] for each, part in zip(which, (tile.rows, tile.columns), strict=True))
        kernels, share = pairs.kernels(tile), -2 / (n * m)
        if pairs.alone:
            share = 1 / (n * (n - 1))
            if tile.rows == tile.columns:
                kernels.diagonal().zero_()
            else:
                share *= 2
        self.found += share * (left * (kernels @ right)).sum(0, dtype=torch.float64)


def membership(drawn: Tensor, rows: Tensor) -> Tensor:
    """Which of the `rows` (n, d) are `drawn` (blocks, size) by each block: 1 or 0, (n, blocks)."""
    zeros = torch.zeros(len(rows), len(drawn), dtype=_working(rows[:0]).dtype, device=drawn.device)
    return zeros.scatter_(0, drawn.T, 1)


def squares_of(a: Tensor, b: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Squared distances of some pairs of rows of `a` and `b`, computed directly in float64."""
    parts = [part.split(max(1, _EXACT_AT_ONCE // a.shape[1])) for part in (rows, columns)]
    found = [(a[i].double() - b[j].double()).square().sum(1) for i, j in zip(*parts, strict=True)]
    return torch.cat(found) if found else a.new_zeros(0, dtype=torch.float64)


def nearest_squares(
    queries: Tensor, keys: Tensor | None, k: int, seen: Callable[[Pairs, Tile], None] = lambda pairs, tile: None
) -> tuple[Tensor, Tensor]:
    """Squared distances (n, k) in float64, ascending, and indices (n, k) of the keys nearest to each query.

    Without keys it is of the queries among themselves, and each is its own nearest. `seen` is shown every tile.
    """
    pairs = Pairs(queries, keys)
    others = queries if keys is None else keys.to(queries.device)
    near = Nearest(len(queries), min(k + _SPARE, len(others)), queries)
    for tile in pairs.tiles():
        near.see(pairs, tile)
        seen(pairs, tile)
    return near.exactly(queries, others, k)


def _times(rows: Tensor, vector: Tensor) -> Tensor:
    return torch.cat([part.to(vector) @ vector for part in in_parts(rows)])


def _working(rows: Tensor) -> Tensor:
    """Rows in a precision that a product of them may be made in: their own, but not less than float32."""
    return rows if rows.dtype in (torch.float32, torch.float64) else rows.float()
