"""Tasks that are learned from good pictures alone: each says how a picture is damaged, and what restores it sees."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from rivals.engine.errors import RequestError
from rivals.engine.names import named

from . import degrade, masks

Damage = Callable[..., Tensor]

LIMITS: Mapping[str, degrade.Range] = {
    "blind": (0, 1),
    "boxes": (0, 1),
    "noise": (0, 255),
    "quality": (1, 100),
    "share": (0.01, 0.9),
    "sigma": (0, 255),
    "thick": (1, 256),
}
"""Between which numbers settings of damage lie."""

SHARPEST = 0.01  # pixels: the deviation of a blur that changes nothing


@dataclass(frozen=True)
class Task:
    """A kind of repair.

    Args:
        damage: pictures (n, c, h, w) in [-1, 1], a scale, the random numbers of all that is drawn, and the settings of
            `ranges` by name -> what a network is given, (n, seen, h / scale, w / scale) in [-1, 1].
        ranges: the settings of the damage that may be changed, each with its default; pairs are drawn between.
        generator, critic: networks by name.
        scale: by which pictures become larger, if nobody says otherwise.
        seen: channels that are given, beside or instead of a picture's own.
    """

    damage: Damage
    ranges: Mapping[str, Any] = field(default_factory=dict)
    generator: str = "unet"
    critic: str = "unet"
    scale: int = 1
    seen: Callable[[int], int] = lambda channels: channels


def smaller(x: Tensor, scale: int, random: torch.Generator, *, blind: bool) -> Tensor:
    """By the usual bicubic filter with antialiasing, or with damage of an unknown kind."""
    if blind:
        return degrade.blind(x, scale, random)
    size = [side // scale for side in x.shape[2:]]
    return interpolate(x, size=size, mode="bicubic", align_corners=False, antialias=True).clamp(-1, 1)


def noisy(x: Tensor, scale: int, random: torch.Generator, *, sigma: degrade.Range) -> Tensor:
    """White Gaussian noise of a deviation between two, of 255 grey levels; not clamped, as papers measure."""
    del scale
    return degrade.noise(x, degrade.draw(random, sigma), random)


def blurry(x: Tensor, scale: int, random: torch.Generator, *, sigma: degrade.Range, noise: degrade.Range) -> Tensor:
    """A Gaussian blur of a deviation in pixels, round or long, in any direction, and a little noise."""
    del scale
    sigmas = (max(degrade.draw(random, sigma), SHARPEST), max(degrade.draw(random, sigma), SHARPEST))
    size = 2 * int(3 * max(sigmas) + 0.5) + 1
    kernel = degrade.gaussian(size, sigmas, degrade.draw(random, (0.0, torch.pi)))
    return degrade.noise(degrade.blurred(x, kernel), degrade.draw(random, noise), random).clamp(-1, 1)


def blocky(x: Tensor, scale: int, random: torch.Generator, *, quality: tuple[int, int]) -> Tensor:
    """JPEG of a quality between two, by a real codec."""
    del scale
    low, high = quality
    return degrade.jpeg(x, int(torch.randint(int(low), int(high) + 1, (), generator=random)))


def holed(
    x: Tensor, scale: int, random: torch.Generator, *, share: degrade.Range, boxes: float, thick: degrade.Range
) -> Tensor:
    """Holes of a share of the picture, strokes or, with a probability, boxes: grey inside, the mask as last channel."""
    del scale
    make = masks.boxes if degrade.chance(random, boxes) else masks.strokes
    mask = make(len(x), x.shape[2], x.shape[3], degrade.draw(random, share), thick, random).to(x)
    return torch.cat([x * (1 - mask), mask], 1)


def colourless(x: Tensor, scale: int, random: torch.Generator) -> Tensor:
    """The luma of ITU-R BT.601, (n, 1, h, w)."""
    del scale, random
    return grey(x)


def grey(x: Tensor) -> Tensor:
    """(n, 3, h, w) -> its luma (n, 1, h, w), of the same range."""
    return (x * x.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)


TASKS: Mapping[str, Task] = {
    "super-resolution": Task(smaller, {"blind": False}, "edsr", scale=4),
    "denoise": Task(noisy, {"sigma": (25.0, 25.0)}, "edsr"),
    "deblur": Task(blurry, {"sigma": (0.5, 3.0), "noise": (0.0, 5.0)}, "edsr"),
    "deblock": Task(blocky, {"quality": (10, 40)}, "edsr"),
    "inpaint": Task(
        holed,
        {"share": (0.1, 0.35), "boxes": 0.3, "thick": (3.0, 13.0)},
        "fourier",
        "patch",
        seen=lambda channels: channels + 1,
    ),
    "colourise": Task(colourless, seen=lambda channels: 1),
}


def settings(task: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a task's damage, with these changed.

    Raises:
        RequestError: a setting that the task doesn't have, a range that is none, or numbers outside of `LIMITS`.

    Ranges are lists, as JSON has them, since they travel inside saved models.
    """
    known = named(task, TASKS, "task").ranges
    for name, value in changes.items():
        if not known:
            raise RequestError(f"{task} has no settings, so {name!r} can't be changed")
        usual = named(name, known, f"setting of {task}")
        low, high = LIMITS[name]
        if not fits(value if isinstance(usual, tuple) else [value, value], low, high):
            example = f"[{usual[0]}, {usual[1]}]" if isinstance(usual, tuple) else usual
            between = f"between {low:g} and {high:g}"
            raise RequestError(f"{name} of {task} is given as {example}, {between}, not as {value!r}")
    told = {**known, **changes}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}


def fits(value: Any, low: float, high: float) -> bool:
    """Whether this is two numbers in rising order, neither below or above these."""
    pair = isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(part, int | float) for part in value)
    return pair and bool(low <= value[0] <= value[1] <= high)
