"""One quick look at every picture of a source: its header, its digest, and whether the set needs colour or alpha."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from . import pictures
from .classes import class_names
from .pictures import Header, UnusableError
from .sources import Listing, cannot_read, tally
from .workers import in_order

_TOGETHER = 64
_MOST_SIZES = 20
_OUTSIDE = "outside the class folders"


@dataclass(frozen=True)
class Found:
    """What was found in a source, in plain values.

    Attributes:
        source: As the person wrote it.
        kind: "folder", "zip", "npz", "idx", "arrow", "digits" or "faces".
        count: Usable pictures.
        sizes: "width x height" without the spaces -> pictures, the 20 most common and "other".
        modes: Pillow's mode -> pictures.
        classes: Class -> pictures; empty if there are none.
        skipped: Reason -> files.
        examples: Reason -> the first such file, as `repr`.
        duplicates: Pictures that equal an earlier one; by their bytes in a survey, by their pixels once loaded.
        median_width: In pixels.
        median_height: In pixels.
        notes: For people.
        empty: Classes without a single file, where there are classes.
    """

    source: str
    kind: str
    count: int
    sizes: dict[str, int]
    modes: dict[str, int]
    classes: dict[str, int]
    skipped: dict[str, int]
    examples: dict[str, str]
    duplicates: int
    median_width: int
    median_height: int
    notes: tuple[str, ...]
    empty: tuple[str, ...] = ()


class Entries(NamedTuple):
    """What is known of each row, as arrays: 200,000 rows take 6 MB.

    `reason` counts in `reasons`, 0 being none; `mode` counts in `modes`.
    """

    width: np.ndarray  # (n,) int32
    height: np.ndarray  # (n,) int32
    mode: np.ndarray  # (n,) uint8
    reason: np.ndarray  # (n,) uint8
    deep: np.ndarray  # (n,) bool
    animated: np.ndarray  # (n,) bool
    digest: np.ndarray  # (n, 2) uint64
    modes: np.ndarray  # strings
    reasons: np.ndarray  # strings
    needs: np.ndarray  # (2,) bool: colour, alpha


class _Seen(NamedTuple):
    """One row, looked at."""

    header: Header
    digest: bytes
    reason: str


class _Needs:
    """Whether the set needs colour and alpha. It only ever goes from no to yes, so threads may share it."""

    def __init__(self) -> None:
        self.colour = self.alpha = False

    def ask(self, header: Header, pixels: Callable[[], np.ndarray]) -> None:
        """Look at a picture's pixels if it may settle what is still open; for most sets the first one does."""
        if not ((header.colour and not self.colour) or (header.alpha and not self.alpha)):
            return
        try:
            colour, alpha = pictures.needs(pixels())
        except UnusableError:  # counted when the pixels are asked for in earnest
            return
        self.colour, self.alpha = self.colour or colour, self.alpha or alpha


def look_over(listing: Listing, progress: Callable[[int, int], None] | None = None) -> Entries:
    """Read every row once, in threads.

    Args:
        listing: The source.
        progress: Called with (done, total).
    """
    count = len(listing.names)
    entries = _empty(count)
    modes: dict[str, int] = {}
    reasons = {"": 0}
    needs = _Needs()
    with pictures.quiet():
        for rows, seen in in_order(lambda rows: [_look(listing, row, needs) for row in rows], count, _TOGETHER):
            at = slice(rows.start, rows.stop)
            entries.width[at] = [one.header.width for one in seen]
            entries.height[at] = [one.header.height for one in seen]
            entries.mode[at] = [modes.setdefault(one.header.mode, len(modes)) for one in seen]
            entries.reason[at] = [reasons.setdefault(one.reason, len(reasons)) for one in seen]
            entries.deep[at] = [one.header.deep for one in seen]
            entries.animated[at] = [one.header.animated for one in seen]
            entries.digest[at] = np.frombuffer(b"".join(one.digest for one in seen), np.uint64).reshape(-1, 2)
            if progress:
                progress(rows.stop, count)
    return entries._replace(
        modes=np.array(list(modes), str),
        reasons=np.array(list(reasons), str),
        needs=np.array([needs.colour, needs.alpha]),
    )


def _empty(count: int) -> Entries:
    return Entries(
        np.zeros(count, np.int32), np.zeros(count, np.int32), np.zeros(count, np.uint8), np.zeros(count, np.uint8),
        np.zeros(count, bool), np.zeros(count, bool), np.zeros((count, 2), np.uint64),
        np.array([], str), np.array([], str), np.zeros(2, bool),
    )  # fmt: skip


def _look(listing: Listing, row: int, needs: _Needs) -> _Seen:
    """Read one row: its header, its digest, or the reason it is left out."""
    nothing = Header(0, 0, "", deep=False, colour=False, alpha=False, animated=False)
    try:
        held = listing.read(row)
        name = listing.names[row]
        header = pictures.look(held, name) if listing.encoded else _header(held)  # type: ignore[arg-type]
        needs.ask(header, lambda: pixels_of(listing, held, name))
    except UnusableError as error:
        return _Seen(nothing, bytes(16), str(error))
    except OSError as error:
        return _Seen(nothing, bytes(16), cannot_read(error))
    return _Seen(header, digest_of(held), "")


def _header(pixels: np.ndarray) -> Header:
    """The header of a picture that already is numbers."""
    height, width, channels = pixels.shape
    deep = pixels.dtype == np.uint16
    mode = ("L", "LA", "RGB", "RGBA")[channels - 1]
    mode = ("I;16" if channels == 1 else f"{mode};16") if deep else mode
    return Header(width, height, mode, deep, colour=channels >= 3, alpha=channels in (2, 4), animated=False)


