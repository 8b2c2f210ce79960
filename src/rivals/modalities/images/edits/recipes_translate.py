"""Which recipe for pictures of one kind turned into another: crops, networks, sizes and batch, each with its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from rivals.engine.errors import RequestError
from rivals.engine.method import Method
from rivals.engine.names import named
from rivals.engine.needs import Needs, needs_of
from rivals.engine.recipe import Recipe, Use
from rivals.engine.schedule import Weight
from rivals.modalities.images.cache import Survey
from rivals.modalities.images.recipes import Choice

from .catalogue import GENERATORS
from .cycle import CycleGenerator
from .methods_translate import DECAY, TRANSLATION
from .modality import FREE, Edits
from .pairs import colours
from .recipes import LENS_FLOPS, LENS_NUMBERS

LEAST, MOST = 32, 1024  # pixels of a crop

USUAL: Mapping[str, str] = {"pairs": "pix2pix", "unpaired": "cut", "style": "style"}
"""The method of each task, if nobody names one."""

PLAYS: Mapping[str, tuple[str, ...]] = {
    "pairs": ("pix2pix",),
    "unpaired": ("cut", "fastcut", "cyclegan"),
    "style": ("style",),
}
"""Methods of each task's own. A method of no task's own is the game beside the terms of the usual one."""

AGAIN = {"cycle": 1.0, "identity": 1.0, "identity_both": 1.0, "patch_nce": 1.0, "flip_nce": 1.1, "identity_nce": 2.0}
"""How often more a term runs the generator, or some of it and its heads, than the game does."""

FASTER = 4.0
"""Learning rates on a CPU over the published ones, unpaired: networks are small and batches have four crops."""

HELD = 12.0
"""Weight of R1 and R2, for a critic of patches, times the pixels of a crop: gradients of all of them are summed."""

HOLDS = ("cycle", "identity_both")
SOFTER = 0.01
"""Weight of `HOLDS` on a CPU over the published one. They are L1 distances, which are least, and steepest around, where
networks that add to a picture begin: by those that change nothing. At 0.03 CycleGAN goes back to that place."""

LOOKS = ("style", "subject")
"""Terms that look through EfficientNet-Lite0."""

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "pairs": {"given": "left", "shorter": 0, "ways": 2},
    "unpaired": {"shorter": 0, "ways": 2},
    "style": {"shorter": 0, "ways": 2},
}
"""What may be changed of how pictures are brought to the networks, in `Edits.damage`, each with its default.

`given`: the half of each picture that is given, "left" or "right"; of two folders the first or second by name.
`shorter`: pixels of the shorter side, to which larger pictures are made smaller; 0 for what suits the crops.
`ways`: 1 as they are, 2 also mirrored, 8 also turned by quarters.
"""


def settings(task: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a task with these changed.

    Raises:
        RequestError: one that the task doesn't have, or a value that it can't have.
    """
    known = SETTINGS[task]
    for name, value in changes.items():
        if name not in known:
            raise RequestError(f"{task} has no setting {name!r}; there are {', '.join(known)}")
        good = {
            "given": value in ("left", "right"),
            "shorter": isinstance(value, int) and not isinstance(value, bool) and (value == 0 or value >= 16),
            "ways": value in (1, 2, 8) and not isinstance(value, bool),
        }[name]
        wanted = {"given": "left or right", "shorter": "a number of pixels from 16 on", "ways": "1, 2 or 8"}[name]
        if not good:
            raise RequestError(f"{name} of {task} is {wanted}, not {value!r}")
    return {**known, **changes}


