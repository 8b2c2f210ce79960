"""R3GAN's building blocks (Huang et al., 2024, section 3): residual, without normalisation, biases in the activations.

Grouped convolutions are as published and suit a GPU; on a CPU dense ones are faster, so `group_size=None` is dense.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GAIN = math.sqrt(2 / (1 + 0.2**2))  # keeps the variance through a leaky ReLU of slope 0.2


def scaled_conv(inputs: int, outputs: int, kernel: int, *, groups: int = 1, gain: float = 1.0) -> nn.Conv2d:
    """A convolution without bias, weights N(0, gain^2 / fan_in)."""
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)
    nn.init.normal_(conv.weight, std=gain / math.sqrt(inputs // groups * kernel * kernel))
    return conv


def scaled_linear(inputs: int, outputs: int, *, gain: float = 1.0) -> nn.Linear:
    """A linear map without bias, weights N(0, gain^2 / fan_in)."""
    linear = nn.Linear(inputs, outputs, bias=False)
    nn.init.normal_(linear.weight, std=gain / math.sqrt(inputs))
    return linear


class BiasedLeaky(nn.Module):
    """Bias, then leaky ReLU of slope 0.2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> the same shape."""
        return F.leaky_relu(x + self.bias.to(x.dtype).view(1, -1, 1, 1), 0.2)


class ResidualBlock(nn.Module):
    """x + 1x1(act(3x3(act(1x1(x))))), twice as wide inside.

    Args:
        channels: in and out.
        blocks: how many blocks the network has, for the initialisation (Zhang et al., 2019, Fixup).
        group_size: channels a group of the 3x3 convolution; None for a dense one.
    """

    def __init__(self, channels: int, *, blocks: int, group_size: int | None = 16) -> None:
        super().__init__()
        inner = 2 * channels
        groups = 1 if group_size is None else max(inner // group_size, 1)
        gain = GAIN * blocks**-0.25
        self.widen = scaled_conv(channels, inner, 1, gain=gain)
        self.mix = scaled_conv(inner, inner, 3, groups=groups, gain=gain)
        self.narrow = scaled_conv(inner, channels, 1, gain=0.0)  # every block starts as the identity
        self.first, self.second = BiasedLeaky(inner), BiasedLeaky(inner)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> the same shape."""
        return x + self.narrow(self.second(self.mix(self.first(self.widen(x)))))


class Upsample(nn.Module):
    """Twice the height and width, a 1x1 first where the width changes.

    Bilinear interpolation is the published [1, 3, 3, 1] filter, with the border repeated instead of zeros.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = scaled_conv(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, height, width) -> (batch, outputs, 2 height, 2 width)."""
        return F.interpolate(self.conv(x), scale_factor=2, mode="bilinear", align_corners=False)


class Downsample(nn.Module):
    """Half the height and width (rounded up), smoothed by the [1, 3, 3, 1] filter; then a 1x1 where the width changes.

    The filter is three averages of two in a row, since a depthwise convolution's second gradient is very slow on a CPU.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = scaled_conv(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, height, width) -> (batch, outputs, ceil(height / 2), ceil(width / 2))."""
        x = (
            F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2), mode="replicate")
            if x.shape[2] % 2 or x.shape[3] % 2
            else x
        )
        blurred = F.avg_pool2d(F.avg_pool2d(F.pad(x, (1, 1, 1, 1)), 2, stride=1), 2, stride=1)
        return self.conv(F.avg_pool2d(blurred, 2))
