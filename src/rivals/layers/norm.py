"""Normalisation layers."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rivals.engine.errors import RequestError
from rivals.engine.parallel import processes

NORMS = ("batch", "instance", "layer", "none")


class BatchStatistics(nn.Module):
    """The statistics of batch normalisation (Ioffe and Szegedy, 2015), over the batch of all processes, on any device.

    Two processes normalise as one with the whole batch would. Outside training the running statistics are used. Over
    several processes it can be differentiated once, so it is not for a critic under a gradient penalty.
    """

    couples_batch = True
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, *, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def standardise(self, x: Tensor, gain: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """(batch, channels, ...) -> mean 0 and variance 1 in each channel, then times gain plus bias, (channels,)."""
        if not self.training or processes()[1] == 1:
            means, variances = self.running_mean, self.running_var
            return F.batch_norm(x, means, variances, gain, bias, self.training, self.momentum, self.eps)
        mean, variance, count = whole_moments(x)
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        shape = (1, -1, *[1] * (x.ndim - 2))
        scale = torch.rsqrt(variance + self.eps) * (1 if gain is None else gain)
        out = (x.float() - mean.view(shape)) * scale.view(shape)
        return (out if bias is None else out + bias.view(shape)).to(x.dtype)


class WholeBatchNorm(BatchStatistics):
    """Batch normalisation with one learned gain and bias a channel (Ioffe and Szegedy, 2015), over all processes."""

    def __init__(self, channels: int, *, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__(channels, momentum=momentum, eps=eps)
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, ...) -> the same shape."""
        return self.standardise(x, self.weight, self.bias)


class ConditionalBatchNorm(BatchStatistics):
    """Batch normalisation whose gain and bias are linear in a vector that each sample brings.

    With labels as one-hot vectors these are a learned gain and bias for each class (Dumoulin et al., 2017; Miyato and
    Koyama, 2018); with a piece of z and a label's learned vector it is BigGAN's (Brock et al., 2019, appendix B).

    Args:
        channels: of what is normalised.
        width: of the vectors.
        momentum: how much of the running statistics each batch replaces.
        eps: added to the variance.
    """

    def __init__(self, channels: int, width: int, *, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__(channels, momentum=momentum, eps=eps)
        self.linear = nn.Linear(width, 2 * channels, bias=False)
        nn.init.normal_(self.linear.weight, std=0.02)  # about 1 and 0; all zeros would have no spectral norm

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        """(batch, channels, ...), (batch, width) -> (1 + gain) * standardised + bias, the shape of x."""
        shape = (len(x), -1, *[1] * (x.ndim - 2))
        gain, bias = (part.to(x.dtype).view(shape) for part in self.linear(vector).chunk(2, 1))
        return self.standardise(x) * (1 + gain) + bias


class InstanceNorm(nn.GroupNorm):
    """Normalisation over the places of each sample's channel (Ulyanov et al., 2016), with a learned gain and bias.

    It is group norm of one channel a group (Wu and He, 2018). Where channels lie last in memory, as `rivals train` has
    them on a CPU, it is taken as batch norm of one sample after the other: the same, and faster.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, ...) -> the same shape."""
        last = x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
        if x.device.type != "cpu" or not last:
            return super().forward(x)
        return torch.cat(
            [F.batch_norm(one, None, None, self.weight, self.bias, True, eps=self.eps) for one in x.split(1)]
        )


def whole_moments(x: Tensor) -> tuple[Tensor, Tensor, int]:
    """Mean and variance (channels,) over all processes, differentiable once, and of how many numbers each is."""
    from torch.distributed.nn.functional import all_reduce

    rows = x.float().transpose(0, 1).flatten(1)  # (channels, batch * ...)
    count = rows.shape[1] * processes()[1]
    mean = all_reduce(rows.sum(1)) / count
    variance = all_reduce((rows - mean[:, None]).square().sum(1)) / count
    return mean, variance, count


def normal(kind: str, channels: int) -> nn.Module:
    """Normalisation by name, for (batch, channels, ...) with a learned gain and bias for each channel.

    Args:
        kind: "batch" (Ioffe and Szegedy, 2015), over the batch and all places; "instance" (Ulyanov et al., 2016), over
            the places of each sample's channel; "layer" (Ba et al., 2016), over all of each sample; "none".
        channels: how many channels.

    Raises:
        RequestError: there is no such kind.
    """
    match kind:
        case "batch":
            return WholeBatchNorm(channels)
        case "instance":
            return InstanceNorm(channels)
        case "layer":
            return nn.GroupNorm(1, channels)
        case "none":
            return nn.Identity()
    raise RequestError(f"no normalisation {kind!r}: there are {', '.join(NORMS)}")
