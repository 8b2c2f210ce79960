"""Self-attention over the places of a feature map."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SelfAttention(nn.Module):
    """x + gain * attended(x): every place looks at all others (Zhang et al., 2019, section 3).

    Queries and keys have an eighth of the channels, values half; keys and values are pooled 2x2. The gain is learned
    and starts at 0. It is written out because the fused kernel has no second gradient, which penalties need.

    Args:
        channels: in and out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        few, half = max(channels // 8, 1), max(channels // 2, 1)
        self.query = nn.Conv2d(channels, few, 1, bias=False)
        self.key = nn.Conv2d(channels, few, 1, bias=False)
        self.value = nn.Conv2d(channels, half, 1, bias=False)
        self.out = nn.Conv2d(half, channels, 1, bias=False)
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> the same shape."""
        query = self.query(x).flatten(2)  # (batch, few, places)
        key, value = (F.max_pool2d(part(x), 2, ceil_mode=True).flatten(2) for part in (self.key, self.value))
        weights = (query.transpose(1, 2) @ key).softmax(2)  # (batch, places, pooled places)
        attended = (value @ weights.transpose(1, 2)).unflatten(2, x.shape[2:])
        return x + self.gain * self.out(attended)
