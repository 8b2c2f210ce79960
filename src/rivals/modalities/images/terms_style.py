"""Loss terms that belong to single picture networks: StyleGAN2's path length, FastGAN's reconstruction."""

import math

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from rivals.engine.errors import RequestError
from rivals.engine.parallel import own_rows, processes
from rivals.engine.types import Round


class PathLength(nn.Module):
    """A step in the styles should change the picture as much everywhere (Karras et al., 2020, eq. 4).

    (|J^T y| - a)^2, with J the picture's Jacobian in the styles, y a picture of noise and a the running mean of the
    lengths. Dividing y by sqrt(height * width) makes the length independent of the resolution (there, appendix B).

    Args:
        decay: of the running mean, a call (0.99 as published).
    """

    mean: Tensor

    def __init__(self, decay: float = 0.99) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, r: Round) -> Tensor:
        """The generator's penalty, one number. Updates the running mean.

        Raises:
            RequestError: the generator shows no styles.
        """
        styles = getattr(r.raw, "styles", None)
        if styles is None:
            raise RequestError("path_length needs a generator that shows its styles, such as stylegan2; drop the term")
        lengths = path_lengths(r.raw.picture, styles)
        with torch.no_grad():
            self.mean.lerp_(over_processes(lengths.mean()), 1 - self.decay)
        return (lengths - self.mean).square().mean()


def path_lengths(picture: Tensor, styles: Tensor) -> Tensor:
    """|J^T y| for each sample, (batch,), differentiable; y ~ N(0, 1) / sqrt(height * width).

    Args:
        picture: (batch, channels, height, width), computed from `styles`.
        styles: (batch, width).
    """
    y = own_rows(torch.randn, *picture.shape, device=picture.device) / math.sqrt(picture.shape[2] * picture.shape[3])
    (product,) = torch.autograd.grad((picture.float() * y).sum(), styles, create_graph=True)
    return (product.float().square().sum(1) + 1e-12).sqrt()  # a root has no gradient at zero


def over_processes(value: Tensor) -> Tensor:
    """The mean of a number over all processes, without gradients."""
    value = value.detach().clone()
    if processes()[1] > 1:
        dist.all_reduce(value)
        value /= processes()[1]
    return value


def reconstruct(r: Round) -> Tensor:
    """How far the critic's pictures of the real samples are from those samples (Liu et al., 2021, eq. 4).

    The mean absolute difference, averaged over the whole picture and a part. The published code takes a perceptual
    distance, which needs a network trained on other pictures.

    Raises:
        RequestError: the critic does not reconstruct.
    """
    shown = r.on_real.features
    pairs = list(zip(shown[::2], shown[1::2], strict=False))
    if not pairs or len(shown) % 2 or any(made.shape != asked.shape for made, asked in pairs):
        raise RequestError("reconstruct needs a critic in training that draws what it saw, such as fastgan; drop it")
    return torch.stack([l1_loss(made.float(), asked.float()) for made, asked in pairs]).mean()
