"""Networks for pictures of any height, width and channels: the classic perceptrons, DCGAN, R3GAN.

Every generator is `(z, cond) -> (batch, channels, height, width)` in about [-1, 1]; every critic is
`(sample, cond) -> Verdict`. `cond` is None or labels, (batch,) int64.
"""

import math
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from rivals.engine.types import Verdict
from rivals.layers.condition import Head, LabelledNoise, Planes
from rivals.layers.dropout import Dropout
from rivals.layers.norm import WholeBatchNorm, normal
from rivals.layers.residual import (
    Downsample,
    ResidualBlock,
    Upsample,
    scaled_conv,
    scaled_linear,
)

Shape = tuple[int, int, int]  # channels, height, width


def doublings(height: int, width: int) -> int:
    """How often a start of about 4 pixels (3 to 5) on the shorter side is doubled to reach the size.

    >>> doublings(28, 28), doublings(32, 32), doublings(64, 96), doublings(5, 40)
    (3, 3, 4, 0)
    """
    return max(round(math.log2(min(height, width) / 4)), 0)


def start_size(height: int, width: int) -> tuple[int, int]:
    """Height and width before the doublings, rounded up; what is too much is cropped at the end."""
    times = 2 ** doublings(height, width)
    return math.ceil(height / times), math.ceil(width / times)


def crop(x: Tensor, height: int, width: int) -> Tensor:
    """The middle of (batch, channels, h, w), of the given height and width."""
    top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
    return x[:, :, top : top + height, left : left + width]


def stage_widths(width: int, stages: int) -> list[int]:
    """Channels from the finest stage to the coarsest: doubling, at most eightfold, and to 768 at most if not above it.

    >>> stage_widths(24, 4), stage_widths(384, 5)  # the second is R3GAN's at 64x64
    ([24, 48, 96, 192], [384, 768, 768, 768, 768])
    """
    return [min(width * min(2**i, 8), max(768, width)) for i in range(stages)]


class PerceptronGenerator(nn.Module):
    """latent-256-512-1024-pixels, the shape of countless first GANs (after Goodfellow et al., 2014)."""

    def __init__(self, shape: Shape, *, latent: int = 100, classes: int = 0, width: int = 256) -> None:
        super().__init__()
        self.shape = shape
        self.label = LabelledNoise(classes, min(latent, 32))
        sizes = [latent + self.label.width, width, 2 * width, 4 * width]
        layers = [
            part for i in range(3) for part in (nn.Linear(sizes[i], sizes[i + 1]), nn.LeakyReLU(0.2, inplace=True))
        ]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], math.prod(shape)), nn.Tanh())

    def forward(self, z: Tensor, cond: Tensor | None = None) -> Tensor:
        """(batch, latent) -> (batch, channels, height, width) in (-1, 1)."""
        return self.layers(self.label(z, cond)).view(-1, *self.shape)


class PerceptronCritic(nn.Module):
    """pixels-1024-512-256-1; labels by concatenation unless another condition is given.

    Dropout after every hidden layer, as in Goodfellow et al. (2014): without it this critic tells noise from pictures
    within a hundred steps, and the generator never learns.
    """

    def __init__(
        self, shape: Shape, *, classes: int = 0, condition: str = "concat", width: int = 256, dropout: float = 0.3
    ) -> None:
        super().__init__()
        self.planes = Planes(classes, shape[1:]) if classes and condition == "concat" else None
        sizes = [math.prod(shape) + (math.prod(shape[1:]) if self.planes else 0), 4 * width, 2 * width, width]
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2, inplace=True), Dropout(dropout)]
        self.layers = nn.Sequential(*layers)
        self.head = Head(width, classes, condition)

    def forward(self, x: Tensor, cond: Tensor | None = None) -> Verdict:
        """(batch, channels, height, width) -> Verdict."""
        return self.head(self.layers(x if self.planes is None else self.planes(x, cond)), cond)


