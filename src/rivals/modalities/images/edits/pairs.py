"""Pictures in pairs, of what is given and what is to be made of it: two folders, or the halves of each picture."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

import numpy as np
from torch import Tensor

from rivals.engine.data import Dataset
from rivals.engine.errors import RequestError
from rivals.engine.types import Batch
from rivals.modalities.images.cache import Survey, survey

from .modality import Edits
from .store import FEWEST, Brought, Progress, Shelf, Taken, crops, held_out, places_in, shelf, take

Half = Literal["left", "right"]
NAMED = 3  # pictures that are named where some are left out


@dataclass(frozen=True)
class Side:
    """One side of all pairs: rows of a survey, of which all or one half is meant."""

    survey: Survey
    rows: np.ndarray
    half: Half | None = None

    @property
    def channels(self) -> int:
        """1 grey, 3 colour: the fewest that lose nothing but what is transparent."""
        return colours(self.survey)

    @property
    def sizes(self) -> np.ndarray:
        """Height and width of each picture (n, 2)."""
        entries = self.survey.entries
        whole = np.stack([entries.height[self.rows], entries.width[self.rows]], 1)
        return whole // [1, 2] if self.half else whole


@dataclass(frozen=True)
class Pairs:
    """Pairs before they are decoded: picture i of one side belongs to picture i of the other."""

    given: Side
    made: Side
    words: tuple[str, ...]  # how pairs were found, and which pictures have no part in them

    def __len__(self) -> int:
        return len(self.made.rows)

    def of(self, rows: np.ndarray) -> "Pairs":
        """Some of them."""
        given, made = (replace(side, rows=side.rows[rows]) for side in (self.given, self.made))
        return replace(self, given=given, made=made)


def colours(looked: Survey) -> int:
    """1 grey, 3 colour: the fewest channels that lose nothing but what is transparent."""
    return 3 if looked.channels >= 3 else 1


def find_pairs(
    source: str | Path, onto: str | Path | None = None, given: Half = "left", progress: Progress | None = None
) -> Pairs:
    """The pairs that sources hold, by what is in them.

    Two sources, or two folders in one, are paired by equal names, endings aside. Else every picture is two: its halves.

    Args:
        source: of what is given, if there is another; else of both.
        onto: of what is made.
        given: the half that is given, or of two folders in one source the first ("left") or second by name.
        progress: called with (done, total).

    Raises:
        RequestError: fewer than `FEWEST` pairs.
    """
    looked = survey(source, learning=False, progress=progress)
    if onto is not None:
        other = survey(onto, learning=False, progress=progress)
        pairs = matched(rows_by_name(looked), rows_by_name(other), (looked, other), (str(source), str(onto)))
    elif (folders := two_folders(looked)) is not None:
        one, two = folders if given == "left" else folders[::-1]
        if looked.listing.kind == "folder":  # each is looked at for itself: one may be grey
            return find_pairs(Path(source) / one, Path(source) / two, progress=progress)
        pairs = matched(
            rows_by_name(looked, one),
            rows_by_name(looked, two),
            (looked, looked),
            (f"{source}/{one}", f"{source}/{two}"),
        )
    else:
        pairs = halved(looked, given)
    if len(pairs) < FEWEST:
        raise RequestError(
            f"{len(pairs)} pairs in {told_of(source, onto)}, and {FEWEST} are needed at least ("
            + "; ".join(pairs.words)
            + "): put two folders with equal names side by side, or pictures that are each two halves"
        )
    return pairs


def told_of(source: Any, onto: Any) -> str:
    """The source, or both."""
    return f"{str(source)!r}" if onto is None else f"{str(source)!r} and {str(onto)!r}"


def two_folders(looked: Survey) -> tuple[str, str] | None:
    """The two folders that hold all pictures, by name; None where it isn't so."""
    listing = looked.listing
    labels = listing.labels[looked.entries.reason == 0]
    used = np.unique(labels)
    if not listing.by_folder or len(used) != 2 or (used < 0).any():
        return None
    one, two = sorted(listing.classes[at] for at in used)
    return one, two


def rows_by_name(looked: Survey, folder: str | None = None) -> dict[str, list[int]]:
    """The usable rows of a survey, or of a folder in it, by their names without ending and folder."""
    found: dict[str, list[int]] = {}
    for row in np.flatnonzero(looked.entries.reason == 0).tolist():
        if folder is not None and looked.listing.classes[looked.listing.labels[row]] != folder:
            continue
        name = PurePosixPath(looked.listing.names[row])
        if folder is not None:
            name = PurePosixPath(*name.parts[name.parts.index(folder) + 1 :])
        found.setdefault(str(name.with_suffix("")), []).append(row)
    return found


