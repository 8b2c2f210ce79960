"""Layers that are told what was asked for, and look at nothing but that."""

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from rivals.layers.linear import Linear

from .layout import Layout


def asked_places(cond: Tensor, layout: Layout) -> Tensor:
    """Where in the encoded row what was asked for is, counted from its first softmax.

    Args:
        cond: (..., softmaxes) int64 slots, -1 where nothing is asked.
        layout: of the row.

    Returns:
        (..., most) in rising order, `most` the most that are asked of one row but at least one, or all softmaxes where
        it can't be told for free; then how many places there are, where nothing is asked.
    """
    starts = torch.tensor([segment.start for segment in layout.softmaxes], device=cond.device)
    asked = cond >= 0
    places = torch.where(asked, cond + starts, layout.width) - len(layout.scalars)
    if cond.device.type != "cpu" or torch._C._functorch.is_functorch_wrapped_tensor(cond) or not cond.numel():
        return places
    most = max(int(asked.sum(-1).max()), 1)  # few columns are asked for at once: what is looked up is a tenth of all
    return places.topk(most, largest=False).values


class Told(Linear):
    """A linear layer of numbers with ones beside them, at the places that were asked for.

    It equals a linear layer of both side by side, but leaves the weights of places alone that nobody asked for, which
    are nearly all: as a product they would take half the time of a critic's first layer.

    Args:
        inputs: how many numbers.
        places: where a one can be.
        width: of the output.
    """

    def __init__(self, inputs: int, places: int, width: int) -> None:
        super().__init__(inputs, width)
        self.asked = nn.Parameter(torch.empty(places + 1, width))  # the last row is of nothing asked, and never counts
        bound = (inputs + places) ** -0.5  # what `nn.Linear` of both would begin with
        for part in (self.weight, self.bias, self.asked):
            nn.init.uniform_(part, -bound, bound)

    def forward(self, x: Tensor, places: Tensor) -> Tensor:  # type: ignore[override]
        """X (n, inputs), places (n, most) int64 with `places` for none -> (n, width)."""
        out = super().forward(x)
        if not places.shape[1]:  # nothing is asked of any row, or the table has nothing that can be asked for
            return out
        return out + sums(self.asked, places).to(out.dtype)


def sums(weights: Tensor, places: Tensor) -> Tensor:
    """The sum of the rows of `weights`, (k + 1, width), at each of `places`, (n, most); row k is left out: (n, width).

    A single row is a product, since `torch.func` takes rows one by one and can't take bags.
    """
    last = len(weights) - 1
    if len(places) == 1:
        ones = torch.zeros(1, last + 1, dtype=weights.dtype, device=weights.device).scatter(1, places, 1.0)
        return ones[:, :-1] @ weights[:-1]
    return embedding_bag(places, weights, mode="sum", padding_idx=last)
