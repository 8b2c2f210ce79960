"""Picture files as people have them: read upright, with all that they say of themselves."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageCms

from rivals.modalities.images import pictures
from rivals.modalities.images.pictures import DAMAGED, UnusableError
from rivals.modalities.images.sources import read_file

from . import deep

DESCRIBING = (270, 271, 272, 305, 306, 315, 33432)  # TIFF's tags of what, with what, when and by whom

Made = Image.Image | np.ndarray
"""An edited picture: Pillow's (L or RGB) of 8 bits, or an array (height, width, 1 or 3) uint16."""


@dataclass(frozen=True)
class Picture:
    """A picture and what its file says of it.

    Args:
        pixels: (height, width, 1 or 3) uint8 or uint16, upright.
        alpha: (height, width, 1) of the same type, where anything is transparent or could be.
        icc, exif, xmp: as bytes, where it has them and they are still true.
        dpi: across and down.
        words: what was changed in reading, for people.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    words: tuple[str, ...] = ()


def read(path: Path) -> Picture:
    """Read a picture, the first of an animation.

    Raises:
        UnusableError: with the reason: damaged, too large, no picture.
        OSError: the file can't be read.
    """
    data = read_file(str(path))
    with_header = pictures.look(data, path.name)
    image = pictures.opened(data, path.name)
    words = ["it moves: only its first frame is edited"] if with_header.animated else []
    icc = image.info.get("icc_profile") or None
    try:
        if deep.is_deep_colour(image):
            found = deep.decode(data, path.name)
            about = pictures.upright(image)
        else:
            about = pictures.upright(image)
            image, icc, more = in_colours(about, icc)
            words += more
            found = array_of(image)
    except Image.DecompressionBombError as error:
        raise UnusableError(pictures.TOO_LARGE) from error
    except UnusableError:
        raise
    except Exception as error:  # Pillow's readers raise a dozen kinds on damaged bytes
        raise UnusableError(DAMAGED) from error
    pixels, alpha = (found[..., :-1], found[..., -1:]) if found.shape[2] in (2, 4) else (found, None)
    return Picture(
        pixels, alpha, icc, exif_of(about), xmp_of(about.info), dpi_of(about.info), tuple(words)
    )  # fmt: skip


def pixels_in(path: Path) -> int:
    """How many pixels a picture has by its header; 0 where it can't be told."""
    try:
        with Image.open(path) as image:
            return image.width * image.height
    except Exception:  # said when it is read
        return 0


def in_colours(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, bytes | None, list[str]]:
    """A loaded picture in one of the modes that `array_of` takes, its profile if that is still true, and words."""
    mode = image.mode
    if mode == "CMYK":
        if icc is not None:
            return from_cmyk(image, icc), None, ["CMYK became sRGB by its profile"]
        return image.convert("RGB"), None, ["CMYK without a profile became RGB by rule of thumb"]
    if mode in ("P", "PA"):
        return image, icc, ["its palette became full colours"]
    if mode == "1":
        return image, icc, ["black and white became grey"]
    if mode in ("I", "F"):
        return image, icc, ["32 bits became 16"]
    if mode == "LAB":
        return image, None, ["CIE Lab became sRGB"]
    return image, icc, []


def from_cmyk(image: Image.Image, icc: bytes) -> Image.Image:
    """A CMYK picture in sRGB, by its own profile; by Pillow's rule where the profile is broken."""
    from io import BytesIO

    try:
        own = ImageCms.ImageCmsProfile(BytesIO(icc))
        made = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        made = None
    return image.convert("RGB") if made is None else made


def array_of(image: Image.Image) -> np.ndarray:
    """The pixels of a loaded picture (height, width, 1 to 4), copied some rows at a time."""
    if image.mode not in ("L", "LA", "RGB", "RGBA") or (image.mode in ("L", "RGB") and image.has_transparency_data):
        return pictures.pixels_in(image)
    pixels = np.empty((image.height, image.width, len(image.getbands())), np.uint8)
    for top in range(0, image.height, deep.ROWS):
        rows = image.crop((0, top, image.width, min(top + deep.ROWS, image.height)))
        pixels[top : top + deep.ROWS] = np.asarray(rows).reshape(rows.height, rows.width, -1)
    return pixels


def exif_of(image: Image.Image) -> bytes | None:
    """What the camera says, its orientation taken out since the picture is upright; of a TIFF what describes it."""
    try:
        found = image.getexif()
        found.pop(ExifTags.Base.Orientation, None)
        if image.format != "TIFF":
            return found.tobytes() if len(found) or found.get_ifd(ExifTags.IFD.Exif) else None
        kept = Image.Exif()
        for tag in DESCRIBING:
            if tag in found:
                kept[tag] = found[tag]
        for tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            if part := found.get_ifd(tag):
                kept.get_ifd(tag).update(part)
        return kept.tobytes() if len(kept) or kept.get_ifd(ExifTags.IFD.Exif) else None
    except Exception:  # EXIF data that can't be read say nothing that could be kept
        return None


def xmp_of(info: Any) -> bytes | None:
    """The XMP packet of a picture, from whichever place Pillow keeps it in."""
    found = info.get("xmp") or info.get("XML:com.adobe.xmp")
    return found.encode() if isinstance(found, str) else found or None


def dpi_of(info: Any) -> tuple[float, float] | None:
    """Dots an inch, if the file says a sensible number."""
    try:
        across, down = (float(value) for value in info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 0 < across < 1e6 and 0 < down < 1e6 else None


def gathered(rows: Iterator[np.ndarray], height: int, width: int) -> Made:
    """Rows from top to bottom as one picture, which is held once only."""
    first = next(rows)
    if first.dtype == np.uint16:
        return np.concatenate([first, *rows])
    made = Image.new("L" if first.shape[2] == 1 else "RGB", (width, height))
    top = 0
    while first is not None:
        made.paste(Image.fromarray(first[..., 0] if first.shape[2] == 1 else first), (0, top))
        top += len(first)
        first = next(rows, None)  # type: ignore[arg-type]
    return made


def resized_alpha(alpha: np.ndarray, scale: int) -> np.ndarray:
    """Transparency (h, w, 1), enlarged: (scale h, scale w, 1) of the same type."""
    if scale == 1:
        return alpha
    top = np.iinfo(alpha.dtype).max
    plane = Image.fromarray(alpha[..., 0] if alpha.dtype == np.uint8 else alpha[..., 0].astype(np.float32))
    made = np.asarray(plane.resize((scale * plane.width, scale * plane.height), Image.Resampling.BICUBIC))
    return np.clip(np.rint(made), 0, top).astype(alpha.dtype)[..., None]
