"""Which pictures are edited, and where each goes; looked up before anything is edited."""

import glob
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
    if mask is not None and not mask.is_file() and not mask.is_dir():  # reading a pipe would wait for ever
        raise RequestError(f"there is no mask at {mask}")
    found = [Path(each).expanduser() for each in inputs]
    folders = [path for path in found if path.is_dir()]
    if len(found) == 1 and found[0].is_file() and not is_folder(out):
        return Jobs((single(found[0], out, mask),), single=True)
    target = out or (beside(folders[0]) if len(found) == len(folders) == 1 else Path("edited"))
    if target.exists() and not target.is_dir():
        raise RequestError(f"{target} is a file, and there are several pictures; give a folder with --out")
    refused: list[tuple[str, str]] = []
    named = list(pictures_of(found, target, refused))
    if not named and not refused:
        raise RequestError(f"there are no pictures in {', '.join(map(str, inputs))}")
    masks = masks_of(mask)
    todo, there, taken = [], 0, dict[Path, Path]()
    wishes = Counter(wish(target / name) for _, name in named)
    for source, name in named:
        place = place_of(source, target / name, wishes, taken)
        own = masks.get(name.with_suffix("")) if isinstance(masks, dict) else masks
        if place.exists():
            there += 1
        elif isinstance(masks, dict) and own is None:
            refused.append(("no mask of its name", str(source)))
        else:
            todo.append(Job(source, place, own))
    return Jobs(tuple(todo), there, tuple(refused))


def beside(folder: Path) -> Path:
    """Where a folder's pictures go if nobody says; "." and ".." have no name that another could stand beside.

    Raises:
        RequestError: there is nothing beside it: the root.
    """
    whole = folder.resolve()
    if not whole.name:
        raise RequestError(f"there is no place beside {folder}; give a folder with --out")
    return (whole if folder.name in ("", "..") else folder).with_name(f"{whole.name}-edited")


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


def wish(wanted: Path) -> Path:
    """Its own name, with ".png" instead of an ending whose format isn't written."""
    return wanted if wanted.suffix.lower() in FORMATS else wanted.with_suffix(".png")


def place_of(source: Path, wanted: Path, wishes: Mapping[Path, int], taken: dict[Path, Path]) -> Path:
    """Where a picture goes: where it would like to, or with ".png" added where others would too.

    Args:
        source: the picture.
        wanted: where it would go under its own name.
        wishes: how many files would like to go to each place.
        taken: where each place's picture comes from; this one is added.

    Raises:
        RequestError: two pictures of one name, or it would replace a picture that is to be edited.
    """
    place = wish(wanted)
    if place != wanted and wishes[place] > 1:  # a.gif beside a.png, or a.txt beside a.json
        place = wanted.with_name(f"{wanted.name}.png")
    if place in taken:
        raise RequestError(f"{source} and {taken[place]} would both become {place}: edit one folder at a time")
    if place.exists() and place.samefile(source):
        raise RequestError(f"{place} is the picture itself, which is never changed; give another --out")
    taken[place] = source
    return place
