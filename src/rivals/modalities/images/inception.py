"""The standard feature space of FID: the Inception network of 2015-12-05, as its published weights and users define it.

FID (Heusel et al. 2017, arXiv 1706.08500) is the Frechet distance between 2,048 pooled features of this one network for
pictures rounded to 8 bits and resized by TensorFlow 1's bilinear rule. Anything else gives numbers of another name.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from rivals.engine.errors import RequestError

from .spaces import Extractor, channels_last, coloured, in_batches
from .weights import Progress, Published, weights

NAME = "inception-2015-12-05"
SIZE = 299
PUBLISHED = Published(
    what="inception",
    file="pt_inception-2015-12-05-6726825d.pth",
    addresses=(
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
    ),
    prefix="6726825d",
    variable="RIVALS_WEIGHTS_INCEPTION",
)


class Conv(NamedTuple):
    """A convolution of a branch: its name in the published weights, channels out, kernel (height, width), stride.

    With stride 1 the size stays; with stride 2 nothing is padded.
    """

    name: str
    wide: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1


class Unit(nn.Module):
    """A convolution, batch norm with epsilon 0.001, and the rectifier."""

    def __init__(self, narrow: int, conv: Conv, *, padded: bool = True) -> None:
        super().__init__()
        around = (conv.kernel[0] // 2, conv.kernel[1] // 2) if padded and conv.stride == 1 else (0, 0)
        self.conv = nn.Conv2d(narrow, conv.wide, conv.kernel, conv.stride, around, bias=False)
        self.bn: nn.Module = nn.BatchNorm2d(conv.wide, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """(n, narrow, h, w) -> (n, wide, ...)."""
        return F.relu(self.bn(self.conv(x)), inplace=True)

    def fold(self) -> None:
        """Put the norm, which learns no more, into the convolution."""
        assert isinstance(self.bn, nn.BatchNorm2d)
        self.conv = fuse_conv_bn_eval(self.conv.eval(), self.bn.eval())
        self.bn = nn.Identity()


Step = tuple[Conv, ...]  # convolutions of the same input, joined


class Mixed(nn.Module):
    """Branches side by side, joined by channels; the last one pools, then convolves (or not, where `pooled` is 0)."""

    def __init__(self, narrow: int, branches: Iterable[Sequence[Step]], pool: nn.Module, pooled: int = 0) -> None:
        super().__init__()
        self.paths: list[list[list[str]]] = []
        self.wide = pooled or narrow
        for branch in branches:
            before = narrow
            for step in branch:
                for conv in step:
                    self.add_module(conv.name, Unit(before, conv))
                before = sum(conv.wide for conv in step)
            self.wide += before
            self.paths.append([[conv.name for conv in step] for step in branch])
        self.pool = pool
        self.branch_pool = Unit(narrow, Conv("branch_pool", pooled)) if pooled else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(n, narrow, h, w) -> (n, self.wide, ...)."""
        found = []
        for path in self.paths:
            y = x
            for step in path:
                y = torch.cat([self.get_submodule(name)(y) for name in step], 1)
            found.append(y)
        return torch.cat([*found, self.branch_pool(self.pool(x))], 1)


def _mean() -> nn.Module:
    return nn.AvgPool2d(3, 1, 1, count_include_pad=False)  # TensorFlow leaves out the padding when it averages


def _a(narrow: int, pooled: int) -> Mixed:
    return Mixed(
        narrow,
        [
            [(Conv("branch1x1", 64),)],
            [(Conv("branch5x5_1", 48),), (Conv("branch5x5_2", 64, (5, 5)),)],
            [
                (Conv("branch3x3dbl_1", 64),),
                (Conv("branch3x3dbl_2", 96, (3, 3)),),
                (Conv("branch3x3dbl_3", 96, (3, 3)),),
            ],
        ],
        _mean(),
        pooled,
    )


def _b(narrow: int) -> Mixed:
    return Mixed(
        narrow,
        [
            [(Conv("branch3x3", 384, (3, 3), 2),)],
            [
                (Conv("branch3x3dbl_1", 64),),
                (Conv("branch3x3dbl_2", 96, (3, 3)),),
                (Conv("branch3x3dbl_3", 96, (3, 3), 2),),
            ],
        ],
        nn.MaxPool2d(3, 2),
    )


def _c(narrow: int, middle: int) -> Mixed:
    across, down = (1, 7), (7, 1)
    return Mixed(
        narrow,
        [
            [(Conv("branch1x1", 192),)],
            [
                (Conv("branch7x7_1", middle),),
                (Conv("branch7x7_2", middle, across),),
                (Conv("branch7x7_3", 192, down),),
            ],
            [
                (Conv("branch7x7dbl_1", middle),),
                (Conv("branch7x7dbl_2", middle, down),),
                (Conv("branch7x7dbl_3", middle, across),),
                (Conv("branch7x7dbl_4", middle, down),),
                (Conv("branch7x7dbl_5", 192, across),),
            ],
        ],
        _mean(),
        192,
    )


def _d(narrow: int) -> Mixed:
    return Mixed(
        narrow,
        [
            [(Conv("branch3x3_1", 192),), (Conv("branch3x3_2", 320, (3, 3), 2),)],
            [
                (Conv("branch7x7x3_1", 192),),
                (Conv("branch7x7x3_2", 192, (1, 7)),),
                (Conv("branch7x7x3_3", 192, (7, 1)),),
                (Conv("branch7x7x3_4", 192, (3, 3), 2),),
            ],
        ],
        nn.MaxPool2d(3, 2),
    )


