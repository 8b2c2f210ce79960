"""Pictures of any size, edited in pieces that fade into each other: memory stays bounded, and no seam is seen."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rivals.engine.errors import RequestError

Work = Callable[[np.ndarray], np.ndarray]
"""Edits a piece: (h, w, channels), uint8 or uint16 -> (scale h, scale w, channels made), float32 of the same range."""

LEAST = 16  # pixels of its own that a piece has at least, a side
MOST_COLUMNS = 64


@dataclass(frozen=True)
class Plan:
    """How a picture is cut into pieces; all in pixels of what is given.

    Args:
        height, width: of a piece at most, with what is around its own part.
        halo: pixels around its own part that a piece is given too.
        blend: pixels on either side of a border over which two pieces fade into each other; at most `halo`.
        multiple: pieces begin at multiples of it, so that a network halves them as it would halve the whole.
    """

    height: int
    width: int
    halo: int = 0
    blend: int = 0
    multiple: int = 1


def borders(length: int, most: int, plan: Plan) -> list[int]:
    """Where the parts of a side begin and end; with their halos they have at most `most` pixels.

    >>> borders(100, 48, Plan(48, 48, halo=8, multiple=4))
    [0, 24, 48, 72, 100]
    """
    if length <= most:
        return [0, length]
    units = -(-length // plan.multiple)
    count = -(-units // max((most - 2 * plan.halo) // plan.multiple, 1))
    return [*(plan.multiple * (number * units // count) for number in range(count)), length]


def planned(height: int, width: int, pixels: int, around: Plan) -> Plan:
    """The plan that computes least, with pieces of at most so many pixels.

    Args:
        height: of the picture.
        width: of the picture.
        pixels: of a piece at most.
        around: whose halo, blend and multiple are taken.

    Raises:
        RequestError: pieces of so few pixels would be nothing but halo.
    """
    if height * width <= pixels:
        return Plan(height, width, around.halo, around.blend, around.multiple)
    least = 2 * around.halo + max(LEAST, around.multiple, around.blend)
    found: list[tuple[int, Plan]] = []
    for columns in range(1, MOST_COLUMNS + 1):
        wide = width if columns == 1 else -(-width // (columns * around.multiple)) * around.multiple + 2 * around.halo
        tall = min(pixels // wide, height)
        if tall < min(least, height) or (columns > 1 and not least <= wide < width):
            continue
        plan = Plan(tall, wide, around.halo, around.blend, around.multiple)
        found.append((computed(height, tall, plan) * computed(width, wide, plan), plan))
    if not found:
        raise RequestError(
            f"pieces of {pixels} pixels are too small for overlaps of {around.halo} on each side: give more --memory"
        )
    return min(found, key=lambda each: each[0])[1]


def computed(length: int, most: int, plan: Plan) -> int:
    """Pixels of a side that are computed, halos counted as often as they are."""
    cuts = borders(length, most, plan)
    return sum(min(end + plan.halo, length) - max(begin - plan.halo, 0) for begin, end in pairwise(cuts))


def pieces(height: int, width: int, plan: Plan) -> int:
    """How many pieces a picture is cut into."""
    return (len(borders(height, plan.height, plan)) - 1) * (len(borders(width, plan.width, plan)) - 1)


def tiled(work: Work, given: np.ndarray, scale: int, plan: Plan) -> Iterator[np.ndarray]:
    """Edit a picture piece by piece; rows come from top to bottom as they are done.

    Where `work` sees no further than `halo - blend` pixels, the result is that of the whole picture at once.

    Args:
        work: what edits a piece.
        given: (height, width, channels), uint8 or uint16.
        scale: by which pieces become larger.
        plan: how to cut.

    Yields:
        (rows, scale width, channels made), of the type of `given`; all together scale height rows.
    """
    height, blend = len(given), plan.blend
    kept = np.empty((0,))
    for top, bottom in pairwise(borders(height, plan.height, plan)):
        begin = max(top - blend, 0)
        made = band(work, given, scale, plan, (top, bottom))
        if top and blend:
            share = ramp(scale * begin, len(kept), scale * top, scale * blend)[:, None, None]
            made[: len(kept)] = faded(kept, made[: len(kept)], share)
        done = scale * ((bottom if bottom == height else max(bottom - blend, begin)) - begin)
        kept = made[done:].copy()
        yield made[:done]


def band(work: Work, given: np.ndarray, scale: int, plan: Plan, rows: tuple[int, int]) -> np.ndarray:
    """Pieces beside each other, faded into each other: their own rows and `blend` more above and below."""
    (height, width), blend, halo = given.shape[:2], plan.blend, plan.halo
    up, down = max(rows[0] - halo, 0), min(rows[1] + halo, height)
    top, bottom = max(rows[0] - blend, 0) - up, min(rows[1] + blend, height) - up
    whole: np.ndarray | None = None
    for left, right in pairwise(borders(width, plan.width, plan)):
        west, east = max(left - halo, 0), min(right + halo, width)
        begin, end = max(left - blend, 0), min(right + blend, width)
        part = work(given[up:down, west:east])[scale * top : scale * bottom, scale * (begin - west) :]
        made = np.rint(part[:, : scale * (end - begin)]).astype(given.dtype)
        del part
        if whole is None:
            whole = np.empty((len(made), scale * width, made.shape[2]), given.dtype)
        if left and blend:
            both = scale * (min(left + blend, width) - begin)
            share = ramp(scale * begin, both, scale * left, scale * blend)[None, :, None]
            here = slice(scale * begin, scale * begin + both)
            made[:, :both] = faded(whole[:, here], made[:, :both], share)
        whole[:, scale * begin : scale * end] = made
    assert whole is not None
    return whole


def ramp(begin: int, count: int, border: int, blend: int) -> np.ndarray:
    """The share of the later of two pieces in `count` pixels from `begin` on: 0 to 1 across a border, (count,)."""
    return np.clip((np.arange(begin, begin + count) + 0.5 - (border - blend)) / (2 * blend), 0, 1).astype(np.float32)


def faded(old: np.ndarray, new: np.ndarray, share: np.ndarray) -> np.ndarray:
    """A mix of two pieces, of their type; where both are the same it is just that."""
    base = old.astype(np.float32)
    return np.rint(base + (new - base) * share).astype(old.dtype)


def around(needed: int | None, pixels: int, multiple: int) -> Plan:
    """Halo and blend, for pieces of so many pixels.

    Args:
        needed: how far the network looks; None for over the whole picture, which gets wide halos that fade.
        pixels: of a piece.
        multiple: that the network wants.
    """
    side = math.isqrt(pixels)
    if needed is None:
        halo = max(side // 4 // multiple, 1) * multiple
        return Plan(side, side, halo, halo * 2 // 3, multiple)
    wanted = -(-(needed + max(needed // 2, 4)) // multiple) * multiple
    halo = min(wanted, max(side // 3 // multiple, 1) * multiple)
    return Plan(side, side, halo, halo - needed if needed < halo else halo * 2 // 3, multiple)
