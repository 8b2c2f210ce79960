"""Dropout that costs a processor little."""

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout


class Dropout(nn.Module):
    """Dropout (Srivastava et al., 2014), by eight decisions of each random number where torch would draw one for each.

    On a processor torch draws its random numbers one after another, whatever the threads, which is felt in every step
    of small perceptrons. Elsewhere, and inside `torch.func`, torch's own dropout is taken.

    Args:
        p: the share that is dropped, in [0, 1); on a processor the nearest of 256 parts.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout takes a share from 0 to below 1, not {p}")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """(...) -> the same shape; as it is outside of training."""
        parts = round(256 * self.p)
        if not self.training or not self.p:
            return x
        if x.device.type != "cpu" or not 0 < parts < 256 or torch._C._functorch.is_functorch_wrapped_tensor(x):
            return dropout(x, self.p)
        count = x.numel()
        drawn = torch.empty(-(-count // 8), dtype=torch.int64).random_(-(2**63), None)
        kept = drawn.view(torch.uint8)[:count].view(x.shape) >= parts
        return x * kept.to(x.dtype).mul_(256 / (256 - parts))

    def extra_repr(self) -> str:
        """The share."""
        return f"p={self.p}"
