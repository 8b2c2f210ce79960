"""Which pictures are edited, and where each goes; looked up before anything is edited."""

import glob
import os
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from .engine.errors import RequestError
from .modalities.images.edits.saving import FORMATS, format_of
from .modalities.images.sources import find_folder


@dataclass(frozen=True)
class Job:
    """A picture to be edited, where it goes, and the mask of its holes, if any."""

    source: Path
    target: Path
    mask: Path | None = None


@dataclass(frozen=True)
class Jobs:
    """What there is to do.

    Args:
        todo: pictures.
        there: how many are edited already.
        refused: files that can't be edited: (reason, name).
        single: one picture to a file of its own.
    """

    todo: tuple[Job, ...]
    there: int = 0
    refused: tuple[tuple[str, str], ...] = ()
    single: bool = False


def find_jobs(inputs: Sequence[str | Path], out: Path | None, mask: Path | None) -> Jobs:
    """What there is to do.

    Args:
        inputs: pictures, folders, or patterns such as "photos/*.jpg".
        out: a file for one picture, a folder for more; beside the picture, or `NAME-edited`, if not given.
        mask: a picture, or a folder of pictures with the same names.

    Raises:
        RequestError: there is nothing of that name, an output is there already or would replace an original.
    """
    found = [Path(each).expanduser() for each in inputs]
    folders = [path for path in found if path.is_dir()]
    if len(found) == 1 and found[0].is_file() and not is_folder(out):
        return Jobs((single(found[0], out, mask),), single=True)
    target = out or (folders[0].with_name(f"{folders[0].resolve().name}-edited") if len(found) == len(folders) == 1
                     else Path("edited"))  # fmt: skip
    if target.exists() and not target.is_dir():
        raise RequestError(f"{target} is a file, and there are several pictures; give a folder with --out")
    refused: list[tuple[str, str]] = []
    named = list(pictures_of(found, target, refused))
    if not named and not refused:
        raise RequestError(f"there are no pictures in {', '.join(map(str, inputs))}")
    masks = masks_of(mask)
    todo, there, taken = [], 0, dict[Path, Path]()
    others = {target / name for _, name in named}
    for source, name in named:
        place = place_of(source, target / name, others, taken)
        own = masks.get(name.with_suffix("")) if isinstance(masks, dict) else masks
        if place.exists():
            there += 1
        elif isinstance(masks, dict) and own is None:
            refused.append(("no mask of its name", str(source)))
        else:
            todo.append(Job(source, place, own))
    return Jobs(tuple(todo), there, tuple(refused))


def is_folder(out: Path | None) -> bool:
    """Whether an output is meant as a folder: it is one, or its name has no ending."""
    return out is not None and (out.is_dir() or not out.suffix)


def single(source: Path, out: Path | None, mask: Path | None) -> Job:
    """One picture to a file of its own."""
    ending = source.suffix if source.suffix.lower() in FORMATS else ".png"
    target = out or source.with_name(f"{source.stem}-edited{ending}")
    format_of(target)
    if target.exists():
        if target.samefile(source):
            raise RequestError(f"{target} is the picture itself, which is never changed; give another --out")
        raise RequestError(f"{target} is there already; give another --out")
    if mask is not None and mask.is_dir():
        raise RequestError(f"{mask} is a folder of masks, and {source} is one picture: give its mask")
    return Job(source, target, mask)


def pictures_of(found: Sequence[Path], target: Path, refused: list[tuple[str, str]]) -> Iterator[tuple[Path, Path]]:
    """Each picture and its name below the output folder; what lies there already is no input."""
    for path in found:
        if path.is_dir():
            if target.exists() and target.samefile(path):
                raise RequestError(f"{target} is the folder of the pictures themselves; give another --out")
            listing = find_folder(path, str(path))
            refused += [(reason, os.path.join(path, name)) for reason, name in listing.refused]
            inside = target.resolve()
            for number in range(len(listing.names)):
                name = Path(listing.names[number])
                if not (path / name).resolve().is_relative_to(inside):
                    yield path / name, name
        elif path.is_file():
            yield path, Path(path.name)
        else:
            matched = sorted(glob.glob(str(path), recursive=True)) if glob.has_magic(str(path)) else []
            if not matched:
                what = "no picture matches" if glob.has_magic(str(path)) else "there is nothing at"
                raise RequestError(f"{what} {str(path)!r}")
            yield from ((Path(each), Path(Path(each).name)) for each in matched if Path(each).is_file())


def masks_of(mask: Path | None) -> Path | dict[Path, Path] | None:
    """One mask for all pictures, or those of a folder by the names of the pictures, without their endings."""
    if mask is None or not mask.is_dir():
        return mask
    names = find_folder(mask, str(mask)).names
    return {Path(names[row]).with_suffix(""): mask / names[row] for row in range(len(names))}


def place_of(source: Path, wanted: Path, others: Set[Path], taken: dict[Path, Path]) -> Path:
    """Where a picture goes: its own name, with ".png" where its format isn't written.

    Args:
        source: the picture.
        wanted: where it would go under its own name.
        others: where all pictures would.
        taken: where each place's picture comes from; this one is added.

    Raises:
        RequestError: two pictures of one name, or it would replace a picture that is to be edited.
    """
    place = wanted
    if wanted.suffix.lower() not in FORMATS:
        place = wanted.with_suffix(".png")
        if place in others:  # a.gif beside a.png
            place = wanted.with_name(f"{wanted.name}.png")
    if place in taken:
        raise RequestError(f"{source} and {taken[place]} would both become {place}: edit one folder at a time")
    if place.exists() and place.samefile(source):
        raise RequestError(f"{place} is the picture itself, which is never changed; give another --out")
    taken[place] = source
    return place