def digest_of(held: Any) -> bytes:
    """16 bytes that are the same for the same contents."""
    return hashlib.blake2b(held, digest_size=16).digest()


def pixels_of(listing: Listing, held: bytes | np.ndarray, name: str) -> np.ndarray:
    """The pixels of what a listing's `read` returned: (height, width, channels), uint8 or uint16."""
    return pictures.decode(held, name) if listing.encoded else held  # type: ignore[arg-type,return-value]


def usable_rows(listing: Listing, entries: Entries) -> np.ndarray:
    """The rows that take part, in the order of the listing: pictures, in a class if there are any."""
    rows = np.flatnonzero(entries.reason == 0)
    labels, classes, _ = class_names(listing, rows)
    return rows[labels >= 0] if classes else rows


def labels_of(listing: Listing, rows: np.ndarray) -> tuple[np.ndarray | None, tuple[str, ...], str]:
    """The labels of the rows that take part, (n,) int64 or None; the classes; and a note if labels were left out."""
    labels, classes, note = class_names(listing, rows)
    # Damaged pictures, once gone, may turn folders into classes; but by then strays are among the rows.
    return (labels, classes, note) if classes and labels.min() >= 0 else (None, (), note)


def describe(
    listing: Listing,
    entries: Entries,
    rows: np.ndarray,
    lost: Sequence[tuple[int, str]] = (),
    duplicates: int | None = None,
) -> Found:
    """Put what was seen into plain values.

    Args:
        listing: The source.
        entries: What `look_over` saw.
        rows: Those that take part.
        lost: Those that turned out to be damaged, with the reason.
        duplicates: How many pictures equal an earlier one; counted by digest if not given.
    """
    labels, classes, note = labels_of(listing, rows)
    counts = [] if labels is None else np.bincount(labels, minlength=len(classes)).tolist()
    skipped, examples = tally(_refused(listing, entries, rows, lost))
    modes = np.bincount(entries.mode[rows], minlength=len(entries.modes))
    if duplicates is None:
        duplicates = len(rows) - len(np.unique(entries.digest[rows, 0]))  # 64 bits are enough to count by
    empty = _empty_classes(listing)
    return Found(
        listing.source, listing.kind, len(rows), _sizes(entries, rows),
        {str(entries.modes[at]): int(modes[at]) for at in np.argsort(-modes, kind="stable") if modes[at]},
        dict(zip(classes, counts, strict=True)), skipped, examples, duplicates,
        int(np.median(entries.width[rows])) if len(rows) else 0,
        int(np.median(entries.height[rows])) if len(rows) else 0,
        (*listing.notes, *([note] if note else []), *_empty_words(listing, empty), *_notes(entries, rows)),
        empty if classes else (),
    )  # fmt: skip


def _empty_classes(listing: Listing) -> tuple[str, ...]:
    """The classes of which there is not one row."""
    counts = np.bincount(listing.labels[listing.labels >= 0], minlength=len(listing.classes))
    return tuple(listing.classes[at] for at in np.flatnonzero(counts == 0))


def _empty_words(listing: Listing, empty: Sequence[str]) -> list[str]:
    """That there are classes without pictures."""
    if not empty:
        return []
    told = ", ".join(map(repr, empty[:5])) + (f" and {len(empty) - 5} more" if len(empty) > 5 else "")
    return [f"no file in the folder{'s' * (len(empty) > 1)} {told}" if listing.by_folder else f"no picture of {told}"]


def _refused(
    listing: Listing, entries: Entries, rows: np.ndarray, lost: Sequence[tuple[int, str]]
) -> list[tuple[str, str]]:
    """Every (reason, name) that doesn't take part."""
    seen = [
        (str(entries.reasons[entries.reason[row]]), listing.names[row])
        for row in np.flatnonzero(entries.reason).tolist()
    ]
    damaged = [(reason, listing.names[row]) for row, reason in sorted(lost)]
    strays = entries.reason == 0
    strays[rows] = False
    strays[[row for row, _ in lost]] = False
    outside = [(_OUTSIDE, listing.names[row]) for row in np.flatnonzero(strays).tolist()]
    return [*listing.refused, *seen, *damaged, *outside]


def _sizes(entries: Entries, rows: np.ndarray) -> dict[str, int]:
    """The most common sizes, and all others as one."""
    both = entries.width[rows].astype(np.int64) << 32 | entries.height[rows]
    sizes, counts = np.unique(both, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:_MOST_SIZES].tolist()
    common = {f"{int(sizes[at]) >> 32}x{int(sizes[at]) & 0xFFFFFFFF}": int(counts[at]) for at in most}
    other = len(rows) - sum(common.values())
    return {**common, "other": other} if other else common


def _notes(entries: Entries, rows: np.ndarray) -> list[str]:
    """What was done to the pictures that a person may want to know."""
    animated, deep = int(entries.animated[rows].sum()), int(entries.deep[rows].sum())
    floats = int((entries.modes[entries.mode[rows]] == "F").sum()) if len(rows) else 0
    notes = []
    if animated:
        notes.append(f"{animated} animated file{'s' * (animated > 1)}: first frame taken")
    if floats:
        notes.append(f"{floats} float picture{'s' * (floats > 1)}: each scaled by its own darkest and lightest value")
    if 0 < deep < len(rows):
        notes.append(f"{deep} of {len(rows)} pictures have more than 8 bits: scaled down to 8, as the others are")
    return notes


def channels_of(entries: Entries) -> int:
    """The fewest channels that lose nothing over the set."""
    colour, alpha = entries.needs.tolist()
    return (3 if colour else 1) + int(alpha)


def bits_of(entries: Entries, rows: np.ndarray) -> int:
    """16 if every picture has more than 8 bits, else 8."""
    return 16 if len(rows) and bool(entries.deep[rows].all()) else 8
