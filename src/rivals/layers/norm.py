"""Normalisation layers."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rivals.engine.errors import RequestError
from rivals.engine.parallel import processes


class WholeBatchNorm(nn.Module):
    """Batch normalisation (Ioffe and Szegedy, 2015) over the batch of all processes, on any device.

    Two processes normalise as one with the whole batch would. Outside training the running statistics are used. Over
    several processes it can be differentiated once, so it is not for a critic under a gradient penalty.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, *, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, ...) -> the same shape."""
        if not self.training or processes()[1] == 1:
            means, variances = self.running_mean, self.running_var
            return F.batch_norm(x, means, variances, self.weight, self.bias, self.training, self.momentum, self.eps)
        mean, variance, count = whole_moments(x)
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        shape = (1, -1, *[1] * (x.ndim - 2))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return ((x.float() - mean.view(shape)) * scale.view(shape) + self.bias.view(shape)).to(x.dtype)


def whole_moments(x: Tensor) -> tuple[Tensor, Tensor, int]:
    """Mean and variance (channels,) over all processes, differentiable once, and of how many numbers each is."""
    from torch.distributed.nn.functional import all_reduce

    rows = x.float().transpose(0, 1).flatten(1)  # (channels, batch * ...)
    count = rows.shape[1] * processes()[1]
    mean = all_reduce(rows.sum(1)) / count
    variance = all_reduce((rows - mean[:, None]).square().sum(1)) / count
    return mean, variance, count


def normal(kind: str, channels: int) -> nn.Module:
    """Normalisation by name: "batch" or "none"."""
    if kind not in ("batch", "none"):
        raise RequestError(f"no normalisation {kind!r}: there are batch, none")
    return WholeBatchNorm(channels) if kind == "batch" else nn.Identity()
