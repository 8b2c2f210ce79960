"""Changes of colour, all of them together one affine map of each pixel's colour.

In these operations grey goes to grey and all hues are alike, so that few numbers a picture tell everything: the gain of
luma (a pixel's mean over its colours), the gain and the turn of chroma (the rest), a shift of luma, and how much of the
whole picture's mean is added.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .augment_numbers import Luck


class Tone(NamedTuple):
    """One colour change a picture, each (batch,). `mean` is None as long as the picture's mean doesn't matter."""

    luma: Tensor
    chroma: Tensor
    angle: Tensor
    offset: Tensor
    mean: Tensor | None = None


def unchanged(sample: Tensor) -> Tone:
    """The tones of a batch before anything is asked."""
    one = sample.new_ones(len(sample))
    return Tone(one, one, torch.zeros_like(one), torch.zeros_like(one))


def brightness(tone: Tone, luck: Luck, amount: float) -> Tone:
    """Add a normal number of deviation `amount` (ADA)."""
    return tone._replace(offset=tone.offset + amount * luck.normal[0])


def contrast(tone: Tone, luck: Luck, amount: float) -> Tone:
    """Multiply by two to the power of a normal number of deviation `amount` (ADA)."""
    gain = (amount * luck.normal[0]).exp2()
    return _scale_luma(tone, gain)._replace(chroma=tone.chroma * gain)


def lumaflip(tone: Tone, luck: Luck, amount: float) -> Tone:
    """Turn luma around in half of the cases, keep the hues (ADA)."""
    return _scale_luma(tone, 1 - 2 * (luck.uniform[0] > 0).to(tone.luma.dtype))


def hue(tone: Tone, luck: Luck, amount: float) -> Tone:
    """Turn the hues by up to `amount` of half a circle, either way (ADA)."""
    return tone._replace(angle=tone.angle + amount * math.pi * luck.uniform[0])


def saturation(tone: Tone, luck: Luck, amount: float) -> Tone:
    """Multiply chroma by two to the power of a normal number of deviation `amount` (ADA)."""
    return tone._replace(chroma=tone.chroma * (amount * luck.normal[0]).exp2())


def color(tone: Tone, luck: Luck, amount: float) -> Tone:
    """Shift by up to 0.5, saturation times 0 to 2, contrast about the picture's mean times 0.5 to 1.5 (DiffAugment)."""
    gain = 1 + amount * luck.uniform[2] / 2
    return Tone(
        luma=tone.luma * gain,
        chroma=tone.chroma * (1 + amount * luck.uniform[1]) * gain,
        angle=tone.angle,
        offset=tone.offset + amount * luck.uniform[0] / 2,  # moves the mean as well, about which contrast is taken
        mean=tone.luma * (1 - gain),
    )


def _scale_luma(tone: Tone, gain: Tensor) -> Tone:
    mean = None if tone.mean is None else tone.mean * gain
    return tone._replace(luma=tone.luma * gain, offset=tone.offset * gain, mean=mean)


def tint(sample: Tensor, tone: Tone) -> Tensor:
    """The pictures (batch, 1 to 4 channels, height, width) with their colours changed; alpha stays."""
    if sample.shape[1] in (2, 4):
        return torch.cat([tint(sample[:, :-1], tone), sample[:, -1:]], 1)
    shift = tone.offset.view(-1, 1, 1)
    if tone.mean is not None:
        shift = shift + tone.mean.view(-1, 1, 1) * sample.mean((1, 2, 3)).view(-1, 1, 1)
    if sample.shape[1] == 1:
        return sample * tone.luma.view(-1, 1, 1, 1) + shift[..., None]
    return torch.baddbmm(shift, _matrices(tone), sample.flatten(2)).view_as(sample)


def _matrices(tone: Tone) -> Tensor:
    """(batch, 3, 3): what is done to red, green and blue, but for the shift."""
    to_grey = torch.full((3, 3), 1 / 3, dtype=tone.luma.dtype, device=tone.luma.device)
    one = torch.eye(3, dtype=to_grey.dtype, device=to_grey.device)
    quarter = (one.roll(1, 0) - one.roll(-1, 0)) / 3**0.5  # of a turn: the cross product with the grey axis
    along, across = tone.chroma * tone.angle.cos(), tone.chroma * tone.angle.sin()
    gains = torch.stack([tone.luma - along, along, across], 1)
    return (gains @ torch.stack([to_grey, one, quarter]).flatten(1)).view(-1, 3, 3)