class ConvGenerator(nn.Module):
    """DCGAN's generator (Radford et al., 2016): transposed 4x4 convolutions, each twice the size, tanh at the end.

    Args:
        shape: channels, height, width of a picture.
        latent: width of z.
        classes: how many classes; 0 for none.
        width: channels of the finest hidden stage; coarser ones double it, at most eightfold.
        norm: "batch" as published, or "none".
    """

    def __init__(
        self, shape: Shape, *, latent: int = 100, classes: int = 0, width: int = 64, norm: str = "batch"
    ) -> None:
        super().__init__()
        self.shape = shape
        self.start = start_size(*shape[1:])
        widths = stage_widths(width, doublings(*shape[1:]))[::-1] or [width]
        self.label = LabelledNoise(classes, min(latent, 32))
        bias = norm == "none"
        self.first = nn.Linear(latent + self.label.width, widths[0] * math.prod(self.start))
        stages: list[nn.Module] = [normal(norm, widths[0]), nn.ReLU(inplace=True)]
        for inputs, outputs in pairwise(widths):
            up = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=bias)
            stages += [up, normal(norm, outputs), nn.ReLU(inplace=True)]
        last = (
            nn.ConvTranspose2d(widths[-1], shape[0], 4, stride=2, padding=1)
            if doublings(*shape[1:])
            else nn.Conv2d(widths[-1], shape[0], 3, padding=1)
        )
        self.stages = nn.Sequential(*stages, last, nn.Tanh())
        self.apply(partial(small_normal, gain=1.0 if norm != "none" else math.sqrt(2)))

    def forward(self, z: Tensor, cond: Tensor | None = None) -> Tensor:
        """(batch, latent) -> (batch, channels, height, width) in (-1, 1)."""
        x = self.first(self.label(z, cond)).view(len(z), -1, *self.start)
        x = x.contiguous(memory_format=torch.channels_last)
        return crop(self.stages(x), *self.shape[1:])


class ConvCritic(nn.Module):
    """DCGAN's critic: 4x4 convolutions of stride 2, each with twice the channels of the one before.

    Args:
        shape: channels, height, width of a picture.
        classes: how many classes; 0 for none.
        condition: how it is told the class: "none", "concat", "projection", "auxiliary".
        width: channels of the first stage; later ones double it, at most eightfold.
        norm: "batch" as published, or "none" (which penalties and spectral normalisation want).
    """

    def __init__(
        self,
        shape: Shape,
        *,
        classes: int = 0,
        condition: str = "none",
        width: int = 64,
        norm: str = "none",
    ) -> None:
        super().__init__()
        self.planes = Planes(classes, shape[1:]) if classes and condition == "concat" else None
        widths = stage_widths(width, max(doublings(*shape[1:]), 1))
        channels = shape[0] + (self.planes is not None)
        stages: list[nn.Module] = []
        height, breadth = shape[1:]
        for number, outputs in enumerate(widths):
            plain = norm == "none" or number == 0  # as published: none on the first layer
            conv = nn.Conv2d(channels, outputs, 4, stride=2, padding=1, bias=plain)
            stages += [conv, nn.Identity() if plain else normal(norm, outputs), nn.LeakyReLU(0.2, inplace=True)]
            channels, height, breadth = outputs, height // 2, breadth // 2
        self.stages = nn.Sequential(*stages, nn.Flatten())
        self.apply(small_normal)
        self.head = Head(channels * height * breadth, classes, condition)

    def forward(self, x: Tensor, cond: Tensor | None = None) -> Verdict:
        """(batch, channels, height, width) -> Verdict."""
        x = x if self.planes is None else self.planes(x, cond)
        return self.head(self.stages(x.contiguous(memory_format=torch.channels_last)), cond)


