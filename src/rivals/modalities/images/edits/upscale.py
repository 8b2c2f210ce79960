"""Networks that enlarge or restore pictures, under the names of weights that other programs read.

Both see pictures in [0, 1] inside, as published, and in [-1, 1] outside. `weights` of a network here, saved as
safetensors, open in any program that knows ESRGAN's and Real-ESRGAN's files.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, pad, pixel_shuffle, pixel_unshuffle

SLOPE = 0.2


def for_rectifiers(module: nn.Module, slope: float) -> None:
    """Weights with which numbers keep their spread from layer to layer though nothing normalises (He et al., 2015)."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, slope)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees all before it (Wang et al., 2018, ESRGAN, figure 4)."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        for number in range(1, 5):
            setattr(self, f"conv{number}", nn.Conv2d(width + (number - 1) * growth, growth, 3, 1, 1))
        self.conv5 = nn.Conv2d(width + 4 * growth, width, 3, 1, 1)
        for_rectifiers(self, SLOPE)
        for part in self.children():
            part.weight.data.mul_(0.1)  # type: ignore[operator]  # the sum of many blocks stays small

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, h, w) -> the same shape."""
        seen = [x]
        for number in range(1, 5):
            seen.append(leaky_relu(getattr(self, f"conv{number}")(torch.cat(seen, 1)), SLOPE))
        return torch.lerp(x, x + self.conv5(torch.cat(seen, 1)), 0.2)


class ResidualDense(nn.Module):
    """Three dense blocks, a fifth of which is added."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (DenseBlock(width, growth) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, h, w) -> the same shape."""
        return torch.lerp(x, x + self.rdb3(self.rdb2(self.rdb1(x))), 0.2)


class RRDB(nn.Module):
    """ESRGAN's generator (Wang et al., 2018), with Real-ESRGAN's way to scales below four (Wang et al., 2021).

    Args:
        shape: (channels, height, width) of what is made.
        seen: channels of what is given.
        scale: 1, 2 or 4.
        width: features; 64 as published.
        blocks: residual-in-residual dense blocks; 23 as published, 6 for a CPU.
        growth: features that each convolution adds; others read files of 32 alone.
    """

    def __init__(
        self, shape: tuple[int, int, int], seen: int, scale: int = 4, width: int = 64, blocks: int = 6, growth: int = 32
    ) -> None:
        super().__init__()
        self.folded = self.multiple = fold_of(scale)
        self.conv_first = nn.Conv2d(seen * self.folded**2, width, 3, 1, 1)
        self.body = nn.Sequential(*(ResidualDense(width, growth) for _ in range(blocks)))
        self.conv_body = nn.Conv2d(width, width, 3, 1, 1)
        self.conv_up1 = nn.Conv2d(width, width, 3, 1, 1)
        self.conv_up2 = nn.Conv2d(width, width, 3, 1, 1)
        self.conv_hr = nn.Conv2d(width, width, 3, 1, 1)
        self.conv_last = nn.Conv2d(width, shape[0], 3, 1, 1)

    def forward(self, z: Tensor, cond: Tensor) -> Tensor:
        """Z (n, 0), cond (n, seen, h, w) in [-1, 1] -> (n, channels, scale h, scale w), about in [-1, 1]."""
        del z
        whole = whole_multiple((cond + 1) / 2, self.folded)
        x = self.conv_first(pixel_unshuffle(whole, self.folded) if self.folded > 1 else whole)
        x = x + self.conv_body(self.body(x))
        for conv in (self.conv_up1, self.conv_up2):
            x = leaky_relu(conv(interpolate(x, scale_factor=2, mode="nearest")), SLOPE)
        x = self.conv_last(leaky_relu(self.conv_hr(x), SLOPE)) * 2 - 1
        height, width = (side * 4 // self.folded for side in cond.shape[2:])
        return x[..., :height, :width]


def fold_of(scale: int) -> int:
    """How many pixels of a side are folded into channels, so that four times the rest is the scale.

    >>> [fold_of(scale) for scale in (1, 2, 4)]
    [4, 2, 1]
    """
    if scale not in (1, 2, 4):
        raise ValueError(f"rrdb enlarges 1, 2 or 4 times, not {scale} times")
    return 4 // scale


def whole_multiple(x: Tensor, of: int) -> Tensor:
    """(n, c, h, w), the last row and column repeated until both sides are multiples."""
    more = [-side % of for side in x.shape[2:]]
    return pad(x, (0, more[1], 0, more[0]), mode="replicate") if any(more) else x


class Compact(nn.Module):
    """Real-ESRGAN's compact generator: convolutions at the small size, and pixels folded out at the end.

    It adds what it finds to the enlarged picture, so that it begins with a usable one (Wang et al., 2021, its code's
    smallest models).

    Args:
        shape: (channels, height, width) of what is made.
        seen: channels of what is given: as many as are made.
        scale: a whole number.
        width: features.
        depth: convolutions between the first and the last.
    """

    def __init__(
        self, shape: tuple[int, int, int], seen: int, scale: int = 4, width: int = 48, depth: int = 12
    ) -> None:
        super().__init__()
        channels = shape[0]
        if seen != channels:
            raise ValueError(f"compact makes as many channels as it is given, not {channels} of {seen}")
        self.scale, self.multiple = scale, 1
        layers: list[nn.Module] = [nn.Conv2d(seen, width, 3, 1, 1), nn.PReLU(width)]
        for _ in range(depth):
            layers += [nn.Conv2d(width, width, 3, 1, 1), nn.PReLU(width)]
        last = nn.Conv2d(width, channels * scale**2, 3, 1, 1)
        self.body = nn.ModuleList([*layers, last])
        for_rectifiers(self, 0.25)  # PReLU's slope at first
        nn.init.zeros_(last.weight)

    def forward(self, z: Tensor, cond: Tensor) -> Tensor:
        """Z (n, 0), cond (n, channels, h, w) in [-1, 1] -> (n, channels, scale h, scale w), about in [-1, 1]."""
        del z
        given = (cond + 1) / 2
        x = given
        for layer in self.body:
            x = layer(x)
        x = pixel_shuffle(x, self.scale)
        return (x + interpolate(given, scale_factor=self.scale, mode="nearest")) * 2 - 1


def weights(network: nn.Module) -> Mapping[str, Tensor]:
    """The weights under the names that other programs know, in float32, for safetensors."""
    return {name: value.detach().float().contiguous() for name, value in network.state_dict().items()}
