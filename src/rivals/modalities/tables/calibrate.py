"""Shares of categories and modes put right after training, by the generator's last biases alone."""

from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor

from rivals.engine.model import Model

from .encode import Compact
from .layout import Layout, log_softmax_segments, one_hots

LOOKED_AT = 2**25  # numbers: samples that shares are measured on, times how wide they are; 128 MB
LEAST_LOOKED_AT, MOST_LOOKED_AT = 2**12, 2**17  # samples
PASS = 2**12  # samples that are made at once, and that the first rounds look at
ROUNDS, OF_ALL = 12, 4  # the last ones look at all samples
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

    Samples are many, since a trained generator hardly leaves a choice to the draw: a share of 1 % is then known from as
    few samples as have it, 3 % off with 100,000 of them, 15 % off with 4,000.

    Args:
        model: with a `RowGenerator`.
        shares: (width,) as `shares_of` gives them.
        seed: of the noise.
    """
    from .networks import RowGenerator

    network = deepcopy(model.network).eval()
    assert isinstance(network, RowGenerator)
    layout, first = network.layout, len(network.layout.scalars)
    count = min(max(LOOKED_AT // layout.width, LEAST_LOOKED_AT), MOST_LOOKED_AT)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        z = torch.randn(count, model.latent)
        cond = model.modality.condition(None, count)
    device = network.head.bias.device
    values = torch.cat(
        [
            network(z[part].to(device), None if cond is None else cond[part].to(device)).values
            for part in torch.arange(count).split(PASS)
        ]
    )
    wanted = shares.to(device)
    shift = torch.zeros_like(wanted)
    for number in range(ROUNDS):
        looked = values.split(PASS)[: None if number >= ROUNDS - OF_ALL else 1]
        found = torch.stack([log_softmax_segments(part + shift, layout).exp().sum(0) for part in looked]).sum(0)
        found /= sum(map(len, looked))
        shift[first:] += (wanted[first:].clamp(min=LEAST) / found[first:].clamp(min=LEAST)).log()
    network.head.bias.add_(shift)
    return replace(model, network=network)
