"""Which recipe for which pictures: resolution, networks, sizes and batch, each with its reason."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from rivals.engine.augment import Augment
from rivals.engine.data import spread
from rivals.engine.errors import RequestError
from rivals.engine.gamma import PENALTIES, SHARE, gamma_for, weighed
from rivals.engine.method import Method, Optimizer
from rivals.engine.methods import METHODS
from rivals.engine.names import named
from rivals.engine.needs import Needs, needs_of
from rivals.engine.recipe import Recipe, Use
from rivals.engine.schedule import Curve, Weight

from .cache import Pictures, cut
from .modality import Images

WIDTHS = {"tiny": 16, "small": 24, "medium": 48, "large": 96, "huge": 384}
"""Sizes of the convolutional networks by name: channels of the finest stage."""

DEFAULT_MINUTES = 10.0


@dataclass(frozen=True)
class Choice:
    """A recipe, and why it is what it is, in sentences."""

    recipe: Recipe
    reasons: tuple[str, ...]


def choose_recipe(
    images: Images,
    method: str,
    device: torch.device,
    minutes: float | None,
    steps: int | None,
    *,
    own: Method | None = None,
    networks: str | None = None,
    pictures: int | None = None,
) -> Choice:
    """The recipe of a method for pictures of a shape, on a device, for a time.

    Args:
        images: what the pictures are.
        method: a name in `METHODS`, or of one's `own`.
        device: where to train.
        minutes: when to stop, by the clock.
        steps: when to stop, by rounds.
        own: a method of one's own, under the name `method`.
        networks: overrules the choice of networks.
        pictures: how many there are to learn from; None if that is not known.

    Raises:
        RequestError: the method needs labels and there are none, or there is no such method or network.
    """
    chosen = own or named(method, METHODS, "method")
    given = networks is not None
    networks = networks or chosen.networks or ("dcgan" if device.type == "cpu" else "r3gan")
    named(networks, images.generators, "networks")
    if chosen.needs_labels and not images.classes:
        raise RequestError(
            f"method {method!r} needs labels, and these pictures have none: put each class in a folder of its own, "
            "or take --method r3gan"
        )
    condition = choose_condition(images, chosen, networks)
    width, why_width = choose_width(images, networks, device, minutes)
    generator, critic = network_options(networks, chosen, device, width)
    if condition != "none":
        critic = {**critic, "condition": condition}
    batch = chosen.batch or (32 if device.type == "cpu" else 256)
    augment, why_augment = choose_augment(chosen, pictures)
    terms = tuned_terms(chosen, networks, device)
    few = own is None and pictures is not None and pictures < FEW_PICTURES
    recipe = Recipe(
        modality="images",
        method=method,
        data={"height": images.height, "width": images.width, "channels": images.channels},
        generator=Use(networks, generator),
        critic=Use(networks, critic),
        latent=LATENTS.get(networks, 64),
        loss=chosen.loss,
        critic_terms=held_fast(terms) if few else terms,
        generator_terms=dict(chosen.generator_terms),
        spectral=chosen.spectral,
        generator_spectral=chosen.generator_spectral,
        critic_steps=chosen.critic_steps,
        optimizer=tuned_optimizer(chosen, networks, device),
        critic_optimizer=chosen.critic_optimizer,
        batch=batch - batch % chosen.pack,
        clip_weights=chosen.clip_weights,
        pack=chosen.pack,
        augment=augment,
        anneal=chosen.anneal or Curve(1.0, 0.0, "cosine", begin=0.4),
        beta2=chosen.beta2,
        minutes=minutes,
        steps=steps,
    )
    reasons = (
        f"{method}: {chosen.title}",
        why_networks(networks, chosen, device, given),
        why_width,
        f"batch {batch}: " + ("as published" if chosen.batch else "small, for many updates in the time"),
        why_augment,
    )
    schedule = "learning rates fall to zero along a cosine over the last 60 % (--set anneal.stop=1 for constant ones)"
    return Choice(recipe, (*(reason for reason in reasons if reason), "" if chosen.anneal else schedule))


LATENTS = {"mlp": 100, "sngan": 128, "sagan": 128, "biggan": 80, "stylegan2": 128, "fastgan": 256, "projected": 256}
"""Width of the noise that networks were published with (scaled down for the largest); 64 for others."""

FEW_PICTURES = 30_000
"""Below this augmentation helps, above it can hurt (Zhao et al., 2020, table 3; 70,000 faces: FID 3.8 to 4.2)."""

FEWEST_PICTURES = 1_000
"""From here down the augmentation is at its strongest."""

STRONGEST = 0.6
"""On 500 digits samples came nearer to held-out ones with 0.6 than with 0.9 (one seed each). ADA's adaptive strength
begins at 0 and is too slow for minutes: the critic knew 500 pictures by heart before it had moved."""


def choose_augment(method: Method, pictures: int | None) -> tuple[Augment, str]:
    """The method's own augmentation, else a slight one for few pictures, the stronger the fewer, else none."""
    if method.augment:
        return Augment(method.augment), f"augmented by {', '.join(method.augment)}, as published with it"
    if pictures is None or pictures >= FEW_PICTURES:
        return Augment(), ""
    way = math.log(FEW_PICTURES / max(pictures, FEWEST_PICTURES)) / math.log(FEW_PICTURES / FEWEST_PICTURES)
    strength = round(STRONGEST * way, 2)
    why = f"{pictures} pictures are few: those that the critic sees are turned, stretched and covered a little"
    return (
        Augment(("slight", "cutout"), Curve(strength)),
        f"{why}, each with probability {strength:g} (--set augment.operations=[] for none)",
    )


