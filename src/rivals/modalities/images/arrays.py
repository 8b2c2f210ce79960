"""Pictures that are already numbers: NumPy's .npy and .npz, and the IDX files of MNIST and its kin."""

import gzip
import re
import struct
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from rivals.engine.errors import RequestError

from .sources import Listing, Numbers, stamp_of

_IMAGES = ("images", "x", "x_train", "arr_0")
_LABELS = ("labels", "y", "y_train")
_IDX_NAME = re.compile(r"^(?P<part>.*?)-?images[-.]idx3-ubyte(\.gz)?$")
_BLOCK = 256  # rows looked at together where the range of all values has to be known


def find_numpy(path: Path, source: str) -> Listing:
    """List the pictures of a .npy or .npz file; nothing pickled in it is ever run."""
    try:
        images, labels = _load_npy(path) if path.suffix.lower() == ".npy" else _load_npz(path, source)
    except RequestError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RequestError(
            f"The arrays in {source!r} can't be read ({said}); save them anew with numpy.savez."
        ) from error
    return of_array(images, labels, source=source, kind="npz", stamp=stamp_of([path], "npz"))


def of_array(
    images: np.ndarray, labels: np.ndarray | None, *, source: str, kind: str, stamp: str, test_from: int | None = None
) -> Listing:
    """List the rows of an array.

    Args:
        images: (n, h, w), (n, h, w, c) or (n, c, h, w); integers, or floats in [0, 1], [-1, 1] or [0, 255].
        labels: (n,) or (n, 1) integers or strings; or one-hot rows.
        source: As the person wrote it.
        kind: The listing's kind.
        stamp: The listing's stamp.
        test_from: The first held-out row, if the source has such a part.
    """
    images = _channels_last(images, source)
    convert, note = _conversion(images, source)
    codes, classes = codes_of(labels, len(images), source)
    return Listing(
        source, kind, Numbers(len(images)), codes, classes, stamp,
        lambda row: np.ascontiguousarray(convert(np.asarray(images[row]))), encoded=False, ordered=True,
        test_from=test_from, notes=(note,) if note else (),
    )  # fmt: skip


