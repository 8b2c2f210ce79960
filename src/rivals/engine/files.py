"""Files that are there whole or not at all."""

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, BinaryIO

from .errors import RequestError

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
    name = os.fsdecode(os.fsencode(path.name)[:LONGEST])  # whatever may be a name may be written
    beside = path.with_name(f".{name}.{os.getpid()}.part")
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
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise
        what = "is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "can't be written to"
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
