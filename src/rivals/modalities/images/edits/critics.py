"""Critics of pictures that judge every place of a picture, all fully convolutional."""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from rivals.engine.types import Verdict
from rivals.layers.norm import normal

SLOPE = 0.2


def beside(sample: Tensor, cond: Tensor | None, joint: int) -> Tensor:
    """A picture with what it was made from beside it, enlarged to its size; alone where `joint` is 0."""
    if not joint or cond is None:
        return sample
    if cond.shape[2:] != sample.shape[2:]:
        cond = interpolate(cond, size=sample.shape[2:], mode="bilinear", align_corners=False)
    return torch.cat([sample, cond.to(sample.dtype)], 1)


class PatchCritic(nn.Module):
    """PatchGAN: a logit for every patch (Isola et al., 2017, section 3.2.2); 70x70 pixels with three halvings.

    Args:
        shape: (channels, height, width) of what is judged.
        seen: channels of what it was made from.
        conditional: show the critic both.
        width: features after the first convolution.
        halvings: of the size; each about doubles what a logit sees.
        norm: "none", "instance", "batch" or "layer"; none with spectral normalisation.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        seen: int = 0,
        conditional: bool = False,
        width: int = 64,
        halvings: int = 3,
        norm: str = "none",
    ) -> None:
        super().__init__()
        if min(shape[1:]) < 3 * 2**halvings:
            raise ValueError(f"{halvings} halvings need pictures of {3 * 2**halvings} pixels, not {min(shape[1:])}")
        self.joint = seen if conditional else 0
        layers: list[nn.Module] = [nn.Sequential(nn.Conv2d(shape[0] + self.joint, width, 4, 2, 1), nn.LeakyReLU(SLOPE))]
        inputs = width
        for level in range(1, halvings + 1):
            outputs, stride = min(width * 2**level, 8 * width), 2 if level < halvings else 1
            made = (nn.Conv2d(inputs, outputs, 4, stride, 1), normal(norm, outputs), nn.LeakyReLU(SLOPE))
            layers.append(nn.Sequential(*made))
            inputs = outputs
        self.layers = nn.ModuleList(layers)
        self.head = nn.Conv2d(inputs, 1, 4, 1, 1)

    def forward(self, sample: Tensor, cond: Tensor | None = None) -> Verdict:
        """Sample (n, channels, h, w), cond (n, seen, ...) -> logits (n, 1, h', w') and every layer's features."""
        x = beside(sample, cond, self.joint)
        features = []
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return Verdict((self.head(x),), tuple(features))


class ScalesCritic(nn.Module):
    """The same kind of critic at several sizes of the picture, each half the one before (Wang et al., 2018, pix2pixHD).

    Args:
        shape, seen, conditional, width, halvings, norm: as of `PatchCritic`.
        scales: how many sizes.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        seen: int = 0,
        conditional: bool = False,
        width: int = 64,
        halvings: int = 3,
        norm: str = "none",
        scales: int = 2,
    ) -> None:
        super().__init__()
        self.joint = seen if conditional else 0
        smallest = 2 ** (scales - 1)  # of the sizes, in parts of the whole
        inside = (shape[0] + self.joint, shape[1] // smallest, shape[2] // smallest)
        self.members = nn.ModuleList(
            PatchCritic(inside, width=width, halvings=halvings, norm=norm) for _ in range(scales)
        )

    def forward(self, sample: Tensor, cond: Tensor | None = None) -> Verdict:
        """As `PatchCritic`, with a tensor of logits for each size."""
        x = beside(sample, cond, self.joint)
        verdicts = []
        for member in self.members:
            verdicts.append(member(x))
            x = avg_pool2d(x, 2, ceil_mode=True)
        features = tuple(part for verdict in verdicts for part in verdict.features)
        return Verdict(tuple(verdict.logits[0] for verdict in verdicts), features)


class UNetCritic(nn.Module):
    """A logit for every pixel, from a U-Net (Schonfeld et al., 2020; as in Real-ESRGAN, Wang et al., 2021).

    Made for spectral normalisation, and steady in local detail.

    Args:
        shape: (channels, height, width) of what is judged; sides of at least 8 pixels.
        seen: channels of what it was made from.
        conditional: show the critic both.
        width: features at full size; 64 as published.
    """

    def __init__(self, shape: tuple[int, int, int], seen: int = 0, conditional: bool = False, width: int = 64) -> None:
        super().__init__()
        self.joint = seen if conditional else 0
        self.first = nn.Conv2d(shape[0] + self.joint, width, 3, 1, 1)
        self.down = nn.ModuleList(
            nn.Conv2d(width * 2**level, width * 2 ** (level + 1), 4, 2, 1, bias=False) for level in range(3)
        )
        self.up = nn.ModuleList(
            nn.Conv2d(width * 2 ** (level + 1), width * 2**level, 3, 1, 1, bias=False) for level in (2, 1, 0)
        )
        self.last = nn.ModuleList(nn.Conv2d(width, width, 3, 1, 1, bias=False) for _ in range(2))
        self.head = nn.Conv2d(width, 1, 3, 1, 1)

    def forward(self, sample: Tensor, cond: Tensor | None = None) -> Verdict:
        """Sample (n, channels, h, w), cond (n, seen, ...) -> logits (n, 1, h, w) and features of every size."""
        act = nn.functional.leaky_relu
        maps = [act(self.first(beside(sample, cond, self.joint)), SLOPE)]
        for layer in self.down:
            maps.append(act(layer(maps[-1]), SLOPE))
        features = [*maps]
        x = maps.pop()
        for layer in self.up:
            across = maps.pop()
            x = act(layer(interpolate(x, size=across.shape[2:], mode="bilinear", align_corners=False)), SLOPE) + across
            features.append(x)
        for layer in self.last:
            x = act(layer(x), SLOPE)
        return Verdict((self.head(x),), tuple(features))
