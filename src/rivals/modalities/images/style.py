"""StyleGAN2's networks (Karras et al., 2020), for pictures of any height, width and channels."""

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rivals.engine.parallel import own_rows
from rivals.engine.types import Verdict
from rivals.layers.condition import Head, LabelledNoise, Planes
from rivals.layers.minibatch import MinibatchDeviation
from rivals.layers.modulate import EqualConv, EqualLinear, ModulatedConv
from rivals.layers.residual import Downsample, Upsample

from .networks import Shape, crop, doublings, stage_widths, start_size


class Styled(NamedTuple):
    """Pictures (batch, channels, height, width) and the styles w (batch, latent) they were computed from."""

    picture: Tensor
    styles: Tensor


def activate(x: Tensor) -> Tensor:
    """Leaky ReLU of slope 0.2 that keeps the variance."""
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


class Mapping(nn.Module):
    """z, scaled to length sqrt(latent), to the style w (Karras et al., 2019, section 2).

    Args:
        latent: width of z, of w and of what is between.
        classes: how many classes there are, each a learned vector beside z; 0 for none.
        layers: how many, at a hundredth of the learning rate.
    """

    def __init__(self, latent: int, classes: int, layers: int) -> None:
        super().__init__()
        self.label = LabelledNoise(classes, latent)
        widths = [latent + self.label.width] + layers * [latent]
        self.layers = nn.ModuleList(EqualLinear(*pair, rate=0.01) for pair in pairwise(widths))

    def forward(self, z: Tensor, cond: Tensor | None) -> Tensor:
        """(batch, latent), (batch,) int64 -> (batch, latent)."""
        w = self.label(z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8), cond)
        for layer in self.layers:
            w = activate(layer(w))
        return w


