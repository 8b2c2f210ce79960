"""Crops of good pictures and what is given to a network for them, as the loop sees them."""

from functools import partial

import torch
from torch import Tensor

from rivals.engine.data import Dataset
from rivals.engine.parallel import own_rows
from rivals.engine.types import Batch

from .modality import Edits
from .store import Shelf, crops
from .tasks import TASKS


def dataset(shelf: Shelf, edits: Edits) -> Dataset:
    """Seeded crops of a shelf's pictures, each damaged anew; where and how is drawn from torch's own numbers."""

    def real(rows: Tensor) -> Tensor:
        return crops(shelf, rows, edits.crop)

    def cut(rows: Tensor) -> Batch:
        good = real(rows)
        return Batch(good, damaged(good, edits, own_rows(seeds, len(rows))))

    return Dataset(cut, shelf.train, shelf.held_out, real)


def seeds(*shape: int, device: torch.device | None = None) -> Tensor:
    """Seeds for as many pictures, int64."""
    return torch.randint(2**62, shape, device=device)


def damaged(pictures: Tensor, edits: Edits, drawn: Tensor) -> Tensor:
    """What is given for good pictures (n, channels, h, w): (n, seen, h / scale, w / scale).

    Args:
        pictures: in [-1, 1], sides that the scale divides.
        edits: whose task says how.
        drawn: a seed for each picture (n,) int64: the same seed gives the same damage whatever is beside it.
    """
    damage = partial(TASKS[edits.task].damage, **edits.damage)
    made = []
    for picture, seed in zip(pictures.split(1), drawn.tolist(), strict=True):
        made.append(damage(picture, edits.scale, torch.Generator().manual_seed(seed)))
    return torch.cat(made)