def choose_edits(
    task: str,
    changes: Mapping[str, Any],
    sides: tuple[Survey, Survey],
    halves: bool,
    device: torch.device,
    minutes: float | None,
    *,
    back: bool = False,
) -> Edits:
    """What is asked of pictures that are to become others.

    Args:
        task: "pairs", "unpaired" or "style".
        changes: "channels" (of what is made), "crop", and settings as "damage.NAME", as values.
        sides: looks at what is given, and at what is to be made.
        halves: every picture is two.
        device: where to train.
        minutes: when to stop, by the clock.
        back: the network goes both ways.

    Raises:
        RequestError: no such setting, or a value that it can't have.
    """
    for name in changes:
        if name not in ("channels", "crop") and not name.startswith("damage."):
            raise RequestError(f"data.{name}: no such setting; there are channels, crop and damage.NAME")
    seen, channels = map(colours, sides)
    if task != "pairs":  # one network is given both kinds
        seen = channels = max(seen, channels)
    channels = changes.get("channels", channels)
    if channels not in (1, 3):
        raise RequestError(f"data.channels is 1 (grey) or 3 (colour), not {channels!r}")
    crop = changes.get("crop") or choose_crop(sides, halves, device, minutes)
    if not isinstance(crop, int) or isinstance(crop, bool) or not LEAST <= crop <= MOST or crop % 8:
        raise RequestError(f"data.crop is a multiple of 8 from {LEAST} to {MOST} pixels, not {crop!r}")
    asked = {name.removeprefix("damage."): value for name, value in changes.items() if name.startswith("damage.")}
    kept = settings(task, asked)
    kept["shorter"] = max(kept["shorter"] or choose_shorter(task, crop), crop)
    return Edits(task, channels, seen if task == "pairs" else channels, 1, crop, kept, back)


