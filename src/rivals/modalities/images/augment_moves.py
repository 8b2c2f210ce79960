"""Changes of place, all of them together one affine map and one resampling. What they uncover is mirrored."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import Function

from .augment_numbers import Luck


class Map(NamedTuple):
    """Where each pixel is taken from: at `linear @ (x, y) + shift`, in pixels from the middle, y downwards.

    linear is (batch, 2, 2), shift (batch, 2); size is the pictures' height and width.
    """

    linear: Tensor
    shift: Tensor
    size: tuple[int, int]


def unmoved(sample: Tensor) -> Map:
    """The maps of a batch before anything is asked."""
    count, _, height, width = sample.shape
    linear = torch.eye(2, dtype=sample.dtype, device=sample.device).expand(count, 2, 2)
    return Map(linear, sample.new_zeros(count, 2), (height, width))


def xflip(m: Map, luck: Luck, amount: float) -> Map:
    """Left to right in half of the cases (ADA)."""
    sign = 1 - 2 * (luck.uniform[0] > 0).to(m.shift.dtype)
    return _stretch(m, sign, torch.ones_like(sign))


def rot90(m: Map, luck: Luck, amount: float) -> Map:
    """Quarter turns, none to three (ADA); half turns if the picture is no square."""
    turns = 4 if m.size[0] == m.size[1] else 2
    return _turn(m, (luck.uniform[0] * turns / 2).floor() * (2 * math.pi / turns))


def xint(m: Map, luck: Luck, amount: float) -> Map:
    """By whole pixels, up to `amount` of the size (ADA)."""
    height, width = m.size
    return _slide(m, (amount * width * luck.uniform[0]).round(), (amount * height * luck.uniform[1]).round())


def translation(m: Map, luck: Luck, amount: float) -> Map:
    """By whole pixels, up to `amount` of the size, each number of pixels as likely (DiffAugment)."""
    down, right = (2 * int(amount * size + 0.5) + 1 for size in m.size)  # how many there are
    return _slide(m, (right / 2 * luck.uniform[0] + 0.5).floor(), (down / 2 * luck.uniform[1] + 0.5).floor())


def scale(m: Map, luck: Luck, amount: float) -> Map:
    """Larger or smaller by two to the power of a normal number of deviation `amount` (ADA)."""
    factor = (-amount * luck.normal[0]).exp2()
    return _stretch(m, factor, factor)


def rotate(m: Map, luck: Luck, amount: float) -> Map:
    """By up to `amount` of half a circle, either way (ADA)."""
    return _turn(m, amount * math.pi * luck.uniform[0])


def aniso(m: Map, luck: Luck, amount: float) -> Map:
    """Wider and lower or the reverse, by two to the power of a normal number of deviation `amount` (ADA)."""
    factor = (-amount * luck.normal[0]).exp2()
    return _stretch(m, factor, 1 / factor)


def xfrac(m: Map, luck: Luck, amount: float) -> Map:
    """By a normal share of the size, of deviation `amount`, not rounded to pixels (ADA)."""
    height, width = m.size
    return _slide(m, amount * width * luck.normal[0], amount * height * luck.normal[1])


def _stretch(m: Map, across: Tensor, down: Tensor) -> Map:
    return m._replace(linear=m.linear * torch.stack([across, down], 1)[:, None])


def _turn(m: Map, angle: Tensor) -> Map:
    """Counterclockwise, as torch.rot90."""
    cos, sin = angle.cos(), angle.sin()
    return m._replace(linear=m.linear @ torch.stack([cos, -sin, sin, cos], 1).view(-1, 2, 2))


def _slide(m: Map, right: Tensor, down: Tensor) -> Map:
    return m._replace(shift=m.shift - (m.linear @ torch.stack([right, down], 1)[..., None])[..., 0])


def _sources(m: Map, across: float = 1.0, down: float = 1.0) -> list[Tensor]:
    """Across and down, where each pixel is taken from, counted from the middle in these units: (batch, h, w) each."""
    y, x = (torch.arange(size, dtype=m.shift.dtype, device=m.shift.device) - (size - 1) / 2 for size in m.size)
    return [
        ((m.linear[:, axis, 1, None] * y + m.shift[:, axis, None]) / unit)[:, :, None]
        + (m.linear[:, axis, 0, None] * x / unit)[:, None]
        for axis, unit in ((0, across), (1, down))
    ]


def move_pixels(sample: Tensor, m: Map) -> Tensor:
    """The moved pictures, (batch, channels, height, width), for maps that take pixels to pixels: nothing is blurred."""
    height, width = m.size
    x, y = (_mirror(place, size) for place, size in zip(_sources(m), (width, height), strict=True))
    index = (y * width + x).round().long().flatten(1)[:, None].expand(-1, sample.shape[1], -1)
    return sample.flatten(2).gather(2, index).view_as(sample)


def _mirror(place: Tensor, size: int) -> Tensor:
    """A place from the middle as one from the first pixel, reflected at the outermost ones."""
    return (size - 1) - ((place + (size - 1) / 2).remainder(2 * (size - 1)) - (size - 1)).abs()


def resample(sample: Tensor, m: Map) -> Tensor:
    """The moved pictures, (batch, channels, height, width), linearly interpolated between neighbours."""
    height, width = m.size
    places = _sources(m, (width - 1) / 2, (height - 1) / 2)  # the picture from -1 to 1, as grid_sample counts
    return _Gather.apply(sample, torch.stack(places, -1))


_HOW = (0, 2, True)  # linear interpolation; reflection, at the middle of the outermost pixels


class _Gather(Function):
    """Pixels at given places. Linear in the picture, so its derivative is `_Scatter`, and the other way around.

    PyTorch's own grid_sample has a second derivative only in its latest versions; these two have every one of them with
    respect to the picture, and none to the places, which are no one's parameters here.
    """

    @staticmethod
    def forward(ctx: Any, sample: Tensor, places: Tensor) -> Tensor:
        ctx.save_for_backward(places)
        ctx.size = sample.shape
        return torch.ops.aten.grid_sampler_2d(sample, places, *_HOW)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _Scatter.apply(gradient, *ctx.saved_tensors, ctx.size), None


class _Scatter(Function):
    """The transpose of `_Gather`."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, places: Tensor, size: torch.Size) -> Tensor:
        ctx.save_for_backward(places)
        like = gradient.new_empty(size)  # of a picture, only its size matters to its own gradient
        return torch.ops.aten.grid_sampler_2d_backward(gradient.contiguous(), like, places, *_HOW, [True, False])[0]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _Gather.apply(gradient, *ctx.saved_tensors), None, None