def _e(narrow: int, pool: nn.Module) -> Mixed:
    def both(name: str, last: str) -> Step:
        return Conv(f"{name}_{last}a", 384, (1, 3)), Conv(f"{name}_{last}b", 384, (3, 1))

    return Mixed(
        narrow,
        [
            [(Conv("branch1x1", 320),)],
            [(Conv("branch3x3_1", 384),), both("branch3x3", "2")],
            [(Conv("branch3x3dbl_1", 448),), (Conv("branch3x3dbl_2", 384, (3, 3)),), both("branch3x3dbl", "3")],
        ],
        pool,
        192,
    )


class Inception(nn.Module):
    """Inception v3 as in the graph of 2015-12-05 (Szegedy et al. 2015, arXiv 1512.00567): 23,850,960 parameters.

    Names of layers are those of the published weights. Pictures (n, 3, 299, 299) in about [-1, 1] give 2,048 features,
    the "pool3" of the graph, and 1,008 logits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Unit(3, Conv("", 32, (3, 3), 2))  # (n, 32, 149, 149)
        self.Conv2d_2a_3x3 = Unit(32, Conv("", 32, (3, 3)), padded=False)  # (n, 32, 147, 147)
        self.Conv2d_2b_3x3 = Unit(32, Conv("", 64, (3, 3)))
        self.MaxPool_1 = nn.MaxPool2d(3, 2)  # (n, 64, 73, 73)
        self.Conv2d_3b_1x1 = Unit(64, Conv("", 80))
        self.Conv2d_4a_3x3 = Unit(80, Conv("", 192, (3, 3)), padded=False)  # (n, 192, 71, 71)
        self.MaxPool_2 = nn.MaxPool2d(3, 2)  # (n, 192, 35, 35)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _a(192, 32), _a(256, 64), _a(288, 64)
        self.Mixed_6a = _b(288)  # (n, 768, 17, 17)
        self.Mixed_6b, self.Mixed_6c = _c(768, 128), _c(768, 160)
        self.Mixed_6d, self.Mixed_6e = _c(768, 160), _c(768, 192)
        self.Mixed_7a = _d(768)  # (n, 1280, 8, 8)
        self.Mixed_7b, self.Mixed_7c = _e(1280, _mean()), _e(2048, nn.MaxPool2d(3, 1, 1))  # a maximum, as published
        self.fc = nn.Linear(2048, 1008)

    def features(self, x: Tensor) -> Tensor:
        """Features (n, 2048): the means of the last block's channels."""
        x = x.contiguous(memory_format=torch.channels_last)
        for name, layer in self.named_children():
            if name != "fc":
                x = layer(x)
        return x.mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, 1008) without the last layer's bias, which the Inception Score's own code leaves out."""
        return F.linear(self.features(x), self.fc.weight)

    def fold(self) -> None:
        """Put the norms into the convolutions; the same features up to rounding, faster."""
        for unit in [module for module in self.modules() if isinstance(module, Unit)]:
            unit.fold()


def inception(path: str | Path | None = None, *, progress: Progress | None = None) -> Extractor:
    """The space in which a Frechet distance is FID: 2,048 pooled features of the Inception network of 2015-12-05.

    Args:
        path: the file with the weights; RIVALS_WEIGHTS_INCEPTION, the cache, or a download if not given.
        progress: of the download, in bytes.

    Raises:
        RequestError: the weights can't be had, or the file is another one.
    """
    file = weights(PUBLISHED, path, progress=progress)
    try:
        state = torch.load(file.path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises what pickle, zip and its own checks raise
        raise RequestError(f"{str(file.path)!r} can't be read as weights ({type(error).__name__})") from error
    return space_of(state, file.sha256)


def space_of(state: dict[str, Tensor], digest: str) -> Extractor:
    """The space of these weights, whose hash is known.

    Raises:
        RequestError: they belong to another network.
    """
    network = Inception()
    try:
        network.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise RequestError("these weights are not those of the Inception network of 2015-12-05") from error
    network.fold()
    channels_last(network)
    return Extractor(
        name=NAME,
        digest=digest,
        dimensions=2048,
        embed=in_batches(network, network.features, prepared, batch=4),
        classify=in_batches(network, network, prepared, batch=4),
        classes=tuple(str(index) for index in range(1008)),
        resizer="299x299 RGB: alpha over white, grey repeated, rounded to 8 bits, TensorFlow 1's bilinear (no "
        "half-pixel centres, no antialiasing), (x - 128) / 128",
        quick=100,
        full=1_000,
        head=lambda features: F.linear(features, network.fc.weight),
    )


def prepared(pictures: Tensor) -> Tensor:
    """Pictures (n, 1 to 4, h, w) in [-1, 1] as the network reads them: (n, 3, 299, 299)."""
    pixels = ((coloured(pictures) + 1) * 127.5).round().clamp(0, 255)
    return (tf1_bilinear(pixels, SIZE) - 128) / 128


def tf1_bilinear(x: Tensor, size: int) -> Tensor:
    """(n, c, h, w) -> (n, c, size, size) as TensorFlow 1's `resize_bilinear` with align_corners off did it.

    Pixel i of the result lies at i * h / size of the source, with no shift by half a pixel, between the pixel at or
    before that place and the next one; the last pixel goes on for ever. When it shrinks it skips pixels.
    """
    for dimension in (3, 2):
        length = x.shape[dimension]
        place = torch.arange(size, device=x.device, dtype=x.dtype) * torch.tensor(length / size, dtype=x.dtype)
        low = place.long().clamp_max(length - 1)
        shape = [-1 if axis == dimension else 1 for axis in range(4)]
        share = (place - low).view(shape)
        near = x.index_select(dimension, low)
        x = near + (x.index_select(dimension, (low + 1).clamp_max(length - 1)) - near) * share
    return x
