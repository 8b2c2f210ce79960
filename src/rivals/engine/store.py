"""Folders of prepared data on disk: whole or not there, made by one process at a time."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .errors import RequestError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FACTS = "facts.json"


def home(cache: Path | None) -> Path:
    """The folder for everything kept between runs: the argument, RIVALS_CACHE, or ~/.cache/rivals."""
    if cache is not None:
        return Path(cache)
    named = os.environ.get("RIVALS_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "rivals"


@contextmanager
def writing(folder: Path, size: int) -> Iterator[None]:
    """Turn what a disk can do wrong into one line for people.

    Args:
        folder: Where the writing goes.
        size: How many bytes it takes.

    Raises:
        RequestError: The disk is full, or the folder can't be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise RequestError(
                f"The disk is full: prepared data need {size / 2**20:,.0f} MB in {str(folder)!r}; "
                "free some, or set RIVALS_CACHE to a folder with more room."
            ) from error
        raise RequestError(
            f"{str(folder)!r} can't be written ({(error.strerror or str(error)).lower()}); "
            "set RIVALS_CACHE to a folder that can."
        ) from error


def opened(folder: Path) -> dict[str, Any] | None:
    """The facts of a finished folder, or None if there is none or a file of it is not as it was written."""
    try:
        facts = json.loads((folder / _FACTS).read_text("utf-8"))
        digest = facts.pop("digest")
        if digest != _digest(facts):
            return None
        whole = all((folder / name).stat().st_size == size for name, size in facts["files"].items())
        return facts if whole else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def built(folder: Path, size: int, write: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """The facts of a folder, which is made first unless it is whole.

    It is made under another name and renamed when all of it is on the disk, so a process that is killed leaves nothing
    that looks finished. A second process waits for the first and takes what it made.

    Args:
        folder: The finished folder.
        size: The bytes it will take, about.
        write: Fills an empty folder and returns what is to be remembered of it.
    """
    with writing(folder.parent, size):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            facts = opened(folder)
            return facts if facts is not None else _build(folder, size, write)


def _build(folder: Path, size: int, write: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """Make a folder; its lock is held."""
    _sweep(folder.parent)
    making = folder.with_name(f"{folder.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)  # damaged, or there would be nothing to make
    if shutil.disk_usage(folder.parent).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    making.mkdir()
    try:
        facts = write(making)
        facts["files"] = {path.name: path.stat().st_size for path in sorted(making.iterdir())}
        with open(making / _FACTS, "w", encoding="utf-8") as file:
            json.dump({**facts, "digest": _digest(facts)}, file)
            flush(file.fileno())
        os.rename(making, folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return facts


def flush(number: int) -> None:
    """Have the system put a file on the disk."""
    os.fsync(number)


def _sweep(parent: Path) -> None:
    """Remove what killed processes left: unfinished folders whose lock nobody holds."""
    for making in parent.glob("*.making"):
        try:
            with FileLock(making.with_suffix(".lock"), timeout=0):
                shutil.rmtree(making, ignore_errors=True)
        except (Timeout, OSError):
            continue


def _digest(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
