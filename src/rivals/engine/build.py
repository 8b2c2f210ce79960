"""Recipe and modality to game and optimizers: the one place where names become objects."""

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrizations

from .errors import RequestError
from .game import Duel
from .losses import LOSSES
from .methods import Optimizer
from .modality import Modality
from .names import named
from .recipe import Recipe, Use
from .schedule import Weight
from .terms import TERMS, Measure, Term, adversarial
from .train import Pace


def build_network(use: Use, known: Mapping[str, Callable[..., nn.Module]], what: str, **given: Any) -> nn.Module:
    """The network that `use` names, told what of `given` it takes, with its options."""
    make = named(use.name, known, what)
    takes = inspect.signature(make).parameters
    for option in use.options:
        if option not in takes or option in given:
            options = [name for name in takes if name not in given]
            near = get_close_matches(option, options, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(options)}"
            raise RequestError(f"{what} {use.name!r} has no option {option!r}; {hint}")
        value = use.options[option]
        if isinstance(value, int) and not isinstance(value, bool) and value < 1:
            raise RequestError(f"{what} {use.name!r}: {option} must be at least 1, not {value}")
    try:
        return make(**{name: value for name, value in given.items() if name in takes}, **use.options)
    except (RuntimeError, TypeError, ValueError, ZeroDivisionError, IndexError) as error:
        if isinstance(error, RequestError):
            raise
        told = ", ".join(f"{name}={value}" for name, value in use.options.items()) or "its defaults"
        raise RequestError(f"{what} {use.name!r} can't be built with {told}: {error}") from None


def build_terms(weights: Mapping[str, Weight], known: Mapping[str, Measure]) -> dict[str, Term]:
    """Terms by name, with their weights."""
    return {name: Term(named(name, known, "term"), weight, weight.every) for name, weight in weights.items()}


def build_game(recipe: Recipe, modality: Modality) -> Duel:
    """The game that a recipe describes, on the CPU, initialised from the recipe's seed."""
    torch.manual_seed(recipe.seed)
    common = modality.common()
    generator = build_network(recipe.generator, modality.generators, "generator", latent=recipe.latent, **common)
    critic = build_network(recipe.critic, modality.critics, "critic", **common)
    if recipe.spectral:
        add_spectral_norm(critic)
    critic_half, generator_half = adversarial(named(recipe.loss, LOSSES, "loss"))
    known = {**TERMS, **modality.terms}
    return Duel(
        generator.to(memory_format=torch.channels_last),  # type: ignore[call-overload]  # dense convolutions like it
        critic.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        latent=recipe.latent,
        critic_terms={"adversarial": Term(critic_half), **build_terms(recipe.critic_terms, known)},
        generator_terms={"adversarial": Term(generator_half), **build_terms(recipe.generator_terms, known)},
        show=modality.show,
    )


def add_spectral_norm(module: nn.Module) -> None:
    """Divide every layer's weight by its largest singular value (Miyato et al., 2018)."""
    for part in list(module.modules()):
        if isinstance(part, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Embedding):
            parametrizations.spectral_norm(part)


def build_optimizers(recipe: Recipe, game: Duel) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """The generator's and the critic's optimizer, for parameters that are where they will stay."""
    ours = recipe.optimizer
    theirs = recipe.critic_optimizer or ours
    return build_optimizer(ours, game.generator, recipe), build_optimizer(theirs, game.critic, recipe)


def build_optimizer(settings: Optimizer, module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Adam, fused where the device has it (fused steps can't be clipped under a loss scaler)."""
    parameters = list(module.parameters())
    scaled = recipe.precision == "16-mixed" and recipe.clip is not None
    fused = parameters[0].device.type in ("cpu", "cuda") and not scaled
    betas = (float(settings.betas[0]), float(settings.betas[1]))
    return torch.optim.Adam(parameters, settings.lr, betas=betas, eps=settings.eps, fused=fused)


def build_pace(recipe: Recipe) -> Pace:
    """How the sides take turns."""
    return Pace(
        critic_steps=recipe.critic_steps,
        micro_batch=recipe.micro_batch,
        clip=recipe.clip,
        anneal=recipe.anneal,
        average_half_life=recipe.average_half_life,
    )