def held_fast(terms: Mapping[str, Weight]) -> dict[str, Weight]:
    """R1 and R2 at their full weight to the end: a critic of few pictures learns them by heart once they let go."""
    return {name: replace(term, stop=None) if name in PENALTIES else term for name, term in terms.items()}


def why_networks(networks: str, method: Method, device: torch.device, given: bool) -> str:
    """Why these networks."""
    if given:
        return f"{networks} networks were asked for"
    if method.networks:
        return f"{networks} networks, as published with it"
    return f"{networks} networks: the usual choice on a {device.type.upper()} (--set networks=... for others)"


def choose_condition(images: Images, method: Method, networks: str) -> str:
    """How the critic is told the class: as the method has it, else by projection (perceptrons: concatenation)."""
    if not images.classes or method.pack > 1:
        return "none"
    return method.condition or ("concat" if networks == "mlp" else "projection")


def choose_width(images: Images, networks: str, device: torch.device, minutes: float | None) -> tuple[int, str]:
    """Channels of the finest stage, by device, time and resolution."""
    if networks == "mlp":
        return 256, ""
    if device.type != "cpu":
        name = "large" if (minutes or 60) < 240 else "huge"
    elif (minutes or DEFAULT_MINUTES) >= 60:
        name = "medium"
    else:
        name = "small" if min(images.height, images.width) <= 64 else "tiny"
    told = f"{minutes:g} minutes on a {device.type.upper()}" if minutes else f"a {device.type.upper()}"
    return WIDTHS[name], f"size {name!r} ({WIDTHS[name]} channels at full resolution): suits {told}"


def network_options(
    networks: str, method: Method, device: torch.device, width: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of generator and critic."""
    if networks == "mlp":
        return {}, {}
    if networks == "r3gan":
        grouped: dict[str, Any] = {"width": width, "group_size": None if device.type == "cpu" else 16}
        return grouped, dict(grouped)
    if networks == "dcgan":
        return {"width": width, "norm": method.norm[0]}, {"width": width, "norm": method.norm[1]}
    return {"width": width}, {"width": width}


def tuned_terms(method: Method, networks: str, device: torch.device) -> dict[str, Weight]:
    """The critic's further terms; R1 and R2 every second step where that buys a third more steps in the same time.

    On digits with DCGAN's small networks (3,000 steps, one seed) the distance was a fifteenth larger after equal steps,
    and a step took three quarters of the time; benchmarks/digits_settings.py has both among its variants.
    """
    terms = dict(method.critic_terms)
    if small_and_stable(method, networks, device):
        terms |= {name: replace(terms[name], every=2) for name in PENALTIES}
    return terms


def small_and_stable(method: Method, networks: str, device: torch.device) -> bool:
    """Whether R1 and R2 keep a game of small convolutional networks on a CPU stable, so that it can go faster."""
    return networks == "dcgan" and device.type == "cpu" and set(PENALTIES) <= set(method.critic_terms)


def tuned_optimizer(method: Method, networks: str, device: torch.device) -> Optimizer:
    """As published, but faster for networks on a CPU where R1 and R2 keep the game stable."""
    if small_and_stable(method, networks, device):
        saturates = method.loss == "score_difference"  # a critic that is sure too soon gives no gradient ever after
        return replace(method.optimizer, lr=1e-3 if saturates else 3e-3)  # 4e-3 was a little better, 8e-3 broke down
    if networks != "dcgan" and device.type == "cpu" and set(PENALTIES) <= set(method.critic_terms):
        return replace(method.optimizer, lr=5e-4)
    return method.optimizer


def with_gamma(
    recipe: Recipe, pictures: Pictures, given: Sequence[str], tell: Callable[[Mapping[str, Any]], None]
) -> Recipe:
    """The recipe with the weights of R1 and R2 measured on the pictures, where none was `given`; tells how."""
    own = {path.split(".")[1] for path in given if path.startswith("critic_terms.") and not path.endswith(".every")}
    names = [name for name in PENALTIES if name in recipe.critic_terms and name not in own]
    if not names:
        return recipe
    gamma = gamma_for(cut(pictures, spread(pictures.train, 2000)))
    words = f"gamma {gamma:g} for {' and '.join(names)}: {SHARE:g} of the pictures' total variance"
    tell({"kind": "event", "step": 0, "words": f"{words} (--set critic_terms.{names[0]}=... for another)"})
    return weighed(recipe, gamma, names)


def needs(recipe: Recipe, images: Images) -> Needs:
    """Parameters, operations and memory of a recipe, counted without running it."""
    labels = torch.zeros(2, dtype=torch.int64) if images.classes else None
    return needs_of(recipe, images, (images.channels, images.height, images.width), labels)


def settled(recipe: Recipe, images: Images) -> Recipe:
    """The recipe with what follows from its settings: an auxiliary classifier needs its terms."""
    options = dict(recipe.critic.options)
    if not images.classes and options.get("condition", "none") != "none":
        raise RequestError(f"condition {options['condition']!r} needs classes, and these pictures have none")
    if recipe.pack > 1 and images.classes:
        raise RequestError("packs of samples take no labels, and these pictures have some: --set pack=1")
    if options.get("condition") != "auxiliary":
        return recipe
    critic = {"classify_real": Weight(1.0), **recipe.critic_terms}
    generator = {"classify_fake": Weight(1.0), **recipe.generator_terms}
    return replace(recipe, critic_terms=critic, generator_terms=generator)
