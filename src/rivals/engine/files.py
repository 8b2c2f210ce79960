"""Files that are there whole or not at all."""

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, BinaryIO

from .errors import RequestError

TOLD = {
    errno.ENOSPC: "is full",
    errno.EDQUOT: "is full",
    errno.EFBIG: "takes no file so large",
    errno.EROFS: "can't be written to",
    errno.EACCES: "can't be written to",
}
LONGEST = 200  # bytes of a name, of the 255 that file systems allow, which leaves room for more around it


def write_whole(path: Path, content: bytes) -> None:
    """Write under a temporary name, sync, rename: a killed process or a power cut leaves the old file or the new one.

    Raises:
        RequestError: the disk is full.
    """
    with whole_file(path, len(content)) as file:
        file.write(content)


@contextlib.contextmanager
def whole_file(path: Path, needed: int) -> Iterator[BinaryIO]:
    """A file to be written under a temporary name, which becomes `path` when all is written; see `write_whole`.

    `needed` is about how many bytes it takes.
    """
    beside = path.with_name(f"{aside(path)}.{os.getpid()}.part")
    try:
        with full_disk_told(path, needed):
            with beside.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        sync_folder(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def aside(path: Path) -> str:
    """How the name begins under which a file is written before it is whole."""
    return f".{os.fsdecode(os.fsencode(path.name)[:LONGEST])}"  # whatever may be a name may be written


def sweep(paths: Iterable[Path]) -> None:
    """Remove what processes that are gone from this machine left of these files when they were killed."""
    names: dict[Path, set[str]] = {}
    for path in paths:
        names.setdefault(path.parent, set()).add(aside(path))
    for folder, known in names.items():
        with contextlib.suppress(OSError):
            for name in os.listdir(folder):
                begin, _, number = name.removesuffix(".part").rpartition(".")
                if name.endswith(".part") and begin in known and number.isdecimal() and not runs(int(number)):
                    (folder / name).unlink(missing_ok=True)


def runs(process: int) -> bool:
    """Whether there is such a process on this machine, or nobody can tell."""
    if os.name != "posix":  # elsewhere a signal of 0 is no question
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def write_json(path: Path, values: Any) -> None:
    """Plain values as a JSON file, whole or not at all."""
    write_whole(path, (json.dumps(plain(values), indent=2) + "\n").encode())


def plain(value: Any) -> Any:
    """Any dataclass as JSON-ready values."""
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


@contextlib.contextmanager
def full_disk_told(path: Path, needed: int) -> Iterator[None]:
    """Say in a line how much room is missing where, when the disk is full or not to be written."""
    try:
        yield
    except OSError as error:
        what = TOLD.get(error.errno or 0)
        if what is None:
            raise
        raise RequestError(
            f"the disk under {path.parent} {what}: {path.name} needs {needed / 2**20:.1f} MB; "
            "make room and go on with the same command (training: with --resume), or give another --out"
        ) from None


def sync_folder(folder: Path) -> None:
    """Make a rename in the folder last through a power cut, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def digest(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
