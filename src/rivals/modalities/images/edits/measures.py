"""How near an edited picture comes to the true one: PSNR and SSIM, with their protocol in their arguments."""

import torch
from torch import Tensor

from rivals.modalities.images.measures import similarity

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
    return similarity(a, b)[0].mean(1)
