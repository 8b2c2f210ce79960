"""Damage that pictures come by, made on purpose: pure, seeded, on tensors (n, channels, h, w) in [-1, 1].

Every function takes a generator of random numbers for what it draws; ranges are those of its arguments. `blind` is the
second-order pipeline of Real-ESRGAN (Wang et al., 2021, section 3.2).
"""

import io
import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

Range = tuple[float, float]
RESIZES = ("area", "bilinear", "bicubic")


def draw(random: torch.Generator, between: Range) -> float:
    """A number between two."""
    return between[0] + (between[1] - between[0]) * float(torch.rand((), generator=random))


def chance(random: torch.Generator, share: float) -> bool:
    """True with a probability."""
    return float(torch.rand((), generator=random)) < share


def noise(x: Tensor, sigma: float, random: torch.Generator, *, grey: bool = False) -> Tensor:
    """White Gaussian noise. `sigma` is of 255 grey levels, as papers count; `grey` adds the same to all channels."""
    shape = (len(x), 1 if grey else x.shape[1], *x.shape[2:])
    return x + torch.randn(shape, generator=random).to(x) * sigma / 127.5


def poisson(x: Tensor, strength: float, random: torch.Generator, *, grey: bool = False) -> Tensor:
    """Shot noise: brighter places are noisier. At strength 1, a white pixel is 255 photons; at s its noise is s times.

    With `grey` the noise is that of the mean of the channels, the same in all.
    """
    light = ((x + 1) / 2).clamp(0, 1)
    if grey:
        light = light.mean(1, keepdim=True)
    counted = torch.poisson((light * 255).cpu(), generator=random).to(x) / 255
    return x + 2 * strength * (counted - light)


def blurred(x: Tensor, kernel: Tensor) -> Tensor:
    """Every channel convolved with one kernel (k, k), k odd, or with one for each picture (n, k, k)."""
    kernels = kernel.expand(len(x), *kernel.shape[-2:])
    reach, (count, channels, height, width) = kernels.shape[-1] // 2, x.shape
    mode = "reflect" if reach < min(height, width) else "replicate"
    wide = pad(x, (reach, reach, reach, reach), mode=mode).reshape(1, count * channels, height + 2 * reach, -1)
    weights = kernels.to(x).repeat_interleave(channels, 0)[:, None]
    return conv2d(wide, weights, groups=count * channels).reshape(x.shape)


def gaussian(size: int, sigmas: Range, turn: float = 0.0, *, beta: float = 1.0, plateau: bool = False) -> Tensor:
    """A kernel (size, size) that sums to one.

    Args:
        size: odd, in pixels.
        sigmas: the deviations along its two axes, in pixels.
        turn: of the axes, in radians.
        beta: of the generalised Gaussian exp(-d^beta / 2), or of the plateau 1 / (1 + d^beta), d the squared distance.
        plateau: the second of these shapes.
    """
    places = torch.arange(size, dtype=torch.float64) - size // 2
    y, x = torch.meshgrid(places, places, indexing="ij")
    along, across = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    distance = ((along / sigmas[0]) ** 2 + (across / sigmas[1]) ** 2) ** beta
    kernel = 1 / (1 + distance) if plateau else torch.exp(-distance / 2)
    return (kernel / kernel.sum()).float()


