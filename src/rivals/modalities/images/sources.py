"""Finding pictures: what a folder, a zip, an array file, a table or a built-in name holds, listed but not yet read."""

import difflib
import hashlib
import os
import stat
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np

from rivals.engine.errors import RequestError

from .pictures import EMPTY, NOT_A_PICTURE, UnusableError

LARGEST_FILE = 512 * 2**20
"""Bytes; a larger file, or a larger entry of a zip, isn't read: one picture must never fill the memory."""

TOO_LONG = f"too large to decode safely (more than {LARGEST_FILE // 2**20} MB)"
CANNOT_READ = "can't be read"

ARRAYS = (".npz", ".npy")
TABLES = (".parquet", ".arrow", ".feather")
_LITTER = ("Thumbs.db", "desktop.ini", "__MACOSX")  # what Windows and macOS leave behind; so are names with a dot


class Names(Protocol):
    """The names of the rows."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int, /) -> str: ...


class Numbers:
    """The names "row 0", "row 1", ..., made when asked for."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int, /) -> str:
        return f"row {row}"


@dataclass(frozen=True)
class Listing:
    """What a source holds. Row `i` is `names[i]`, and `read(i)` its bytes, or its pixels if not `encoded`.

    Attributes:
        source: As the person wrote it.
        kind: "folder", "zip", "npz", "idx", "arrow", "digits" or "faces".
        names: One a row.
        labels: (n,) int32, -1 for none.
        classes: What the labels count; some may have no row.
        stamp: Changes when the source does; made without reading it.
        read: Raises `UnusableError` or `OSError`; called from several threads.
        encoded: Whether `read` returns a file's bytes rather than pixels (height, width, channels).
        by_folder: The labels are folders, and count as classes only if that makes sense of the whole.
        ordered: Rows are best read in their order.
        test_from: From this row on the source itself says "held out".
        refused: What could be told apart without reading: (reason, name).
        notes: For people.
    """

    source: str
    kind: str
    names: Names
    labels: np.ndarray
    classes: tuple[str, ...]
    stamp: str
    read: Callable[[int], bytes | np.ndarray]
    encoded: bool = True
    by_folder: bool = False
    ordered: bool = False
    test_from: int | None = None
    refused: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def find(source: str | Path, progress: Callable[[int, int], None] | None = None) -> Listing:
    """List the pictures of any source.

    Args:
        source: A folder, a file, or the name of a built-in source; a path of that name is written `./digits`.
        progress: Called with (done, total) where a built-in source has to be drawn first.

    Raises:
        RequestError: There is nothing there, or nothing that holds pictures.
    """
    from . import arrays, builtin, tables

    written = os.fspath(source)
    if not written:  # a shell's variable that was not set would mean the folder one is in
        raise RequestError("The source has no name; give a folder, a file or a built-in name.")
    if isinstance(source, str) and builtin.is_name(written):
        return builtin.find(written, progress)
    path = Path(written).expanduser()
    _must_exist(path, written)
    if path.is_dir():
        return arrays.find_idx(path, written) if arrays.is_idx_folder(path) else find_folder(path, written)
    suffix = path.suffix.lower()
    if suffix == ".zip":
        return find_zip(path, written)
    if suffix in ARRAYS:
        return arrays.find_numpy(path, written)
    if suffix in TABLES:
        return tables.find(path, written)
    if arrays.is_idx(path):
        return arrays.find_idx(path, written)
    raise RequestError(
        f"{written!r} is one file that isn't a collection of pictures; "
        "give the folder it is in, or a .zip, .npz, .npy, .parquet, .arrow, .feather or IDX file."
    )


def find_folder(root: Path, source: str) -> Listing:
    """List a folder and everything below it, through links too; the folder directly below the root is the class."""
    names: list[str] = []
    tops: list[int] = []
    classes: dict[str, int] = {}
    refused: list[tuple[str, str]] = []
    stamp = hashlib.sha256(b"folder\0" + os.fsencode(os.path.abspath(root)))
    for name, facts, reason in _walk(root):
        if facts is None:
            refused.append((reason, name))
            continue
        stamp.update(b"%s\0%d\0%d\0" % (os.fsencode(name), facts.st_size, facts.st_mtime_ns))
        top, _, rest = name.partition("/")
        tops.append(classes.setdefault(top, len(classes)) if rest else -1)
        names.append(name)
    for top in _folders_in(root):
        classes.setdefault(top, len(classes))  # those without a file
    return Listing(
        source, "folder", names, np.array(tops, np.int32), tuple(classes), stamp.hexdigest(),
        lambda row: read_file(os.path.join(root, names[row])), by_folder=True, refused=tuple(refused),
    )  # fmt: skip


