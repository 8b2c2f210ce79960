"""The modality of pictures: what travels inside every saved picture model."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from rivals.engine.cost import bytes_free
from rivals.engine.data import Dataset
from rivals.engine.errors import RequestError
from rivals.engine.names import named
from rivals.engine.terms import Measure
from rivals.engine.types import Batch, Sample, leaves

from .augment import augment, resolve
from .cache import Pictures, cut, uncut
from .catalogue import CRITICS, GENERATORS, TERMS
from .style import Styled


@dataclass(frozen=True)
class Images:
    """Pictures as tensors (batch, channels, height, width), float32 in [-1, 1].

    Args:
        height, width: in pixels.
        channels: 1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha.
        bits: 8 or 16, of the files.
        classes: names of the labels, none for pictures without.
        counts: training pictures of each class, for the data's own mix.
    """

    height: int
    width: int
    channels: int
    bits: int = 8
    classes: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()

    suffix: ClassVar[str] = ".png"
    generators: ClassVar[Mapping[str, Callable[..., nn.Module]]] = GENERATORS
    critics: ClassVar[Mapping[str, Callable[..., nn.Module]]] = CRITICS
    terms: ClassVar[Mapping[str, Measure | type[nn.Module]]] = TERMS

    @classmethod
    def of(cls, pictures: Pictures) -> "Images":
        """The modality of a set of pictures."""
        _, channels, height, width = pictures.pixels.shape
        counts: tuple[int, ...] = ()
        if pictures.labels is not None:
            counts = tuple(torch.bincount(pictures.labels[pictures.train], minlength=len(pictures.classes)).tolist())
        return cls(height, width, channels, pictures.bits, pictures.classes if counts else (), counts)

    def common(self) -> Mapping[str, Any]:
        """What every network is told: a picture's shape, and how many classes there are."""
        return {"shape": (self.channels, self.height, self.width), "classes": len(self.classes)}

    def show(self, raw: Any) -> Sample:
        """Pictures are what generators make, some with more beside them."""
        return raw.picture if isinstance(raw, Styled) else raw

    def operations(self, names: Sequence[str]) -> tuple[str, ...]:
        """The augmenting operations that these names, or names of groups, stand for."""
        return resolve(names)

    def augment(self, sample: Sample, operations: Sequence[str], strength: Tensor) -> Sample:
        """Pictures (batch, channels, height, width), each through each operation with probability `strength`."""
        return augment(leaves(sample)[0], operations, strength)

    def condition(self, wish: str | None, count: int) -> Tensor | None:
        """Labels, (count,) int64: the classes named in `wish` in turn, or drawn as often as in the data.

        Raises:
            RequestError: a class that there is not, or any wish of a model without classes.
        """
        if not self.classes:
            if wish is not None:
                raise RequestError(f"this model knows no classes, so it can't be asked for {wish!r}; leave --wish out")
            return None
        if wish is None:
            return torch.multinomial(torch.tensor(self.counts, dtype=torch.float64), count, replacement=True)
        known = {name: number for number, name in enumerate(self.classes)}
        names = [wish] if wish in known else [part if part in known else part.strip() for part in wish.split(",")]
        asked = torch.tensor([named(name, known, "class") for name in names])
        return asked[torch.arange(count) % len(asked)]

    def render(self, sample: Sample) -> Iterator[bytes]:
        """Each picture as a PNG file, in the data's own depth."""
        for picture in uncut(leaves(sample)[0], self.bits):
            yield png(picture)

    def sheet(self, sample: Tensor, columns: int = 10, *, least: int = 48) -> bytes:
        """All pictures of (n, channels, height, width) as one PNG, enlarged if they are smaller than `least` pixels."""
        return png(grid(uncut(sample, 8), columns, least))


def dataset(pictures: Pictures, device: torch.device | None = None) -> Dataset:
    """The pictures as numbered items; on a GPU that has room for all of them they are kept there."""
    if device is not None and device.type == "cuda" and 4 * pictures.pixels.nbytes < (bytes_free(device) or 0):
        labels = None if pictures.labels is None else pictures.labels.to(device)
        pictures = replace(pictures, pixels=pictures.pixels.to(device), labels=labels)

    def rows(which: Tensor) -> Batch:
        which = which.to(pictures.pixels.device)
        return Batch(cut(pictures, which), None if pictures.labels is None else pictures.labels[which])

    return Dataset(rows, pictures.train, pictures.held_out)


def grid(pictures: np.ndarray, columns: int, least: int = 1) -> np.ndarray:
    """(n, h, w, c) side by side with a line of white between, each enlarged by a whole factor to `least` pixels."""
    factor = max(-(-least // max(pictures.shape[1:3])), 1)
    tiles = pictures.repeat(factor, 1).repeat(factor, 2)
    count, height, width, channels = tiles.shape
    columns = min(columns, count)
    lines = -(-count // columns)
    sheet = np.full((lines * (height + 2) + 2, columns * (width + 2) + 2, channels), 255, tiles.dtype)
    for number, tile in enumerate(tiles):
        top, left = number // columns * (height + 2) + 2, number % columns * (width + 2) + 2
        sheet[top : top + height, left : left + width] = tile
    return sheet


def png(picture: np.ndarray) -> bytes:
    """(height, width, channels) uint8 or uint16 as a PNG file."""
    if picture.dtype == np.uint16:
        return deep_png(picture)
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[picture.shape[2]]
    file = io.BytesIO()
    Image.frombytes(mode, picture.shape[1::-1], np.ascontiguousarray(picture).tobytes()).save(file, "PNG")
    return file.getvalue()


def deep_png(picture: np.ndarray) -> bytes:
    """A PNG with 16 bit a channel, which Pillow writes for grey only (PNG specification, 3rd edition, section 11.2)."""
    height, width, channels = picture.shape
    lines = np.ascontiguousarray(picture.astype(">u2")).view(np.uint8).reshape(height, -1)
    filtered = np.concatenate([np.zeros((height, 1), np.uint8), lines], 1)  # filter 0 before every line
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(filtered.tobytes())) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