def ringing(size: int, cutoff: float) -> Tensor:
    """The round low-pass filter (size, size) of a cutoff in radians a pixel, which leaves rings: 2D sinc."""
    places = torch.arange(size, dtype=torch.float64) - size // 2
    distance = torch.hypot(*torch.meshgrid(places, places, indexing="ij"))
    kernel = cutoff * torch.special.bessel_j1(cutoff * distance) / (2 * math.pi * distance.clamp(min=1e-9))
    kernel[size // 2, size // 2] = cutoff**2 / (4 * math.pi)
    return (kernel / kernel.sum()).float()


def random_kernel(random: torch.Generator, sigma: Range, *, sinc: float, sizes: Sequence[int]) -> Tensor:
    """A blur of Real-ESRGAN's mix: round or long Gaussians, generalised ones, plateaus, and rings now and then."""
    size = sizes[int(torch.randint(len(sizes), (), generator=random))]
    if chance(random, sinc):
        return ringing(size, draw(random, (math.pi / 3 if size < 13 else math.pi / 5, math.pi)))
    first = draw(random, sigma)
    kind = float(torch.rand((), generator=random))
    round_one = kind < 0.45 or 0.7 <= kind < 0.82 or (kind >= 0.94 and chance(random, 0.5))
    sigmas = (first, first if round_one else draw(random, sigma))
    turn = draw(random, (-math.pi, math.pi))
    if kind < 0.7:
        return gaussian(size, sigmas, turn)
    if kind < 0.88:
        return gaussian(size, sigmas, turn, beta=one_sided(random, 0.5, 4.0))
    return gaussian(size, sigmas, turn, beta=one_sided(random, 1.0, 2.0), plateau=True)


def one_sided(random: torch.Generator, low: float, high: float) -> float:
    """Below one half of the time, above it the other."""
    return draw(random, (low, 1.0)) if chance(random, 0.5) else draw(random, (1.0, high))


def resized(x: Tensor, height: int, width: int, how: str) -> Tensor:
    """To another size: "area", "bilinear" or "bicubic", each smoothed where it gets smaller."""
    if how == "area":
        return interpolate(x, size=(height, width), mode="area")
    return interpolate(x, size=(height, width), mode=how, align_corners=False, antialias=True)


def jpeg(x: Tensor, quality: int | Sequence[int]) -> Tensor:
    """Through a real JPEG codec, of a quality from 1 to 100 (one for all, or one for each picture); 1 or 3 channels.

    Colours are kept at half resolution, as files have them. There is no gradient.
    """
    qualities = [quality] * len(x) if isinstance(quality, int) else list(quality)
    levels = ((x.detach().float().cpu() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    mode, coded = {1: "L", 3: "RGB"}[x.shape[1]], []
    for picture, how_good in zip(levels, qualities, strict=True):
        file = io.BytesIO()
        pixels = picture.permute(1, 2, 0).contiguous().numpy()
        Image.frombytes(mode, pixels.shape[1::-1], pixels.tobytes()).save(file, "JPEG", quality=int(how_good))
        with Image.open(file) as opened:
            coded.append(torch.from_numpy(np.array(opened).reshape(pixels.shape)).permute(2, 0, 1))
    return torch.stack(coded).to(x) / 127.5 - 1


def first_or_second(x: Tensor, random: torch.Generator, *, second: bool, low: tuple[int, int], sinc: float) -> Tensor:
    """One order of `blind`: blur, resize, noise, JPEG. The second is weaker and ends at the size `low`."""
    sizes = range(7, 22, 2)
    if not second or chance(random, 0.8):
        kernels = [random_kernel(random, (0.2, 1.5) if second else (0.2, 3.0), sinc=sinc, sizes=sizes) for _ in x]
        x = torch.stack([blurred(one[None], kernel)[0] for one, kernel in zip(x, kernels, strict=True)])
    way = float(torch.rand((), generator=random))
    up, down = (0.3, 0.7) if second else (0.2, 0.9)
    factor = 1.0
    if way < up:
        factor = draw(random, (1.0, 1.2 if second else 1.5))
    elif way < down:
        factor = draw(random, (0.3 if second else 0.15, 1.0))
    how = RESIZES[int(torch.randint(3, (), generator=random))]
    base = low if second else x.shape[2:]
    x = resized(x, max(round(base[0] * factor), 4), max(round(base[1] * factor), 4), how)
    grey = x.shape[1] == 3 and chance(random, 0.4)
    if chance(random, 0.5):
        x = noise(x, draw(random, (1.0, 25.0 if second else 30.0)), random, grey=grey)
    else:
        x = poisson(x, draw(random, (0.05, 2.5 if second else 3.0)), random, grey=grey)
    return x


def blind(x: Tensor, scale: int, random: torch.Generator) -> Tensor:
    """Damage of an unknown kind, in two orders, and a picture `scale` times smaller (Wang et al., 2021, figure 2).

    Blur (Gaussians of five shapes and rings, 7 to 21 pixels), resizing (0.15 to 1.5), Gaussian (sigma 1 to 30) or shot
    noise, JPEG (30 to 95); then all again and weaker, with the last ring filter and JPEG in either order.

    Args:
        x: (n, 1 or 3, h, w) in [-1, 1], sides that `scale` divides.
        scale: 1 for pictures that keep their size.
        random: of all that is drawn; draws are made on the CPU.
    """
    low = (x.shape[2] // scale, x.shape[3] // scale)
    x = first_or_second(x, random, second=False, low=low, sinc=0.1)
    x = jpeg(x.clamp(-1, 1), qualities(len(x), random))
    x = first_or_second(x, random, second=True, low=low, sinc=0.1)
    ring = ringing(21, draw(random, (math.pi / 3, math.pi))) if chance(random, 0.8) else None
    how = RESIZES[int(torch.randint(3, (), generator=random))]
    early = chance(random, 0.5)
    if not early:
        x = jpeg(x.clamp(-1, 1), qualities(len(x), random))
    x = resized(x, *low, how)
    x = x if ring is None else blurred(x, ring)
    return jpeg(x.clamp(-1, 1), qualities(len(x), random)) if early else x.clamp(-1, 1)


def qualities(count: int, random: torch.Generator) -> list[int]:
    """JPEG qualities from 30 to 95."""
    return torch.randint(30, 96, (count,), generator=random).tolist()
