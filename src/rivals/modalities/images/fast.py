"""FastGAN's networks (Liu et al., 2021), for pictures of any height, width and channels."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rivals.engine.parallel import own_rows
from rivals.engine.types import Verdict
from rivals.layers.condition import Head, LabelledNoise, Planes
from rivals.layers.norm import normal

from .networks import Shape, crop, doublings, small_normal, stage_widths, start_size


class Excite(nn.Module):
    """Skip-layer excitation: fine features times a gate for each channel, read off coarse ones (Liu et al., eq. 1-2).

    Args:
        coarse, fine: channels.
    """

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(4), nn.Conv2d(coarse, fine, 4), nn.LeakyReLU(0.1), nn.Conv2d(fine, fine, 1)
        )

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        """(batch, coarse, ...), (batch, fine, height, width) -> (batch, fine, height, width)."""
        return high * torch.sigmoid(self.gate(low))


def gated(inputs: int, outputs: int, norm: str) -> nn.Sequential:
    """3x3 convolution, normalisation, gated linear unit (Dauphin et al., 2017)."""
    return nn.Sequential(nn.Conv2d(inputs, 2 * outputs, 3, padding=1, bias=norm == "none"), *gate(norm, outputs))


def gate(norm: str, outputs: int) -> tuple[nn.Module, nn.Module]:
    """Normalisation of twice `outputs` channels, of which half become the other half's gates."""
    return normal(norm, 2 * outputs), nn.GLU(1)


def enlarge(inputs: int, outputs: int, norm: str) -> nn.Sequential:
    """Twice the height and width: nearest neighbour, then `gated`."""
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), *gated(inputs, outputs, norm))


class FastGenerator(nn.Module):
    """FastGAN's generator (Liu et al., 2021, section 3.1): one convolution a resolution, skip-layer excitation, tanh.

    A stage excites the one four doublings finer, as published (8 to 128, 16 to 256); in pictures below 128 pixels,
    where that is too far, the distance is one less than the doublings: 8 to 64 and 4 to 32 pixels at 64.

    Args:
        shape: channels, height, width of a picture.
        latent: width of z (256 as published).
        classes: how many classes, each a learned vector beside z; 0 for none.
        width: channels of the finest stage; coarser ones double it, at most eightfold.
    """

    def __init__(self, shape: Shape, *, latent: int = 256, classes: int = 0, width: int = 32) -> None:
        super().__init__()
        self.shape, self.start = shape, start_size(*shape[1:])
        times = doublings(*shape[1:])
        widths = stage_widths(width, times + 1)[::-1]
        self.label = LabelledNoise(classes, min(latent, 32))
        self.first = nn.Linear(latent + self.label.width, 2 * widths[0] * math.prod(self.start), bias=False)
        self.begin = nn.Sequential(*gate("batch", widths[0]))
        self.stages = nn.ModuleList(enlarge(*pair, "batch") for pair in pairwise(widths))
        self.gap = min(4, max(times - 1, 1))
        self.skips = nn.ModuleList(Excite(*pair) for pair in zip(widths, widths[self.gap :], strict=False))
        self.last = nn.Conv2d(widths[-1], shape[0], 3, padding=1)
        self.apply(small_normal)

    def forward(self, z: Tensor, cond: Tensor | None = None) -> Tensor:
        """(batch, latent) -> (batch, channels, height, width) in (-1, 1)."""
        x = self.first(self.label(z, cond)).view(len(z), -1, *self.start)
        found = [self.begin(x.contiguous(memory_format=torch.channels_last))]
        for number, stage in enumerate(self.stages, 1):
            x = stage(found[-1])
            found.append(x if number < self.gap else self.skips[number - self.gap](found[number - self.gap], x))
        return crop(torch.tanh(self.last(found[-1])), *self.shape[1:])


