"""Residual networks of the spectral normalisation line: SNGAN's ResNet, SAGAN (with attention), BigGAN (small).

Spectral normalisation itself is put on from outside, over every convolution, linear map and embedding.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rivals.engine.errors import RequestError
from rivals.engine.types import Verdict
from rivals.layers.attention import SelfAttention
from rivals.layers.condition import Head, Planes, labels
from rivals.layers.norm import ConditionalBatchNorm, WholeBatchNorm
from rivals.layers.resample import doubled_conv, even, halved_conv

from .networks import Shape, crop, doublings, stage_widths, start_size

ATTENTIVE_SIDE = 16  # attention works on maps of about this side: at finer ones it costs too much


def residual_conv(inputs: int, outputs: int, kernel: int = 3, *, gain: float = math.sqrt(2)) -> nn.Conv2d:
    """A convolution that keeps the size, Glorot-uniform weights, times root two before a ReLU (Miyato et al., 2018)."""
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    nn.init.xavier_uniform_(conv.weight, gain=gain)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv


def nearest(sides: Sequence[int], wanted: int) -> int:
    """Which of the sides is nearest in ratio, the first of equals.

    >>> nearest([8, 16, 32], 16), nearest([6, 12, 24], 16)
    (1, 1)
    """
    return min(range(len(sides)), key=lambda i: abs(math.log2(sides[i] / wanted)))


class UpBlock(nn.Module):
    """Normalise, ReLU, double, 3x3, normalise, ReLU, 3x3, beside a doubled 1x1 (Miyato et al., 2018, figure 7).

    Args:
        inputs: channels in.
        outputs: channels out.
        vector: width of the vectors that batch normalisation is conditioned on; 0 for none.
        doubles: whether height and width are doubled.
        attend: whether self-attention follows.
    """

    def __init__(
        self, inputs: int, outputs: int, *, vector: int = 0, doubles: bool = True, attend: bool = False
    ) -> None:
        super().__init__()
        self.doubles = doubles
        self.norms = nn.ModuleList(
            ConditionalBatchNorm(channels, vector) if vector else WholeBatchNorm(channels)
            for channels in (inputs, outputs)
        )
        self.first, self.second = residual_conv(inputs, outputs), residual_conv(outputs, outputs)
        self.shortcut = residual_conv(inputs, outputs, 1, gain=1.0)
        self.attend = SelfAttention(outputs) if attend else nn.Identity()

    def forward(self, x: Tensor, vector: Tensor | None = None) -> Tensor:
        """(batch, inputs, height, width), (batch, vector) -> (batch, outputs, 2 height, 2 width)."""
        given = () if vector is None else (vector,)
        inside = F.relu(self.norms[0](x, *given), inplace=True)
        inside = doubled_conv(self.first, inside) if self.doubles else self.first(inside)
        inside = self.second(F.relu(self.norms[1](inside, *given), inplace=True))
        beside = self.shortcut(x)  # a 1x1 and a doubling commute, and it is cheaper before
        beside = F.interpolate(beside, scale_factor=2, mode="nearest") if self.doubles else beside
        return self.attend(inside + beside)


class DownBlock(nn.Module):
    """ReLU, 3x3, ReLU, 3x3, halve, beside a halved 1x1 (Miyato et al., 2018, figure 7).

    Args:
        inputs: channels in.
        outputs: channels out.
        halves: whether height and width are halved, rounded up; the 1x1 is there where this or the width changes.
        raw: whether x is the picture itself, which no ReLU comes before.
        attend: whether self-attention follows.
    """

    def __init__(
        self, inputs: int, outputs: int, *, halves: bool = True, raw: bool = False, attend: bool = False
    ) -> None:
        super().__init__()
        self.halves, self.raw = halves, raw
        self.first, self.second = residual_conv(inputs, outputs), residual_conv(outputs, outputs)
        changes = halves or inputs != outputs
        self.shortcut = residual_conv(inputs, outputs, 1, gain=1.0) if changes else nn.Identity()
        self.attend = SelfAttention(outputs) if attend else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, height, width) -> (batch, outputs, ceil(height / 2), ceil(width / 2))."""
        x = even(x) if self.halves else x
        inside = F.relu(self.first(x if self.raw else F.relu(x)), inplace=True)
        inside = halved_conv(self.second, inside) if self.halves else self.second(inside)
        beside = self.shortcut(F.avg_pool2d(x, 2) if self.halves else x)
        return self.attend(inside + beside)


