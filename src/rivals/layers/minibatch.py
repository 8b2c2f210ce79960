"""Letting a critic see how varied a batch is."""

import torch
from torch import Tensor, nn


class MinibatchDeviation(nn.Module):
    """One more channel: how much a sample's group varies (Karras et al., 2018, section 3; groups as in 2020).

    The standard deviation over the group of each feature at each place, averaged over features and places. Groups are
    of neighbours in the batch; where their size doesn't divide the batch, the largest smaller one that does is taken.

    Args:
        group: how many samples are compared.
    """

    couples_batch = True

    def __init__(self, group: int = 4) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, ...) -> (batch, channels + 1, ...)."""
        group = next(count for count in range(self.group, 0, -1) if len(x) % count == 0)
        precise = x.to(torch.promote_types(x.dtype, torch.float32))
        variance = precise.unflatten(0, (-1, group)).var(1, correction=0)
        deviation = (variance + 1e-8).sqrt().flatten(1).mean(1)  # a root has no gradient at zero
        plane = deviation.repeat_interleave(group).view(-1, *[1] * (x.ndim - 1)).expand(-1, 1, *x.shape[2:])
        return torch.cat([x, plane.to(x.dtype)], 1)
