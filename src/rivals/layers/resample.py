"""Convolutions together with a doubling or halving of the size, folded into one kernel."""

from torch import Tensor, nn
from torch.nn import functional as F

WORTH_FOLDING = 64  # places of the smaller map from which the folded kernel is faster, measured on a CPU


def spread(kernels: Tensor) -> Tensor:
    """(..., k, k) -> (..., k + 1, k + 1): the sum of each kernel at four neighbouring places."""
    wider = F.pad(kernels, (1, 1, 1, 1))
    rows = wider[..., 1:, :] + wider[..., :-1, :]
    return rows[..., 1:] + rows[..., :-1]


def doubled_conv(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """`conv`, 3x3, of x with every pixel doubled: (batch, in, height, width) -> (batch, out, 2 height, 2 width).

    The doubling is folded into a transposed 4x4 convolution, exactly and with 2.25 times fewer operations.
    """
    if x.shape[2] * x.shape[3] < WORTH_FOLDING:
        return conv(F.interpolate(x, scale_factor=2, mode="nearest"))
    kernels = spread(conv.weight.flip(2, 3)).transpose(0, 1)
    return F.conv_transpose2d(x, kernels, conv.bias, stride=2, padding=1)


def halved_conv(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """`conv`, 3x3, of x and then the mean of every 2x2: (batch, in, height, width) -> (batch, out, half, half).

    Height and width must be even. Folded likewise, into a 4x4 convolution of stride 2.
    """
    if x.shape[2] * x.shape[3] < 4 * WORTH_FOLDING:
        return F.avg_pool2d(conv(x), 2)
    return F.conv2d(x, spread(conv.weight) / 4, conv.bias, stride=2, padding=1)


def even(x: Tensor) -> Tensor:
    """(batch, channels, height, width), the last row or column repeated where there is an odd number of them."""
    odd = (x.shape[2] % 2, x.shape[3] % 2)
    return F.pad(x, (0, odd[1], 0, odd[0]), mode="replicate") if any(odd) else x