class UpStages(nn.Module):
    """From (batch, widths[0], *start_size) to a picture in (-1, 1): a block for each doubling, then a 3x3 and tanh.

    Args:
        shape: channels, height, width of a picture.
        widths: channels before the first block and after each.
        vectors: width of the vector that each block is told; 0 for none.
        attention: whether one block, the one nearest to 16 pixels, attends.
    """

    def __init__(self, shape: Shape, widths: Sequence[int], vectors: Sequence[int], *, attention: bool) -> None:
        super().__init__()
        self.size, times = shape[1:], doublings(*shape[1:])
        sides = [min(start_size(*self.size)) * 2 ** min(i + 1, times) for i in range(len(widths) - 1)]
        here = nearest(sides, ATTENTIVE_SIDE) if attention else None
        self.blocks = nn.ModuleList(
            UpBlock(inputs, outputs, vector=vector, doubles=times > 0, attend=i == here)
            for i, ((inputs, outputs), vector) in enumerate(zip(pairwise(widths), vectors, strict=True))
        )
        last = residual_conv(widths[-1], shape[0], gain=1.0)
        self.last = nn.Sequential(WholeBatchNorm(widths[-1]), nn.ReLU(inplace=True), last, nn.Tanh())

    def forward(self, x: Tensor, vectors: Sequence[Tensor | None]) -> Tensor:
        """(batch, widths[0], *start_size), a (batch, width) for each block -> (batch, channels, height, width)."""
        x = x.contiguous(memory_format=torch.channels_last)
        for block, vector in zip(self.blocks, vectors, strict=True):
            x = block(x, vector)
        return crop(self.last(x), *self.size)


class DownStages(nn.Module):
    """From a picture to features (batch, widths[-1]): blocks, ReLU, the sum over all places.

    Args:
        shape: channels, height, width of what comes in.
        widths: channels after each block.
        halvings: how many of the blocks, from the first on, halve height and width.
        attention: whether one block, the one nearest to 16 pixels, attends.
    """

    def __init__(self, shape: Shape, widths: Sequence[int], halvings: int, *, attention: bool) -> None:
        super().__init__()
        sides = [math.ceil(min(shape[1:]) / 2 ** min(i + 1, halvings)) for i in range(len(widths))]
        here = nearest(sides, ATTENTIVE_SIDE) if attention else None
        self.blocks = nn.Sequential(
            *(
                DownBlock(inputs, outputs, halves=i < halvings, raw=i == 0, attend=i == here)
                for i, (inputs, outputs) in enumerate(pairwise([shape[0], *widths]))
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, widths[-1])."""
        return F.relu(self.blocks(x.contiguous(memory_format=torch.channels_last))).sum((2, 3))


class ResnetGenerator(nn.Module):
    """SNGAN's residual generator (Miyato et al., 2018, table 4); with attention SAGAN's (Zhang et al., 2019).

    The label sets the gain and bias of every batch normalisation in the blocks (Miyato and Koyama, 2018).

    Args:
        shape: channels, height, width of a picture.
        latent: width of z (128 as published).
        classes: how many classes; 0 for none.
        width: channels of every stage (256 as published).
        attention: whether the stage nearest to 16 pixels attends.
    """

    def __init__(
        self, shape: Shape, *, latent: int = 128, classes: int = 0, width: int = 256, attention: bool = False
    ) -> None:
        super().__init__()
        self.start, self.classes = start_size(*shape[1:]), classes
        self.count = max(doublings(*shape[1:]), 1)
        self.first = nn.Linear(latent, width * math.prod(self.start))
        nn.init.xavier_uniform_(self.first.weight)
        self.stages = UpStages(shape, [width] * (self.count + 1), [classes] * self.count, attention=attention)

    def forward(self, z: Tensor, cond: Tensor | None = None) -> Tensor:
        """(batch, latent) -> (batch, channels, height, width) in (-1, 1)."""
        vector = one_hot(labels(cond, self.classes), self.classes).to(z.dtype) if self.classes else None
        return self.stages(self.first(z).view(len(z), -1, *self.start), [vector] * self.count)


class ResnetCritic(nn.Module):
    """SNGAN's residual critic (Miyato et al., 2018, table 4); with attention SAGAN's (Zhang et al., 2019).

    Args:
        shape: channels, height, width of a picture.
        classes: how many classes; 0 for none.
        condition: how it is told the class: "none", "concat", "projection", "auxiliary".
        width: channels of every stage (128 as published).
        attention: whether the stage nearest to 16 pixels attends.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        classes: int = 0,
        condition: str = "projection",
        width: int = 128,
        attention: bool = False,
    ) -> None:
        super().__init__()
        halvings = max(doublings(*shape[1:]) - 1, 1)
        self.planes = Planes(classes, shape[1:]) if classes and condition == "concat" else None
        seen = (shape[0] + (self.planes is not None), *shape[1:])
        self.stages = DownStages(seen, [width] * (halvings + 2), halvings, attention=attention)
        self.head = Head(width, classes, condition)

    def forward(self, x: Tensor, cond: Tensor | None = None) -> Verdict:
        """(batch, channels, height, width) -> Verdict."""
        return self.head(self.stages(x if self.planes is None else self.planes(x, cond)), cond)


