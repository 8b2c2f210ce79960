"""How pictures are brought to one shape, and why to that."""

from collections.abc import Mapping
from typing import NamedTuple

import torch

from rivals.engine.errors import RequestError
from rivals.engine.recipe import Recipe

from .cache import Survey


class Frame(NamedTuple):
    """How pictures are brought to one shape."""

    height: int
    width: int
    channels: int


def choose_frame(survey: Survey, device: torch.device, minutes: float | None) -> tuple[Frame, str]:
    """The resolution: the pictures' own where the time allows it, else the largest that it does.

    Pictures of one size up to the limit are left as they are. Others are brought to the median aspect, the shorter side
    a multiple of 16. The limit is 64 pixels on a CPU (32 for less than five minutes), 256 on a GPU
    (128 for less than an hour).
    """
    found = survey.found
    if device.type == "cpu":
        limit = 32 if minutes is not None and minutes < 5 else 64
    else:
        limit = 128 if minutes is not None and minutes < 60 else 256
    height, width = found.median_height, found.median_width
    short = min(height, width)
    of_one_size = len(found.sizes) == 1
    if of_one_size and short <= limit:
        return Frame(height, width, survey.channels), f"all pictures are {width}x{height}: kept"
    side = min(short, limit)
    side = side - side % 16 if side >= 16 else side
    aspect = width / height
    if 0.87 < aspect < 1.15:
        aspect = 1.0
    shape = (side, round(side * aspect)) if aspect >= 1 else (round(side / aspect), side)
    shape = (min(shape[0], 4 * side), min(shape[1], 4 * side))
    if min(shape) >= 16:
        shape = (shape[0] - shape[0] % 4, shape[1] - shape[1] % 4)
    why = f"the median picture is {width}x{height}; " + (
        f"{limit} pixels on the shorter side is what this {device.type.upper()} can learn in the time"
        if short > limit
        else "all are brought to that shape"
    )
    return Frame(shape[0], shape[1], survey.channels), f"{why} (--set data.height=... data.width=... overrides)"


def pick_frame(
    recipe: Recipe | None, changes: Mapping[str, str], looked: Survey, device: torch.device, minutes: float | None
) -> tuple[Frame, str]:
    """The pictures' shape: from a given recipe or setting, else chosen."""
    frame, why = choose_frame(looked, device, minutes)
    given = dict(recipe.data) if recipe is not None else {}
    for path, value in changes.items():
        if path.startswith("data."):
            given[path.removeprefix("data.")] = value
    for name, value in given.items():
        if name not in Frame._fields:
            raise RequestError(f"data.{name}: no such setting; there are {', '.join(Frame._fields)}")
        try:
            number = int(value)
        except (TypeError, ValueError):
            raise RequestError(f"data.{name} is a whole number, not {value!r}") from None
        most = 4 if name == "channels" else 4096
        if not (1 if name == "channels" else 4) <= number <= most:
            raise RequestError(f"data.{name} lies between {1 if name == 'channels' else 4} and {most}, not at {number}")
        frame = frame._replace(**{name: number})
    return frame, "the resolution was given" if given else why
