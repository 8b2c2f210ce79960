"""Recipe and modality to game and optimizers: the one place where names become objects."""

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from .augment import Augment, strengthener
from .errors import RequestError
from .game import Duel, coupled_parts
from .losses import LOSSES
from .method import Optimizer
from .modality import Modality
from .names import named
from .pace import Pace
from .pack import Packed
from .privacy_check import PROBE, blind, check_game, check_generator_terms, check_recipe
from .recipe import Recipe, Use
from .schedule import Weight
from .terms import TERMS, Measure, Term, adversarial
from .types import Sample


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
        least = 0 if takes[option].default == 0 else 1
        if isinstance(value, int) and not isinstance(value, bool) and value < least:
            raise RequestError(f"{what} {use.name!r}: {option} must be at least {least}, not {value}")
    try:
        return make(**{name: value for name, value in given.items() if name in takes}, **use.options)
    except (RuntimeError, TypeError, ValueError, ZeroDivisionError, IndexError) as error:
        if isinstance(error, RequestError):
            raise
        told = ", ".join(f"{name}={value}" for name, value in use.options.items()) or "its defaults"
        raise RequestError(f"{what} {use.name!r} can't be built with {told}: {error}") from None


def build_terms(weights: Mapping[str, Weight], known: Mapping[str, Measure | type[nn.Module]]) -> dict[str, Term]:
    """Terms by name, with their weights, and the adversarial one, of weight 1 where nothing else is said.

    A term with a memory is a module, made anew for every game.
    """
    terms = {}
    for name, weight in {"adversarial": Weight(1.0), **weights}.items():
        found = named(name, known, "term")
        terms[name] = Term(found() if isinstance(found, type) else found, weight, weight.every)
    return terms


def build_game(recipe: Recipe, modality: Modality, measures: Mapping[str, Measure] | None = None) -> Duel:
    """The game that a recipe describes, on the CPU, initialised from the recipe's seed.

    Args:
        recipe: of the game.
        modality: of the data.
        measures: terms by name that know more than names can say, in place of those of that name.
    """
    torch.manual_seed(recipe.seed)
    generator, critic = build_sides(recipe, modality)
    loss = named(recipe.loss, LOSSES, "loss")
    if recipe.privacy is not None:
        check_recipe(recipe)
        loss = blind(loss)
    critic_half, generator_half = adversarial(loss)
    known = {**TERMS, **modality.terms, **(measures or {})}
    penalised = {"r1", "r2"} & set(recipe.critic_terms)  # joined, each would go back through both sides' pass
    game = Duel(
        generator.to(memory_format=torch.channels_last),  # type: ignore[call-overload]  # dense convolutions like it
        critic.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        latent=recipe.latent,
        critic_terms=build_terms(recipe.critic_terms, {**known, "adversarial": critic_half}),
        generator_terms=build_terms(recipe.generator_terms, {**known, "adversarial": generator_half}),
        show=modality.show,
        joined=not (penalised or couples_batch(critic) or recipe.augment.operations or recipe.privacy),
        **augmentation(recipe.augment, modality),
    )
    if recipe.privacy is not None:
        check_game(game)
        check_generator_terms(game, modality.condition(None, PROBE))
    return game


def couples_batch(module: nn.Module) -> bool:
    """Whether what a network says of a sample depends on the others in its batch (batch norm, batch deviation)."""
    return bool(coupled_parts(module))


def build_sides(recipe: Recipe, modality: Modality) -> tuple[nn.Module, nn.Module]:
    """Generator and critic."""
    generator = build_generator(recipe, modality)
    common = dict(modality.common())
    if recipe.pack > 1:
        channels, *rest = common["shape"]
        common["shape"] = (channels * recipe.pack, *rest)
    critic = build_network(recipe.critic, modality.critics, "critic", **common)
    if recipe.spectral:
        add_spectral_norm(critic)
    if recipe.generator_spectral:
        add_spectral_norm(generator)
    return generator, Packed(critic, recipe.pack) if recipe.pack > 1 else critic


def augmentation(augment: Augment, modality: Modality) -> dict[str, Any]:
    """What a duel needs to know of the augmentation."""
    if not augment.operations:
        return {}
    operations = modality.operations(augment.operations)

    def apply(sample: Sample, cond: Tensor | None, strength: Tensor) -> tuple[Sample, Tensor | None]:
        return modality.augment(sample, operations, strength), cond

    return {"augment": apply, "strengthen": strengthener(augment)}


def add_spectral_norm(module: nn.Module) -> None:
    """Divide every layer's weight by its largest singular value (Miyato et al., 2018)."""
    for part in list(module.modules()):
        if parametrize.is_parametrized(part):
            continue  # a network that was published with it on some layers has it there already
        if isinstance(part, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Embedding):
            parametrizations.spectral_norm(part)


def build_generator(recipe: Recipe, modality: Modality) -> nn.Module:
    """The generator alone, as its network is written."""
    common = modality.common()
    return build_network(recipe.generator, modality.generators, "generator", latent=recipe.latent, **common)


@torch.no_grad()
def bare(generator: nn.Module, recipe: Recipe, modality: Modality) -> nn.Module:
    """A generator with its spectral normalisation worked into its weights, as it is saved; itself if it has none."""
    normalised = [(name, part) for name, part in generator.named_modules() if parametrize.is_parametrized(part)]
    if not normalised:
        return generator
    weights = {name: part for name, part in generator.state_dict().items() if ".parametrizations." not in f".{name}"}
    for name, part in normalised:
        weights |= {f"{name}.{weight}": getattr(part, weight) for weight in part.parametrizations}
    plain = build_generator(recipe, modality).to(next(generator.parameters()).device)
    plain.load_state_dict(weights)
    return plain.eval().requires_grad_(False)


def build_optimizers(recipe: Recipe, game: Duel) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """The generator's and the critic's optimizer, for parameters that are where they will stay."""
    ours = recipe.optimizer
    theirs = recipe.critic_optimizer or ours
    return build_optimizer(ours, game.generator, recipe), build_optimizer(theirs, game.critic, recipe)


def build_optimizer(settings: Optimizer, module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimizer, fused where the device has it (fused steps can't be clipped under a loss scaler)."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    scaled = recipe.precision == "16-mixed" and recipe.clip is not None
    fused = parameters[0].device.type in ("cpu", "cuda") and not scaled
    lr, decay = settings.lr, settings.decay
    beta1, beta2 = float(settings.betas[0]), float(settings.betas[1])  # an int 0 is refused by torch
    if settings.name == "sgd":
        return torch.optim.SGD(parameters, lr, momentum=beta1, weight_decay=decay, fused=fused)
    if settings.name == "rmsprop":
        return torch.optim.RMSprop(parameters, lr, alpha=beta2, eps=settings.eps, weight_decay=decay, foreach=True)
    make = torch.optim.AdamW if settings.name == "adamw" else torch.optim.Adam
    return make(parameters, lr, betas=(beta1, beta2), eps=settings.eps, weight_decay=decay, fused=fused)


def build_pace(recipe: Recipe) -> Pace:
    """How the sides take turns."""
    return Pace(
        critic_steps=recipe.critic_steps,
        micro_batch=recipe.micro_batch,
        clip=recipe.clip,
        anneal=recipe.anneal,
        average_half_life=recipe.average_half_life,
        beta2=recipe.beta2,
        clip_weights=recipe.clip_weights,
        share_fakes=recipe.share_fakes and recipe.privacy is None,
    )
