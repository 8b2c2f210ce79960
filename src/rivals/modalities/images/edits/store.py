"""Pictures at their own sizes, kept on disk as they are decoded, and seeded crops of them."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rivals.engine import store
from rivals.engine.errors import RequestError
from rivals.engine.parallel import own_rows
from rivals.modalities.images import pictures
from rivals.modalities.images.cache import Survey
from rivals.modalities.images.pictures import UnusableError
from rivals.modalities.images.scan import Found, describe, pixels_of, usable_rows
from rivals.modalities.images.sources import cannot_read
from rivals.modalities.images.split import hold_out
from rivals.modalities.images.workers import in_order

FORMAT = 1  # of what is kept; a higher number leaves the old aside
PIXELS, PLACES = "pixels", "places.npy"
FEWEST = 4  # pictures: two to learn from, two to be judged by
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Shelf:
    """Pictures of many sizes.

    Attributes:
        pixels: all numbers of all pictures, one after another, uint8; mapped from the disk.
        places: (n, 3) int64: where each begins, its height and its width.
        channels: 1 or 3.
        train: (n_train,) int64 rows.
        held_out: (n_held,) int64 rows.
        content: sha256 of the pictures and of how they were decoded.
        found: what was found, with those that were left out.
    """

    pixels: np.ndarray
    places: np.ndarray
    channels: int
    train: Tensor
    held_out: Tensor
    content: str
    found: Found

    def picture(self, row: int) -> np.ndarray:
        """One picture, (height, width, channels) uint8, not to be written."""
        begin, height, width = self.places[row].tolist()
        return self.pixels[begin : begin + height * width * self.channels].reshape(height, width, self.channels)


def load(
    survey: Survey, channels: int, least: int, cache: Path | None = None, progress: Progress | None = None
) -> Shelf:
    """Decode the pictures of a survey at their own sizes, or take them from the cache.

    Args:
        survey: of the source.
        channels: 1 grey or 3 colour; transparent places are laid on white.
        least: pixels of a side; smaller pictures are left out, and counted.
        cache: where to keep them; RIVALS_CACHE or ~/.cache/rivals if not given.
        progress: called with (done, total).

    Raises:
        RequestError: too few pictures are left, or the disk is full.
    """
    listing, entries = survey.listing, survey.entries
    rows = usable_rows(listing, entries)
    rows = rows[np.lexsort(entries.digest[rows].T[::-1])]  # the same pictures under other names are the same set
    sizes = entries.height[rows].astype(np.int64) * entries.width[rows] * channels
    marks = entries.digest[rows].astype("<u8").tobytes()
    content = hashlib.sha256(repr((FORMAT, channels, least)).encode() + marks).hexdigest()
    folder = store.home(cache) / "whole-pictures" / content
    kept = store.opened(folder) or store.built(
        folder, int(sizes.sum()), lambda making: write(survey, rows, channels, least, making, progress)
    )
    places = np.load(folder / PLACES, allow_pickle=False)
    lost = [(int(rows[rank]), reason) for rank, reason in kept["lost"]]
    left = np.delete(rows, [rank for rank, _ in kept["lost"]])
    held_out = hold_out(entries.digest[left, 0], None)
    return Shelf(
        np.memmap(folder / PIXELS, np.uint8, "r"),
        places,
        channels,
        torch.from_numpy(np.setdiff1d(np.arange(len(left)), held_out)),
        torch.from_numpy(held_out),
        content,
        replace(describe(listing, entries, left, lost), source=listing.source),
    )


def write(
    survey: Survey, rows: np.ndarray, channels: int, least: int, making: Path, progress: Progress | None
) -> dict[str, Any]:
    """Decode everything into an empty folder, and say which ranks were left out, and why."""
    places: list[tuple[int, int, int]] = []
    lost: list[tuple[int, str]] = []
    begin = 0
    with pictures.quiet(), open(making / PIXELS, "wb") as file:
        for ranks, (pixels, reason) in in_order(
            lambda some: one(survey, rows[some.start], channels, least), len(rows), 1
        ):
            if pixels is None:
                lost.append((ranks.start, reason))
            else:
                file.write(pixels.tobytes())
                places.append((begin, *pixels.shape[:2]))
                begin += pixels.size
            if progress:
                progress(ranks.stop, len(rows))
        file.flush()
        store.flush(file.fileno())
    if len(places) < FEWEST:
        why = "; ".join(sorted({reason for _, reason in lost})) or "there are no more"
        raise RequestError(
            f"{survey.found.source!r} holds {len(places)} pictures to learn from ({why}); {FEWEST} are needed at least"
        )
    np.save(making / PLACES, np.array(places, np.int64))
    return {"lost": lost}


def one(survey: Survey, row: int, channels: int, least: int) -> tuple[np.ndarray | None, str]:
    """A picture (height, width, channels) uint8, or why it is left out."""
    try:
        pixels = pixels_of(survey.listing, survey.listing.read(row), survey.listing.names[row])
    except UnusableError as error:
        return None, str(error)
    except OSError as error:
        return None, cannot_read(error)
    if min(pixels.shape[:2]) < least:
        return None, f"smaller than {least} pixels"
    return np.ascontiguousarray(pictures.recolour(pictures.rebit(pixels, 8), channels)), ""


def crops(shelf: Shelf, rows: Tensor, size: int) -> Tensor:
    """A crop of each of some pictures, anywhere in it, turned and flipped: (n, channels, size, size) in [-1, 1].

    Where, and how, is drawn from torch's own random numbers, for each row by itself (see `own_rows`).
    """
    draws = own_rows(torch.rand, len(rows), 3)
    made = []
    for row, (down, across, turn) in zip(rows.tolist(), draws.tolist(), strict=True):
        _, height, width = shelf.places[row].tolist()
        top, left = int(down * (height - size + 1)), int(across * (width - size + 1))
        part = shelf.picture(row)[top : top + size, left : left + size]
        way = int(8 * turn)
        part = np.rot90(part[:, ::-1] if way >= 4 else part, way % 4)
        made.append(torch.from_numpy(part.copy()))
    return torch.stack(made).permute(0, 3, 1, 2).float().div_(127.5).sub_(1).contiguous()


def middle(shelf: Shelf, row: int, most: int, whole: int = 1) -> Tensor:
    """The middle of a picture (1, channels, h, w), at most so many pixels a side, sides cut to multiples of `whole`."""
    picture = shelf.picture(row)
    sides = [min(side, most) // whole * whole for side in picture.shape[:2]]
    top, left = ((side - kept) // 2 for side, kept in zip(picture.shape[:2], sides, strict=True))
    part = picture[top : top + sides[0], left : left + sides[1]].copy()
    return torch.from_numpy(part).permute(2, 0, 1)[None].float().div(127.5).sub(1)
