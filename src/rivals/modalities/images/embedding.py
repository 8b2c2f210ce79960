"""Features of a side, made part by part, spread over processes, and kept on disk by what they were made from.

~/.cache/rivals/features/KEY/00000.safetensors ...   parts of an unfinished side, written every few seconds
~/.cache/rivals/features/KEY/whole.safetensors       a finished side; the parts are gone
"""

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from rivals.engine import store
from rivals.engine.errors import RequestError

from .features import Extractor
from .sides import Side

FORMAT = 1
MOST = 2 * 2**30  # bytes of features kept; the longest unused go first
PAUSE = 2.0  # seconds between writings of parts

ALONE = (0, 1)

Rows = dict[str, Tensor]
Read = Callable[[Tensor], Rows]
Progress = Callable[[int, int], None]


def embedded(
    side: Side,
    extractor: Extractor,
    *,
    logits: bool = False,
    share: tuple[int, int] = ALONE,
    progress: Progress | None = None,
) -> Rows:
    """A side's features row by row, {"features": (count, d)} in float32, and the space's "logits" where asked for.

    Memory holds the rows and one part of the pictures. What was made before an interruption is taken from disk, as is
    a side that was judged before. Of several processes each makes its share of the parts, and all get all rows.

    Args:
        side: the pictures.
        extractor: the feature space; its hash and resizer are part of what the cache goes by.
        logits: whether to ask the space's own classifier too.
        share: this process's number and how many there are, where all of them embed this side together.
        progress: called with (done, total) pictures, of this process's share.

    Raises:
        RequestError: some features are not finite.
    """
    shelf = Shelf.of(side, extractor, logits)
    whole = shelf.whole(side.count)
    if not everywhere(whole is not None, share[1]) or whole is None:
        rank, world = share
        mine = list(range(rank, side.parts, world))
        made = shelf.parts(mine)
        make_parts(side, reader(extractor, logits), shelf, mine, made, progress)
        found = made if world == 1 else gathered(made, world)
        whole = {name: torch.cat([found[number][name] for number in sorted(found)]) for name in found[0]}
        if rank == 0:
            shelf.finish(whole)
    bad = int((~whole["features"].isfinite()).any(1).sum())
    if bad:
        raise RequestError(
            f"{bad} of {side.count} pictures of {side.name} have features that are not finite (NaN or infinite) in "
            f"{extractor.name}: a generator that diverged, or a feature space that can't read these pictures"
        )
    return whole


def reader(extractor: Extractor, logits: bool) -> Read:
    """Pictures (n, channels, height, width) -> their rows; on a GPU where there is one."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def read(pictures: Tensor) -> Rows:
        there = pictures.to(device)
        rows = {"features": extractor.embed(there)}
        with torch.inference_mode():
            if logits and extractor.head is not None:
                rows["logits"] = extractor.head(rows["features"])
            elif logits and extractor.classify is not None:
                rows["logits"] = extractor.classify(there)
        return {name: values.float().cpu().clone() for name, values in rows.items()}  # clones leave inference mode

    return read


def make_parts(
    side: Side, read: Read, shelf: "Shelf", mine: list[int], made: dict[int, Rows], progress: Progress | None
) -> None:
    """Make the parts that are missing; an interruption keeps those that are done."""
    fresh: dict[int, Rows] = {}
    written = time.monotonic()
    total = sum(side.size(number) for number in mine)
    done = sum(side.size(number) for number in made)
    try:
        for number in mine:
            if number in made:
                continue
            made[number] = fresh[number] = read(side.part(number))
            done += side.size(number)
            if progress:
                progress(done, total)
            if time.monotonic() - written > PAUSE:
                shelf.keep(fresh)
                fresh, written = {}, time.monotonic()
    except BaseException:  # Ctrl-C too
        shelf.keep(fresh)
        raise


def everywhere(here: bool, world: int) -> bool:
    """Whether all processes say yes: where one has to embed, all do, or it would wait for them for ever."""
    if world == 1:
        return here
    told = [False] * world
    torch.distributed.all_gather_object(told, here)
    return all(told)


def gathered(made: dict[int, Rows], world: int) -> dict[int, Rows]:
    """The parts of all processes."""
    told: list[dict[int, Rows] | None] = [None] * world
    torch.distributed.all_gather_object(told, made)
    return {number: rows for part in told if part is not None for number, rows in part.items()}


class Shelf:
    """A folder of the cache for one side in one space. A disk that can't be written to costs time, not the verdict."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    @classmethod
    def of(cls, side: Side, extractor: Extractor, logits: bool) -> "Shelf":
        """The side's place, none where nothing is to be kept."""
        if not side.keep:
            return cls(None)
        parts = (FORMAT, side.content, side.count, extractor.name, extractor.digest, extractor.resizer, logits)
        return cls(store.home(None) / "features" / hashlib.sha256(repr(parts).encode()).hexdigest())

    def whole(self, count: int) -> Rows | None:
        """A finished side."""
        rows = self.read("whole")
        if rows is None or len(rows.get("features", ())) != count:
            return None
        with suppress(OSError):
            os.utime(self.folder)  # type: ignore[arg-type]  # used just now
        return rows

    def parts(self, numbers: list[int]) -> dict[int, Rows]:
        """Those of the parts that are there."""
        found = {number: self.read(f"{number:05d}") for number in numbers}
        return {number: rows for number, rows in found.items() if rows is not None and "features" in rows}

    def read(self, name: str) -> Rows | None:
        """A file's rows, None if it is missing or damaged."""
        if self.folder is None:
            return None
        try:
            return safetensors.torch.load((self.folder / f"{name}.safetensors").read_bytes())
        except (OSError, SafetensorError, ValueError):
            return None

    def keep(self, parts: Mapping[int, Rows]) -> None:
        """Write parts."""
        for number, rows in parts.items():
            self.write(f"{number:05d}", rows)

    def finish(self, rows: Rows) -> None:
        """Write the whole in place of its parts, and make room."""
        if self.folder is None or not self.write("whole", rows):
            return
        for path in self.folder.glob("[0-9]*.safetensors"):
            path.unlink(missing_ok=True)
        make_room(self.folder.parent, self.folder)

    def write(self, name: str, rows: Rows) -> bool:
        """Write a file, whole or not at all; whether that went well."""
        if self.folder is None:
            return False
        path = self.folder / f"{name}.safetensors"
        beside = path.with_name(f".{name}.{os.getpid()}.part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(safetensors.torch.save({key: value.contiguous() for key, value in rows.items()}))
            beside.replace(path)
        except OSError:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            return False
        return True


def make_room(shelves: Path, keep: Path, most: int = MOST) -> None:
    """Remove the features that were used longest ago until at most `most` bytes are left, never those of `keep`."""
    sizes = {}
    with suppress(OSError):
        for folder in shelves.iterdir():
            sizes[folder] = (folder.stat().st_mtime, sum(path.stat().st_size for path in folder.iterdir()))
    total = sum(size for _, size in sizes.values())
    for folder, (_, size) in sorted(sizes.items(), key=lambda item: item[1]):
        if total <= most:
            return
        if folder != keep:
            for path in folder.iterdir():
                path.unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()
            total -= size
