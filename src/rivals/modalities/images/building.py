"""Decoding a whole source into a folder: the pixels as one file, and which rows are held out."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rivals.engine import store
from rivals.engine.errors import RequestError

from . import pictures
from .pictures import UnusableError
from .scan import Entries, Found, describe, digest_of, labels_of, pixels_of
from .sources import Listing, cannot_read
from .split import hold_out
from .workers import in_order

FEWEST = 8
"""Fewer pictures than this can't be told from a list of exceptions."""

PIXELS = "pixels"
_PARTS = "parts"  # the lengths are in the facts: training rows, then held-out rows, as int64
_AT_ONCE = 2**22  # bytes of fitted pixels a thread hands over at a time
_CHANGED = "changed while it was being read"


class Plan(NamedTuple):
    """How to decode, and which rows of the listing in which order; a place in that order is a rank."""

    height: int
    width: int
    channels: int
    bits: int
    rows: np.ndarray
    learning: bool = True

    @property
    def row_size(self) -> int:
        """Bytes of one picture."""
        return self.height * self.width * self.channels * self.bits // 8


def must_do(found: Found, *, learning: bool = True) -> None:
    """Refuse what no GAN can learn from, or, if not `learning`, what can't even be judged.

    Raises:
        RequestError: There is nothing, nothing usable, too little, or the same picture over and over.
    """
    source = repr(found.source)
    reasons = "; ".join(f"{n} {reason}, the first {found.examples[reason]}" for reason, n in found.skipped.items())
    if not found.count and not reasons:
        raise RequestError(f"There are no files in {source}; put pictures there or name another source.")
    if not found.count:
        raise RequestError(f"No picture in {source} can be used ({reasons}); put PNG or JPEG files there.")
    if not learning:
        if found.count < 2:
            raise RequestError(f"{source} holds only 1 usable picture; a verdict needs two or more on each side.")
        return
    if found.count < FEWEST:
        held = "1 usable picture" if found.count == 1 else f"{found.count} usable pictures"
        more = f" ({reasons})" if reasons else ""
        raise RequestError(f"{source} holds only {held}{more}; a GAN needs at least {FEWEST}, so add some.")
    if found.duplicates == found.count - 1:
        raise RequestError(f"All {found.count} pictures in {source} are the same one; a GAN needs different ones.")


def write(
    listing: Listing, entries: Entries, plan: Plan, making: Path, progress: Callable[[int, int], None] | None
) -> dict[str, Any]:
    """Decode everything into an empty folder, a few rows at a time, and choose the held-out part.

    The file is written and not mapped: a full disk is an error then, and not a signal that kills the process.

    Args:
        listing: The source.
        entries: What is known of its rows.
        plan: How to decode.
        making: The folder.
        progress: Called with (done, total).

    Returns:
        What is to be remembered.
    """
    prints: list[bytes] = []
    lost: list[tuple[int, str]] = []
    count, together = len(plan.rows), max(1, min(64, _AT_ONCE // plan.row_size))

    def fit_some(ranks: range) -> list[tuple[bytes, bytes, str]]:
        return [_fit_one(listing, entries, plan, int(plan.rows[rank])) for rank in ranks]

    with pictures.quiet(), open(making / PIXELS, "wb") as file:
        for ranks, fitted in in_order(fit_some, count, together):
            lost += [(rank, reason) for rank, (_, _, reason) in zip(ranks, fitted, strict=True) if reason]
            prints += [mark for _, mark, reason in fitted if not reason]
            file.writelines(pixels for pixels, _, _ in fitted)
            if progress:
                progress(ranks.stop, count)
        file.flush()
        store.flush(file.fileno())
    marks = np.frombuffer(b"".join(prints), np.uint64)
    facts: dict[str, Any] = {"lost": lost, "duplicates": len(marks) - len(np.unique(marks))}
    rows, damaged = remaining(plan, facts)
    must_do(describe(listing, entries, rows, damaged, facts["duplicates"]), learning=plan.learning)
    return {**facts, **_write_parts(making, _held_out(listing, rows, marks), len(rows))}


def remaining(plan: Plan, facts: dict[str, Any]) -> tuple[np.ndarray, list[tuple[int, str]]]:
    """The rows that were decoded, in their order, and those that were lost with the reason."""
    lost = [(int(plan.rows[rank]), reason) for rank, reason in facts["lost"]]
    return np.delete(plan.rows, [rank for rank, _ in facts["lost"]]), lost


def parts(folder: Path, facts: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The training rows and the held-out rows of a finished folder."""
    both = np.fromfile(folder / _PARTS, np.int64)
    return both[: facts["train"]], both[facts["train"] :]


def _write_parts(making: Path, held_out: np.ndarray, count: int) -> dict[str, Any]:
    train = np.setdiff1d(np.arange(count), held_out)
    data = np.concatenate([train, held_out]).astype(np.int64).tobytes()
    with open(making / _PARTS, "wb") as file:
        file.write(data)
        file.flush()
        store.flush(file.fileno())
    return {"train": len(train)}


def _held_out(listing: Listing, rows: np.ndarray, prints: np.ndarray) -> np.ndarray:
    """The held-out rows: those that the source names, if it does, or else a fair choice."""
    if listing.test_from is not None:
        named = np.flatnonzero(rows >= listing.test_from)
        if 0 < len(named) < len(rows):
            return named
    return hold_out(prints, labels_of(listing, rows)[0])


def _fit_one(listing: Listing, entries: Entries, plan: Plan, row: int) -> tuple[bytes, bytes, str]:
    """One row as the bytes of its (channels, height, width) and their digest, or the reason it is left out."""
    try:
        held = listing.read(row)
        if digest_of(held) != entries.digest[row].tobytes():
            return b"", b"", _CHANGED
        pixels = pixels_of(listing, held, listing.names[row])
    except UnusableError as error:
        return b"", b"", str(error)
    except OSError as error:
        return b"", b"", cannot_read(error)
    pixels = pictures.recolour(pictures.rebit(pixels, plan.bits), plan.channels)
    data = pictures.fit(pixels, plan.height, plan.width).transpose(2, 0, 1).tobytes()
    return data, hashlib.blake2b(data, digest_size=8).digest(), ""
