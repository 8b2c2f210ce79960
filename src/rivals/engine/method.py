"""Published games as plain values: what a method is. The published ones are in `methods.py`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .errors import RequestError
from .schedule import Curve, Weight

OPTIMIZERS = ("adam", "adamw", "rmsprop", "sgd")


@dataclass(frozen=True)
class Optimizer:
    """An optimizer and its settings.

    Args:
        lr: learning rate.
        betas: of "adam" (Kingma and Ba, 2015) and "adamw" (Loshchilov and Hutter, 2019). "rmsprop" takes the second as
            its smoothing, "sgd" the first as its momentum.
        eps: added to the root of the second moment.
        name: "adam", "adamw", "rmsprop" or "sgd".
        decay: weight decay.
    """

    lr: float = 2e-4
    betas: tuple[float, float] = (0.0, 0.99)
    eps: float = 1e-8
    name: str = "adam"
    decay: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in OPTIMIZERS:
            raise RequestError(f"no optimizer {self.name!r}: there are {', '.join(OPTIMIZERS)}")
        if not 0 < self.lr < 10:
            raise RequestError(f"a learning rate lies between 0 and 10, not at {self.lr}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise RequestError(f"betas lie between 0 and below 1, not at {self.betas}")
        if not self.eps > 0:
            raise RequestError(f"an optimizer's eps lies above 0, not at {self.eps}")
        if not 0 <= self.decay < 1:
            raise RequestError(f"weight decay lies between 0 and below 1, not at {self.decay}")


@dataclass(frozen=True, kw_only=True)
class Method:
    """The part of a recipe that a paper published; plays on any modality.

    Args:
        title: what it is, in a line.
        paper: authors, year, title.
        url: where to read it.
        formula: what the critic (D) and the generator (G) minimise.
        loss: a name in `losses.LOSSES`.
        critic_terms, generator_terms: further terms by name in `terms.TERMS` or the modality's, with their weights.
        critic_steps: critic updates for one of the generator.
        optimizer, critic_optimizer: as published; the second only where the critic's differs.
        networks: the networks it was published with, by name, where a modality has them; None for the modality's own.
        norm: normalisation in (generator, critic) as published: "batch", "instance", "layer", "none".
        spectral, generator_spectral: spectral normalisation of the critic's and of the generator's layers.
        condition: how the critic is told the class: "concat", "projection", "auxiliary"; None for the modality's own.
        needs_labels: whether there is no such method without labels.
        clip_weights: largest absolute value of a weight of the critic; None for no limit.
        pack: samples of one side that the critic sees at once.
        augment: operations on what the critic sees that belong to the method, by name.
        anneal, beta2: of learning rates and Adam's second beta over training, where they belong to the method.
        batch: as published; None leaves the choice to the modality.
    """

    title: str = "a method of one's own"
    paper: str = ""
    url: str = ""
    formula: str = ""
    loss: str
    critic_terms: Mapping[str, Weight] = field(default_factory=dict)
    generator_terms: Mapping[str, Weight] = field(default_factory=dict)
    critic_steps: int = 1
    optimizer: Optimizer = Optimizer()
    critic_optimizer: Optimizer | None = None
    networks: str | None = None
    norm: tuple[str, str] = ("none", "none")
    spectral: bool = False
    generator_spectral: bool = False
    condition: str | None = None
    needs_labels: bool = False
    clip_weights: float | None = None
    pack: int = 1
    augment: tuple[str, ...] = ()
    anneal: Curve | None = None
    beta2: Curve | None = None
    batch: int | None = None


def read_method(path: Path) -> Method:
    """A method of one's own, from a JSON file with the fields of `Method`; only `loss` must be given.

    Raises:
        RequestError: the file can't be read, or does not describe a method.
    """
    from .recipe import from_plain

    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path} can't be read as a method: {error}") from None
    except json.JSONDecodeError as error:
        raise RequestError(f"{path} is not JSON: {error.msg} in line {error.lineno}") from None
    if not isinstance(values, dict):
        raise RequestError(f'{path}: a method is named values, such as {{"loss": "hinge"}}')
    method: Method = from_plain(Method, values, str(path))
    return method
