"""Layers of the style-based generator: runtime weight scaling and modulated convolutions."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class EqualLinear(nn.Linear):
    """A linear map whose weights are N(0, 1) and are scaled when they are used (Karras et al., 2018, section 4.1).

    So an adaptive optimizer moves all layers at the same relative speed.

    Args:
        inputs, outputs: widths.
        rate: factor on the layer's learning rate, without a change of what it computes at the start.
        bias: where the bias begins.
    """

    def __init__(self, inputs: int, outputs: int, *, rate: float = 1.0, bias: float = 0.0) -> None:
        super().__init__(inputs, outputs)
        self.rate, self.gain = rate, rate / math.sqrt(inputs)
        nn.init.normal_(self.weight, std=1 / rate)
        nn.init.constant_(self.bias, bias / rate)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs) -> (batch, outputs)."""
        return F.linear(x, self.weight * self.gain, self.bias * self.rate)


class EqualConv(nn.Conv2d):
    """A convolution whose weights are N(0, 1) and are scaled when they are used (Karras et al., 2018, section 4.1).

    Args:
        inputs, outputs: channels.
        kernel: its size, odd; the borders are padded so that the size stays, with a stride of 1.
        stride: with 2, nothing is padded.
        bias: with one, zero at the start.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, bias: bool = True) -> None:
        super().__init__(inputs, outputs, kernel, stride, padding=kernel // 2 if stride == 1 else 0, bias=bias)
        self.gain = 1 / math.sqrt(inputs * kernel * kernel)
        nn.init.normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, height, width) -> (batch, outputs, height, width), with a stride of 1."""
        return F.conv2d(x, self.weight * self.gain, self.bias, self.stride, self.padding)


class ModulatedConv(nn.Module):
    """A convolution whose weights each sample scales by its own style (Karras et al., 2020, section 2.2).

    Scaling a sample's weights by input channel is scaling its input, and demodulation scales its output, so one dense
    convolution serves the whole batch. The published code groups by sample, which is slow on a CPU.

    Args:
        inputs, outputs: channels.
        kernel: its size, odd.
        style: width of w.
        demodulate: bring the output back to unit variance; not for the step to colours.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, style: int, demodulate: bool = True) -> None:
        super().__init__()
        self.style = EqualLinear(style, inputs, bias=1.0)
        self.conv = EqualConv(inputs, outputs, kernel, bias=False)
        self.demodulate = demodulate

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(batch, inputs, height, width), (batch, style) -> (batch, outputs, height, width)."""
        scale = self.style(w)
        made = self.conv(x * scale.to(x.dtype)[:, :, None, None])
        if not self.demodulate:
            return made
        return made * demodulation(self.conv.weight * self.conv.gain, scale).to(made.dtype)[:, :, None, None]


def demodulation(weight: Tensor, scale: Tensor, eps: float = 1e-8) -> Tensor:
    """One over the norm of each filter that each sample has scaled (Karras et al., 2020, eq. 3).

    Args:
        weight: (outputs, inputs, height, width).
        scale: of the input channels, (batch, inputs).
        eps: keeps the root away from zero.

    Returns:
        (batch, outputs).
    """
    return torch.rsqrt(F.linear(scale.square(), weight.square().sum((2, 3))) + eps)