def choose_crop(sides: Sequence[Survey], halves: bool, device: torch.device, minutes: float | None) -> int:
    """Pixels of a crop: what the device can learn from in the time, and no more than nine pictures in ten have."""
    short_run, long_run = (64, 128) if device.type == "cpu" else (128, 256)
    limit = long_run if minutes is not None and minutes >= 60 else short_run
    shortest = []
    for looked in sides:
        usable = looked.entries.reason == 0
        width = torch.from_numpy(looked.entries.width[usable]) // (2 if halves else 1)
        shorter = torch.from_numpy(looked.entries.height[usable]).minimum(width)
        shortest.append(int(shorter.float().quantile(0.1)) if len(shorter) else limit)
    return max(min(limit, *shortest) // 16 * 16, LEAST)


def choose_shorter(task: str, crop: int) -> int:
    """Pixels of the shorter side: an eighth more than a crop, which so sees nearly all; twice as many for a style."""
    return 2 * crop if task == "style" else crop + crop // 8


def network_options(networks: str, edits: Edits, method: Method, device: torch.device) -> tuple[Use, Use]:
    """Generator and critic: small ones on a CPU, as published on a GPU."""
    small = device.type == "cpu"
    halvings = 2 if edits.crop < 128 else 3  # patches of 34 or 70 pixels
    critic: dict[str, Any] = {"width": 32 if small else 64, "halvings": halvings, "norm": method.norm[1]}
    generator: dict[str, Any] = {}
    if networks in ("unet", "resnet", "cycle"):
        generator = {"width": 24 if small else 64, "norm": method.norm[0]}
    if networks == "unet":
        generator["depth"] = 4 if edits.crop < 128 else 5
    elif generator:
        generator["blocks"] = 4 if small else (9 if edits.crop >= 256 else 6)
    if networks == "resnet" and edits.task != "unpaired":
        generator["watched"] = None
    if networks == "resnet" and edits.task in FREE and small:  # the published one has to learn to repeat a picture
        generator |= {"residual": True, "norm": "none"}
    if networks == "folded" or (networks == "cycle" and small):
        generator = {"width": 48, "blocks": 6}
        generator |= {"folded": True} if networks == "cycle" else {"watched": edits.task == "unpaired"}
    if networks == "cycle":
        return Use("cycle", generator), Use("cycle", critic)
    return Use(networks, generator), Use("patch", {**critic, "conditional": edits.task == "pairs"})


def for_short(method: Method, crop: int) -> Method:
    """A method as it is played on a CPU, unpaired: its own terms, and a relativistic critic held back by R1 and R2.

    In a thousand rounds least squares and a critic with instance norm take turns at being fooled at once and at telling
    nothing of use; held back so, as in R3GAN, each side has something to learn from the other all the time.
    """
    held = Weight(float(f"{HELD / crop**2:.3g}"))
    terms = method.generator_terms
    softer = {name: replace(terms[name], start=SOFTER * terms[name].start) for name in HOLDS if name in terms}
    return replace(
        method,
        loss="relativistic",
        critic_terms={**method.critic_terms, "r1": held, "r2": held},
        generator_terms={**terms, **softer},
        norm=(method.norm[0], "none"),
        optimizer=replace(method.optimizer, lr=FASTER * method.optimizer.lr),
    )


def choose_recipe(
    edits: Edits,
    name: str,
    method: Method,
    device: torch.device,
    minutes: float | None,
    steps: int | None,
    *,
    networks: str | None = None,
) -> Choice:
    """The recipe of a method that turns pictures into others, on a device, for a time.

    Args:
        edits: what is asked of pictures.
        name: of the method.
        method: itself.
        device: where to train.
        minutes: when to stop, by the clock.
        steps: when to stop, by rounds.
        networks: overrules the choice of networks.

    Raises:
        RequestError: the method is of another task.
    """
    for task, names in PLAYS.items():
        if name in names and task != edits.task:
            raise RequestError(
                f"method {name!r} is for the task {task}, not for {edits.task}: take {', '.join(PLAYS[edits.task])}"
            )
    usual = TRANSLATION[USUAL[edits.task]]
    own = TRANSLATION.get(name) == method  # not a file of that name
    if method.needs_labels or method.condition is not None or method.pack > 1:
        raise RequestError(f"method {name!r} is for new samples, with labels or in packs: take {USUAL[edits.task]}")
    chosen = networks or (method.networks if own else usual.networks) or "resnet"
    if networks is None and chosen == "resnet" and edits.task == "unpaired" and device.type == "cpu":
        chosen = "folded"
    if edits.back != (named(chosen, GENERATORS, "networks") is CycleGenerator):
        raise RequestError(f"networks {chosen!r} don't go the ways of method {name!r}: leave --set networks out")
    short = device.type == "cpu" and edits.task == "unpaired" and own
    if short:
        method = for_short(method, edits.crop)
    generator, critic = network_options(chosen, edits, method, device)
    batch = method.batch or (4 if device.type == "cpu" else 8)
    recipe = Recipe(
        modality="edits",
        method=name,
        generator=generator,
        critic=critic,
        latent=0,
        loss=method.loss,
        critic_terms=dict(method.critic_terms),
        generator_terms=dict(method.generator_terms) if own else {**usual.generator_terms, **method.generator_terms},
        spectral=method.spectral,
        generator_spectral=method.generator_spectral,
        critic_steps=method.critic_steps,
        optimizer=method.optimizer,
        critic_optimizer=method.critic_optimizer,
        batch=batch,
        clip_weights=method.clip_weights,
        anneal=method.anneal or DECAY,
        beta2=method.beta2,
        minutes=minutes,
        steps=steps,
    )
    shorter = edits.damage["shorter"]
    reasons = (
        f"{name}: {method.title}"
        + (" (its losses, with a relativistic critic held back by R1 and R2 for a short training)" if short else ""),
        f"crops of {edits.crop} pixels: what a {device.type.upper()} can learn from in the time (--set data.crop=...)",
        f"pictures whose shorter side is longer than {shorter} pixels are made that small, and edits do best on "
        "pictures of about that size (--set data.damage.shorter=... for larger ones)",
        f"{chosen} networks of width {generator.options.get('width', '?')}: "
        + ("small, for many updates in the time" if device.type == "cpu" or chosen == "folded" else "as published"),
        f"batch {batch}, learning rate {recipe.optimizer.lr:g}: "
        + ("small networks learn fast" if short else "as published with it"),
        {1: "crops are taken as they are", 2: "crops are also mirrored", 8: "crops are also mirrored and turned"}[
            edits.damage["ways"]
        ],
    )
    return Choice(recipe, reasons)


def needs(recipe: Recipe, edits: Edits) -> Needs:
    """Parameters, operations and memory of a recipe, counted without running it."""
    seen = edits.seen + (edits.channels if edits.back else 0)
    found = needs_of(recipe, edits, None, torch.zeros(2, seen, edits.crop, edits.crop))
    again = sum(AGAIN.get(name, 0.0) for name in recipe.generator_terms)
    looks = sum(name in recipe.generator_terms for name in LOOKS) * edits.crop**2
    batch = min(recipe.micro_batch or recipe.batch, recipe.batch)
    return found._replace(
        flops=found.flops + 3 * again * found.generator.flops + looks * LENS_FLOPS,
        memory=found.memory + int(4 * batch * (again * found.generator.activations + looks * LENS_NUMBERS)),
    )
