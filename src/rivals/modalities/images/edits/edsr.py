"""The generator for little time: residual blocks at a small size, whatever the size of what is made."""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, pixel_shuffle, pixel_unshuffle, relu

from .upscale import whole_multiple

FOLD = 2  # of a side, where nothing is enlarged
COARSE = 4  # by which the coarse blocks' size is smaller again


class Block(nn.Module):
    """Two convolutions beside their input, which it is at first (Lim et al., 2017, figure 2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(width, width, 3, 1, 1), nn.Conv2d(width, width, 3, 1, 1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, h, w) -> the same shape."""
        return x + self.second(relu(self.first(x)))


class EDSR(nn.Module):
    """Residual blocks without normalisation, and pixels folded out at the end (Lim et al., 2017, EDSR).

    Pictures that keep their size are folded, 2 x 2 pixels into channels, so that blocks are four times cheaper (Zhang
    et al., 2018, FFDNet). What is found is added to what was given, enlarged by the bicubic filter: training begins
    with a usable picture.

    Args:
        shape: (channels, height, width) of what is made.
        seen: channels of what is given: as many as are made, or one, which is added to all.
        scale: a whole number.
        width: features; 64 in the published baseline.
        blocks: 16 in the published baseline.
        coarse: more blocks, before the others, at a quarter of their size: for a sixteenth of the work each they see
            what lies further away.
    """

    def __init__(
        self, shape: tuple[int, int, int], seen: int, scale: int = 1, width: int = 64, blocks: int = 16, coarse: int = 0
    ) -> None:
        super().__init__()
        channels = shape[0]
        if seen not in (1, channels):
            raise ValueError(f"edsr is given as many channels as it makes, or one: not {seen} for {channels}")
        self.scale, self.fold = scale, FOLD if scale == 1 else 1
        self.multiple = self.fold * (COARSE if coarse else 1)
        self.first = nn.Conv2d(seen * self.fold**2, width, 3, 1, 1)
        self.coarse = nn.Sequential(*(Block(width) for _ in range(coarse)))
        self.body = nn.Sequential(*(Block(width) for _ in range(blocks)))
        self.last = nn.Conv2d(width, channels * (scale * self.fold) ** 2, 3, 1, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, z: Tensor, cond: Tensor) -> Tensor:
        """Z (n, 0), cond (n, seen, h, w) in [-1, 1] -> (n, channels, scale h, scale w), about in [-1, 1]."""
        del z
        found = self.features(pixel_unshuffle(whole_multiple(cond, self.fold), self.fold))
        found = pixel_shuffle(self.last(found), self.scale * self.fold)
        if self.scale == 1:
            return cond + found[..., : cond.shape[2], : cond.shape[3]]
        return torch.add(interpolate(cond, scale_factor=self.scale, mode="bicubic", align_corners=False), found)

    def features(self, folded: Tensor) -> Tensor:
        """(n, seen fold^2, h, w) -> (n, width, h, w)."""
        x = self.first(folded)
        if len(self.coarse):
            low = self.coarse(avg_pool2d(x, COARSE, ceil_mode=True, count_include_pad=False))
            low = interpolate(low, scale_factor=COARSE, mode="bilinear", align_corners=False)
            x = x + low[..., : x.shape[2], : x.shape[3]]
        features: Tensor = self.body(x)
        return features
