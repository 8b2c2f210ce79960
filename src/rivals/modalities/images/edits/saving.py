"""Edited pictures as files, with what was said of the pictures that they were made from."""

from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import numpy as np
from PIL import Image

from rivals.engine.errors import RequestError
from rivals.engine.files import full_disk_told, whole_file
from rivals.modalities.images.pictures import rebit

from . import deep
from .files import Made, Picture, array_of

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
LONGEST = {"JPEG": 65_535, "WEBP": 16_383}  # pixels of a side that the format can say
QUALITY = 95
LARGEST_MARKER = 65_000  # bytes of metadata that fit into a JPEG's segment

# What IPTC asks for of pictures that a trained model changed; only where a picture has no XMP of its own.
XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    b'xmp:CreatorTool="Rivals" Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/'
    b'compositeWithTrainedAlgorithmicMedia"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


def format_of(path: Path) -> str:
    """The format that a file's ending asks for.

    Raises:
        RequestError: none that is written.
    """
    if path.suffix.lower() not in FORMATS:
        raise RequestError(f"{path} should end in {', '.join(FORMATS)}")
    return FORMATS[path.suffix.lower()]


def check_size(path: Path, height: int, width: int) -> None:
    """Refuse what the format can't hold.

    Raises:
        RequestError: a side is too long, or a TIFF would have more than 4 GB.
    """
    if format_of(path) == "TIFF" and 8 * height * width >= 2**32:
        raise RequestError(f"{path.name} would have {width} x {height} pixels, too many for a TIFF: take .png")
    most = LONGEST.get(format_of(path))
    if most is not None and max(height, width) > most:
        raise RequestError(
            f"{path.name} would have {width} x {height} pixels, and {path.suffix} holds {most} a side at most: "
            "take .png or .tif"
        )


def write(path: Path, made: Made, alpha: np.ndarray | None, like: Picture) -> tuple[str, ...]:
    """Write an edited picture with the metadata of the one that it was made from; whole or not at all.

    Args:
        path: whose ending says the format; its folder is made where there is none.
        made: the picture.
        alpha: (height, width, 1) uint8 or uint16, if it has any.
        like: what is said of it is kept.

    Returns:
        What was lost, for people.

    Raises:
        RequestError: the disk is full.
    """
    kind = format_of(path)
    words: list[str] = []
    if isinstance(made, np.ndarray) and kind in ("JPEG", "WEBP"):
        words.append(f"16 bits became 8: {kind} has no more")
        made = Image.fromarray(rebit(made[..., 0] if made.shape[2] == 1 else made, 8))
    if alpha is not None and kind == "JPEG":
        words.append("what was transparent is white now: JPEG has no transparency")
        assert isinstance(made, Image.Image)
        made = Image.composite(made, Image.new(made.mode, made.size, "white"), plane(alpha))
        alpha = None
    if isinstance(made, np.ndarray) or kind == "TIFF":
        save = saver_of_arrays(kind, with_alpha(made, alpha, spread=kind == "TIFF"), like)
    else:
        if alpha is not None:
            made.putalpha(plane(alpha))
        save = saver(kind, made, like)
    needed = made.size if isinstance(made, np.ndarray) else made.width * made.height
    with full_disk_told(path, needed):
        path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path, needed) as file:
        save(file)
    return tuple(words)


def profile(like: Picture, channels: int) -> bytes | None:
    """The colour profile, if it is one for as many channels."""
    wanted = b"GRAY" if channels <= 2 else b"RGB "
    return like.icc if like.icc is not None and like.icc[16:20] == wanted else None


def saver(kind: str, made: Image.Image, like: Picture) -> Callable[[BinaryIO], None]:
    """What writes 8 bits a channel, by Pillow."""
    icc, xmp, exif = profile(like, len(made.getbands())), like.xmp or XMP, like.exif
    more: dict[str, Any] = {"icc_profile": icc} if icc else {}
    if like.dpi and kind != "WEBP":
        more["dpi"] = like.dpi
    if kind == "PNG":
        from PIL.PngImagePlugin import PngInfo

        told = PngInfo()
        told.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
        more["pnginfo"] = told
    elif kind == "JPEG":
        exif = exif if exif is None or len(exif) < LARGEST_MARKER else None
        more |= {"quality": QUALITY, "subsampling": 0}
        if len(xmp) < LARGEST_MARKER:  # as a segment of its own: older Pillows have no word for it
            packet = b"http://ns.adobe.com/xap/1.0/\0" + xmp
            more["extra"] = b"\xff\xe1" + (len(packet) + 2).to_bytes(2, "big") + packet
    else:
        more |= {"quality": QUALITY, "exact": True, "xmp": xmp}
    if exif:
        more["exif"] = exif
    return lambda file: made.save(cast(IO[bytes], Stream(file)), kind, **more)


def saver_of_arrays(kind: str, pixels: np.ndarray, like: Picture) -> Callable[[BinaryIO], None]:
    """What writes a TIFF, or a PNG of 16 bits a channel."""
    icc, xmp = profile(like, pixels.shape[2]), like.xmp or XMP
    if kind == "PNG":
        return lambda file: deep.write_png(file, pixels, deep.told(icc, like.exif, xmp, like.dpi))
    return lambda file: deep.write_tiff(file, pixels, deep.tags(icc, like.exif, xmp, like.dpi))


def plane(alpha: np.ndarray) -> Image.Image:
    """Transparency (h, w, 1) as Pillow has it, of 8 bits."""
    return Image.fromarray(rebit(alpha, 8)[..., 0])


def with_alpha(made: Made, alpha: np.ndarray | None, *, spread: bool) -> np.ndarray:
    """A picture and its transparency as one array; grey as three channels if `spread`: few read grey with alpha."""
    pixels = made if isinstance(made, np.ndarray) else array_of(made)
    if alpha is None:
        return pixels
    return np.concatenate([*([pixels] * (3 if spread and pixels.shape[2] == 1 else 1)), alpha], 2)


class Stream:
    """A file that Pillow writes to itself rather than by its number: so a full disk is said as what it is."""

    def __init__(self, file: BinaryIO) -> None:
        self.write, self.flush, self.seek, self.tell, self.read = (
            file.write, file.flush, file.seek, file.tell, file.read
        )  # fmt: skip