@torch.no_grad()
def small_normal(module: nn.Module, gain: float = 1.0) -> None:
    """DCGAN's initialisation: N(0, 0.02^2), batch norm's scale N(1, 0.02^2).

    Narrow networks without normalisation die of it, so layers whose usual spread is larger keep that: the weights are
    N(0, gain^2 / fan_in) where this is more. Where nothing normalises, rectifiers need a gain of sqrt(2) (He et al.,
    2015): at 1 a generator's first pictures are all but the same, and the game can lose them for hundreds of rounds.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        fan_in = (
            module.weight[0].numel()
            if not isinstance(module, nn.ConvTranspose2d)
            else module.weight.numel() / (module.weight.shape[1] * 4)
        )
        module.weight.normal_(std=max(0.02, gain * fan_in**-0.5))
        if module.bias is not None:
            module.bias.zero_()
    elif isinstance(module, WholeBatchNorm):
        module.weight.normal_(1.0, 0.02)


class ResidualGenerator(nn.Module):
    """R3GAN's generator (Huang et al., 2024): a learned 4x4 basis scaled by z, then blocks and upsampling; no tanh.

    Args:
        shape: channels, height, width of a picture.
        latent: width of z (64 as published).
        classes: how many classes; 0 for none.
        width: channels of the finest stage; coarser ones double it, at most eightfold.
        blocks: residual blocks a stage (2 as published).
        group_size: channels a group of the 3x3 convolutions (16 as published); None for dense ones.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        latent: int = 64,
        classes: int = 0,
        width: int = 96,
        blocks: int = 2,
        group_size: int | None = 16,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.label = LabelledNoise(classes, latent)
        widths = stage_widths(width, doublings(*shape[1:]) + 1)[::-1]
        total = blocks * len(widths)
        self.basis = nn.Parameter(torch.randn(widths[0], *start_size(*shape[1:])))
        self.scale = scaled_linear(latent + self.label.width, widths[0])
        stages: list[nn.Module] = []
        for number, channels in enumerate(widths):
            if number:
                stages.append(Upsample(widths[number - 1], channels))
            stages += [ResidualBlock(channels, blocks=total, group_size=group_size) for _ in range(blocks)]
        self.stages = nn.Sequential(*stages, scaled_conv(widths[-1], shape[0], 1))

    def forward(self, z: Tensor, cond: Tensor | None = None) -> Tensor:
        """(batch, latent) -> (batch, channels, height, width), in [-1, 1] by learning."""
        scale = self.scale(self.label(z, cond))
        x = (self.basis * scale[:, :, None, None]).contiguous(memory_format=torch.channels_last)
        return crop(self.stages(x), *self.shape[1:])


class ResidualCritic(nn.Module):
    """R3GAN's critic, the generator's mirror image. Arguments as there; `condition` as in `ConvCritic`."""

    def __init__(
        self,
        shape: Shape,
        *,
        classes: int = 0,
        condition: str = "projection",
        width: int = 96,
        blocks: int = 2,
        group_size: int | None = 16,
    ) -> None:
        super().__init__()
        self.planes = Planes(classes, shape[1:]) if classes and condition == "concat" else None
        widths = stage_widths(width, doublings(*shape[1:]) + 1)
        total = blocks * len(widths)
        stages: list[nn.Module] = [scaled_conv(shape[0] + (self.planes is not None), widths[0], 1)]
        height, breadth = shape[1:]
        for number, channels in enumerate(widths):
            if number:
                stages.append(Downsample(widths[number - 1], channels))
                height, breadth = math.ceil(height / 2), math.ceil(breadth / 2)
            stages += [ResidualBlock(channels, blocks=total, group_size=group_size) for _ in range(blocks)]
        depthwise = nn.Conv2d(widths[-1], widths[-1], (height, breadth), groups=widths[-1], bias=False)
        nn.init.normal_(depthwise.weight, std=(height * breadth) ** -0.5)
        self.stages = nn.Sequential(*stages, depthwise, nn.Flatten())
        self.head = Head(widths[-1], classes, condition)

    def forward(self, x: Tensor, cond: Tensor | None = None) -> Verdict:
        """(batch, channels, height, width) -> Verdict."""
        x = x if self.planes is None else self.planes(x, cond)
        return self.head(self.stages(x.contiguous(memory_format=torch.channels_last)), cond)
