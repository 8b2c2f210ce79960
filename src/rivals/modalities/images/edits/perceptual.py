"""How alike two pictures look to a network trained on ImageNet: a measure, and a loss term.

The network is EfficientNet-Lite0 (Tan and Le, 2019), whose weights come in a registry package (extra `features`). It
is built as LPIPS is (Zhang et al., 2018), but is not LPIPS: another network, and no weights of channels learned from
people's judgements. Numbers can't be compared with published ones.
"""

from functools import lru_cache, partial
from itertools import islice

import torch
from torch import Tensor
from torch.nn.functional import l1_loss, normalize

from rivals.engine.types import Round, leaves
from rivals.modalities.images.measures import layer_distance
from rivals.modalities.images.pretrained import Folded, published, scaled
from rivals.modalities.images.spaces import coloured

NAME = "EfficientNet-Lite{size} perceptual distance"
LAYERS = 5
PIXELS = 2**20  # of all pictures that are looked at together, at most


@lru_cache
def network(device: torch.device, size: int = 0) -> Folded:
    """The network of a size, held still, on a device: one for all that look through it.

    Raises:
        RequestError: its packages are not installed.
    """
    return published("the perceptual distance", size)[0].eval().requires_grad_(False).to(device)


def maps(pictures: Tensor, size: int = 0) -> list[Tensor]:
    """What five layers make of pictures (n, 1 to 4, h, w) in [-1, 1] at their own size, differentiable.

    The last layers of each resolution, from a half to a thirty-second: (n, channels, h / 2, w / 2) and so on.
    """
    x = scaled(coloured(pictures.float())).contiguous(memory_format=torch.channels_last)
    eye, found = network(pictures.device, size), []
    for place, layer in enumerate(islice(eye.body.children(), eye.ends[-1] + 1)):
        x = layer(x)
        if place in eye.ends:  # the last convolutions of blocks, which nothing behind them changes in place
            found.append(x)
    return found


@torch.no_grad()
def perceptual_distance(a: Tensor, b: Tensor, size: int = 0) -> Tensor:
    """How far pairs of pictures are from looking alike, (n,) float32 from 0 (equal) to 4.

    At each place of a layer the channels are a vector, brought to length one. The squared distance of both pictures'
    vectors is averaged over the places of a layer, and these over the five layers (`maps`).

    Args:
        a: (n, 1 to 4, height, width) in [-1, 1], which is clamped; at its own size, as large as it may be.
        b: the same.
        size: of EfficientNet-Lite: 0, which training looks through too, or 2.

    Raises:
        RequestError: the network's packages are not installed.
        ValueError: other shapes.
    """
    if a.shape != b.shape or a.ndim != 4:
        raise ValueError(f"pairs of pictures have equal shapes (n, c, h, w), got {tuple(a.shape)} and {tuple(b.shape)}")
    some = max(PIXELS // (a.shape[2] * a.shape[3]), 1)
    pairs = zip(a.clamp(-1, 1).split(some), b.clamp(-1, 1).split(some), strict=True)
    return torch.cat([layer_distance(*pair, partial(maps, size=size)) for pair in pairs]) / LAYERS


def perceptual(r: Round) -> Tensor:
    """Mean absolute difference of what the layers make of a paired fake and real, averaged over the layers.

    As in Wang et al. (2018, ESRGAN, section 3.3) but for the network; the channels at each place are scaled to a root
    mean square of one.
    """
    real, fake = leaves(r.real)[0], leaves(r.fake)[0]
    with torch.autocast(fake.device.type, enabled=False):
        with torch.no_grad():
            wanted = [unit(x) for x in maps(real)]
        return torch.stack([l1_loss(unit(x), y) for x, y in zip(maps(fake), wanted, strict=True)]).mean()


def unit(x: Tensor) -> Tensor:
    """(n, channels, h, w), the channels at each place scaled to a root mean square of one."""
    return normalize(x, dim=1) * x.shape[1] ** 0.5
