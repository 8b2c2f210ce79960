"""Sheets of pictures side by side: what is given for good pictures, and what a network makes of it."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rivals.modalities.images.cache import uncut
from rivals.modalities.images.modality import grid, png

from .data import damaged
from .modality import Edits
from .scores import as_given
from .store import Shelf, crops

ROWS = 8


def damage_sheet(shelf: Shelf, edits: Edits, seed: int) -> bytes:
    """Crops of good pictures as they are learned from, each with what is given for it on its right, as a PNG."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        good = crops(shelf, shelf.train[torch.randint(len(shelf.train), (ROWS,))], edits.crop)
    given = damaged(good, edits, torch.arange(ROWS) + seed)
    looks = as_given(given, edits.channels, good.shape[2:])
    return sheet([part for pair in zip(good.split(1), looks.split(1), strict=True) for part in pair], 4)


def sheet(pictures: Sequence[Tensor], columns: int, least: int = 96) -> bytes:
    """Pictures (1, channels, h, w) in [-1, 1] as one PNG, so many in a row; smaller ones have white around them."""
    cells = [uncut(picture, 8)[0] for picture in pictures]
    height, width = (max(cell.shape[side] for cell in cells) for side in (0, 1))
    page = np.full((len(cells), height, width, cells[0].shape[2]), 255, np.uint8)
    for place, cell in zip(page, cells, strict=True):
        place[: cell.shape[0], : cell.shape[1]] = cell
    return png(grid(page, columns, least))