class DownBlock(nn.Module):
    """Half the size: the mean of two convolutions and of a pooled 1x1 (Liu et al., 2021, figure 4)."""

    def __init__(self, inputs: int, outputs: int, norm: str) -> None:
        super().__init__()
        bias = norm == "none"
        self.main = nn.Sequential(
            nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=bias), normal(norm, outputs), nn.LeakyReLU(0.2),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=bias), normal(norm, outputs), nn.LeakyReLU(0.2),
        )  # fmt: skip
        self.direct = nn.Sequential(
            nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1, bias=bias), normal(norm, outputs), nn.LeakyReLU(0.2)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, height, width) -> (batch, outputs, height // 2, width // 2)."""
        return (self.main(x) + self.direct(x)) / 2


class PatchHead(nn.Module):
    """The end of a critic that judges patches: a convolution without padding to logits, or any other `Head`, on each.

    Args:
        width: channels of the features.
        size: height and width of the features.
        classes, condition: as in `Head`.
        kernel: of the convolution, less where the features are smaller.
    """

    def __init__(self, width: int, size: tuple[int, int], classes: int, condition: str, *, kernel: int = 4) -> None:
        super().__init__()
        self.kernel = (min(kernel, size[0]), min(kernel, size[1]))
        self.head = Head(width * math.prod(self.kernel), classes, condition)

    def forward(self, x: Tensor, cond: Tensor | None) -> Verdict:
        """(batch, width, height, width) -> logits (batch, patches); class logits are averaged over the patches."""
        patches = F.unfold(x, self.kernel).transpose(1, 2)  # (batch, patches, width * kernel * kernel)
        count = patches.shape[1]
        verdict = self.head(patches.flatten(0, 1), None if cond is None else cond.repeat_interleave(count))
        aux = None if verdict.aux is None else verdict.aux.view(len(x), count, -1).mean(1)
        return Verdict((verdict.logits[0].view(len(x), count),), (), aux)


class FastCritic(nn.Module):
    """FastGAN's critic (Liu et al., 2021, section 3.2): it judges patches and learns to draw what it saw.

    While training its features are what `reconstruct` compares, in pairs of drawn and seen: the whole picture from the
    last features, then a quarter of it, at random for each sample, from those before; both at half the picture's size
    (128 pixels at 256, as published). What was seen is the critic's own input, so augmentation is no error. In
    evaluation it draws nothing and shows no features.

    Args:
        shape: channels, height, width of a picture.
        classes: how many classes; 0 for none.
        condition: how it is told the class: "none", "concat", "projection", "auxiliary".
        width: channels of the finest features; coarser ones double it, at most eightfold.
        norm: "batch" as published, or "none" (which penalties want).
    """

    def __init__(
        self, shape: Shape, *, classes: int = 0, condition: str = "none", width: int = 32, norm: str = "batch"
    ) -> None:
        super().__init__()
        self.planes = Planes(classes, shape[1:]) if classes and condition == "concat" else None
        times = max(doublings(*shape[1:]) - 1, 1)
        widths = stage_widths(width, times + 1)
        self.stem = nn.Sequential(
            nn.Conv2d(shape[0] + (self.planes is not None), widths[0], 3, padding=1), nn.LeakyReLU(0.2)
        )
        self.blocks = nn.ModuleList(DownBlock(*pair, norm) for pair in pairwise(widths))
        self.mix = nn.Sequential(
            nn.Conv2d(widths[-1], widths[-1], 1, bias=norm == "none"), normal(norm, widths[-1]), nn.LeakyReLU(0.2)
        )
        self.whole = Decoder(widths[-1], shape[0], times - 1, norm)
        self.part = Decoder(widths[-2], shape[0], times - 1, norm)
        self.apply(small_normal)
        self.patches = PatchHead(widths[-1], (shape[1] >> times, shape[2] >> times), classes, condition)

    def forward(self, x: Tensor, cond: Tensor | None = None) -> Verdict:
        """(batch, channels, height, width) -> Verdict."""
        seen = x.detach()
        x = x if self.planes is None else self.planes(x, cond)
        found = [self.stem(x.contiguous(memory_format=torch.channels_last))]
        for block in self.blocks:
            found.append(block(found[-1]))
        verdict = self.patches(self.mix(found[-1]), cond)
        return verdict._replace(features=self.draw(found[-2], found[-1], seen)) if self.training else verdict

    def draw(self, middle: Tensor, last: Tensor, seen: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The whole picture drawn, the whole seen, a quarter drawn, the quarter seen."""
        which = own_rows(torch.rand, len(seen), device=seen.device).mul(4).long().clamp(max=3)
        whole, part = self.whole(last), self.part(quarter(middle, which))
        return whole, resized(seen, whole), part, resized(quarter(seen, which), part)


class Decoder(nn.Module):
    """Features to a small picture in (-1, 1) (Liu et al., 2021, figure 4): a 3x3 step to each doubling, at most four.

    Args:
        width: channels of the features. The first doubling leaves an eighth, each further one half of that: what is
            drawn teaches the critic, and need not be good.
        channels: of the picture.
        times: how many doublings.
        norm: "batch" or "none".
    """

    def __init__(self, width: int, channels: int, times: int, norm: str) -> None:
        super().__init__()
        widths = [width, *(max(width >> number, 4) for number in range(3, min(times, 4) + 3))]
        steps = (enlarge(*pair, norm) for pair in pairwise(widths))
        self.layers = nn.Sequential(*steps, nn.Conv2d(widths[-1], channels, 3, padding=1), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, h, w) -> (batch, channels, 2^times h, 2^times w)."""
        return self.layers(x)


def quarter(x: Tensor, which: Tensor) -> Tensor:
    """A corner of each of (batch, channels, height, width), half as high and wide: 0 and 1 above, 2 and 3 below."""
    height, width = (x.shape[2] + 1) // 2, (x.shape[3] + 1) // 2
    rows = [part for half in (x[:, :, :height], x[:, :, -height:]) for part in (half[..., :width], half[..., -width:])]
    return torch.stack(rows, 1)[torch.arange(len(x), device=x.device), which]


def resized(x: Tensor, like: Tensor) -> Tensor:
    """Pictures at the height and width of others, smoothed where they get smaller."""
    return F.interpolate(x, like.shape[2:], mode="bilinear", antialias=True, align_corners=False).to(like.dtype)
