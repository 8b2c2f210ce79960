"""Methods in words: what `rivals recipes NAME` says."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from .engine.gamma import PENALTIES
from .engine.method import Method, Optimizer
from .engine.schedule import Curve, Weight


def in_full(method: Method, *, in_gamma: bool = True) -> dict[str, str]:
    """All of a method, in lines of a word and what there is to say.

    `in_gamma` says whether the weights of R1 and R2 are in units of what is measured on the data.
    """
    sides = {"critic": method.critic_terms, "generator": method.generator_terms}
    terms = [
        f"{side}: {term_words(name, weight, in_gamma=in_gamma and name in PENALTIES)}"
        for side, all_ in sides.items()
        for name, weight in all_.items()
    ]
    lines = {
        "what": method.title,
        "paper": method.paper,
        "read": method.url,
        "minimise": method.formula,
        "critic steps": str(method.critic_steps),
        "terms": "; ".join(terms) or "none beside the loss",
        "networks": method.networks or "the modality's own",
        "norm": norm_words(method),
        "labels": "needed"
        if method.needs_labels
        else f"by {method.condition}"
        if method.condition
        else "if there are any",
        "optimizer": optimizer_words(method.optimizer),
        "its critic's": optimizer_words(method.critic_optimizer) if method.critic_optimizer else "",
        "weights": f"the critic's cut to +-{method.clip_weights:g}" if method.clip_weights else "",
        "augmented by": ", ".join(method.augment),
        "Adam's beta2": curve_words(method.beta2) if method.beta2 else "",
        "batch": str(method.batch) if method.batch else "chosen by the modality",
    }
    return {word: told for word, told in lines.items() if told}


def term_words(name: str, weight: Weight, *, in_gamma: bool) -> str:
    """A term, its weight and how often it is taken."""
    told = curve_words(weight) + (" gamma, which is measured on the data" if in_gamma else "")
    often = "" if weight.every == 1 else f", every {weight.every} steps"
    return f"{name} x {told}{often}"


def curve_words(curve: Curve) -> str:
    """A number, or from where to where it goes."""
    return f"{curve.start:g}" if curve.stop is None else f"{curve.start:g} to {curve.stop:g} ({curve.shape})"


def norm_words(method: Method) -> str:
    """Normalisation of both sides."""
    spectral = (method.generator_spectral, method.spectral)
    sides = [" and ".join(filter(None, ["spectral" if is_ else "", norm if norm != "none" or not is_ else ""]))
             for norm, is_ in zip(method.norm, spectral, strict=True)]  # fmt: skip
    return f"generator {sides[0]}, critic {sides[1]}"


def optimizer_words(optimizer: Optimizer) -> str:
    """An optimizer and its settings."""
    decay = f", weight decay {optimizer.decay:g}" if optimizer.decay else ""
    return f"{optimizer.name}, lr {optimizer.lr:g}, betas {optimizer.betas[0]:g} and {optimizer.betas[1]:g}{decay}"


def measured_words(name: str) -> list[str]:
    """What the benchmark measured of a method, one line a data set; none if it has not."""
    found: list[Mapping[str, Any]] = json.loads(files("rivals").joinpath("measured.json").read_text(encoding="utf-8"))
    return [
        f"{row['data']}, {row['minutes']:g} minutes on {row['machine']}: FD {row['fd_share']:.2f} % of variance "
        f"(floor {row['floor']:.2f}), agreement {row['agreement']:.1f} %"
        + (f", {row['seeds']} seeds" if row["seeds"] > 1 else "")
        for row in found
        if row["method"] == name
    ]
