"""Fast Fourier convolutions (Chi et al., 2020) and an inpainting network of them, after LaMa (Suvorov et al., 2022)."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle, relu

from .filling import filled
from .upscale import whole_multiple


def full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Without mixed precision, where a device has it ("meta", where costs are counted, has none)."""
    return nullcontext() if x.is_meta else torch.autocast(x.device.type, enabled=False)


class Spectral(nn.Module):
    """A 1x1 convolution of a map's spectrum, so that every place sees the whole picture at once.

    Args:
        width: of the map.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        half = max(width // 2, 1)
        self.narrow, self.widen = nn.Conv2d(width, half, 1), nn.Conv2d(half, width, 1)
        self.mix = nn.Conv2d(2 * half, 2 * half, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, h, w) -> the same shape. The transform is taken in float32 whatever the precision around it."""
        x = relu(self.narrow(x))
        with full_precision(x):
            spectrum = torch.fft.rfft2(x.float(), norm="ortho")
        mixed = relu(self.mix(torch.cat([spectrum.real, spectrum.imag], 1).to(x.dtype)))
        with full_precision(x):
            real, imaginary = mixed.float().chunk(2, 1)
            back = torch.fft.irfft2(torch.complex(real, imaginary), s=x.shape[2:], norm="ortho")
        return self.widen(x + back.to(x.dtype))


class FourierConv(nn.Module):
    """A 3x3 convolution of near features and a spectral one of far ones, each of which hears of the other.

    Args:
        near, far: features of both kinds.
    """

    def __init__(self, near: int, far: int) -> None:
        super().__init__()
        self.near_near, self.near_far = nn.Conv2d(near, near, 3, 1, 1), nn.Conv2d(near, far, 3, 1, 1)
        self.far_near, self.far_far = nn.Conv2d(far, near, 3, 1, 1), Spectral(far)

    def forward(self, near: Tensor, far: Tensor) -> tuple[Tensor, Tensor]:
        """(n, near, h, w), (n, far, h, w) -> the same shapes."""
        return self.near_near(near) + self.far_near(far), self.near_far(near) + self.far_far(far)

    def last(self) -> tuple[nn.Conv2d, ...]:
        """The convolutions whose sums come out."""
        return self.near_near, self.near_far, self.far_near, self.far_far.widen


class FourierBlock(nn.Module):
    """Two such convolutions beside their input, which it is at first."""

    def __init__(self, near: int, far: int) -> None:
        super().__init__()
        self.first, self.second = FourierConv(near, far), FourierConv(near, far)
        zeroed(*self.second.last())

    def forward(self, near: Tensor, far: Tensor) -> tuple[Tensor, Tensor]:
        """As `FourierConv`."""
        a, b = self.first(near, far)
        a, b = self.second(relu(a), relu(b))
        return near + a, far + b


class FourierEditor(nn.Module):
    """Blocks of Fourier convolutions, as in LaMa, at half the size or less.

    What is given is a picture with holes and, as its last channel, the mask: 1 where there is a hole. Outside the holes
    the picture is handed through unchanged. What is found is added to holes that are filled smoothly first
    (`filling.filled`), and so training begins with a usable picture.

    LaMa's own frame, halvings and doublings with batch normalisation, takes a million rounds; in a short training it
    learns to add nothing. Here, as in `EDSR`, pixels are folded into channels and blocks add nothing at first, without
    normalisation.

    Args:
        shape: (channels, height, width) of what is made.
        seen: channels of what is given, the mask among them.
        width: features, near and far.
        blocks: 9 in the published network.
        share: of the features that are far ones; 0.75 in the published network.
        fold: pixels of a side that become channels.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        seen: int,
        width: int = 64,
        blocks: int = 6,
        share: float = 0.5,
        fold: int = 2,
    ) -> None:
        super().__init__()
        if seen != shape[0] + 1:
            raise ValueError(f"fourier is given the picture and a mask, {shape[0] + 1} channels, not {seen}")
        self.multiple = fold
        self.far = round(share * width)
        self.first = nn.Conv2d(seen * fold**2, width, 3, 1, 1)
        self.blocks = nn.ModuleList(FourierBlock(width - self.far, self.far) for _ in range(blocks))
        self.last = nn.Conv2d(width, shape[0] * fold**2, 3, 1, 1)
        zeroed(self.last)

    def forward(self, z: Tensor, cond: Tensor) -> Tensor:
        """Z (n, 0), cond (n, seen, h, w) in [-1, 1] with its mask in {0, 1} -> (n, channels, h, w), about the same."""
        del z
        mask = cond[:, -1:]
        smooth = filled(cond[:, :-1], mask)
        folded = pixel_unshuffle(whole_multiple(torch.cat([smooth, mask], 1), self.multiple), self.multiple)
        x = self.first(folded)
        near, far = x.split([x.shape[1] - self.far, self.far], 1)
        for layer in self.blocks:
            near, far = layer(near, far)
        found = pixel_shuffle(self.last(torch.cat([near, far], 1)), self.multiple)
        return torch.lerp(cond[:, :-1], smooth + found[..., : cond.shape[2], : cond.shape[3]], mask)


def zeroed(*layers: nn.Conv2d) -> None:
    """Let convolutions begin with 0 everywhere."""
    for layer in layers:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
