"""Pictures at their own sizes, kept on disk as they are decoded, and seeded crops of them."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

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
from rivals.modalities.images.split import alone, hold_out, together
from rivals.modalities.images.workers import in_order

FORMAT = 1  # of how pictures are decoded, which runs are known by
LAYOUT = 2  # of what is kept; a higher number leaves the old aside
PIXELS, PLACES, PRINTS = "pixels", "places.npy", "prints.npy"
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
        groups: (n,) int64: which rows are equal pictures, or parts of equal pairs (`split.together`).
    """

    pixels: np.ndarray
    places: np.ndarray
    channels: int
    train: Tensor
    held_out: Tensor
    content: str
    found: Found
    groups: np.ndarray

    def picture(self, row: int) -> np.ndarray:
        """One picture, (height, width, channels) uint8, not to be written."""
        begin, height, width = self.places[row].tolist()
        return self.pixels[begin : begin + height * width * self.channels].reshape(height, width, self.channels)

    def alone(self, rows: Tensor) -> Tensor:
        """Those of some rows that no other row equals."""
        return torch.from_numpy(alone(rows.numpy(), self.groups))


class Brought(NamedTuple):
    """How pictures are brought onto a shelf.

    `channels`: 1 grey, 3 colour; transparent places are laid on white. `least`: pixels of a side; smaller pictures are
    left out or, with `enlarge`, enlarged to it. `most`: pixels of the shorter side, to which larger pictures are made
    smaller; None for none. `half`: the left or the right one of every picture; None for all of it.
    """

    channels: int
    least: int
    enlarge: bool = False
    most: int | None = None
    half: Literal["left", "right"] | None = None


class Taken(NamedTuple):
    """Rows of a survey, decoded: `ranks` (n,) says which of them are there, `lost` which are not, and why."""

    pixels: np.ndarray
    places: np.ndarray  # (n, 3)
    prints: np.ndarray  # (n,) uint64, equal for equal pixels
    ranks: np.ndarray
    lost: tuple[tuple[int, str], ...]  # (row of the survey, reason)
    content: str


def load(
    survey: Survey,
    channels: int,
    least: int,
    cache: Path | None = None,
    progress: Progress | None = None,
    *,
    enlarge: bool = False,
    most: int | None = None,
) -> Shelf:
    """Decode the pictures of a survey at their own sizes, or take them from the cache.

    Args:
        survey: of the source.
        channels: 1 grey or 3 colour.
        least: pixels of a side; smaller pictures are left out, and counted.
        cache: where to keep them; RIVALS_CACHE or ~/.cache/rivals if not given.
        progress: called with (done, total).
        enlarge: smaller pictures are enlarged instead.
        most: pixels of the shorter side, to which larger pictures are made smaller.

    Raises:
        RequestError: too few pictures are left, or the disk is full.
    """
    rows = rows_of(survey)
    taken = take(survey, rows, Brought(channels, least, enlarge, most), cache, progress)
    left = rows[taken.ranks]
    return shelf(taken, survey, left, channels, *held_out(survey.entries.digest[left, 0], taken.prints))


def rows_of(survey: Survey) -> np.ndarray:
    """The usable rows of a survey (n,) by what is in them: the same pictures under other names are the same set."""
    rows = usable_rows(survey.listing, survey.entries)
    return rows[np.lexsort(survey.entries.digest[rows].T[::-1])]


