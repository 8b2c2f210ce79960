"""What a recipe takes: parameters, operations and memory, counted without running it."""

import math
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from .build import build_game
from .cost import Cost, bytes_needed, cost, round_flops
from .modality import Modality
from .recipe import Recipe

PENALTIES = {"r1", "r2", "gradient_penalty", "dragan"}


class Needs(NamedTuple):
    """What a recipe takes."""

    generator: Cost
    critic: Cost
    flops: float  # for one sample of a round
    memory: int  # bytes


def needs_of(recipe: Recipe, modality: Modality, shape: tuple[int, ...] | None, cond: Tensor | None) -> Needs:
    """Parameters, operations and memory of a recipe for samples of a shape, under two conditions (2, ...) or none.

    Where the shape is None, the critic is shown what the generator makes.
    """
    light = replace(recipe, spectral=False, generator_spectral=False, privacy=None)  # slow or impossible on "meta"
    with torch.device("meta"):
        game = build_game(light, modality)
        z = torch.zeros(2, recipe.latent)
    asked = [] if cond is None else [cond.to("meta")]
    if shape is None:
        sample = modality.show(game.generator(z, *asked))
    else:
        sample = torch.zeros(2 * recipe.pack, *shape, device="meta")
    ours = cost(game.generator, z, *asked)
    theirs = cost(game.critic, sample, *([] if recipe.pack > 1 else asked))
    penalties = len(PENALTIES & set(recipe.critic_terms))
    batch = min(recipe.micro_batch or recipe.batch, recipe.batch)
    flops = round_flops(ours, theirs, penalties=penalties, critic_steps=recipe.critic_steps)
    return Needs(ours, theirs, flops, bytes_needed(ours, theirs, batch=batch, penalties=penalties))


def rounds_a_second(needed: Needs, batch: int, rate: float, share: float = 0.35) -> float:
    """About how many rounds a second a device of `rate` operations a second plays, at a `share` of it in use."""
    return rate * share / max(needed.flops * batch, 1.0) if math.isfinite(rate) else 0.0
