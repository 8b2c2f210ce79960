"""Published weights: found where the user keeps them, or downloaded once, and never used unless their hash is right."""

import hashlib
import os
import tempfile
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rivals.engine import store
from rivals.engine.errors import RequestError

SECONDS = 30.0  # without a byte, before a download is given up
CHUNK = 1 << 20

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Published:
    """A file of weights that others published.

    Args:
        what: of which feature space, for messages.
        file: the file's name, in the cache too.
        addresses: where it can be had, in order of trial.
        prefix: the first hexadecimal digits of its SHA-256.
        variable: the environment variable in which a user can give its path.
    """

    what: str
    file: str
    addresses: tuple[str, ...]
    prefix: str
    variable: str


@dataclass(frozen=True)
class Weights:
    """A file whose hash was checked: where it is, and its whole SHA-256."""

    path: Path
    sha256: str


def weights(published: Published, given: str | Path | None = None, *, progress: Progress | None = None) -> Weights:
    """The file: the one that is given, the one that the environment names, the cached one, or else a download of it.

    Args:
        published: which.
        given: its path, where the user says so; nothing else is then looked at.
        progress: called with (done, total) bytes of a download; total is 0 where the server does not say.

    Raises:
        RequestError: there is no file at a given path, its hash is wrong, or it can't be downloaded. No other file
            is ever taken in its place.
    """
    named = given if given is not None else os.environ.get(published.variable) or None
    if named is not None:
        path = Path(named).expanduser()
        if not path.is_file():
            where = "" if given is not None else f" (from {published.variable})"
            raise RequestError(f"there is no file {str(path)!r}{where} with the weights of {published.what!r}")
        return checked(published, path, f"get it from {published.addresses[0]}")
    path = store.home(None) / "weights" / published.file
    if not path.is_file():
        downloaded(published, path, progress)
    return checked(published, path, "delete it, and the next run fetches it again")


def checked(published: Published, path: Path, remedy: str) -> Weights:
    """The file with its hash.

    Raises:
        RequestError: the hash is wrong, or the file can't be read.
    """
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RequestError(f"{str(path)!r} can't be read ({error.strerror})") from error
    if not found.startswith(published.prefix):
        raise RequestError(
            f"{str(path)!r} is not the weights of {published.what!r}: its SHA-256 begins with {found[:8]}, not "
            f"{published.prefix}; {remedy}"
        )
    return Weights(path, found)


def downloaded(published: Published, path: Path, progress: Progress | None) -> None:
    """Download the file to its place; it gets its name when all of it is there and its hash is right."""
    reasons = []
    for address in published.addresses:
        with store.writing(path.parent, 0):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(".part", path.stem, path.parent)
            os.close(handle)
        aside = Path(name)
        try:
            _copy(address, aside, progress)
            checked(published, aside, "")
            aside.replace(path)
            return
        except (OSError, RequestError) as error:  # a server's wrong answer is no better than none
            wrong = isinstance(error, RequestError)
            reasons.append("what came has the wrong SHA-256" if wrong else str(getattr(error, "reason", error)))
        finally:
            aside.unlink(missing_ok=True)
    raise RequestError(
        f"the feature space {published.what!r} needs a file that could not be downloaded ({reasons[-1]}): get "
        f"{published.addresses[0]} on another way and name it by {published.variable}=PATH or --features "
        f"{published.what}:PATH, or put it at {path}"
    )


def _copy(address: str, aside: Path, progress: Progress | None) -> None:
    done = 0
    with urllib.request.urlopen(address, timeout=SECONDS) as answer, aside.open("wb") as file:
        total = int(answer.headers.get("Content-Length") or 0)
        while part := answer.read(CHUNK):
            done += file.write(part)
            if progress:
                progress(done, total)
        store.flush(file.fileno())
    if done < total:
        raise OSError(f"the connection ended after {done} of {total} bytes")
