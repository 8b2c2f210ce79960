"""Which recipe for which pictures: resolution, networks, sizes and batch, each with its reason."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch

from rivals.engine.build import build_game
from rivals.engine.cost import Cost, bytes_needed, cost, round_flops
from rivals.engine.errors import RequestError
from rivals.engine.methods import METHODS, Method, Optimizer
from rivals.engine.names import named
from rivals.engine.recipe import Recipe, Use
from rivals.engine.schedule import Curve, Weight

from .cache import Survey
from .modality import Images

WIDTHS = {"tiny": 16, "small": 24, "medium": 48, "large": 96, "huge": 384}
"""Sizes of the convolutional networks by name: channels of the finest stage."""

DEFAULT_MINUTES = 10.0


class Frame(NamedTuple):
    """How pictures are brought to one shape."""

    height: int
    width: int
    channels: int


@dataclass(frozen=True)
class Choice:
    """A recipe, and why it is what it is, in sentences."""

    recipe: Recipe
    reasons: tuple[str, ...]


def choose_frame(survey: Survey, device: torch.device, minutes: float | None) -> tuple[Frame, str]:
    """The resolution: the pictures' own where the time allows it, else the largest that it does.

    Pictures of one size up to the limit are left as they are. Others are brought to the median aspect, the shorter side
    a multiple of 16. The limit is 64 pixels on a CPU (32 for less than five minutes), 256 on a GPU
    (128 for less than an hour).
    """
    found = survey.found
    if device.type == "cpu":
        limit = 32 if minutes is not None and minutes < 5 else 64
    else:
        limit = 128 if minutes is not None and minutes < 60 else 256
    height, width = found.median_height, found.median_width
    short = min(height, width)
    of_one_size = len(found.sizes) == 1
    if of_one_size and short <= limit:
        return Frame(height, width, survey.channels), f"all pictures are {width}x{height}: kept"
    side = min(short, limit)
    side = side - side % 16 if side >= 16 else side
    aspect = width / height
    if 0.87 < aspect < 1.15:
        aspect = 1.0
    shape = (side, round(side * aspect)) if aspect >= 1 else (round(side / aspect), side)
    shape = (min(shape[0], 4 * side), min(shape[1], 4 * side))
    if min(shape) >= 16:
        shape = (shape[0] - shape[0] % 4, shape[1] - shape[1] % 4)
    why = f"the median picture is {width}x{height}; " + (
        f"{limit} pixels on the shorter side is what this {device.type.upper()} can learn in the time"
        if short > limit
        else "all are brought to that shape"
    )
    return Frame(shape[0], shape[1], survey.channels), f"{why} (--set data.height=... data.width=... overrides)"


def pick_frame(
    recipe: Recipe | None, changes: Mapping[str, str], looked: Survey, device: torch.device, minutes: float | None
) -> tuple[Frame, str]:
    """The pictures' shape: from a given recipe or setting, else chosen."""
    frame, why = choose_frame(looked, device, minutes)
    given = dict(recipe.data) if recipe is not None else {}
    for path, value in changes.items():
        if path.startswith("data."):
            given[path.removeprefix("data.")] = value
    for name, value in given.items():
        if name not in Frame._fields:
            raise RequestError(f"data.{name}: no such setting; there are {', '.join(Frame._fields)}")
        try:
            number = int(value)
        except (TypeError, ValueError):
            raise RequestError(f"data.{name} is a whole number, not {value!r}") from None
        most = 4 if name == "channels" else 4096
        if not (1 if name == "channels" else 4) <= number <= most:
            raise RequestError(f"data.{name} lies between {1 if name == 'channels' else 4} and {most}, not at {number}")
        frame = frame._replace(**{name: number})
    return frame, "the resolution was given" if given else why


def choose_recipe(
    images: Images,
    method: str,
    device: torch.device,
    minutes: float | None,
    steps: int | None,
    *,
    networks: str | None = None,
) -> Choice:
    """The recipe of a method for pictures of a shape, on a device, for a time; `networks` overrules the choice."""
    chosen = named(method, METHODS, "method")
    given = networks is not None
    networks = networks or chosen.networks or ("dcgan" if device.type == "cpu" else "r3gan")
    named(networks, images.generators, "networks")
    condition = choose_condition(images, chosen, networks)
    width, why_width = choose_width(images, networks, device, minutes)
    generator, critic = network_options(networks, chosen, device, width)
    if condition != "none":
        critic = {**critic, "condition": condition}
    terms = class_terms(chosen, condition)
    terms = ({name: scaled_penalty(name, weight, images) for name, weight in terms[0].items()}, terms[1])
    batch = chosen.batch or (32 if device.type == "cpu" else 256)
    recipe = Recipe(
        modality="images",
        method=method,
        data={"height": images.height, "width": images.width, "channels": images.channels},
        generator=Use(networks, generator),
        critic=Use(networks, critic),
        latent=100 if networks == "mlp" else 64,
        loss=chosen.loss,
        critic_terms=terms[0],
        generator_terms=terms[1],
        spectral=chosen.spectral,
        critic_steps=chosen.critic_steps,
        optimizer=tuned_optimizer(chosen, networks, device),
        batch=batch,
        anneal=Curve(1.0, 0.0, "cosine", begin=0.4),
        minutes=minutes,
        steps=steps,
    )
    reasons = (
        f"{method}: {chosen.title}",
        why_networks(networks, chosen, device, given),
        why_width,
        f"batch {batch}: " + ("as published" if chosen.batch else "small, for many updates in the time"),
    )
    schedule = "learning rates fall to zero along a cosine over the last 60 % (--set anneal.stop=1 for constant ones)"
    return Choice(recipe, (*(reason for reason in reasons if reason), schedule))


