"""Colour pictures of 16 bits a channel, which Pillow reads as 8 and doesn't write."""

import struct
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, TiffImagePlugin

from rivals.modalities.images.pictures import opened, upright

ROWS = 256  # that are packed at a time
COLOUR = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L"}
OTHER = {**COLOUR, **{low: high for high, low in COLOUR.items()}}
"""How Pillow unpacks the high byte of 16-bit channels -> how it unpacks the low one: it takes the order to be turned"""


def is_deep_colour(image: Image.Image) -> bool:
    """Whether an opened picture has 16 bits a channel and more than grey, and can be read so."""
    modes = {raw_mode(tile[3]) for tile in image.tile}  # type: ignore[attr-defined]
    return bool(modes) and modes <= {*OTHER, "LA;16B", "RGB;16N", "RGBA;16N"}


def raw_mode(arguments: Any) -> str:
    """How the bytes of a picture's tile are to be understood, by Pillow's names."""
    return str(arguments if isinstance(arguments, str) else (arguments or ("",))[0])


def decode(data: bytes, name: str = "") -> np.ndarray:
    """The pixels of a picture for which `is_deep_colour`, upright, (height, width, 2 to 4) uint16.

    Pillow unpacks one of the two bytes of each channel; asked twice, it gives both.
    """
    image = opened(data, name)
    first = raw_mode(image.tile[0][3])  # type: ignore[attr-defined]
    if first == "LA;16B":  # four bytes a pixel, which are taken as they are
        pairs = half(image, lambda mode: "RGBA")
        return (pairs[..., ::2].astype(np.uint16) << 8) | pairs[..., 1::2]
    high = half(image, lambda mode: mode).astype(np.uint16) << 8
    high |= half(opened(data, name), low_byte)
    return high


def low_byte(mode: str) -> str:
    """The name by which Pillow unpacks the low byte, for that of the high one; "N" is the machine's own order."""
    return OTHER[mode.replace("16N", "16L" if sys.byteorder == "little" else "16B")]


def half(image: Image.Image, renamed: Callable[[str], str]) -> np.ndarray:
    """The pixels as Pillow unpacks them under other names of their bytes' order."""

    def anew(arguments: Any) -> Any:
        mode = renamed(raw_mode(arguments))
        return mode if isinstance(arguments, str) else (mode, *arguments[1:])

    image.tile = [  # type: ignore[attr-defined]
        tile._replace(args=anew(tile[3])) if hasattr(tile, "_replace") else (*tile[:3], anew(tile[3]))
        for tile in image.tile  # type: ignore[attr-defined]
    ]
    image.load()
    return np.asarray(upright(image))


def write_png(file: BinaryIO, pixels: np.ndarray, chunks: Mapping[bytes, bytes]) -> None:
    """A PNG of 16 bits a channel (PNG specification, 3rd edition), some rows at a time.

    Args:
        file: to write to.
        pixels: (height, width, 1 to 4) uint16.
        chunks: what else it holds, before the pixels.
    """
    height, width, channels = pixels.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)))
    for name, content in chunks.items():
        file.write(chunk(name, content))
    for content in packed(pixels):
        file.write(chunk(b"IDAT", content))
    file.write(chunk(b"IEND", b""))


def packed(pixels: np.ndarray) -> Iterator[bytes]:
    """Rows compressed, each after the filter "Sub": what a pixel differs by from the one before it."""
    pack = zlib.compressobj(6)
    channels = 2 * pixels.shape[2]
    for top in range(0, len(pixels), ROWS):
        rows = np.ascontiguousarray(pixels[top : top + ROWS].astype(">u2")).view(np.uint8).reshape(-1, channels)
        rows = rows.reshape(-1, pixels.shape[1] * channels)
        lines = np.empty((len(rows), rows.shape[1] + 1), np.uint8)
        lines[:, 0] = 1
        lines[:, 1 : channels + 1] = rows[:, :channels]
        np.subtract(rows[:, channels:], rows[:, :-channels], out=lines[:, channels + 1 :])
        if made := pack.compress(lines.tobytes()):
            yield made
    yield pack.flush()


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def write_tiff(file: BinaryIO, pixels: np.ndarray, tags: Mapping[int, Any]) -> None:
    """An uncompressed TIFF. Pillow's own compressed ones lose what a camera says.

    Args:
        file: to write to.
        pixels: (height, width, 1, 3 or 4) uint8 or uint16.
        tags: what else it says of itself.
    """
    height, width, channels = pixels.shape
    held = TiffImagePlugin.ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    for tag, value in tags.items():
        held[tag] = value
    held[256], held[257] = width, height
    held[258], held[259] = (8 * pixels.itemsize,) * channels, 1
    held[262], held[277] = 1 if channels == 1 else 2, channels
    held[278], held[279] = height, pixels.nbytes
    held[273] = 0  # Pillow adds what comes before the pixels
    if channels == 4:
        held[338] = 2  # alpha by itself
    held.save(file)
    for top in range(0, height, ROWS):
        rows = pixels[top : top + ROWS]
        file.write((rows if rows.itemsize == 1 else rows.astype("<u2")).tobytes())


def told(icc: bytes | None, exif: bytes | None, xmp: bytes, dpi: tuple[float, float] | None) -> dict[bytes, bytes]:
    """A PNG's chunks of metadata, in the order in which they come before the pixels."""
    made = {b"iCCP": b"ICC\0\0" + zlib.compress(icc)} if icc else {}
    if dpi:
        across, down = (round(value / 0.0254) for value in dpi)  # pixels a metre
        made[b"pHYs"] = struct.pack(">IIB", across, down, 1)
    if exif:
        made[b"eXIf"] = exif.removeprefix(b"Exif\0\0")
    return made | {b"iTXt": b"XML:com.adobe.xmp\0\0\0\0\0" + xmp}


def tags(icc: bytes | None, exif: bytes | None, xmp: bytes, dpi: tuple[float, float] | None) -> dict[int, Any]:
    """A TIFF's tags of metadata."""
    made: dict[int, Any] = {700: xmp}
    if icc:
        made[34675] = icc
    if dpi:
        made |= {282: dpi[0], 283: dpi[1], 296: 2}
    if exif:
        held = Image.Exif()
        held.load(exif)
        made |= {tag: value for tag, value in held.items() if tag not in (34665, 34853)}
        made |= {tag: dict(part) for tag in (34665, 34853) if (part := held.get_ifd(tag))}
    return made
