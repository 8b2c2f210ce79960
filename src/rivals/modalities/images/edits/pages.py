"""Pictures of a verdict on edits: written into a run's folder, and as PNG for a page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from rivals.engine.files import write_whole
from rivals.modalities.images.cache import uncut
from rivals.modalities.images.modality import png

LEAST = 192  # pixels of a side as shown: smaller ones are enlarged by a whole factor


class Shown(NamedTuple):
    """A picture as it was given, as it was made, and the true one, (1, channels, h, w) in [-1, 1].

    `true` is None where nobody knows it.
    """

    given: Tensor
    made: Tensor
    true: Tensor | None = None


PARTS = Shown._fields


def write_pictures(folder: Path, shown: Mapping[str, Sequence[Shown]]) -> None:
    """Pictures by kind into the folder `pictures` of a run's: KIND-1-given.png, KIND-1-made.png, KIND-1-true.png."""
    place = folder / "pictures"
    place.mkdir(parents=True, exist_ok=True)
    for kind, some in shown.items():
        for number, each in enumerate(some, 1):
            for part, picture in zip(PARTS, each, strict=True):
                if picture is not None:
                    write_whole(place / f"{kind}-{number}-{part}.png", as_png(picture))


def as_png(picture: Tensor) -> bytes:
    """A picture (1, channels, h, w) in [-1, 1] as a PNG, small ones enlarged."""
    pixels = uncut(picture, 8)[0]
    factor = max(LEAST // max(pixels.shape[:2]), 1)
    return png(pixels.repeat(factor, 0).repeat(factor, 1))