def held_out(marks: np.ndarray, *prints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows that are held out (n_held,), and the groups (n,) of equal ones, which are never parted.

    Args:
        marks: of the files (n,), by which rows are chosen: others than where they stand, and the same every time.
        prints: of the pixels (n,), of one side of pairs or of both.

    Raises:
        RequestError: nearly all are equal, so that none are left to learn from.
    """
    groups = together(*prints)
    rows = hold_out(marks[groups], None)
    if len(rows) == len(marks):
        raise RequestError(
            f"{len(marks)} pictures hold {len(np.unique(groups))} different ones: too few to learn from some and be "
            "judged by others"
        )
    return rows, groups


def content_of(survey: Survey, rows: np.ndarray, how: Brought) -> str:
    """The sha256 of these pictures and of how they are decoded; nothing is decoded for it."""
    marks = survey.entries.digest[rows].astype("<u8").tobytes()
    return hashlib.sha256(repr((FORMAT, *how)).encode() + marks).hexdigest()


def shelf(
    taken: Taken, survey: Survey, rows: np.ndarray, channels: int, held_out: np.ndarray, groups: np.ndarray
) -> Shelf:
    """What was taken, with the places (n_held,) of those that are held out; `rows` of the survey are what it is."""
    return Shelf(
        taken.pixels,
        taken.places,
        channels,
        torch.from_numpy(np.setdiff1d(np.arange(len(rows)), held_out)),
        torch.from_numpy(held_out.astype(np.int64)),
        taken.content,
        replace(describe(survey.listing, survey.entries, rows, taken.lost), source=survey.listing.source),
        groups,
    )


def take(
    survey: Survey,
    rows: np.ndarray,
    how: Brought,
    cache: Path | None = None,
    progress: Progress | None = None,
    *,
    fewest: int = FEWEST,
) -> Taken:
    """Decode these rows of a survey in their order, or take them from the cache.

    Raises:
        RequestError: fewer than `fewest` are left, or the disk is full.
    """
    content = content_of(survey, rows, how)
    folder = store.home(cache) / "whole-pictures" / f"{content}-{LAYOUT}"
    kept = store.opened(folder) or store.built(
        folder, expected_bytes(survey, rows, how), lambda making: write(survey, rows, how, making, progress)
    )
    lost = tuple((int(rows[rank]), str(reason)) for rank, reason in kept["lost"])
    ranks = np.delete(np.arange(len(rows)), [rank for rank, _ in kept["lost"]])
    if len(ranks) < max(fewest, 1):
        why = "; ".join(sorted({reason for _, reason in lost})) or "there are no more"
        raise RequestError(
            f"{survey.found.source!r} holds {len(ranks)} pictures to learn from ({why}); {fewest} are needed at least"
        )
    places, prints = (np.load(folder / name, allow_pickle=False) for name in (PLACES, PRINTS))
    return Taken(np.memmap(folder / PIXELS, np.uint8, "r"), places, prints, ranks, lost, content)


def expected_bytes(survey: Survey, rows: np.ndarray, how: Brought) -> int:
    """About how many bytes the pixels of these rows will take."""
    height, width = (side[rows].astype(np.float64) for side in (survey.entries.height, survey.entries.width))
    smaller = 1.0 if how.most is None else np.minimum(how.most / np.maximum(np.minimum(height, width), 1), 1)
    return int((height * width * np.square(smaller)).sum()) * how.channels


def write(survey: Survey, rows: np.ndarray, how: Brought, making: Path, progress: Progress | None) -> dict[str, Any]:
    """Decode everything into an empty folder, and say which ranks were left out, and why."""
    places: list[tuple[int, int, int]] = []
    prints: list[int] = []
    lost: list[tuple[int, str]] = []
    begin = 0
    with pictures.quiet(), open(making / PIXELS, "wb") as file:
        for ranks, (pixels, reason) in in_order(lambda some: one(survey, int(rows[some.start]), how), len(rows), 1):
            if pixels is None:
                lost.append((ranks.start, reason))
            else:
                file.write(data := pixels.tobytes())
                mark = hashlib.blake2b(data, digest_size=8, key=str(pixels.shape).encode())
                prints.append(int.from_bytes(mark.digest(), "little"))
                places.append((begin, *pixels.shape[:2]))
                begin += pixels.size
            if progress:
                progress(ranks.stop, len(rows))
        file.flush()
        store.flush(file.fileno())
    np.save(making / PLACES, np.array(places, np.int64).reshape(-1, 3))
    np.save(making / PRINTS, np.array(prints, np.uint64))
    return {"lost": lost}


def one(survey: Survey, row: int, how: Brought) -> tuple[np.ndarray | None, str]:
    """A picture (height, width, channels) uint8, or why it is left out."""
    try:
        pixels = pixels_of(survey.listing, survey.listing.read(row), survey.listing.names[row])
    except UnusableError as error:
        return None, str(error)
    except OSError as error:
        return None, cannot_read(error)
    if how.half is not None:
        middle = pixels.shape[1] // 2
        pixels = pixels[:, :middle] if how.half == "left" else pixels[:, pixels.shape[1] - middle :]
    if min(pixels.shape[:2]) < (1 if how.enlarge else how.least):
        return None, f"smaller than {how.least} pixels"
    pixels = pictures.recolour(pictures.rebit(pixels, 8), how.channels)
    return np.ascontiguousarray(sized(pixels, how.least, how.most)), ""


def sized(pixels: np.ndarray, least: int, most: int | None) -> np.ndarray:
    """A picture (h, w, c) enlarged until its shorter side has `least` pixels, or made smaller until it has `most`."""
    short = min(pixels.shape[:2])
    wanted = max(min(short, most or short), least)
    if wanted == short:
        return pixels
    height, width = (max(round(side * wanted / short), wanted) for side in pixels.shape[:2])
    return pictures.fit(pixels, height, width)


def places_in(count: int) -> Tensor:
    """Numbers in [0, 1) that say where in each of `count` pictures a crop lies and which way it is turned (count, 3).

    They are torch's own random numbers, for each row by itself (see `own_rows`).
    """
    return own_rows(torch.rand, count, 3)


def crops(shelf: Shelf, rows: Tensor, size: int, ways: int = 8, drawn: Tensor | None = None) -> Tensor:
    """A crop of each of some pictures, anywhere in it: (n, channels, size, size) in [-1, 1].

    Args:
        shelf: whose pictures are at least of that size.
        rows: (n,) int64.
        size: pixels of a side.
        ways: 8 turned and mirrored, 2 mirrored, 1 as it is.
        drawn: where, and which way; drawn now if not given. The same give the same crops of pictures of equal sizes.
    """
    made = []
    for row, (down, across, turn) in zip(
        rows.tolist(), (places_in(len(rows)) if drawn is None else drawn).tolist(), strict=True
    ):
        _, height, width = shelf.places[row].tolist()
        top, left = int(down * (height - size + 1)), int(across * (width - size + 1))
        part = shelf.picture(row)[top : top + size, left : left + size]
        way = int(ways * turn) * 8 // ways
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