def why_networks(networks: str, method: Method, device: torch.device, given: bool) -> str:
    """Why these networks."""
    if given:
        return f"{networks} networks were asked for"
    if method.networks:
        return f"{networks} networks, as published with it"
    return f"{networks} networks: the usual choice on a {device.type.upper()} (--set networks=... for others)"


def choose_condition(images: Images, method: Method, networks: str) -> str:
    """How the critic is told the class: by projection, or by concatenation where a perceptron takes it."""
    del method
    if not images.classes:
        return "none"
    return "concat" if networks == "mlp" else "projection"


def class_terms(method: Method, condition: str) -> tuple[dict[str, Weight], dict[str, Weight]]:
    """The method's terms, and the classifier's where the condition is an auxiliary one."""
    critic, generator = dict(method.critic_terms), dict(method.generator_terms)
    if condition == "auxiliary":
        critic["classify_real"] = Weight(1.0)
        generator["classify_fake"] = Weight(1.0)
    return critic, generator


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
    return {"width": width, "norm": method.norm[0]}, {"width": width, "norm": method.norm[1]}


def scaled_penalty(name: str, weight: Weight, images: Images) -> Weight:
    """The weight (gamma) of R1 and R2 for pictures of this size; other terms as they are.

    A rule of thumb for small networks: gradients are taken with respect to pixels, so gamma grows with their number,
    from 0.05 at 28x28 grey, where 0.01 to 1 were tried (benchmarks/digits_settings.py). R3GAN's own values for its
    large networks are 0.05 at 32x32, 2 at 64x64 and 150 at 256x256, colour.
    """
    if name not in ("r1", "r2"):
        return weight
    values = images.height * images.width * images.channels
    return replace(weight, start=float(f"{weight.start * 0.05 * values / 784:.2g}"))


def tuned_optimizer(method: Method, networks: str, device: torch.device) -> Optimizer:
    """As published, but faster for small networks on a CPU where R1 and R2 keep the game stable."""
    if {"r1", "r2"} <= set(method.critic_terms) and device.type == "cpu":
        return replace(method.optimizer, lr=2e-3 if networks == "dcgan" else 5e-4)
    return method.optimizer


class Needs(NamedTuple):
    """What a recipe takes."""

    generator: Cost
    critic: Cost
    flops: float  # for one sample of a round
    memory: int  # bytes


def needs(recipe: Recipe, images: Images) -> Needs:
    """Parameters, operations and memory of a recipe, counted without running it."""
    with torch.device("meta"):
        game = build_game(recipe, images)
        labels = torch.zeros(2, dtype=torch.int64) if images.classes else None
        z = torch.zeros(2, recipe.latent)
        sample = torch.zeros(2, images.channels, images.height, images.width)
    ours = cost(game.generator, z, *([] if labels is None else [labels]))
    theirs = cost(game.critic, sample, *([] if labels is None else [labels]))
    penalties = len({"r1", "r2", "gradient_penalty"} & set(recipe.critic_terms))
    batch = min(recipe.micro_batch or recipe.batch, recipe.batch)
    flops = round_flops(ours, theirs, penalties=penalties, critic_steps=recipe.critic_steps)
    return Needs(ours, theirs, flops, bytes_needed(ours, theirs, batch=batch, penalties=penalties))


def rounds_a_second(needed: Needs, batch: int, rate: float, share: float = 0.35) -> float:
    """About how many rounds a second a device of `rate` operations a second plays, at a `share` of it in use."""
    return rate * share / max(needed.flops * batch, 1.0) if math.isfinite(rate) else 0.0


def settled(recipe: Recipe, images: Images) -> Recipe:
    """The recipe with what follows from its settings: an auxiliary classifier needs its terms."""
    options = dict(recipe.critic.options)
    if not images.classes and options.get("condition", "none") != "none":
        raise RequestError(f"condition {options['condition']!r} needs classes, and these pictures have none")
    if options.get("condition") != "auxiliary":
        return recipe
    critic = {"classify_real": Weight(1.0), **recipe.critic_terms}
    generator = {"classify_fake": Weight(1.0), **recipe.generator_terms}
    return replace(recipe, critic_terms=critic, generator_terms=generator)
