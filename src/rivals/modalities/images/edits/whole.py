"""A model at work on whole pictures: cut to what the memory holds, edited piece by piece, put together."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from rivals.engine.errors import RequestError

from . import files, holes, tiles
from .modality import Edits, edit
from .reach import bytes_a_pixel, looks, multiple_of, normalises_wholes, with_shared_statistics
from .ways import Way, editor, tensor_of, way

SAMPLE = 64  # pixels of a side of what memory is measured on
SMALLEST = 128  # pixels of a side of a piece, at least
STRIP, BEFORE, AFTER = 64, 64, 192  # pixels of a strip that shows how far a network looks: rows; columns
STRIPS = 4
PIECES, LEAST_PIECE, LARGEST_PIECE = 16, 64, 256  # that shared statistics are taken from: how many; pixels of a side

Piece = Callable[[int, int], None]
"""Told of (done, total) pieces."""


@dataclass(frozen=True)
class Editor:
    """A model for pictures of one number of channels.

    Args:
        network: the generator.
        edits: what it does.
        how: it meets these pictures.
        pixel: bytes that editing takes for a pixel of what is given.
        back: the other way round, of a network that goes both ways.
    """

    network: nn.Module
    edits: Edits
    how: Way
    pixel: float
    back: bool = False

    @classmethod
    def of(cls, network: nn.Module, edits: Edits, channels: int, *, back: bool = False) -> "Editor":
        """For pictures of 1 or 3 channels; what it takes is measured on a small one.

        Raises:
            RequestError: the model is not for such pictures.
        """
        how = way(replace(edits, channels=edits.seen, seen=edits.channels) if back else edits, channels)
        side = max(SAMPLE, 2 * multiple_of(network))
        sample = np.full((side, side, channels + how.holes), 255, np.uint8)
        arrays = 4 * sample.shape[2] + 8 * edits.scale**2 * how.channels  # floats in and out, beside tensors
        return cls(network, edits, how, arrays + bytes_a_pixel(editor(network, edits, how, back=back), sample), back)

    def needs(self, picture: files.Picture) -> int:
        """Bytes of a picture and of what is made of it, pieces not counted."""
        pixels = picture.pixels.shape[0] * picture.pixels.shape[1]
        each, grown = picture.pixels.itemsize, self.edits.scale**2
        made = (4 if self.how.channels == 3 else 1) if each == 1 else self.how.channels * each
        held = picture.pixels.shape[2] * each + (self.how.holes or picture.alpha is not None) * 2 * each
        alpha = grown * each * (2 if picture.alpha is not None else 0)
        return int(pixels * (held + grown * made + alpha))

    def fits(self, picture: files.Picture, memory: float) -> bool:
        """Whether a picture is edited whole in so many bytes."""
        height, width = picture.pixels.shape[:2]
        return self.needs(picture) + height * width * self.pixel <= memory

    def edited(
        self,
        picture: files.Picture,
        mask: np.ndarray | None,
        memory: float,
        progress: Piece = lambda done, total: None,
    ) -> files.Made:
        """What becomes of a picture, in at most so many bytes beside those that the program takes.

        Args:
            picture: to be edited.
            mask: (h, w) bool, true in holes; for models that fill them only.
            memory: in bytes.
            progress: told after every piece.

        Raises:
            RequestError: there is too little memory, or the mask doesn't fit.
        """
        given = with_mask(picture.pixels, mask, self.how)
        left = memory - self.needs(picture)
        if left < SMALLEST**2 * self.pixel and given.shape[0] * given.shape[1] * self.pixel > left:
            least = (self.needs(picture) + SMALLEST**2 * self.pixel) / 2**20
            raise RequestError(
                f"a picture of {given.shape[1]} x {given.shape[0]} pixels takes {least:.0f} MB beside the program, "
                f"and {max(memory, 0) / 2**20:.0f} MB are left: give more --memory"
            )
        work, plan = self.planned(given, int(left / self.pixel))
        total, done = tiles.pieces(given.shape[0], given.shape[1], plan), 0

        def watched(part: np.ndarray) -> np.ndarray:
            nonlocal done
            made = work(part)
            done += 1
            progress(done, total)
            return made

        height, width = (self.edits.scale * side for side in given.shape[:2])
        return files.gathered(tiles.tiled(watched, given, self.edits.scale, plan), height, width)

    def planned(self, given: np.ndarray, pixels: int) -> tuple[tiles.Work, tiles.Plan]:
        """What edits a piece, and the pieces, each of at most so many pixels."""
        height, width = given.shape[:2]
        network, work = self.network, editor(self.network, self.edits, self.how, back=self.back)
        if height * width <= pixels:
            return work, tiles.Plan(height, width)
        if normalises_wholes(network):
            network = with_shared_statistics(network)
            shown = torch.cat([tensor_of(part, self.how.holes) for part in spread(given, pixels)])
            edit(network, self.edits, self.how.given(shown).to(next(network.parameters()).device), back=self.back)
            work = editor(network, self.edits, self.how, back=self.back)
        strips = spots(given, STRIP, BEFORE + AFTER, masked=self.how.holes)
        needed = looks(work, strips, BEFORE, self.edits.scale) if strips else None
        around = tiles.around(needed, pixels, multiple_of(network))
        return work, tiles.planned(height, width, pixels, around)


def with_mask(pixels: np.ndarray, mask: np.ndarray | None, how: Way) -> np.ndarray:
    """A picture with the mask as its last channel, where holes are filled."""
    if not how.holes:
        if mask is not None:
            raise RequestError("--mask is for models that fill holes, and this one doesn't (its task is another)")
        return pixels
    if mask is None:
        raise RequestError("this model fills holes: say where by --mask, a picture that is white in them")
    holes.check_size(mask, pixels)
    return np.dstack([pixels, mask.astype(pixels.dtype) * np.iinfo(pixels.dtype).max])


def spread(given: np.ndarray, pixels: int) -> list[np.ndarray]:
    """Squares from all over a picture, together at most so many pixels, all of one size."""
    side = min(max(math.isqrt(pixels // PIECES), LEAST_PIECE), LARGEST_PIECE, *given.shape[:2])
    count = max(pixels // side**2, 1)
    tall = max(round(math.sqrt(count * given.shape[0] / given.shape[1])), 1)
    tall = min(tall, count)
    return [
        given[top : top + side, left : left + side]
        for top in places(given.shape[0], side, tall)
        for left in places(given.shape[1], side, count // tall)
    ]


def places(length: int, side: int, count: int) -> list[int]:
    """Where `count` parts of a side begin that are evenly spread, none twice.

    >>> places(100, 10, 3), places(100, 10, 1)
    ([15, 45, 75], [45])
    """
    room = length - side
    return sorted({round(room * (number + 0.5) / count) if count > 1 else room // 2 for number in range(count)})


def spots(given: np.ndarray, height: int, width: int, *, masked: bool) -> Sequence[np.ndarray]:
    """Strips from all over a picture, or from around its holes; none where it has no room for any."""
    rows, columns = given.shape[:2]
    if columns < width <= rows and columns >= height:
        return spots(given.transpose(1, 0, 2), height, width, masked=masked)
    if rows < height or columns < width:
        return []
    found = np.flatnonzero(given[..., -1]) if masked else np.arange(0)
    count = min(max(rows * columns // (20 * height * width), 1), STRIPS)
    made = []
    for number in range(count):
        share = (number + 0.5) / count
        if len(found):
            y, x = divmod(int(found[int(share * len(found))]), columns)
        else:
            y, x = int(share * rows), int((number * 0.618 + 0.5) % 1 * columns)  # no two above each other
        top = min(max(y - height // 2, 0), rows - height)
        left = min(max(x - (BEFORE if len(found) else width // 2), 0), columns - width)  # a hole is cut in two
        made.append(given[top : top + height, left : left + width])
    return made
