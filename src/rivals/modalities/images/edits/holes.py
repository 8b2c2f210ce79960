"""Masks that people paint: white where a picture is to be filled."""

from pathlib import Path

import numpy as np

from rivals.engine.errors import RequestError
from rivals.modalities.images.pictures import UnusableError, rebit, recolour

from .files import read

NEAR = 32  # levels of 255 around black and white that a JPEG may leave
NEARLY = 0.95  # of a mask's pixels are that near, if it is meant to be black and white


def read_mask(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """A mask as (height, width) bool, true where it is white, and what there is to say of it.

    Raises:
        RequestError: it can't be read, or isn't black and white.
    """
    try:
        picture = read(path)
    except (UnusableError, OSError) as error:
        raise RequestError(f"the mask {path} can't be read: {error}") from None
    levels = rebit(recolour(picture.pixels, 1), 8)[..., 0]
    if picture.alpha is not None:  # what is transparent was not painted
        levels = (levels * (rebit(picture.alpha, 8)[..., 0] / 255)).round().astype(np.uint8)
    return binary(levels, str(path))


def binary(levels: np.ndarray, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """The same of grey levels (height, width) uint8.

    Raises:
        RequestError: not black and white, or all of one.
    """
    words: tuple[str, ...] = ()
    if levels.max() == 1:
        levels, words = levels * np.uint8(255), ("the mask's ones were taken for white",)
    between = (levels != 0) & (levels != 255)
    if between.any():
        near = (levels <= NEAR) | (levels >= 255 - NEAR)
        if near.mean() < NEARLY:
            raise RequestError(
                f"{name} is no mask: {100 * (1 - near.mean()):.0f} % of it is neither black nor white. Paint white "
                "what is to be filled, and all else black"
            )
        words = ("the mask's greys were taken for the nearer of black and white",)
    mask = levels >= 128
    if not mask.any():
        raise RequestError(f"{name} is all black: white is what is filled")
    if mask.all():
        raise RequestError(f"{name} is all white: there is nothing left to fill it from")
    return mask, words


def check_size(mask: np.ndarray, pixels: np.ndarray) -> None:
    """A mask is as large as its picture.

    Raises:
        RequestError: it isn't.
    """
    if mask.shape != pixels.shape[:2]:
        own, wanted = (f"{shape[1]} x {shape[0]}" for shape in (mask.shape, pixels.shape))
        raise RequestError(f"the mask has {own} pixels and the picture {wanted} (both upright)")