def find_zip(path: Path, source: str) -> Listing:
    """List a zip like a folder; one folder around everything is looked through."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise RequestError(f"The zip {source!r} can't be opened ({error}); make it anew or unpack it.") from error
    held = archive.infolist()
    named = (entry for entry in held if entry.filename.strip("/") and not entry.is_dir())
    files = (entry for entry in named if not any(map(_litter, entry.filename.split("/"))))
    entries = sorted(files, key=lambda entry: entry.filename)
    parts = [PurePosixPath(entry.filename).parts for entry in entries]
    outer = int(len({part[0] for part in parts}) == 1 and all(len(part) > 2 for part in parts)) if parts else 0
    classes: dict[str, int] = {}
    tops = [classes.setdefault(part[outer], len(classes)) if len(part) > outer + 1 else -1 for part in parts]
    folders = [PurePosixPath(entry.filename).parts for entry in held if entry.is_dir() and parts]
    for part in folders:  # those without a file
        if len(part) > outer and part[:outer] == parts[0][:outer] and not any(map(_litter, part)):
            classes.setdefault(part[outer], len(classes))
    return Listing(
        source, "zip", [entry.filename for entry in entries], np.array(tops, np.int32), tuple(classes),
        stamp_of([path], "zip"), lambda row: _read_entry(archive, entries[row]), by_folder=True,
    )  # fmt: skip


def read_file(path: str) -> bytes:
    """The bytes of a file, unless it is too long to be a picture."""
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size > LARGEST_FILE:
            raise UnusableError(TOO_LONG)
        return file.read()


def stamp_of(paths: Sequence[Path], kind: str) -> str:
    """A digest of where files are, how long they are and when they changed."""
    stamp = hashlib.sha256(kind.encode())
    for path in paths:
        facts = path.stat()
        stamp.update(os.fsencode(os.path.abspath(path)) + b"\0%d\0%d\0" % (facts.st_size, facts.st_mtime_ns))
    return stamp.hexdigest()


def _litter(name: str) -> bool:
    """Whether one part of a path marks what nobody put there on purpose."""
    return name.startswith(".") or name in _LITTER


def _walk(root: Path) -> Iterator[tuple[str, os.stat_result | None, str]]:
    """Every file below a folder, in the order of names: its relative name, and its facts or why it is refused.

    A folder is entered once however many links lead to it, so loops end.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        here = os.path.join(root, folder)
        try:
            facts = os.stat(here)
            if (facts.st_dev, facts.st_ino) in seen:
                continue
            seen.add((facts.st_dev, facts.st_ino))
            with os.scandir(here) as found:
                entries = sorted((entry for entry in found if not _litter(entry.name)), key=lambda e: e.name)
        except OSError as error:
            yield folder, None, cannot_read(error)
            continue
        below = []
        for entry in entries:
            name = f"{folder}/{entry.name}" if folder else entry.name
            known, reason = _facts(entry)
            if known and stat.S_ISDIR(known.st_mode):
                below.append(name)
            else:
                yield name, known, reason
        waiting.extend(reversed(below))


def _folders_in(root: Path) -> list[str]:
    """The names of the folders directly below a folder."""
    try:
        with os.scandir(root) as found:
            return sorted(entry.name for entry in found if not _litter(entry.name) and entry.is_dir())
    except OSError:  # said by `_walk`
        return []


def _facts(entry: "os.DirEntry[str]") -> tuple[os.stat_result | None, str]:
    """What is known of a folder or a file, or why it is refused."""
    try:
        facts = entry.stat()
    except OSError as error:  # a link to nothing, or to itself
        return None, "broken link" if entry.is_symlink() else cannot_read(error)
    if stat.S_ISDIR(facts.st_mode):
        return facts, ""
    if not stat.S_ISREG(facts.st_mode):  # opening a pipe would wait for ever
        return None, NOT_A_PICTURE
    return (facts, "") if facts.st_size else (None, EMPTY)


def cannot_read(error: OSError) -> str:
    """The reason under which a file is counted that the system won't hand over."""
    return f"{CANNOT_READ} ({(error.strerror or 'error').lower()})"


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """One entry of a zip; the length it promises is checked first, and `zipfile` never returns more than that."""
    if entry.file_size > LARGEST_FILE:
        raise UnusableError(TOO_LONG)
    if entry.flag_bits & 1:
        raise UnusableError(f"{CANNOT_READ} (encrypted)")
    try:
        return archive.read(entry)
    except Exception as error:  # zlib, lzma and zipfile each have their own
        raise UnusableError("truncated or damaged") from error


def _must_exist(path: Path, written: str) -> None:
    """Say what was probably meant when there is nothing at a path."""
    from . import builtin

    try:
        path.stat()
        return
    except PermissionError as error:
        raise RequestError(f"{written!r} can't be opened: permission denied; check who may read it.") from error
    except (OSError, ValueError):
        pass
    try:
        beside = sorted(os.listdir(path.parent))
    except OSError:
        beside = []
    near = difflib.get_close_matches(path.name, [*beside, *builtin.NAMES], n=1)
    if near:
        meant = near[0] if near[0] not in beside else os.path.join(os.path.dirname(written), near[0])
        raise RequestError(f"There is nothing at {written!r}; did you mean {meant!r}?")
    raise RequestError(f"There is nothing at {written!r}; give a folder, a file or one of {', '.join(builtin.NAMES)}.")


def tally(refused: Sequence[tuple[str, str]]) -> tuple[dict[str, int], dict[str, str]]:
    """Count reasons, and keep the first name of each as `repr`, since names may hold newlines.

    Args:
        refused: (reason, name) pairs.
    """
    examples: dict[str, str] = {}
    for reason, name in refused:
        examples.setdefault(reason, repr(name))
    return dict(Counter(reason for reason, _ in refused)), examples
