"""Pieces of a page that stands alone: text made safe, tables, embedded pictures, and the style they share."""

import base64
import hashlib
import html
import io
import math
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageSequence, UnidentifiedImageError

from .page_style import SCRIPT, STYLE

UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
MIB = 2**20


def text(value: object) -> str:
    """Any value as HTML text: escaped, without control characters, text-direction overrides and half characters.

    >>> text("<b>")
    '&lt;b&gt;'
    """
    return html.escape(UNSAFE.sub("\N{REPLACEMENT CHARACTER}", str(value)))


def number(value: float) -> str:
    """A number as people read it: three digits, or all that stand before the point.

    >>> number(0.91234), number(-98.14), number(12345.6), number(float("nan"))
    ('0.912', '−98.1', '12,346', 'not a number')
    """
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    words = f"{value:,.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.3g}"
    return words.replace("-", "−")


def table(rows: Iterable[tuple[object, object]], head: tuple[str, str], caption: str) -> str:
    """Names and values as a table; the caption is for screen readers."""
    lines = "".join(f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>' for name, value in rows)
    heads = "".join(f'<th scope="col">{text(name)}</th>' for name in head)
    return (
        f'<table><caption class="unseen">{text(caption)}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"
    )


def prose(words: str) -> str:
    """Words as HTML text in which no line ends between a number and its sign."""
    return text(words.replace(" %", "\N{NO-BREAK SPACE}%").replace(" × ", "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}"))


def paragraph(words: str, kind: str = "") -> str:
    """Words as a paragraph."""
    return f'<p class="{kind}">{prose(words)}</p>' if kind else f"<p>{prose(words)}</p>"


class Picture(NamedTuple):
    """A picture inside the page."""

    uri: str
    still: str
    width: int
    height: int
    reduced: bool

    @property
    def told(self) -> str:
        """A remark for the caption."""
        return f" (Reduced to {self.width} × {self.height} pixels for this page.)" if self.reduced else ""

    def img(self, alt: str, more: str = "") -> str:
        """Its element; one that moves stands still on paper and for people who asked for less motion."""
        kind = ' class="fine"' if self.reduced else ""
        size = f'width="{self.width}" height="{self.height}"'
        element = f'<img src="{self.uri}" {size} alt="{text(alt)}"{kind}{more}>'
        if not self.still:
            return element
        source = f'<source media="(prefers-reduced-motion: reduce), print" srcset="{self.still}">'
        return f"<picture>{source}{element}</picture>"


def embed(path: Path, *, most: int = 3 * MIB, wide: int = 1400) -> Picture | str:
    """A picture file for the page, or in words why it can't be shown.

    One of more than `most` bytes is reduced to `wide` pixels, so that the page can still be sent to someone.
    """
    name = f"{path.parent.name}/{path.name}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # sheets of large pictures are large
            return decoded(path, most, wide)
    except FileNotFoundError:
        return f"{name} is not there."
    except UnidentifiedImageError:
        return f"{name} can't be shown: it is damaged or no picture."
    except Exception as error:  # a decoder may raise anything at a damaged file
        return f"{name} can't be shown: {error or type(error).__name__}."


def decoded(path: Path, most: int, wide: int) -> Picture:
    """The file itself, once all of it has been decoded, or a smaller copy."""
    return pictured(path.read_bytes(), most=most, wide=wide)


def pictured(content: bytes, *, most: int = 3 * MIB, wide: int = 1400) -> Picture:
    """A PNG or GIF for the page, reduced to `wide` pixels if it has more than `most` bytes."""
    with Image.open(io.BytesIO(content)) as image:
        if image.format not in ("PNG", "GIF"):
            raise ValueError(f"it is neither PNG nor GIF but {image.format}")
        width, height = image.size
        duration = image.info.get("duration", 100)
        frames = [frame.copy() for frame in ImageSequence.Iterator(image)]
        kind = image.format
    still = data_uri(saved(frames[:1])) if len(frames) > 1 else ""
    if len(content) <= most:
        return Picture(
            f"data:image/{kind.lower()};base64,{base64.b64encode(content).decode()}", still, *frames[0].size, False
        )
    size = (min(wide, width), max(round(height * min(wide, width) / width), 1))
    small = [frame.convert("RGBA" if "A" in frame.getbands() else "RGB").resize(size) for frame in frames]
    return Picture(data_uri(saved(small, duration)), still and data_uri(saved(small[:1])), *size, True)


def saved(frames: list[Image.Image], duration: int = 100) -> bytes:
    """Frames as a GIF, a single one as JPEG, or as PNG where JPEG can't hold it."""
    file = io.BytesIO()
    first, *others = frames
    if others:
        first.save(file, "GIF", save_all=True, append_images=others, duration=duration, loop=0)
    elif first.mode == "RGB":
        first.save(file, "JPEG", quality=90)
    else:
        first.save(file, "PNG")
    return file.getvalue()


def data_uri(content: bytes) -> str:
    """A picture's bytes as an address."""
    kind = {b"\x89PN": "png", b"GIF": "gif"}.get(content[:3], "jpeg")
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def document(title: str, body: str, version: str) -> bytes:
    """A whole page. Its policy lets a browser load nothing and run nothing but the script of `page_style`."""
    policy = f"default-src 'none'; img-src data:; style-src '{checksum(STYLE)}'; script-src '{checksum(SCRIPT)}'"
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}; base-uri 'none'; form-action 'none'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<meta name="generator" content="Rivals {text(version)}">\n'
        f"<title>{text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n"
        f"<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )
    return page.encode("utf-8")


def checksum(code: str) -> str:
    """What a content security policy knows an inline style or script by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