def codes_of(labels: np.ndarray | None, count: int, source: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Number the labels: (n,) int32 and what they count."""
    if labels is None:
        return np.full(count, -1, np.int32), ()
    if labels.ndim == 2 and labels.shape[1] > 1:
        labels = labels.argmax(axis=1)
    labels = labels.reshape(-1)
    if len(labels) != count:
        raise RequestError(
            f"{source!r} has {count} pictures but {len(labels)} labels; there must be one label a picture."
        )
    values, codes = np.unique(labels, return_inverse=True)
    return codes.astype(np.int32), tuple(_named(value) for value in values.tolist())


def _named(value: str | bytes | float) -> str:
    """A label's name: 3.0 is the class "3"."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.removesuffix(".0")


def is_idx(path: Path) -> bool:
    """Whether a file is named as an IDX file of pictures."""
    return _IDX_NAME.match(path.name) is not None


def is_idx_folder(path: Path) -> bool:
    """Whether a folder holds training pictures as IDX files."""
    return _beside(path, "train") is not None


def find_idx(path: Path, source: str) -> Listing:
    """List IDX files: a folder of them, or one. If `t10k` files are beside `train`, those are held out."""
    images = path if path.is_file() else _beside(path, "train")
    assert images is not None  # `is_idx_folder` was asked
    match = _IDX_NAME.match(images.name)
    part = match["part"] if match else ""
    test = _beside(images.parent, "t10k") if part == "train" else None
    files = [images, *([test] if test else [])]
    named = [_labels_beside(file) for file in files]
    stamp = stamp_of([*files, *(file for file in named if file)], "idx")
    pixels = [_read_idx(file, 3) for file in files]
    labels = [_read_idx(file, 1) for file in named if file]
    if len({part.shape[1:] for part in pixels}) > 1:
        raise RequestError(f"The training and t10k pictures in {source!r} differ in size; remove the t10k files.")
    whole = np.concatenate(pixels) if test else pixels[0]
    codes = np.concatenate(labels) if len(labels) == len(files) else None
    return of_array(
        whole, codes, source=source, kind="idx", stamp=stamp, test_from=len(pixels[0]) if test else None
    )  # fmt: skip


def _beside(folder: Path, part: str) -> Path | None:
    for name in (f"{part}-images-idx3-ubyte", f"{part}-images.idx3-ubyte"):
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                return path
    return None


def _labels_beside(images: Path) -> Path | None:
    name = images.name.replace("images", "labels").replace("idx3", "idx1")
    plain = name.removesuffix(".gz")
    return next((path for path in (images.parent / plain, images.parent / f"{plain}.gz") if path.is_file()), None)


def _read_idx(path: Path, axes: int) -> np.ndarray:
    """The numbers of an IDX file: a magic number, the lengths of the axes, unsigned bytes."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        magic, *shape = struct.unpack(f">{axes + 1}I", data[: 4 * (axes + 1)])
        if magic != 0x0800 + axes:
            raise ValueError(f"it starts with {magic:#x}, not {0x0800 + axes:#x}")
        return np.frombuffer(data, np.uint8, offset=4 * (axes + 1)).reshape(shape)
    except (OSError, ValueError, EOFError, struct.error, gzip.zlib.error) as error:  # type: ignore[attr-defined]
        raise RequestError(f"The IDX file {str(path)!r} can't be read ({error}); fetch or write it anew.") from error


def _load_npy(path: Path) -> tuple[np.ndarray, None]:
    return np.load(path, mmap_mode="r", allow_pickle=False), None


def _load_npz(path: Path, source: str) -> tuple[np.ndarray, np.ndarray | None]:
    """The pictures, mapped from the file where it isn't compressed, and the labels."""
    with zipfile.ZipFile(path) as archive:
        held = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
        images = next((key for key in _IMAGES if key in held), None)
        if images is None:
            raise RequestError(
                f"{source!r} holds {', '.join(map(repr, held)) or 'nothing'}; name its pictures 'images'."
            )
        entry = held[images]
        start = _data_start(path, entry) if entry.compress_type == zipfile.ZIP_STORED else None
    with np.load(path, allow_pickle=False) as arrays:
        labels = next((arrays[key] for key in _LABELS if key in arrays), None)
        return _map_npy(path, start) if start is not None else arrays[images], labels


def _data_start(path: Path, entry: zipfile.ZipInfo) -> int:
    """Where a zip entry's bytes begin: after its own header, whose names may be longer than the directory's."""
    with open(path, "rb") as file:
        file.seek(entry.header_offset + 26)
        name, extra = struct.unpack("<HH", file.read(4))
    return entry.header_offset + 30 + name + extra


def _map_npy(path: Path, start: int) -> np.ndarray:
    """An .npy inside a file, mapped."""
    with open(path, "rb") as file:
        file.seek(start)
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
        if dtype.hasobject:
            raise ValueError("it holds Python objects, not numbers")
        return np.memmap(path, dtype, "r", file.tell(), shape, "F" if fortran else "C")


def _channels_last(images: np.ndarray, source: str) -> np.ndarray:
    """(n, h, w, c), whatever the layout was."""
    shape = images.shape
    if images.ndim == 3:
        images = images[..., None]
    elif images.ndim == 4 and shape[3] not in (1, 2, 3, 4) and shape[1] in (1, 2, 3, 4):
        images = images.transpose(0, 2, 3, 1)
    if images.ndim != 4 or images.shape[3] not in (1, 2, 3, 4) or 0 in shape[1:]:
        raise RequestError(
            f"The pictures in {source!r} have the shape {shape}; they must be (n, h, w), (n, h, w, c) or (n, c, h, w)."
        )
    return images


def _conversion(images: np.ndarray, source: str) -> tuple[Callable[[np.ndarray], np.ndarray], str]:
    """How one row becomes uint8 or uint16, and a note if its numbers change."""
    if images.dtype in (np.uint8, np.uint16):
        native = images.dtype.newbyteorder("=")
        return lambda row: row.astype(native), ""
    if images.dtype.kind not in "buif":
        raise RequestError(f"The pictures in {source!r} are {images.dtype}, not numbers; save them as uint8.")
    low, high = _range(images)
    if images.dtype.kind == "f":
        for bottom, top in ((0, 1), (-1, 1), (0, 255)):
            if bottom <= low and high <= top:
                note = f"floats in [{bottom}, {top}] were read as 8 bits"
                return partial(_scaled, low=bottom, high=top), note
    elif images.dtype.kind == "b":
        return lambda row: row.astype(np.uint8) * np.uint8(255), ""
    elif low >= 0 and high <= 65535:
        kind = np.uint8 if high <= 255 else np.uint16
        return lambda row: row.astype(kind), ""
    raise RequestError(
        f"The pictures in {source!r} have values from {low:g} to {high:g}; scale them to [0, 1], [-1, 1] or uint8."
    )


def _scaled(row: np.ndarray, low: float, high: float) -> np.ndarray:
    """Floats in [low, high] as 8 bits."""
    return ((row.astype(np.float64) - low) * (255 / (high - low))).round().astype(np.uint8)


def _range(images: np.ndarray) -> tuple[float, float]:
    """The smallest and largest value; NaN if there is one."""
    blocks = [images[at : at + _BLOCK] for at in range(0, len(images), _BLOCK)]
    if not blocks:
        return 0.0, 0.0
    return float(np.min([block.min() for block in blocks])), float(np.max([block.max() for block in blocks]))
