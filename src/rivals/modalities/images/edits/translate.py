"""Networks that turn one picture into another of the same size, all fully convolutional."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from rivals.layers.norm import normal
from rivals.layers.residual import Downsample, Upsample

from .upscale import for_rectifiers, whole_multiple

GENTLE = 0.1
"""Share of what is found that is added to a picture. Each pixel is a sum of a thousand features, and steps of Adam move
all their weights alike: added whole, a few would recolour the picture."""


class Edited(NamedTuple):
    """What a generator of edited pictures returns.

    `picture` (n, channels, h, w); `features` of what was given, a map for each of some layers; `heads` from places of
    these maps to vectors that can be compared; `look` takes any pictures as far as these layers, `edit` all the way.
    """

    picture: Tensor
    features: tuple[Tensor, ...]
    heads: nn.ModuleList
    look: Callable[[Tensor], tuple[Tensor, ...]]
    edit: Callable[[Tensor], "Edited"]


def conv(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    """A convolution that repeats the border by reflection."""
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, padding_mode="reflect" if kernel > 1 else "zeros")


def heads(widths: Sequence[int], projected: int) -> nn.ModuleList:
    """From the places of maps that wide to vectors that PatchNCE compares."""
    return nn.ModuleList(
        nn.Sequential(nn.Linear(width, projected), nn.ReLU(), nn.Linear(projected, projected)) for width in widths
    )


class Residual(nn.Module):
    """Two convolutions beside their input (Johnson et al., 2016)."""

    def __init__(self, width: int, norm: str) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(width, width, 3), normal(norm, width), nn.ReLU(), conv(width, width, 3), normal(norm, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, h, w) -> the same shape."""
        return x + self.body(x)


class ResnetEditor(nn.Module):
    """The generator of CycleGAN and CUT: two halvings, residual blocks, two doublings, all antialiased.

    As published by Park et al. (2020), with the 2x halvings and doublings of Zhang (2019).

    Args:
        shape: (channels, height, width) of what is made.
        seen: channels of what is given.
        width: features at full size; 64 as published.
        blocks: 9 as published for 256 pixels, 6 for 128.
        norm: "instance", "batch", "layer" or "none".
        watched: how many maps PatchNCE compares, evenly between the picture and the middle block; None for none.
        projected: width of the vectors that it compares.
        residual: add what is found to what is given, so that training begins with that, and hand the maps before each
            halving across to the doublings, so that edges need not be found again; for short ones.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        seen: int,
        width: int = 32,
        blocks: int = 6,
        norm: str = "instance",
        watched: int | None = 5,
        projected: int = 256,
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.multiple, self.residual = 4, residual
        down = [nn.Sequential(conv(seen, width, 7), normal(norm, width), nn.ReLU())]
        for inputs, outputs in ((width, 2 * width), (2 * width, 4 * width)):
            down.append(
                nn.Sequential(conv(inputs, outputs, 3), normal(norm, outputs), nn.ReLU(), Downsample(outputs, outputs))
            )
        middle = [Residual(4 * width, norm) for _ in range(blocks)]
        up: list[nn.Module] = []
        for inputs, outputs in ((4 * width, 2 * width), (2 * width, width)):
            up += [Upsample(inputs, inputs), conv(inputs, outputs, 3), normal(norm, outputs), nn.ReLU()]
        self.encoder = nn.ModuleList([*down, *middle])
        up.append(conv(width, shape[0], 7))
        if residual:
            nn.init.zeros_(up[-1].weight)  # type: ignore[arg-type]
            nn.init.zeros_(up[-1].bias)  # type: ignore[arg-type]
        self.decoder = nn.Sequential(*up) if residual else nn.Sequential(*up, nn.Tanh())
        widths = [seen, width, 2 * width, *(blocks + 1) * [4 * width]]
        last = len(self.encoder) - blocks // 2
        self.watched = [round(place * last / max(watched - 1, 1)) for place in range(watched)] if watched else []
        self.heads = heads([widths[place] for place in self.watched], projected)

    def look(self, x: Tensor) -> tuple[Tensor, ...]:
        """(n, seen, h, w) -> the maps that are watched."""
        return self.through(whole_multiple(x, 4))[1]

    def through(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...], list[Tensor]]:
        """The last map, those that are watched, and those before each halving, if they are handed across."""
        maps, across = [x] if 0 in self.watched else [], []
        for place, layer in enumerate(self.encoder, 1):
            if self.residual and isinstance(layer, nn.Sequential) and isinstance(layer[-1], Downsample):
                across.append(layer[:-1](x))
                x = layer[-1](across[-1])
            else:
                x = layer(x)
            if place in self.watched:
                maps.append(x)
        return x, tuple(maps), across

    def edit(self, x: Tensor) -> Edited:
        """(n, seen, h, w) in [-1, 1] -> pictures (n, channels, h, w) in [-1, 1], about so if `residual`."""
        found, maps, across = self.through(whole_multiple(x, 4))
        for layer in self.decoder:
            found = layer(found)
            if across and isinstance(layer, Upsample):
                found = found + across.pop()
        found = found[..., : x.shape[2], : x.shape[3]]
        picture = x + GENTLE * found if self.residual else found
        return Edited(picture, maps, self.heads, self.look, self.edit)

    def forward(self, z: Tensor, cond: Tensor) -> Edited:
        """Z (n, 0), cond (n, seen, h, w) in [-1, 1] -> as `edit`."""
        del z
        return self.edit(cond)


class UNet(nn.Module):
    """Halvings and doublings with a way straight across at every size (Isola et al., 2017), antialiased.

    Args:
        shape: (channels, height, width) of what is made.
        seen: channels of what is given.
        width: features at full size; twice as many at each halving, at most eight times.
        depth: halvings.
        norm: "instance", "batch", "layer" or "none".
        residual: add what is found to what is given, for damage that leaves most of a picture as it was.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        seen: int,
        width: int = 32,
        depth: int = 4,
        norm: str = "none",
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.multiple, self.residual, self.channels = 2**depth, residual, shape[0]
        widths = [min(width * 2**level, 8 * width) for level in range(depth + 1)]
        self.first = block(seen, widths[0], norm)
        self.down = nn.ModuleList(nn.Sequential(Downsample(a, a), block(a, b, norm)) for a, b in pairwise(widths))
        self.up = nn.ModuleList(block(a + b, a, norm) for a, b in reversed(list(pairwise(widths))))
        self.last = conv(widths[0], shape[0], 3)
        if norm == "none":
            for_rectifiers(self, 0.2)
        if residual:
            nn.init.zeros_(self.last.weight)
            nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, z: Tensor, cond: Tensor) -> Tensor:
        """Z (n, 0), cond (n, seen, h, w) in [-1, 1] -> (n, channels, h, w), about in [-1, 1]."""
        del z
        maps = [self.first(whole_multiple(cond, self.multiple))]
        for layer in self.down:
            maps.append(layer(maps[-1]))
        x = maps.pop()
        for layer in self.up:
            across = maps.pop()
            x = layer(torch.cat([across, interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)], 1))
        found = self.last(x)[..., : cond.shape[2], : cond.shape[3]]
        return cond[:, : self.channels] + found if self.residual else found.tanh()


def block(inputs: int, outputs: int, norm: str) -> nn.Sequential:
    """Two convolutions with leaky rectifiers."""
    layers: list[nn.Module] = []
    for a, b in ((inputs, outputs), (outputs, outputs)):
        layers += [conv(a, b, 3), normal(norm, b), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers)
