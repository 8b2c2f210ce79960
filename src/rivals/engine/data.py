"""Data as the loop sees it: numbered items, and which of them make up batch number n."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from .parallel import processes
from .types import Batch, Sample


@dataclass(frozen=True)
class Dataset:
    """Items that can be had by number.

    Args:
        cut: rows (n,) int64 -> Batch of those items, on the CPU.
        train: the numbers of the items to learn from, (n,) int64.
        held_out: the numbers of the items kept for judging, (n,) int64.
        real: rows -> the samples alone, where making what is given for them costs work and names no class.
    """

    cut: Callable[[Tensor], Batch]
    train: Tensor
    held_out: Tensor
    real: Callable[[Tensor], Sample] | None = None


@lru_cache(maxsize=2)  # a batch can lie across two epochs
def _order(count: int, epoch: int, seed: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(count)


def batch_rows(count: int, batch: int, number: int, seed: int) -> Tensor:
    """Which of `count` items make up batch `number`: a pure function, so that a resumed run needs no memory of data.

    Items come in a new order every epoch; batches run across epochs. Shape (batch,) int64.
    """
    places = np.arange(number * batch, (number + 1) * batch)
    rows = [
        _order(count, int(epoch), seed)[places[places // count == epoch] % count]
        for epoch in range(int(places[0]) // count, int(places[-1]) // count + 1)
    ]
    return torch.from_numpy(np.concatenate(rows))


def spread(rows: Tensor, most: int) -> Tensor:
    """At most `most` of some rows, evenly from first to last: data is often sorted by class.

    >>> spread(torch.arange(10), 4)
    tensor([0, 2, 5, 7])
    """
    return rows if len(rows) <= most else rows[torch.arange(most) * len(rows) // most]


def batches(dataset: Dataset, batch: int, seed: int, device: torch.device, start: int = 0) -> Iterator[Batch]:
    """Batches without end from number `start` on: this process's rows of each, on `device`."""
    rank, world = processes()
    own = slice(rank * (batch // world), (rank + 1) * (batch // world))
    number = start
    while True:
        rows = dataset.train[batch_rows(len(dataset.train), batch, number, seed)[own]]
        real, cond = dataset.cut(rows)
        yield to_device(Batch(real, cond), device)
        number += 1


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch on `device`, copied without waiting where that is possible."""
    from .types import each

    cond = None if batch.cond is None else batch.cond.to(device, non_blocking=True)
    return Batch(each(lambda part: part.to(device, non_blocking=True), batch.real), cond)
