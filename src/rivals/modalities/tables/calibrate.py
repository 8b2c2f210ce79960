"""Shares of categories and modes put right after training, by the generator's last biases alone."""

from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor

from rivals.engine.model import Model

from .encode import Compact
from .layout import Layout, log_softmax_segments, one_hots

LOOKED_AT = 4096  # samples that shares are measured on
ROUNDS = 12
LEAST = 1e-7  # of a share: a logarithm needs one


def shares_of(compact: Compact, train: Tensor, layout: Layout) -> Tensor:
    """How often each slot is taken in the training rows, (width,) float32; scalars' places mean nothing."""
    total = torch.zeros(layout.width, dtype=torch.float64)
    for part in train.split(50_000):
        total += one_hots(compact.scalars[part], compact.slots[part], layout).sum(0, dtype=torch.float64)
    return (total / max(len(train), 1)).float()


@torch.no_grad()
def calibrated(model: Model, shares: Tensor, *, seed: int = 0) -> Model:
    """The model with its last biases shifted until every slot comes up as often as in the data.

    A slot is drawn with the softmax of its logits, so the mean of that over noise is its share, and adding the
    logarithm of (wanted / found) to its bias moves it there: iterative proportional fitting on one margin at a time.
    What the generator has learned of how columns depend on each other stays. The given model is left as it is.

    Args:
        model: with a `RowGenerator`.
        shares: (width,) as `shares_of` gives them.
        seed: of the noise.
    """
    from .networks import RowGenerator

    network = deepcopy(model.network).eval()
    assert isinstance(network, RowGenerator)
    layout, first = network.layout, len(network.layout.scalars)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        z = torch.randn(LOOKED_AT, model.latent)
        cond = model.modality.condition(None, LOOKED_AT)
    device = network.head.bias.device
    values = network(z.to(device), None if cond is None else cond.to(device)).values
    wanted = shares.to(device)
    shift = torch.zeros_like(wanted)
    for _ in range(ROUNDS):
        found = log_softmax_segments(values + shift, layout).exp().mean(0)
        shift[first:] += (wanted[first:].clamp(min=LEAST) / found[first:].clamp(min=LEAST)).log()
    network.head.bias.add_(shift)
    return replace(model, network=network)
