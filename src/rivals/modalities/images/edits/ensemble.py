"""The geometric self-ensemble: a network looks at a picture turned and mirrored in eight ways, and the mean counts."""

from dataclasses import replace
from itertools import product

import torch
from torch import Tensor, nn

from rivals.engine.errors import RequestError
from rivals.engine.model import Model
from rivals.engine.types import leaves

from .judge_parts import edits_of
from .modality import Edits
from .tasks import TASKS

WAYS = tuple(product(range(4), (False, True)))  # quarter turns, and whether it is mirrored then


class SelfEnsemble(nn.Module):
    """The mean of what a network makes of a picture in eight ways, each turned back.

    A network errs a little differently each time, so that the mean lies nearer to the true picture: higher PSNR, and
    smoother where nobody can know. It takes eight times as long. Timofte et al., 2016, Seven Ways to Improve
    Example-Based Single Image Super Resolution.

    Args:
        network: a generator that restores pictures.
        edits: what it does.
    """

    def __init__(self, network: nn.Module, edits: Edits) -> None:
        super().__init__()
        self.network, self.edits = network, edits

    def forward(self, z: Tensor, cond: Tensor) -> Tensor:
        """Z (n, 0), cond (n, seen, h, w) in [-1, 1] -> (n, channels, scale h, scale w), about in [-1, 1]."""
        total = torch.zeros(())
        for quarters, mirrored in WAYS:
            given = cond.rot90(quarters, (2, 3))
            raw = self.network(z, given.flip(3) if mirrored else given)
            made = leaves(self.edits.show(raw))[0].clamp(-1, 1)
            total = total + (made.flip(3) if mirrored else made).rot90(-quarters, (2, 3))
        return total / len(WAYS)


def ensembled(model: Model) -> Model:
    """The model with its `SelfEnsemble` as its network.

    Raises:
        RequestError: it translates pictures, and what it does to turned ones is nothing like it.
    """
    edits = edits_of(model)
    if edits.task not in TASKS:
        raise RequestError(f"--ensemble is for models that restore pictures, and this one's task is {edits.task}")
    return replace(model, network=SelfEnsemble(model.network, edits).eval())
