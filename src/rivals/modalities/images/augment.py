"""Augmentation of what the critic sees, in pure PyTorch and differentiable any number of times.

Two families by name: DiffAugment (Zhao et al., 2020, "Differentiable Augmentation for Data-Efficient GAN Training") and
ADA (Karras et al., 2020, "Training Generative Adversarial Networks with Limited Data", appendix B). Whatever is asked
for, a picture goes through one affine change of its colours, one resampling and then noise and cutout.

What differs from the papers: pixels are interpolated linearly between neighbours, without ADA's wavelet filter; one
rotation stands for the two around ADA's anisotropic scaling; what a move uncovers is mirrored, in DiffAugment too.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from rivals.engine.errors import RequestError
from rivals.engine.names import named
from rivals.engine.parallel import own_rows

from . import augment_colour as colour
from . import augment_moves as moves
from .augment_colour import Tone, tint
from .augment_moves import Map, move_pixels, resample
from .augment_numbers import EACH, Luck, lucks, normal

Draw = Callable[..., Tensor]


@dataclass(frozen=True)
class Move:
    """A change of place: `step(map, luck, amount)` adds it to the maps of a batch. `whole`: pixels go to pixels."""

    step: Callable[[Map, Luck, float], Map]
    amount: float = 1.0
    whole: bool = False


@dataclass(frozen=True)
class Colour:
    """A change of colour: `step(tone, luck, amount)` adds it to the tones of a batch."""

    step: Callable[[Tone, Luck, float], Tone]
    amount: float = 1.0


@dataclass(frozen=True)
class Finish:
    """A change of the pixels themselves: `step(sample, luck, amount, draw)` gives the changed pictures."""

    step: Callable[[Tensor, Luck, float, Draw], Tensor]
    amount: float = 1.0


def noise(sample: Tensor, luck: Luck, amount: float, draw: Draw) -> Tensor:
    """White noise, its deviation itself half-normal with deviation `amount` (ADA)."""
    deviation = (amount * luck.normal[0].abs()).view(-1, 1, 1, 1)
    drawn = own_rows(draw, *sample.shape, device=sample.device).to(sample.dtype)
    return torch.addcmul(sample, normal(2 * drawn - 1), deviation)


def cutout(sample: Tensor, luck: Luck, amount: float, draw: Draw) -> Tensor:
    """Grey in a box of `amount` of the height and width, its centre anywhere in the picture (DiffAugment, ADA)."""

    def outside(size: int, centre: Tensor) -> Tensor:
        places = (torch.arange(size, device=sample.device, dtype=sample.dtype) * 2 + 1) / size - 1
        return (places - centre[:, None]).abs() >= (amount * luck.on)[:, None]  # from -1 to 1 the size is 2

    _, _, height, width = sample.shape
    across, down = outside(width, luck.uniform[0]), outside(height, luck.uniform[1])
    return sample * (down[:, None, :, None] | across[:, None, None, :])


OPERATIONS: Mapping[str, Move | Colour | Finish] = {
    # DiffAugment
    "color": Colour(colour.color),
    "translation": Move(moves.translation, 1 / 8, whole=True),
    "cutout": Finish(cutout, 1 / 2),  # ADA's too
    # ADA
    "xflip": Move(moves.xflip, whole=True),
    "rot90": Move(moves.rot90, whole=True),
    "xint": Move(moves.xint, 1 / 8, whole=True),
    "scale": Move(moves.scale, 0.2),
    "rotate": Move(moves.rotate),
    "aniso": Move(moves.aniso, 0.2),
    "xfrac": Move(moves.xfrac, 1 / 8),
    "brightness": Colour(colour.brightness, 0.2),
    "contrast": Colour(colour.contrast, 0.5),
    "lumaflip": Colour(colour.lumaflip),
    "hue": Colour(colour.hue),
    "saturation": Colour(colour.saturation, 1.0),
    "noise": Finish(noise, 0.1),
    # ADA's with less reach, for pictures that mean something else when they are turned
    "xint-slight": Move(moves.xint, 1 / 16, whole=True),
    "scale-slight": Move(moves.scale, 0.1),
    "rotate-slight": Move(moves.rotate, 1 / 16),
    "aniso-slight": Move(moves.aniso, 0.1),
    "xfrac-slight": Move(moves.xfrac, 1 / 50),
}
"""Every operation by name. Amounts are shares of the size or of pi, or deviations in octaves or in brightness."""

_PLACES = ("xflip", "rot90", "xint", "scale", "rotate", "aniso", "xfrac")
_COLOURS = ("brightness", "contrast", "lumaflip", "hue", "saturation")
GROUPS: Mapping[str, tuple[str, ...]] = {
    "diffaugment": ("color", "translation", "cutout"),
    "ada": (*_PLACES, *_COLOURS),  # "bgc" in the paper
    "full": (*_PLACES, *_COLOURS),
    "light": ("xint-slight",),
    "slight": ("scale-slight", "rotate-slight", "aniso-slight", "xfrac-slight"),
    "shift": ("xint", "scale-slight", "rotate-slight", "aniso-slight", "xfrac-slight", "brightness", "contrast"),
}
"""Operations that go together: "light", "slight" and "shift" suit digits, letters and the like, "full" photographs."""


def resolve(names: Sequence[str]) -> tuple[str, ...]:
    """Names of operations and groups as operations, each once, in order.

    Raises:
        RequestError: a name is unknown; the nearest is suggested.

    >>> resolve(["light", "xflip", "xflip"])
    ('xint-slight', 'xflip')
    """
    known = {**GROUPS, **{name: (name,) for name in OPERATIONS}}
    return tuple(dict.fromkeys(operation for name in names for operation in named(name, known, "augmentation")))


def augment(sample: Tensor, operations: Sequence[str], strength: float | Tensor, *, draw: Draw = torch.rand) -> Tensor:
    """Change each picture at random, by each operation with probability `strength`, independently.

    Whatever the order of the names: colours, then places (in that order of names), then noise and cutout. Alpha moves
    with its picture and keeps its values.

    Args:
        sample: (batch, 1 to 4 channels, height, width), floating, about [-1, 1]; at least 2x2 pixels.
        operations: names from OPERATIONS and GROUPS.
        strength: a probability, or a tensor of one or of (batch,). Where it is 0, `sample` itself is given back,
            unless that is known only on another device.
        draw: gives uniform numbers in [0, 1), called as `draw(rows, columns, ..., device=device)`.

    Returns:
        Pictures of the same shape, dtype and device, not clamped.

    Raises:
        RequestError: unknown names, or a strength that is no probability.
    """
    names = resolve(operations)
    if not isinstance(strength, Tensor) and not 0 <= strength <= 1:
        raise RequestError(f"augmentation strength {strength} is no probability: give a number from 0 to 1")
    if not names or _never(strength):
        return sample
    with _full_precision(sample.device.type):
        exact = sample.to(torch.promote_types(sample.dtype, torch.float32))
        return _changed(exact, [OPERATIONS[name] for name in names], strength, draw).to(sample.dtype)


def _full_precision(device: str) -> AbstractContextManager[object]:
    """No automatic mixed precision: places in bfloat16 would be off by pixels."""
    return torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()


def _never(strength: float | Tensor) -> bool:
    """Whether nothing can happen, as far as that is known without waiting for another device."""
    return strength.device.type == "cpu" and not strength.any() if isinstance(strength, Tensor) else strength == 0


def _changed(sample: Tensor, asked: list[Move | Colour | Finish], strength: float | Tensor, draw: Draw) -> Tensor:
    drawn = own_rows(draw, len(sample), len(asked), 1 + EACH, device=sample.device).to(sample.dtype)
    parts = list(zip(asked, lucks(drawn, strength), strict=True))
    tone = place = None
    for operation, luck in parts:
        if isinstance(operation, Colour):
            tone = operation.step(colour.unchanged(sample) if tone is None else tone, luck, operation.amount)
        elif isinstance(operation, Move):
            place = operation.step(moves.unmoved(sample) if place is None else place, luck, operation.amount)
    if tone is not None:
        sample = tint(sample, tone)
    if place is not None:
        whole = all(operation.whole for operation in asked if isinstance(operation, Move))
        sample = move_pixels(sample, place) if whole else resample(sample, place)
    for operation, luck in parts:
        if isinstance(operation, Finish):
            sample = operation.step(sample, luck, operation.amount, draw)
    return sample
