"""Pictures of two kinds, without pairs: crops of the one are given, crops of the other say how they should look."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rivals.engine.data import Dataset
from rivals.engine.errors import RequestError
from rivals.engine.parallel import own_rows
from rivals.engine.types import Batch
from rivals.modalities.images.cache import Survey
from rivals.modalities.images.pictures import quiet
from rivals.modalities.images.scan import bits_of, channels_of, describe, look_over
from rivals.modalities.images.sources import Listing, read_file, stamp_of

from .cycle import Pair
from .modality import Edits
from .store import Brought, Progress, Shelf, crops, shelf, take


def dataset(source: Shelf, target: Shelf, edits: Edits) -> Dataset:
    """Crops of the second kind as what is real, and crops of the first, drawn for themselves, as what is given.

    With a network that goes both ways, each kind is given and real: see `cycle.py`. A held-out picture is shown with
    held-out ones only.
    """
    ways = int(edits.damage["ways"])

    def cut(rows: Tensor) -> Batch:
        real = crops(target, rows, edits.crop, ways)
        given = crops(source, drawn(source, torch.isin(rows, target.held_out)), edits.crop, ways)
        return Batch(Pair(real, given), torch.cat([given, real], 1)) if edits.back else Batch(real, given)

    return Dataset(cut, target.train, target.held_out)


def styled(photos: Shelf, paintings: Shelf, edits: Edits) -> Dataset:
    """Crops of photos as what is given, one for each number, and any crops of the paintings as what is real."""
    ways = int(edits.damage["ways"])

    def cut(rows: Tensor) -> Batch:
        given = crops(photos, rows, edits.crop, ways)
        real = crops(paintings, drawn(paintings, torch.zeros(len(rows), dtype=torch.bool)), edits.crop, ways)
        return Batch(real, given)

    return Dataset(cut, photos.train, photos.held_out)


def drawn(some: Shelf, held_out: Tensor) -> Tensor:
    """As many rows of a shelf as `held_out` is long, any of its held-out ones where it says so: (n,) int64."""
    numbers = own_rows(torch.rand, len(held_out))
    learned, kept = ((numbers * len(rows)).long().clamp(max=len(rows) - 1) for rows in (some.train, some.held_out))
    if not len(some.held_out):
        return some.train[learned]
    return torch.where(held_out, some.held_out[kept], some.train[learned])


def load_paintings(
    files: Sequence[str | Path], channels: int, crop: int, shorter: int | None = None, cache: Path | None = None
) -> Shelf:
    """One or a few pictures whose style is wanted; none is held out.

    Args:
        files: pictures.
        channels: 1 grey, 3 colour.
        crop: pixels of a side, to which smaller pictures are enlarged.
        shorter: pixels of the shorter side, to which larger pictures are made smaller; None for as they are.
        cache: where to keep them; RIVALS_CACHE or ~/.cache/rivals if not given.

    Raises:
        RequestError: one of them is not there, or no picture.
    """
    looked = look_at(files)
    rows = np.arange(len(files))
    taken = take(looked, rows, Brought(channels, crop, True, shorter), cache, fewest=len(files))
    return shelf(taken, looked, rows, channels, np.zeros(0, np.int64), rows)


def look_at(files: Sequence[str | Path], progress: Progress | None = None) -> Survey:
    """A survey of pictures that are named one by one.

    Raises:
        RequestError: one of them is not there, or no picture.
    """
    paths = [Path(file).expanduser() for file in files]
    for path in paths:
        if not path.is_file():
            raise RequestError(f"there is no picture at {str(path)!r}; give a file with --style painting.jpg")
    names = [str(path) for path in paths]
    listing = Listing(
        ", ".join(names), "folder", names, np.full(len(names), -1, np.int32), (), stamp_of(paths, "files"),
        lambda row: read_file(names[row]),
    )  # fmt: skip
    with quiet():
        entries = look_over(listing, progress)
    rows = np.flatnonzero(entries.reason == 0)
    if len(rows) < len(names):
        at = int(np.flatnonzero(entries.reason)[0])
        raise RequestError(f"{names[at]!r} can't be used as a style: {entries.reasons[entries.reason[at]]}")
    return Survey(describe(listing, entries, rows), channels_of(entries), bits_of(entries, rows), listing, entries)
