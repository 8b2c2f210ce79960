"""From a source to tensors: look at every picture once, choose how to decode, and keep the pixels on disk."""

import hashlib
import os
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from torch import Tensor

from rivals.engine import store
from rivals.engine.errors import RequestError

from .building import PIXELS, Plan, must_do, parts, remaining, write
from .scan import (
    Entries,
    Found,
    bits_of,
    channels_of,
    describe,
    labels_of,
    look_over,
    usable_rows,
)  # fmt: skip
from .sources import CANNOT_READ, Listing, find
from .split import wanted

__all__ = ["Found", "Pictures", "Survey", "cut", "load", "survey", "uncut"]

_FORMAT = 1  # of everything kept on disk; a higher number leaves the old aside

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Survey:
    """What a source holds and how it is best decoded: `channels` and `bits` are the fewest that lose nothing.

    `learning` says that a GAN shall learn from it, which takes more, and more different, pictures than judging them.
    """

    found: Found
    channels: int
    bits: int
    listing: Listing
    entries: Entries
    learning: bool = True

    @property
    def training(self) -> int:
        """About how many pictures there will be to learn from."""
        count = self.found.count
        return count - wanted(count) if self.listing.test_from is None else self.listing.test_from


@dataclass(frozen=True)
class Pictures:
    """Pictures ready for training.

    Attributes:
        pixels: (n, channels, height, width), uint8 or uint16; mapped from the disk and not to be written.
        labels: (n,) int64, or None.
        classes: What the labels count.
        bits: 8 or 16.
        train: (n_train,) int64 rows.
        held_out: (n_held,) int64 rows.
        content: sha256 of the files' contents and the settings.
        found: What was found, with the pictures that turned out to be damaged.
    """

    pixels: Tensor
    labels: Tensor | None
    classes: tuple[str, ...]
    bits: int
    train: Tensor
    held_out: Tensor
    content: str
    found: Found


def survey(source: str | Path, *, learning: bool = True, progress: Progress | None = None) -> Survey:
    """Look at every picture of a source once; a second look at an unchanged source is remembered.

    Args:
        source: A folder, a file, or the name of a built-in source.
        learning: Whether a GAN shall learn from it.
        progress: Called with (done, total).

    Raises:
        RequestError: There are no pictures, or too few.
    """
    listing = find(source, progress)
    kept = store.home(None) / "surveys" / f"{listing.stamp}-{_FORMAT}-{PIL.__version__}.npz"
    entries = _recall(kept, len(listing.names))
    if entries is None:
        entries = look_over(listing, progress)
        if not any(reason.startswith(CANNOT_READ) for reason in entries.reasons.tolist()):  # may be put right unseen
            _remember(kept, entries)
    rows = usable_rows(listing, entries)
    found = describe(listing, entries, rows)
    must_do(found, learning=learning)
    return Survey(found, channels_of(entries), bits_of(entries, rows), listing, entries, learning)