class StyledLayer(nn.Module):
    """Modulated 3x3 convolution, twice the size if asked for, noise, bias, leaky ReLU.

    The published layer enlarges before it convolves. Here it is the other way round, with the same filter and as many
    weights, which is a quarter of the operations.
    """

    def __init__(self, inputs: int, outputs: int, *, style: int, double: bool = False) -> None:
        super().__init__()
        self.conv = ModulatedConv(inputs, outputs, 3, style=style)
        self.resize = Upsample(outputs, outputs) if double else nn.Identity()
        self.strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(batch, inputs, height, width), (batch, style) -> (batch, outputs, height or twice, width or twice)."""
        x = self.resize(self.conv(x, w))
        noise = own_rows(torch.randn, len(x), 1, *x.shape[2:], device=x.device)  # when sampling too: it is fine detail
        return activate(x + (self.strength * noise).to(x.dtype) + self.bias.to(x.dtype).view(1, -1, 1, 1))


class Stage(nn.Module):
    """One resolution: its layers, and what it adds to the picture (Karras et al., 2020, figure 7b)."""

    def __init__(self, inputs: int, outputs: int, channels: int, *, style: int, first: bool) -> None:
        super().__init__()
        layers = [] if first else [StyledLayer(inputs, outputs, style=style, double=True)]
        self.layers = nn.ModuleList([*layers, StyledLayer(outputs, outputs, style=style)])
        self.colour = ModulatedConv(outputs, channels, 1, style=style, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.enlarge = Upsample(channels, channels)

    def forward(self, x: Tensor, picture: Tensor | None, w: Tensor) -> tuple[Tensor, Tensor]:
        """Features and the picture of the stage before (none before the first) -> those of this one."""
        for layer in self.layers:
            x = layer(x, w)
        colour = self.colour(x, w) + self.bias.to(x.dtype).view(1, -1, 1, 1)
        return x, colour if picture is None else self.enlarge(picture) + colour


class StyleGenerator(nn.Module):
    """StyleGAN2's generator with output skips (Karras et al., 2020), without style mixing.

    At 256x256 with the widths below it has the published 24.77 million parameters.

    Args:
        shape: channels, height, width of a picture.
        latent: width of z and of the styles (512 as published).
        classes: how many classes; 0 for none.
        width: channels of the finest stage (64 as published at 256x256); coarser ones double it, at most eightfold.
        mapping_layers: from z to the styles (8 as published; Karras et al., 2020, "Limited data", take 2 at 32x32).
    """

    def __init__(
        self, shape: Shape, *, latent: int = 512, classes: int = 0, width: int = 64, mapping_layers: int = 8
    ) -> None:
        super().__init__()
        self.shape = shape
        self.mapping = Mapping(latent, classes, mapping_layers)
        widths = stage_widths(width, doublings(*shape[1:]) + 1)[::-1]
        self.constant = nn.Parameter(torch.randn(widths[0], *start_size(*shape[1:])))
        pairs = pairwise([widths[0], *widths])
        self.stages = nn.ModuleList(
            Stage(*pair, shape[0], style=latent, first=number == 0) for number, pair in enumerate(pairs)
        )

    def forward(self, z: Tensor, cond: Tensor | None = None) -> Styled:
        """(batch, latent) -> pictures (batch, channels, height, width), in [-1, 1] by learning, and their styles."""
        w = self.mapping(z, cond)
        x = self.constant.expand(len(z), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        x, picture = self.stages[0](x, None, w)
        for stage in self.stages[1:]:
            x, picture = stage(x, picture, w)
        return Styled(crop(picture, *self.shape[1:]), w)


class CriticBlock(nn.Module):
    """Half the size: two 3x3 convolutions beside a 1x1 (Karras et al., 2020, figure 7c)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = EqualConv(inputs, inputs, 3)
        self.second = EqualConv(inputs, outputs, 3, stride=2)
        self.shrink = Downsample(inputs, inputs)
        self.skip = EqualConv(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, height, width) -> (batch, outputs, ceil(height / 2), ceil(width / 2))."""
        inner = activate(self.second(smooth(activate(self.first(x)))))
        return (inner + self.skip(self.shrink(x))) / math.sqrt(2)


def smooth(x: Tensor) -> Tensor:
    """The [1, 3, 3, 1] filter before a 3x3 convolution of stride 2 without padding, which then gives ceil(size / 2)."""
    x = F.pad(x, (2, 2 + x.shape[3] % 2, 2, 2 + x.shape[2] % 2))
    for _ in range(3):
        x = F.avg_pool2d(x, 2, stride=1)
    return x


class StyleCritic(nn.Module):
    """StyleGAN2's residual critic (Karras et al., 2020), with the deviation of a minibatch as one more channel.

    At 256x256 with the width below it has the published 24.00 million parameters.

    Args:
        shape: channels, height, width of a picture.
        classes: how many classes; 0 for none.
        condition: how it is told the class: "none", "concat", "projection", "auxiliary".
        width: channels of the finest stage (64 as published at 256x256); coarser ones double it, at most eightfold.
    """

    def __init__(self, shape: Shape, *, classes: int = 0, condition: str = "none", width: int = 64) -> None:
        super().__init__()
        self.planes = Planes(classes, shape[1:]) if classes and condition == "concat" else None
        times = doublings(*shape[1:])
        widths = stage_widths(width, times + 1)
        height, breadth = (math.ceil(side / 2**times) for side in shape[1:])
        self.colour = EqualConv(shape[0] + (self.planes is not None), widths[0], 1)
        self.blocks = nn.Sequential(*(CriticBlock(*pair) for pair in pairwise(widths)))
        self.deviation = MinibatchDeviation(group=4)
        self.last = EqualConv(widths[-1] + 1, widths[-1], 3)
        self.gather = EqualLinear(widths[-1] * height * breadth, widths[-1])
        self.head = Head(widths[-1], classes, condition)

    def forward(self, x: Tensor, cond: Tensor | None = None) -> Verdict:
        """(batch, channels, height, width) -> Verdict."""
        x = x if self.planes is None else self.planes(x, cond)
        x = self.blocks(activate(self.colour(x.contiguous(memory_format=torch.channels_last))))
        x = activate(self.last(self.deviation(x)))
        return self.head(activate(self.gather(x.flatten(1))), cond)