def matched(
    given: Mapping[str, Sequence[int]],
    made: Mapping[str, Sequence[int]],
    looked: tuple[Survey, Survey],
    names: tuple[str, str],
) -> Pairs:
    """Pictures of equal names and sizes as pairs; the words say which have no partner."""
    words = [f"given: {names[0]}, made of it: {names[1]}, paired by name"]
    for own, other, here, there in ((given, made, *names), (made, given, *names[::-1])):
        words += left_out([name for name in own if name not in other], f"in {here} without a partner in {there}")
    both = [name for name in given if name in made]
    words += left_out(
        [name for name in both if len(given[name]) + len(made[name]) > 2], "whose name stands for several"
    )
    both = [name for name in both if len(given[name]) == len(made[name]) == 1]
    one, two = (
        Side(of, np.array([rows[name][0] for name in both], np.int64))
        for of, rows in zip(looked, (given, made), strict=True)
    )
    alike = (one.sizes == two.sizes).all(1)
    unlike = [
        f"{name} ({a[1]}x{a[0]} and {b[1]}x{b[0]})"
        for name, a, b, same in zip(both, one.sizes, two.sizes, alike, strict=True)
        if not same
    ]
    words += left_out(unlike, "of two sizes")
    return Pairs(one, two, tuple(words)).of(np.flatnonzero(alike))


def halved(looked: Survey, given: Half) -> Pairs:
    """Every picture as a pair of its halves; those of odd width can't be halved."""
    rows = np.flatnonzero(looked.entries.reason == 0)
    height, width = looked.entries.height[rows], looked.entries.width[rows]
    even = width % 2 == 0
    made: Half = "right" if given == "left" else "left"
    words = [f"pictures side by side: the {given} half is given, the {made} half is made of it"]
    words += left_out([looked.listing.names[row] for row in rows[~even]], "of an odd width")
    usual = int((width == 2 * height)[even].sum())
    if usual < even.sum():
        sizes = Counter(zip(width[even].tolist(), height[even].tolist(), strict=True)).most_common(1)[0][0]
        words.append(
            f"{int(even.sum()) - usual} of {int(even.sum())} are not twice as wide as high (most are "
            f"{sizes[0]}x{sizes[1]}): halved all the same"
        )
    return Pairs(Side(looked, rows[even], given), Side(looked, rows[even], made), tuple(words))


def left_out(names: Sequence[str], why: str) -> list[str]:
    """That some pictures are left out, with the first of their names."""
    if not names:
        return []
    first = ", ".join(map(repr, sorted(names)[:NAMED])) + (" ..." if len(names) > NAMED else "")
    return [f"left out: {len(names)} {why}: {first}"]


def load_pairs(
    pairs: Pairs,
    crop: int,
    shorter: int | None = None,
    channels: tuple[int, int] | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> tuple[Shelf, Shelf]:
    """Both sides decoded: row i of the one belongs to row i of the other, and both have the same size.

    Args:
        pairs: of `find_pairs`.
        crop: pixels of a side, to which smaller pictures are enlarged.
        shorter: pixels of the shorter side, to which larger pictures are made smaller; None for as they are.
        channels: of what is given and of what is made; as they are if not given.
        cache: where to keep them; RIVALS_CACHE or ~/.cache/rivals if not given.
        progress: called with (done, total).

    Raises:
        RequestError: fewer than `FEWEST` pairs can be decoded, or the disk is full.
    """
    parts = parts_of(pairs, crop, shorter, channels)
    taken = [take(*part, cache, progress) for part in parts]
    ranks = np.intersect1d(taken[0].ranks, taken[1].ranks)
    taken = [only(part, ranks) for part in taken]
    alike = (taken[0].places[:, 1:] == taken[1].places[:, 1:]).all(1)
    taken = [only(part, ranks[alike]) for part in taken]
    if alike.sum() < FEWEST:
        raise RequestError(f"{int(alike.sum())} pairs could be decoded, and {FEWEST} are needed at least")
    left = ranks[alike]
    made_of = parts[1]
    split = held_out(made_of.survey.entries.digest[made_of.rows[left], 0], *(part.prints for part in taken))
    given, made = (
        shelf(one, part.survey, part.rows[left], part.how.channels, *split)
        for one, part in zip(taken, parts, strict=True)
    )
    return given, made


class Part(NamedTuple):
    """One side of pairs, in the order in which they are kept, and how it is brought onto a shelf."""

    survey: Survey
    rows: np.ndarray
    how: Brought


def parts_of(
    pairs: Pairs, crop: int, shorter: int | None = None, channels: tuple[int, int] | None = None
) -> tuple[Part, Part]:
    """Both sides of pairs, given and made; arguments as of `load_pairs`."""
    marks = pairs.made.survey.entries.digest[pairs.made.rows]
    pairs = pairs.of(np.lexsort(marks.T[::-1]))  # under other names they are the same pairs
    given, made = (
        Part(side.survey, side.rows, Brought(colour, crop, True, shorter, side.half))
        for side, colour in zip(
            (pairs.given, pairs.made), channels or (pairs.given.channels, pairs.made.channels), strict=True
        )
    )
    return given, made


def only(taken: Taken, ranks: np.ndarray) -> Taken:
    """Some of what was taken."""
    kept = np.searchsorted(taken.ranks, ranks)
    return taken._replace(places=taken.places[kept], prints=taken.prints[kept], ranks=ranks)


def dataset(given: Shelf, made: Shelf, edits: Edits) -> Dataset:
    """Crops of both pictures of a pair at the same place, turned and mirrored alike."""
    ways = int(edits.damage["ways"])

    def cut(rows: Tensor) -> Batch:
        drawn = places_in(len(rows))
        return Batch(crops(made, rows, edits.crop, ways, drawn), crops(given, rows, edits.crop, ways, drawn))

    return Dataset(cut, made.train, made.held_out)