class BigGenerator(nn.Module):
    """BigGAN's generator, small (Brock et al., 2019, appendix B): every block is told its own piece of z and the label.

    Args:
        shape: channels, height, width of a picture.
        latent: width of z, at least one for each stage.
        classes: how many classes; 0 for none.
        width: channels of the finest stage; coarser ones double it, at most eightfold.
        embedding: width of a label's vector, which all blocks share (128 as published).

    Raises:
        RequestError: `latent` is too small to be cut into pieces.
    """

    def __init__(
        self, shape: Shape, *, latent: int = 128, classes: int = 0, width: int = 64, embedding: int = 128
    ) -> None:
        super().__init__()
        self.start, self.classes = start_size(*shape[1:]), classes
        widths = stage_widths(width, max(doublings(*shape[1:]), 1) + 1)[::-1]
        if latent < len(widths):
            raise RequestError(f"latent {latent} is too small: this network cuts z into {len(widths)} pieces")
        self.pieces = [latent // len(widths) + (i < latent % len(widths)) for i in range(len(widths))]
        self.embed = nn.Embedding(classes, embedding) if classes else None
        told = [piece + (embedding if classes else 0) for piece in self.pieces[1:]]
        self.first = nn.Linear(self.pieces[0], widths[0] * math.prod(self.start))
        self.stages = UpStages(shape, widths, told, attention=True)
        self.apply(orthogonal)

    def forward(self, z: Tensor, cond: Tensor | None = None) -> Tensor:
        """(batch, latent) -> (batch, channels, height, width) in (-1, 1)."""
        first, *pieces = z.split(self.pieces, 1)
        if self.embed is not None:
            label = self.embed(labels(cond, self.classes))
            pieces = [torch.cat([piece, label], 1) for piece in pieces]
        return self.stages(self.first(first).view(len(z), -1, *self.start), pieces)


class BigCritic(nn.Module):
    """BigGAN's critic, small (Brock et al., 2019, appendix B). Arguments as in `ResnetCritic`.

    `width` is that of the first stage; later ones double it, at most eightfold, and a block without halving ends it.
    """

    def __init__(self, shape: Shape, *, classes: int = 0, condition: str = "projection", width: int = 64) -> None:
        super().__init__()
        halvings = max(doublings(*shape[1:]), 1)
        self.planes = Planes(classes, shape[1:]) if classes and condition == "concat" else None
        seen = (shape[0] + (self.planes is not None), *shape[1:])
        widths = stage_widths(width, halvings)
        self.stages = DownStages(seen, [*widths, widths[-1]], halvings, attention=True)
        self.head = Head(widths[-1], classes, condition)
        self.apply(orthogonal)

    def forward(self, x: Tensor, cond: Tensor | None = None) -> Verdict:
        """(batch, channels, height, width) -> Verdict."""
        return self.head(self.stages(x if self.planes is None else self.planes(x, cond)), cond)


def one_hot(cond: Tensor, classes: int) -> Tensor:
    """(batch,) int64 -> (batch, classes) bool. torch's own waits for the device to check the labels."""
    return cond[:, None] == torch.arange(classes, device=cond.device)


@torch.no_grad()
def orthogonal(module: nn.Module) -> None:
    """Orthogonal weights (Saxe et al., 2014), as BigGAN begins with, and no bias."""
    if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
        nn.init.orthogonal_(module.weight)
    if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
