"""Fast Fourier convolutions (Chi et al., 2020) and the inpainting network made of them (LaMa, Suvorov et al., 2022)."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from rivals.layers.norm import normal
from rivals.layers.residual import Downsample, Upsample

from .translate import conv
from .upscale import whole_multiple

LEAST = 1e-6  # of a weight that is divided by


def full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Without mixed precision, where a device has it ("meta", where costs are counted, has none)."""
    return nullcontext() if x.is_meta else torch.autocast(x.device.type, enabled=False)


class Spectral(nn.Module):
    """A 1x1 convolution of a map's spectrum, so that every place sees the whole picture at once.

    Args:
        width: of the map.
        norm: of the spectrum's features.
    """

    def __init__(self, width: int, norm: str) -> None:
        super().__init__()
        half = max(width // 2, 1)
        self.narrow = nn.Sequential(nn.Conv2d(width, half, 1, bias=False), normal(norm, half), nn.ReLU())
        self.mix = nn.Sequential(nn.Conv2d(2 * half, 2 * half, 1, bias=False), normal(norm, 2 * half), nn.ReLU())
        self.widen = nn.Conv2d(half, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, h, w) -> the same shape. The transform is taken in float32 whatever the precision around it."""
        x = self.narrow(x)
        with full_precision(x):
            spectrum = torch.fft.rfft2(x.float(), norm="ortho")
        mixed = self.mix(torch.cat([spectrum.real, spectrum.imag], 1).to(x.dtype))
        with full_precision(x):
            real, imaginary = mixed.float().chunk(2, 1)
            back = torch.fft.irfft2(torch.complex(real, imaginary), s=x.shape[2:], norm="ortho")
        return self.widen(x + back.to(x.dtype))


class FourierConv(nn.Module):
    """A 3x3 convolution of near features and a spectral one of far ones, each of which hears of the other.

    Args:
        near, far: features of both kinds.
        norm: of each.
    """

    def __init__(self, near: int, far: int, norm: str) -> None:
        super().__init__()
        self.near_near = conv(near, near, 3)
        self.near_far = conv(near, far, 3)
        self.far_near = conv(far, near, 3)
        self.far_far = Spectral(far, norm)
        self.norms = nn.ModuleList((normal(norm, near), normal(norm, far)))

    def forward(self, near: Tensor, far: Tensor) -> tuple[Tensor, Tensor]:
        """(n, near, h, w), (n, far, h, w) -> the same shapes."""
        a = self.norms[0](self.near_near(near) + self.far_near(far))
        b = self.norms[1](self.near_far(near) + self.far_far(far))
        return relu(a), relu(b)


class FourierBlock(nn.Module):
    """Two such convolutions beside their input."""

    def __init__(self, near: int, far: int, norm: str) -> None:
        super().__init__()
        self.first, self.second = FourierConv(near, far, norm), FourierConv(near, far, norm)

    def forward(self, near: Tensor, far: Tensor) -> tuple[Tensor, Tensor]:
        """As `FourierConv`."""
        a, b = self.second(*self.first(near, far))
        return near + a, far + b


class FourierEditor(nn.Module):
    """LaMa's generator: halvings, blocks of Fourier convolutions, doublings.

    What is given is a picture with holes and, as its last channel, the mask: 1 where there is a hole. Outside the holes
    the picture is handed through unchanged. What is found is added to holes that are filled smoothly first
    (`pulled_and_pushed`), so that a short training begins with a usable picture.

    Args:
        shape: (channels, height, width) of what is made.
        seen: channels of what is given, the mask among them.
        width: features at full size; 64 as published.
        halvings: 3 as published, 2 for small pictures.
        blocks: 9 as published.
        share: of the features that are far ones; 0.75 as published.
        norm: "batch" as published, "instance", "layer" or "none".
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        seen: int,
        width: int = 32,
        halvings: int = 2,
        blocks: int = 4,
        share: float = 0.75,
        norm: str = "batch",
    ) -> None:
        super().__init__()
        if seen != shape[0] + 1:
            raise ValueError(f"fourier is given the picture and a mask, {shape[0] + 1} channels, not {seen}")
        self.multiple = 2**halvings
        layers: list[nn.Module] = [conv(seen, width, 7), normal(norm, width), nn.ReLU()]
        for level in range(halvings):
            a, b = width * 2**level, width * 2 ** (level + 1)
            layers += [Downsample(a, a), conv(a, b, 3), normal(norm, b), nn.ReLU()]
        self.encoder = nn.Sequential(*layers)
        inside = width * 2**halvings
        self.far = round(share * inside)
        self.blocks = nn.ModuleList(FourierBlock(inside - self.far, self.far, norm) for _ in range(blocks))
        layers = []
        for level in reversed(range(halvings)):
            a, b = width * 2 ** (level + 1), width * 2**level
            layers += [Upsample(a, a), conv(a, b, 3), normal(norm, b), nn.ReLU()]
        last = conv(width, shape[0], 7)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        self.decoder = nn.Sequential(*layers, last)

    def forward(self, z: Tensor, cond: Tensor) -> Tensor:
        """Z (n, 0), cond (n, seen, h, w) in [-1, 1] with its mask in {0, 1} -> (n, channels, h, w), about the same."""
        del z
        mask = cond[:, -1:]
        smooth = pulled_and_pushed(cond[:, :-1], mask)
        x = self.encoder(whole_multiple(torch.cat([smooth, mask], 1), self.multiple))
        near, far = x.split([x.shape[1] - self.far, self.far], 1)
        for layer in self.blocks:
            near, far = layer(near, far)
        found = self.decoder(torch.cat([near, far], 1))[..., : cond.shape[2], : cond.shape[3]]
        return torch.lerp(cond[:, :-1], smooth + found, mask)


def pulled_and_pushed(pictures: Tensor, mask: Tensor) -> Tensor:
    """Holes filled smoothly from what is around them (Gortler et al., 1996, The Lumigraph, section 3.4).

    Known pixels are averaged to half the size again and again, until one is left; then each level fills the holes of
    the one above it.

    Args:
        pictures: (n, channels, h, w).
        mask: (n, 1, h, w), 1 in holes, 0 elsewhere.
    """
    weight = 1 - mask
    levels = [(pictures * weight, weight)]
    while max(levels[-1][0].shape[2:]) > 1:
        colours, weight = (avg_pool2d(x, 2, ceil_mode=True) for x in levels[-1])
        surer = (4 * weight).clamp(max=1) / weight.clamp(min=LEAST)  # of four pixels one that is known is enough
        levels.append((colours * surer, weight * surer))
    colours, weight = levels.pop()
    filled = colours / weight.clamp(min=LEAST)
    for colours, weight in reversed(levels):
        larger = interpolate(filled, scale_factor=2, mode="bilinear", align_corners=False)
        filled = colours + (1 - weight) * larger[..., : colours.shape[2], : colours.shape[3]]
    return filled
