"""How near an edited picture comes to the true one: PSNR and SSIM, with their protocol in their arguments."""

import math

import torch
from torch import Tensor
from torch.nn.functional import conv2d

LUMA = (65.481, 128.553, 24.966)  # of the Y of ITU-R BT.601 in [16, 235], as papers on super-resolution measure


def luma(x: Tensor) -> Tensor:
    """(n, 3, h, w) in [0, 1] -> (n, 1, h, w) in [16/255, 235/255]."""
    weights = torch.tensor(LUMA, dtype=x.dtype, device=x.device).view(1, 3, 1, 1)
    return ((x * weights).sum(1, keepdim=True) + 16) / 255


def compared(x: Tensor, *, crop: int, on_luma: bool, rounded: bool) -> Tensor:
    """Pictures (n, c, h, w) in [-1, 1] as they are compared: in [0, 1], cropped, of 8 bits."""
    x = ((x.double() + 1) / 2).clamp(0, 1)
    if rounded:
        x = (x * 255).round() / 255
    if crop:
        x = x[..., crop:-crop, crop:-crop]
    return luma(x) if on_luma and x.shape[1] == 3 else x


def psnr(a: Tensor, b: Tensor, *, crop: int = 0, on_luma: bool = False, rounded: bool = True) -> Tensor:
    """Peak signal-to-noise ratio in decibels, one for each pair, (n,) float64; infinite where both are the same.

    Args:
        a: (n, channels, height, width) in [-1, 1].
        b: the same.
        crop: pixels of the border that do not count: the scale, in super-resolution.
        on_luma: of Y alone rather than of all channels: some two decibels more.
        rounded: to 8 bits first, as files are.
    """
    a, b = (compared(x, crop=crop, on_luma=on_luma, rounded=rounded) for x in (a, b))
    return -10 * (a - b).square().flatten(1).mean(1).log10()


def ssim(a: Tensor, b: Tensor, *, crop: int = 0, on_luma: bool = False, rounded: bool = True) -> Tensor:
    """Structural similarity (Wang et al., 2004), one for each pair, (n,) float64 in [-1, 1].

    A Gaussian window of 11 pixels and deviation 1.5, K1 = 0.01, K2 = 0.03, only where the window fits, averaged over
    channels. Arguments as of `psnr`; sides of at least 11 pixels after the crop.
    """
    a, b = (compared(x, crop=crop, on_luma=on_luma, rounded=rounded) for x in (a, b))
    return similar(a, b).flatten(1).mean(1)


def similar(a: Tensor, b: Tensor) -> Tensor:
    """The map that SSIM is the mean of, for pictures (n, c, h, w) in [0, 1]: (n, c, h - 10, w - 10)."""
    line = torch.tensor([math.exp(-((place - 5) ** 2) / (2 * 1.5**2)) for place in range(11)])
    line = (line / line.sum()).to(a)
    channels = a.shape[1]

    def mean(x: Tensor) -> Tensor:
        x = conv2d(x, line.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
        return conv2d(x, line.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)

    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    both = mean(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    return ((2 * mean_a * mean_b + c1) * (2 * both + c2)) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
