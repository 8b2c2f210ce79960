"""Shares of categories and modes put right after training, by the generator's last biases alone."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor

from rivals.engine.model import Model
from rivals.engine.parallel import seed_torch

from .layout import Layout, log_softmax_segments, places_of

PASS = 2**12  # samples that are made at once
FEW, MANY = PASS, 2**18  # samples that shares are measured on while training goes on, and at its end
ROUNDS, MORE = 8, 4  # the last of them looks at all samples, each before it at a quarter of those, down to one pass
LEAST = 1e-7  # of a share: a logarithm needs one
STIFF, LARGEST = 0.02, 2.0  # how little a share may follow its bias, and the longest step of a bias


def shares_of(slots: Tensor, layout: Layout) -> Tensor:
    """How often each slot is taken in rows of slots, (n, softmaxes): (width,) float32, 0 at places of scalars."""
    counts = torch.zeros(layout.width, dtype=torch.long)
    for part in slots.split(PASS):
        counts += torch.bincount(places_of(part, layout).flatten(), minlength=layout.width)
    return (counts.double() / max(len(slots), 1)).float()


@torch.no_grad()
def calibrated(model: Model, shares: Tensor, *, count: int = FEW, seed: int = 0) -> Model:
    """The model with its last biases shifted until every slot comes up as often as in the data.

    A slot is drawn with the softmax p of its logits, so the mean of p over noise is its share. Adding log(wanted /
    found) to its bias moves it there where p is the same in every sample: iterative proportional fitting on one margin
    at a time. Where samples are sure of their slots, a share follows its bias less, by (1 - mean p^2 / mean p) /
    (1 - mean p), and steps are longer by as much. What the generator has learned of how columns depend on each other
    stays. The given model is left as it is.

    Args:
        model: with a `RowGenerator`.
        shares: (width,) as `shares_of` gives them.
        count: samples to look at. The fewer samples have a slot, the less is known of how often it comes: of a share of
            1 % some 15 % with `FEW`, 2 % with `MANY`.
        seed: of the noise.
    """
    from .networks import RowGenerator

    network = deepcopy(model.network).eval()
    assert isinstance(network, RowGenerator)
    layout, first = network.layout, len(network.layout.scalars)
    wanted = shares.to(network.head.bias.device)[first:].clamp(min=LEAST)
    for number in range(ROUNDS):
        total = torch.zeros(2, layout.width - first, device=wanted.device)
        looked = max(count // MORE ** (ROUNDS - 1 - number), min(count, PASS))
        for values in made(replace(model, network=network), looked, seed):
            chances = log_softmax_segments(values, layout)[:, first:].exp()
            total += torch.stack([chances.sum(0), chances.square().sum(0)])
        found, square = (total / looked).clamp(min=LEAST)
        follows = ((1 - square / found) / (1 - found).clamp(min=LEAST)).clamp(STIFF, 1)
        network.head.bias[first:] += ((wanted / found).log() / follows).clamp(-LARGEST, LARGEST)
    return replace(model, network=network)


def made(model: Model, count: int, seed: int) -> Iterator[Tensor]:
    """The outputs, (n, width) each, of samples that are always of the same noise."""
    device = next(model.network.parameters()).device
    for number, start in enumerate(range(0, count, PASS)):
        size = min(PASS, count - start)
        with torch.random.fork_rng(devices=[]):
            seed_torch((seed << 16) + number)
            z = torch.randn(size, model.latent)
            cond = model.modality.condition(None, size)
        yield model.network(z.to(device), None if cond is None else cond.to(device)).values
