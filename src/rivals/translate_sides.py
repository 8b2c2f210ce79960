"""Both sides of pictures that are turned into others: looked at, told apart, decoded."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .engine.errors import RequestError
from .jobs import Tell, telling
from .modalities.images.builtin import is_name
from .modalities.images.cache import Survey, survey
from .modalities.images.edits.modality import Edits
from .modalities.images.edits.pairs import Pairs, find_pairs, load_pairs, parts_of, told_of
from .modalities.images.edits.store import Brought, Shelf, content_of, load, rows_of
from .modalities.images.edits.unpaired import load_paintings, look_at


@dataclass(frozen=True)
class Sides:
    """Both sides of a request, looked at: what is given and what is to be made; `pairs` where they are paired.

    `styles` are the paintings that the second side is; `words` say where all are.
    """

    task: str
    given: Survey
    made: Survey
    words: str
    pairs: Pairs | None = None
    styles: Sequence[str | Path] = ()


def look(task: str, source: Any, onto: Any, styles: Sequence[str | Path], half: str, tell: Tell) -> Sides:
    """Look at both sides.

    Args:
        task: "pairs", "unpaired" or "style".
        source: of what is given; of pairs, of both if `onto` is None.
        onto: of what is to be made.
        styles: pictures whose style is taken over.
        half: of every picture that is given, or which of two folders, "left" or "right".
        tell: called with progress, with what was found, and with what should be known.

    Raises:
        RequestError: they can't be read, or are too few.
    """
    progress = telling(tell, "reading")
    if task == "pairs":
        found = find_pairs(source, onto, "right" if half == "right" else "left", progress)
        for words in found.words:
            tell({"kind": "event", "step": 0, "words": words})
        told = f"pairs in {told_of(source, onto)}"
        sides = Sides(task, found.given.survey, found.made.survey, told, found)
    else:
        given = survey(source, learning=False, progress=progress)
        if task == "style":
            names = ", ".join(map(str, styles))
            sides = Sides(task, given, look_at(styles, progress), f"{source} like {names}", styles=styles)
        else:
            made = survey(onto, learning=False, progress=progress)
            sides = Sides(task, given, made, f"{source} into {onto}")
    for looked in {side.found.source: side for side in (sides.given, sides.made)}.values():
        tell({"kind": "found", "found": asdict(looked.found)})
    return sides


def refuse_same_place(source: Any, onto: Any) -> None:
    """Refuse two sources that are one, or of which one lies inside the other, by whatever names or links.

    Raises:
        RequestError: they are.
    """
    again = "give two folders that lie side by side: what is given, and what is to be made of it"
    if str(source) == str(onto):
        raise RequestError(f"{source} is given twice: {again}")
    if is_name(str(source)) or is_name(str(onto)):
        return
    one, other = (Path(each).expanduser() for each in (source, onto))
    if not (one.exists() and other.exists()):
        return  # said by those who look for them
    if os.path.samefile(one, other):
        raise RequestError(f"{source} and {onto} are the same: {again}")
    for inner, outer in ((one, other), (other, one)):
        if inner.is_dir() and inner.resolve().is_relative_to(outer.resolve()):
            raise RequestError(f"{inner} lies inside {outer}, whose pictures it would be among: {again}")


def refuse_same_pictures(sides: Sides, tell: Tell) -> None:
    """Refuse a side whose pictures are all on the other side too, by their files; tell of some that are.

    Raises:
        RequestError: they are.
    """
    if sides.task == "style" or (sides.pairs is not None and sides.pairs.made.half is not None):
        return
    if sides.pairs is not None:
        one, other = (side.survey.entries.digest[side.rows] for side in (sides.pairs.given, sides.pairs.made))
        same = int((one == other).all(1).sum())
        if same == len(one):
            raise RequestError(f"both pictures of every pair are the same in {sides.words}: there is nothing to learn")
        words = f"{same} pairs are the same picture twice"
    else:
        one, other = (np.unique(side.entries.digest[rows_of(side), 0]) for side in (sides.given, sides.made))
        same = int(np.isin(one, other).sum())
        if same == min(len(one), len(other)):
            few, many = (side.found.source for side in (sides.given, sides.made)[:: 1 if same == len(one) else -1])
            raise RequestError(f"all pictures in {few} are in {many} too: give two kinds of pictures")
        words = f"{same} pictures are of both kinds"
    if same:
        tell({"kind": "event", "step": 0, "words": words})


def shelves(sides: Sides, edits: Edits, tell: Tell) -> tuple[Shelf, Shelf]:
    """Both sides decoded as they are learned from; how many pictures had to be enlarged is said.

    Raises:
        RequestError: too few are left, or the disk is full.
    """
    progress = telling(tell, "decoding")
    crop, shorter = edits.crop, int(edits.damage["shorter"])
    for name, sizes in sizes_of(sides).items():
        small = int((sizes.min(1) < crop).sum())
        if small:
            words = f"{small} of {len(sizes)} pictures in {name} are smaller than {crop} pixels and are enlarged"
            tell({"kind": "event", "step": 0, "words": words})
    if sides.pairs is not None:
        return load_pairs(sides.pairs, crop, shorter, (edits.seen, edits.channels), progress=progress)
    given = load(sides.given, edits.seen, crop, progress=progress, enlarge=True, most=shorter)
    if sides.task == "style":
        return given, load_paintings(sides.styles, edits.channels, crop, shorter)
    return given, load(sides.made, edits.channels, crop, progress=progress, enlarge=True, most=shorter)


def sizes_of(sides: Sides) -> dict[str, np.ndarray]:
    """Height and width of the pictures of each side (n, 2), by its name."""
    if sides.pairs is not None:
        return {sides.words: sides.pairs.made.sizes}
    found = {}
    for looked in (sides.given, sides.made):
        entries = looked.entries
        found[looked.found.source] = np.stack([entries.height, entries.width], 1)[entries.reason == 0]
    return found


def content(task: str, given: str, made: str) -> str:
    """The sha256 of what a run learned from, by those of both sides' shelves."""
    return hashlib.sha256(f"{task} {given} {made}".encode()).hexdigest()


def content_before(sides: Sides, edits: Edits) -> str:
    """The same before anything is decoded; not of styles."""
    crop, shorter, channels = edits.crop, int(edits.damage.get("shorter", 0)), (edits.seen, edits.channels)
    if sides.pairs is not None:
        parts = [(part.survey, part.rows, part.how) for part in parts_of(sides.pairs, crop, shorter, channels)]
    else:
        looked = zip((sides.given, sides.made), channels, strict=True)
        parts = [(each, rows_of(each), Brought(colour, crop, True, shorter)) for each, colour in looked]
    return content(sides.task, *(content_of(*part) for part in parts))