def load(
    survey: Survey,
    *,
    height: int,
    width: int,
    channels: int,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Pictures:
    """Decode the pictures of a survey, or take them from the cache if the same contents were decoded before.

    Args:
        survey: What `survey` returned.
        height: Of every picture.
        width: Of every picture.
        channels: 1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha.
        cache: Where to keep the pixels; RIVALS_CACHE or ~/.cache/rivals if not given.
        progress: Called with (done, total).

    Raises:
        RequestError: Too few pictures are left, they are all the same, or the disk is full.
    """
    if channels not in (1, 2, 3, 4) or min(height, width) < 1:
        raise RequestError(
            f"Pictures of {width}x{height} in {channels} channels: sizes start at 1, channels are 1 to 4."
        )
    listing = survey.listing
    ranked, content = _rank(survey, (height, width, channels, survey.bits))
    plan = Plan(height, width, channels, survey.bits, ranked, survey.learning)
    folder = store.home(cache) / "pictures" / content
    kept = store.opened(folder)
    if kept is None:
        kept = store.built(
            folder, len(ranked) * plan.row_size, lambda making: write(listing, survey.entries, plan, making, progress)
        )
    return _read(survey, plan, folder, kept)


def cut(pictures: Pictures, rows: Tensor) -> Tensor:
    """Take rows out as a batch: (len(rows), channels, height, width) float32 in [-1, 1].

    Args:
        pictures: Where from.
        rows: (b,) int64.
    """
    if pictures.bits == 8:
        return pictures.pixels[rows].to(torch.float32).div_(127.5).sub_(1)
    taken = pictures.pixels.view(torch.int16)[rows].view(torch.uint16)  # older releases can't index uint16
    return taken.to(torch.float32).div_(32767.5).sub_(1)


def uncut(sample: Tensor, bits: int) -> np.ndarray:
    """Turn a sample back into pixels; undoes `cut` exactly.

    Args:
        sample: (n, channels, height, width) in [-1, 1]; what lies outside is clamped.
        bits: 8 or 16.

    Returns:
        (n, height, width, channels), uint8 or uint16.
    """
    top = 127.5 if bits == 8 else 32767.5
    values = sample.detach().to("cpu", torch.float32).add(1).mul_(top).round_().clamp_(0, 2 * top)
    return values.permute(0, 2, 3, 1).contiguous().numpy().astype(np.uint8 if bits == 8 else np.uint16)


def _recall(kept: Path, count: int) -> Entries | None:
    """What was seen of an unchanged source before."""
    try:
        # Opened here, since `np.load` leaves a file open that turns out to be no zip.
        with open(kept, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            entries = Entries(**{name: arrays[name] for name in Entries._fields})
        return entries if len(entries.reason) == count else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _remember(kept: Path, entries: Entries) -> None:
    """Keep what was seen. A cache that can't be written costs time here; `load` says so if it matters."""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(".part", kept.stem, kept.parent)
        try:
            with open(handle, "wb") as file:
                np.savez(file, **entries._asdict())
                store.flush(file.fileno())
            os.replace(name, kept)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError:
        return


def _rank(survey: Survey, settings: tuple[int, ...]) -> tuple[np.ndarray, str]:
    """The usable rows in the order they are kept, and the digest of their contents, classes and the settings.

    Files are kept in the order of their digests: the same pictures under other names are the same set.
    """
    listing, entries = survey.listing, survey.entries
    rows = usable_rows(listing, entries)
    labels, classes, _ = labels_of(listing, rows)
    named = [hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest() for name in classes]
    codes = np.zeros(len(rows), np.uint64) if labels is None else np.frombuffer(b"".join(named), np.uint64)[labels]
    tested = rows >= (len(listing.names) if listing.test_from is None else listing.test_from)
    table = np.column_stack([entries.digest[rows], codes, tested.astype(np.uint64)])
    if not listing.ordered:
        order = np.lexsort(table.T[::-1])
        rows, table = rows[order], table[order]
    content = hashlib.sha256(repr((_FORMAT, settings)).encode() + table.astype("<u8").tobytes())
    return rows, content.hexdigest()


def _read(survey: Survey, plan: Plan, folder: Path, kept: dict[str, Any]) -> Pictures:
    """Map the pixels of a finished folder, and put labels and names to them from the source as it is now."""
    listing = survey.listing
    rows, lost = remaining(plan, kept)
    labels, classes, _ = labels_of(listing, rows)
    train, held_out = parts(folder, kept)
    dtype = np.dtype(np.uint8 if plan.bits == 8 else np.uint16)
    shape = (len(rows), plan.channels, plan.height, plan.width)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns of memory that can't be written; nobody here writes
        pixels = torch.from_numpy(np.memmap(folder / PIXELS, dtype, "r", shape=shape))
    return Pictures(
        pixels, None if labels is None else torch.from_numpy(labels), classes, plan.bits,
        torch.from_numpy(train), torch.from_numpy(held_out), folder.name,
        describe(listing, survey.entries, rows, lost, kept["duplicates"]),
    )  # fmt: skip
