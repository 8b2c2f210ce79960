"""One picture: its header, its pixels, and how they are fitted to the size a model wants. Nothing here keeps state."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

MOST_PIXELS = 100_000_000
"""Pictures with more pixels than this are left out before anything is decoded."""

EMPTY = "empty file"
NOT_A_PICTURE = "not a picture"
DAMAGED = "truncated or damaged"
TOO_LARGE = f"too large to decode safely (more than {MOST_PIXELS // 1_000_000} megapixels)"

# Raster formats only: EPS, PDF, SVG and WMF run programs or have no pixels of their own.
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "JPEG2000", "AVIF", "QOI")
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP  ", b"qoif")
_GREY = ("1", "L", "LA", "La", "I", "F")
_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_LUMA = np.array([299, 587, 114], np.int64)  # ITU-R 601-2, in thousandths: equal channels come out unchanged


class UnusableError(Exception):
    """A picture that is left out; the message is the reason it is counted under."""


class Header(NamedTuple):
    """What is known of a picture before its pixels are read.

    `deep`: more than 8 bits a channel. `colour`, `alpha`: the format can hold them; the pixels may still not.
    """

    width: int
    height: int
    mode: str
    deep: bool
    colour: bool
    alpha: bool
    animated: bool


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Pillow's warnings off the screen for a while; they are about files, which are counted elsewhere.

    Warning filters belong to the process and not to the thread, so this is entered once around a whole pass.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def look(data: bytes, name: str = "") -> Header:
    """Read a picture's header.

    Args:
        data: The file's bytes.
        name: The file's name; TGA has no mark of its own and is only believed by its ending.

    Raises:
        UnusableError: With the reason.
    """
    image = opened(data, name)
    try:
        width, height = image.size
        # TIFF's size is upright already; elsewhere in a PNG than at its start EXIF costs a full decode to find.
        if image.format != "TIFF" and (image.format != "PNG" or "exif" in image.info):
            sideways = image.getexif().get(0x0112) in _SIDEWAYS
            width, height = (height, width) if sideways else (width, height)
        # Only the formats with frames have the attribute; MPO's further frames are the phone's own extras.
        animated = image.format != "MPO" and bool(getattr(image, "is_animated", False))
        deep = image.mode in ("I", "F") or image.mode.startswith("I;")
        colour = not deep and image.mode not in _GREY
        return Header(width, height, image.mode, deep, colour, image.has_transparency_data, animated)
    except Exception as error:  # Pillow's readers raise a dozen kinds on damaged bytes, SyntaxError among them
        raise UnusableError(DAMAGED) from error


def decode(data: bytes, name: str = "") -> np.ndarray:
    """Read a picture's pixels, upright: the first frame, in as many channels as the format has.

    Args:
        data: The file's bytes.
        name: The file's name, see `look`.

    Returns:
        (height, width, 1 to 4 channels), uint8 or uint16.

    Raises:
        UnusableError: With the reason.
    """
    image = opened(data, name)
    try:
        image.load()
        return pixels_in(upright(image))
    except Image.DecompressionBombError as error:
        raise UnusableError(TOO_LARGE) from error
    except Exception as error:  # see `look`
        raise UnusableError(DAMAGED) from error


def needs(pixels: np.ndarray) -> tuple[bool, bool]:
    """Whether these pixels lose anything without colour, and without alpha.

    Args:
        pixels: (height, width, channels).
    """
    channels = pixels.shape[2]
    colour = channels >= 3 and bool((pixels[..., :1] != pixels[..., 1:3]).any())
    alpha = channels in (2, 4) and bool((pixels[..., -1] != np.iinfo(pixels.dtype).max).any())
    return colour, alpha


def recolour(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Bring pixels to 1 (grey), 2 (grey and alpha), 3 (colour) or 4 (colour and alpha) channels.

    Alpha that is dropped is laid on white; alpha that is added is opaque.

    Args:
        pixels: (height, width, 1 to 4), uint8 or uint16.
        channels: How many channels to return.
    """
    if pixels.shape[2] == channels:
        return pixels
    top = np.iinfo(pixels.dtype).max
    has_alpha, wants_alpha = pixels.shape[2] in (2, 4), channels in (2, 4)
    paint, alpha = (pixels[..., :-1], pixels[..., -1:]) if has_alpha else (pixels, np.full_like(pixels[..., :1], top))
    if has_alpha and not wants_alpha:
        weight = alpha.astype(np.int64)
        paint = ((paint * weight + top * (top - weight) + top // 2) // top).astype(pixels.dtype)
    if channels <= 2 and paint.shape[2] == 3:
        paint = ((paint @ _LUMA + 500) // 1000).astype(pixels.dtype)[..., None]
    if channels >= 3 and paint.shape[2] == 1:
        paint = np.repeat(paint, 3, axis=2)
    return np.concatenate([paint, alpha], axis=2) if wants_alpha else paint


def rebit(pixels: np.ndarray, bits: int) -> np.ndarray:
    """Bring pixels to 8 or 16 bits a channel, full scale to full scale.

    Args:
        pixels: uint8 or uint16, any shape.
        bits: 8 or 16.
    """
    if pixels.dtype.itemsize * 8 == bits:
        return pixels
    if bits == 16:
        return pixels.astype(np.uint16) * np.uint16(257)
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def fit(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scale pixels until they cover the target, then cut out the middle; the right size already is left untouched.

    Args:
        pixels: (h, w, 1 to 4), uint8 or uint16.
        height: Of the result.
        width: Of the result.

    Returns:
        (height, width, channels), of the same type.
    """
    h, w, channels = pixels.shape
    if (h, w) == (height, width):
        return pixels
    scale = max(height / h, width / w)
    keep_w, keep_h = min(width / scale, w), min(height / scale, h)
    left, top = (w - keep_w) / 2, (h - keep_h) / 2
    box = (left, top, left + keep_w, top + keep_h)
    if pixels.dtype == np.uint8 and channels >= 3:
        # Pillow's own resize weighs colour by alpha, so that hidden colour doesn't bleed into the edges.
        image = Image.fromarray(np.ascontiguousarray(pixels))
        return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS, box))
    return _fit_floats(pixels, (width, height), box)


def _fit_floats(pixels: np.ndarray, size: tuple[int, int], box: tuple[float, float, float, float]) -> np.ndarray:
    """`fit` channel by channel in 32-bit floats, which keeps 16 bits whole. Colour is weighed by alpha."""
    top = float(np.iinfo(pixels.dtype).max)
    planes: list[np.ndarray] = [pixels[..., c].astype(np.float32) for c in range(pixels.shape[2])]
    has_alpha = len(planes) in (2, 4)
    if has_alpha:
        planes = [*(plane * planes[-1] / top for plane in planes[:-1]), planes[-1]]
    planes = [np.asarray(Image.fromarray(p).resize(size, Image.Resampling.LANCZOS, box), np.float32) for p in planes]
    if has_alpha:
        weight = np.where(planes[-1] > 0.5, planes[-1] / top, 1.0)  # below half a step the colour is never seen
        planes = [*(plane / weight for plane in planes[:-1]), planes[-1]]
    return np.stack(planes, axis=2).round().clip(0, top).astype(pixels.dtype)


@cache
def _known() -> tuple[str, ...]:
    """The formats of the allow-list that this build of Pillow can read."""
    Image.init()
    return tuple(form for form in _FORMATS if form in Image.OPEN)


def opened(data: bytes, name: str) -> Image.Image:
    """A picture with its header read and its size checked."""
    if not data:
        raise UnusableError(EMPTY)
    formats = (*_known(), "TGA") if name.lower().endswith(".tga") else _known()
    try:
        image = Image.open(io.BytesIO(data), formats=formats)
    except Image.DecompressionBombError as error:
        raise UnusableError(TOO_LARGE) from error
    except UnidentifiedImageError as error:
        raise UnusableError(DAMAGED if data.startswith(_MAGIC) else NOT_A_PICTURE) from error
    except Exception as error:  # see `look`
        raise UnusableError(DAMAGED) from error
    if image.width * image.height > MOST_PIXELS:
        raise UnusableError(TOO_LARGE)
    if not image.width * image.height:
        raise UnusableError(DAMAGED)
    return image


def upright(image: Image.Image) -> Image.Image:
    """The picture as its camera held it; EXIF data that can't be read say nothing about the pixels."""
    with suppress(Exception):  # see `look`
        ImageOps.exif_transpose(image, in_place=True)
    return image


def pixels_in(image: Image.Image) -> np.ndarray:
    """The pixels of a loaded picture: (height, width, channels), uint8 or uint16."""
    mode, wide = image.mode, image.mode in ("I", "F") or image.mode.startswith("I;")
    if wide:
        return _deep(np.asarray(image))[..., None]
    if mode == "LAB":  # Pillow's `convert` doesn't know it
        image = _from_lab(image)
    elif mode in ("1", "L", "LA", "La"):
        image = image.convert("LA" if image.has_transparency_data else "L")
    else:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _deep(values: np.ndarray) -> np.ndarray:
    """Wide integers or floats as uint16: as they are if they fit, else from their own darkest to their lightest."""
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        return values.astype(np.uint16)
    finite = np.where(np.isfinite(values), values, 0).astype(np.float64)
    low, high = float(finite.min()), float(finite.max())
    if values.dtype.kind != "f" and low >= 0 and high <= 65535:
        return values.astype(np.uint16)
    return ((finite - low) / ((high - low) or 1.0) * 65535).round().astype(np.uint16)


def _from_lab(image: Image.Image) -> Image.Image:
    """A CIE Lab picture in sRGB."""
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    made = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert made is not None  # None is only for in-place conversion
    return made
