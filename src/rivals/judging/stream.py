"""Mean and covariance of features that come in parts, from one process or several, in constant memory."""

from collections.abc import Iterator

import torch
import torch.distributed as dist
from torch import Tensor

from .products import laid_out, product

_NUMBERS_AT_ONCE = 2**22  # of features held in float64 at a time: 32 MiB
_COPIED = 2**19  # of those that are only summed up: 4 MiB, which a cache holds
_COLUMNS = 1024  # of the products' blocks; smaller ones are not worth sharing out to threads


class Moments:
    """Counts rows and keeps their mean and their scatter about it, in float64: of size d² however many rows there were.

    Parts are joined by the exact update of Chan, Golub and LeVeque 1979 (Updating formulae and a pairwise algorithm
    for computing sample variances), which loses no digits far from the origin, as sums of squares would. The order of
    the rows, and how they were parted, changes rounding only. The size is for d in the thousands: 32 MiB for d = 2048.

    >>> seen = Moments(2)
    >>> seen.add(torch.tensor([[0.0, 1.0]]))
    >>> seen.add(torch.tensor([[2.0, 5.0]]))
    >>> seen.count, seen.mean.tolist(), seen.covariance.tolist()
    (2, [1.0, 3.0], [[2.0, 4.0], [4.0, 8.0]])
    """

    def __init__(self, dimensions: int, device: torch.device | str = "cpu") -> None:
        self.count = 0
        self.mean = torch.zeros(dimensions, dtype=torch.float64, device=device)
        self._scatter = torch.zeros(dimensions, dimensions, dtype=torch.float64, device=device)  # upper blocks only

    @property
    def covariance(self) -> Tensor:
        """The unbiased covariance (d, d). Raises a ValueError before the second row."""
        if self.count < 2:
            raise ValueError(f"a covariance needs 2 samples or more, got {self.count}")
        upper = self._scatter.triu()
        return (upper + upper.triu(1).T) / (self.count - 1)

    def add(self, rows: Tensor) -> None:
        """Take in rows (n, d), n >= 0, of any floating type.

        Raises a ValueError for rows of another width, and for values that are not finite; nothing is taken in then.
        """
        if rows.ndim != 2 or rows.shape[1] != len(self.mean):
            raise ValueError(f"rows of shape (samples, {len(self.mean)}) were expected, got {tuple(rows.shape)}")
        refuse_not_finite(rows)
        for part in in_parts(rows):
            self._add(part.detach().to(self.mean.device))

    def merged(self, other: "Moments") -> "Moments":
        """The moments of both sets of rows; neither is changed."""
        if self.mean.shape != other.mean.shape:
            raise ValueError(f"the sets have {len(self.mean)} and {len(other.mean)} features a row")
        both = Moments(len(self.mean), self.mean.device)
        for one in (self, other):
            both._scatter += one._scatter.to(both.mean)
            both._shift(one.count, one.mean.to(both.mean))
        return both

    def reduced(self) -> "Moments":
        """The moments of the rows of all processes, the same in each; without torch.distributed, of this one's.

        Every process must call it, also one that saw no rows.
        """
        total = Moments(len(self.mean), self.mean.device)
        sums = torch.cat([self.mean.new_tensor([self.count]), self.count * self.mean])
        _sum_over_processes(sums)
        total.count = int(sums[0])
        total.mean = sums[1:] / max(total.count, 1)
        shift = self.mean - total.mean
        total._scatter = self._scatter + self.count * torch.outer(shift, shift)
        _sum_over_processes(total._scatter)
        return total

    def _add(self, rows: Tensor, *, products: torch.dtype = torch.float64) -> None:
        """Take in few rows, not checked; their products may be made in a quicker precision than the sums."""
        if not len(rows):
            return
        mean = _mean(rows)
        centred = (rows.to(products) - mean.to(products)).T.contiguous()
        blocks = [laid_out(block) for block in centred.split(_COLUMNS)]
        for i, first in enumerate(blocks):  # the products below the blocks on the diagonal are known already
            for j, second in enumerate(blocks[i:], i):
                here = (slice(i * _COLUMNS, (i + 1) * _COLUMNS), slice(j * _COLUMNS, (j + 1) * _COLUMNS))
                self._scatter[here] += product(first, second)
        self._shift(len(rows), mean)

    def _shift(self, count: int, mean: Tensor) -> None:
        """Account for the mean of `count` rows whose scatter about it has been added."""
        total = max(self.count + count, 1)
        shift = mean - self.mean
        self._scatter.addr_(shift, shift, alpha=self.count * count / total)
        self.mean = self.mean + shift * (count / total)
        self.count += count


def in_parts(rows: Tensor) -> Iterator[Tensor]:
    """Rows (n, d) some at a time, as many as may be held in float64."""
    yield from rows.split(max(1, _NUMBERS_AT_ONCE // max(rows.shape[1], 1)))


def refuse_not_finite(rows: Tensor) -> None:
    """Raises a ValueError that counts the rows which have NaN or infinite values."""
    doubtful = (part for part in in_parts(rows) if not part.sum().isfinite())  # no other sum is, but it may overflow
    bad = sum(int((~part.isfinite()).any(1).sum()) for part in doubtful)
    if bad:
        raise ValueError(f"{bad} of {len(rows)} rows have values that are not finite (NaN or infinite)")


def checked(a: Tensor, *, least: int = 2) -> Tensor:
    """A set of features as it is; raises a ValueError unless it is (n, d) with n >= `least`, floating and finite."""
    if a.ndim != 2 or len(a) < least or not a.shape[1]:
        raise ValueError(
            f"a set of features has shape (samples, dimensions) with {least} samples or more, got {tuple(a.shape)}"
        )
    if not a.is_floating_point():
        raise ValueError(f"features are floating-point numbers, got {a.dtype}")
    refuse_not_finite(a)
    return a


def checked_pair(a: Tensor, b: Tensor, *, least: int = 2) -> tuple[Tensor, Tensor]:
    """Two sets of features from one space; raises a ValueError that says what is wrong with them."""
    checked(a, least=least)
    checked(b, least=least)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"the sets have {a.shape[1]} and {b.shape[1]} features a row; they must come from one space")
    return a, b


def _mean(rows: Tensor) -> Tensor:
    """The mean (d) of rows (n, d) in float64; a copy of all of them in it would take longer than the sums."""
    return sum(part.sum(0, dtype=torch.float64) for part in rows.split(max(1, _COPIED // rows.shape[1]))) / len(rows)


def _sum_over_processes(values: Tensor) -> None:
    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        dist.all_reduce(values)
