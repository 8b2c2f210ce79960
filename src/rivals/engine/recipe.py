"""Recipes: a whole training run in plain values, printable as JSON and read back from it."""

import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from .augment import Augment
from .errors import RequestError
from .files import plain
from .ledger import Privacy
from .method import Optimizer
from .schedule import EQUILIBRIUM, Budget, Curve, Weight


@dataclass(frozen=True)
class Use:
    """A part by name, with its options: what a recipe says instead of an object."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides a run, and nothing else.

    Args:
        modality: a name in `modalities.MODALITIES`.
        method: the method that this came from.
        data: the modality's own choices, such as height, width and channels of pictures.
        generator, critic: networks by name, with their options.
        latent: width of the noise.
        loss: a name in `losses.LOSSES`.
        critic_terms, generator_terms: further terms by name in `terms.TERMS`, with their weights.
        spectral, generator_spectral: spectral normalisation of the critic and of the generator.
        critic_steps: critic updates for one of the generator.
        optimizer: its name and settings; `critic_optimizer` only where the critic's differ.
        batch: samples a step, over all processes.
        micro_batch: take a batch in pieces of this size; None for whole.
        clip: largest norm of a side's gradient; None for no limit.
        clip_weights: largest absolute value of a weight of the critic; None for no limit.
        pack: how many samples of one side the critic sees at once (PacGAN).
        augment: what the critic's samples go through.
        share_fakes: the generator learns from the critic's last batch and fakes instead of others: faster.
        anneal: factor on the learning rates over training.
        beta2: of Adam over training; None leaves it where the optimizer has it.
        average_half_life: of the generator's running average, in samples.
        compile: compile what torch.compile can; of use on a GPU only.
        precision: "32-true", "bf16-mixed" or "16-mixed".
        seed: of weights, noise and the order of data.
        steps, minutes: when to stop, whichever comes first.
        until: stop at a quality, such as "fd<5", or at "equilibrium".
        privacy: train with differential privacy; None for without.
    """

    modality: str
    method: str = "r3gan"
    data: Mapping[str, Any] = field(default_factory=dict)
    generator: Use
    critic: Use
    latent: int = 64
    loss: str = "relativistic"
    critic_terms: Mapping[str, Weight] = field(default_factory=dict)
    generator_terms: Mapping[str, Weight] = field(default_factory=dict)
    spectral: bool = False
    generator_spectral: bool = False
    critic_steps: int = 1
    optimizer: Optimizer = field(default_factory=Optimizer)
    critic_optimizer: Optimizer | None = None
    batch: int = 64
    micro_batch: int | None = None
    clip: float | None = None
    clip_weights: float | None = None
    pack: int = 1
    augment: Augment = field(default_factory=Augment)
    share_fakes: bool = True
    anneal: Curve = field(default_factory=lambda: Curve(1.0))
    beta2: Curve | None = None
    average_half_life: Curve = field(default_factory=lambda: Curve(10_000.0))
    compile: bool = False
    precision: str = "32-true"
    seed: int = 0
    steps: int | None = None
    minutes: float | None = None
    until: str | None = None
    privacy: Privacy | None = None

    def __post_init__(self) -> None:
        for name, least in (("latent", 0), ("critic_steps", 1), ("batch", 1), ("pack", 1)):
            if getattr(self, name) < least:
                raise RequestError(f"{name} must be at least {least}, not {getattr(self, name)}")
        if self.micro_batch is not None and self.micro_batch < 1:
            raise RequestError(f"micro_batch must be at least 1, not {self.micro_batch}")
        for name in ("clip", "clip_weights"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise RequestError(f"{name} is a number above 0, not {value}; leave it out for no limit")
        if self.batch % self.pack:
            raise RequestError(f"batch {self.batch} can't be made up of packs of {self.pack}")
        life = self.average_half_life
        if min(life.start, life.start if life.stop is None else life.stop) < 0:
            raise RequestError(f"average_half_life is 0 or more samples, not {life.start} to {life.stop}")
        self.check_run()

    @property
    def alone(self) -> bool:
        """Whether the generator learns without a critic, none of whose terms ever counts."""
        terms = {"adversarial": Weight(1.0), **self.critic_terms}.values()
        return not any(weight.start or weight.stop for weight in terms)

    def check_run(self) -> None:
        """Refuse an end, a seed or a precision that there is not."""
        if self.alone and EQUILIBRIUM in (self.until or ""):
            raise RequestError(f"{EQUILIBRIUM} is a state of two sides, and method {self.method!r} has no critic")
        if self.steps is not None or self.minutes is not None:
            Budget(self.steps, None if self.minutes is None else 60 * self.minutes)
        if not 0 <= self.seed < 2**32:
            raise RequestError(f"a seed lies between 0 and {2**32 - 1}, not at {self.seed}")
        if self.precision not in PRECISIONS:
            raise RequestError(f"no precision {self.precision!r}: there are {', '.join(PRECISIONS)}")


PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


def to_json(recipe: Recipe) -> str:
    """The recipe as JSON."""
    return json.dumps(plain(recipe), indent=2) + "\n"


def from_json(text: str, where: str = "the recipe") -> Recipe:
    """The recipe that `to_json` wrote. `where` names the source in errors."""
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise RequestError(f"{where} is not JSON: {error.msg} in line {error.lineno}") from None
    return from_plain(Recipe, values, where)


def read(path: Path) -> Recipe:
    """The recipe in a file."""
    try:
        return from_json(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path} can't be read as a recipe: {error}") from None


def change(recipe: Recipe, path: str, value: str) -> Recipe:
    """A copy with one value changed: `change(recipe, "optimizer.lr", "1e-4")`. Unknown names are errors."""
    values = plain(recipe)
    *way, last = path.split(".")
    place = values
    for name in way:
        if name in place and place[name] is None:
            place[name] = plain(recipe.optimizer) if name == "critic_optimizer" else {}  # starts from the other side's
        place = place.get(name, {}) if name in place else place.setdefault(name, {})
        if not isinstance(place, dict):
            raise RequestError(f"{path}: {name} has no parts")
    place[last] = parse(value)
    return from_plain(Recipe, values, path)


def parse(value: str) -> Any:
    """A JSON value, or else the text itself."""
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def from_plain(kind: Any, value: Any, where: str) -> Any:
    """Values from JSON as the type that a field declares: dataclasses by their fields, the rest checked.

    Raises:
        RequestError: a key that is not known (the nearest known one is named), one that is missing, a wrong type.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin in (types.UnionType, typing.Union):
        some = [option for option in arguments if option is not type(None)]
        return None if value is None and len(some) < len(arguments) else from_plain(some[0], value, where)
    if is_dataclass(kind):
        return _dataclass_from_plain(kind, value, where)
    if origin is tuple and arguments[-1] is Ellipsis:
        _expect(isinstance(value, list | tuple), where, "a list", value)
        return tuple(from_plain(arguments[0], part, where) for part in value)
    if origin is tuple:
        _expect(
            isinstance(value, list | tuple) and len(value) == len(arguments), where, f"{len(arguments)} values", value
        )
        return tuple(from_plain(option, part, where) for option, part in zip(arguments, value, strict=True))
    if origin is typing.Literal:
        _expect(value in arguments, where, "one of " + ", ".join(arguments), value)
        return value
    if origin is not None and issubclass(origin, Mapping):
        _expect(isinstance(value, dict), where, "named values", value)
        return {name: from_plain(arguments[1], part, f"{where}: {name}") for name, part in value.items()}
    return _scalar_from_plain(kind, value, where)


def _dataclass_from_plain(kind: Any, value: Any, where: str) -> Any:
    first = fields(kind)[0].name
    if not isinstance(value, dict):  # "r1": 5.0 says {"start": 5.0}; "generator": "mlp" says {"name": "mlp"}
        value = {first: value}
    hints = typing.get_type_hints(kind)
    for name in value:
        if name not in hints:
            near = get_close_matches(str(name), hints, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(hints)}"
            raise RequestError(f"{where}: no setting {name!r}; {hint}")
    for part in fields(kind):
        if part.name not in value and part.default is MISSING and part.default_factory is MISSING:
            raise RequestError(f"{where}: {part.name!r} is missing")
    return kind(**{name: from_plain(hints[name], part, f"{where}: {name}") for name, part in value.items()})


def _scalar_from_plain(kind: Any, value: Any, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    good = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    _expect(good, where, names.get(kind, str(kind)), value)
    _expect(kind is not float or math.isfinite(value), where, "a finite number", value)
    return value


def _expect(good: bool, where: str, wanted: str, value: Any) -> None:
    if not good:
        raise RequestError(f"{where}: {wanted} was expected, not {value!r}")
