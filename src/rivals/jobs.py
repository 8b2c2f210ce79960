"""A run before its first step, whatever its data: what was asked, its folder, when it ends, what it will take."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import torch

import rivals

from .engine.cost import bytes_free, matmul_rate
from .engine.data import Dataset
from .engine.errors import RequestError
from .engine.files import write_json, write_whole
from .engine.method import Method
from .engine.modality import Modality
from .engine.model import Model
from .engine.needs import Needs, rounds_a_second
from .engine.parallel import processes
from .engine.privacy import Private
from .engine.processes import Spread
from .engine.recipe import Recipe, change, read, to_json

Tell = Callable[[Mapping[str, Any]], None]
FORMAT = 1  # of a run's folder
DEFAULT_MINUTES = 10.0


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a person asked for.

    `own` is a method of their own under the name `method`; `asked` holds minutes, steps, until, seed and precision, as
    far as they were given; `data` what concerns one kind of data only, such as a query for a database.
    """

    source: Any
    folder: Path
    recipe: Recipe | None = None
    method: str | None = None
    own: Method | None = None
    changes: Mapping[str, str] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    features: str | None = None
    processes: int | None = None
    resume: bool = False


class Judge(Protocol):
    """Who judges a run's models: it knows the data's real side."""

    def quick(self, model: Model, seed: int, share: float) -> dict[str, float]:
        """Scores from a few samples of a seed, or from a share of them."""
        ...

    def final(self, model: Model, folder: Path) -> dict[str, Any]:
        """The verdict on a finished run, as JSON-ready values; what its page shows beside it goes to the folder."""
        ...


def as_it_is(model: Model) -> Model:
    """The model itself."""
    return model


@dataclass(frozen=True)
class Job:
    """All that a run is made from.

    Args:
        folder: of the run.
        source: of the data, in words.
        recipe: of the game.
        modality: what travels with the model.
        content: sha256 of the data.
        found: what the data is, as JSON-ready values.
        features: the space that the verdict is taken in.
        scores: that a quick verdict gives; the best state is chosen by the first, where lower is better.
        dataset: the data, for a device.
        judge: makes the judge; told of progress.
        sheet: some samples of a model as one file, in the format of `preview`.
        preview: how previews' files end.
        finish: what a model goes through before it is looked at or saved.
        settle: what it goes through once more when training is over, and may take its time for.
        spread: over processes and threads; None where others than we decide it.
        takes_best: whether the best state becomes the model where it is clearly better than the last; its scores must
            not be from what the verdict is taken on.
        private: its plan and its secret, where it is trained with differential privacy.
        start: the generator's weights before the first step, where they are given.
        pictures: shown in the run's folder from the beginning, PNG by file name.
    """

    folder: Path
    source: str
    recipe: Recipe
    modality: Modality
    content: str
    found: Mapping[str, Any]
    features: str
    scores: tuple[str, ...]
    dataset: Callable[[torch.device | None], Dataset]
    judge: Callable[[Tell], Judge]
    sheet: Callable[[Model], bytes]
    preview: str = ".png"
    finish: Callable[[Model], Model] = as_it_is
    settle: Callable[[Model], Model] = as_it_is
    spread: Spread | None = None
    takes_best: bool = False
    private: Private | None = None
    start: Mapping[str, torch.Tensor] | None = None
    pictures: Mapping[str, bytes] = field(default_factory=dict)


def telling(tell: Tell, kind: str) -> Callable[[int, int], None]:
    """Progress, told as entries of a kind."""
    return lambda done, total: tell({"kind": kind, "done": done, "total": total})


def slug(source: str | Path) -> str:
    """A run's name from its source's.

    >>> slug("my photos/"), slug("faces:open-peeps"), slug("a/digits.zip")
    ('my-photos', 'faces-open-peeps', 'digits')
    """
    name = Path(str(source).rstrip("/")).name
    stem = name.split(".")[0] if Path(str(source)).suffix in (".zip", ".npz", ".npy", ".parquet", ".arrow") else name
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "run"


def open_folder(folder: Path, resume: bool) -> dict[str, Any] | None:
    """What the folder's run was made from, to be resumed; None where a new one begins.

    Raises:
        RequestError: it holds a run and nobody asked to resume, or one of another version, or other files.
    """
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"{folder} is a file; give a folder with --out")
    card = folder / "run.json"
    if not card.exists():
        others = [path.name for path in folder.iterdir() if not path.name.startswith(".")] if folder.exists() else []
        if set(others) - {"tensorboard", "wandb"}:  # loggers may have begun before the run did
            raise RequestError(f"{folder} holds other files ({sorted(others)[0]!r} ...); give another --out")
        return None
    if not resume:
        raise RequestError(f"{folder} already holds a run: go on with it by --resume, or give another --out")
    try:
        stored = json.loads(card.read_text(encoding="utf-8"))
        version = stored["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RequestError(f"{card} is damaged: {error!r}; give another --out") from None
    if version != FORMAT:
        raise RequestError(
            f"{folder} has run format {version}; this is Rivals {rivals.__version__}, which reads {FORMAT}"
        )
    return stored


def resumed(request: Request, stored: Mapping[str, Any] | None) -> tuple[Recipe, tuple[str, ...]] | None:
    """The recipe of the run that goes on; None where one begins."""
    path = request.folder / "recipe.json"
    if stored is None or not path.exists():  # it may have been killed at its very beginning
        return None
    first = read(path)
    recipe = with_budget(first, request.asked)
    if request.recipe is not None and with_budget(request.recipe, request.asked) != recipe:
        raise RequestError(f"the recipe differs from that of the run in {request.folder}: it needs a new --out")
    refuse_changes(recipe, first, request.changes, request.method)
    if "micro_batch" in request.changes:
        recipe = change(recipe, "micro_batch", request.changes["micro_batch"])
    return recipe, ("the recipe of the run that goes on",)


def ends(request: Request) -> tuple[float | None, int | None]:
    """The minutes and steps of a run that begins: an hour at most where it waits for a quality, else ten minutes."""
    minutes, steps = request.asked.get("minutes"), request.asked.get("steps")
    if minutes is None and steps is None:
        minutes = 60.0 if "until" in request.asked else DEFAULT_MINUTES
    return minutes, steps


def same_data(stored: Mapping[str, Any] | None, content: str, request: Request, what: str) -> None:
    """A run goes on with its own data only.

    Raises:
        RequestError: these are not what the run was trained on.
    """
    if stored is not None and stored["data_sha256"] != content:
        raise RequestError(
            f"the {what} in {request.source} are not those that {request.folder} was trained on: restore them, or "
            "give another --out"
        )


def kept_precision(request: Request) -> str | None:
    """The precision of the run that goes on, or of a given recipe."""
    recipe = kept_recipe(request)
    return None if recipe is None else recipe.precision


def kept_recipe(request: Request) -> Recipe | None:
    """The recipe of the run that goes on, or the one that is given."""
    path = request.folder / "recipe.json"
    going = request.resume and (request.folder / "run.json").exists() and path.exists()
    return read(path) if going else request.recipe


def with_budget(recipe: Recipe, asked: Mapping[str, Any]) -> Recipe:
    """The recipe with what the command asked for; a new end replaces the old."""
    ends = {name: asked.get(name) for name in ("minutes", "steps")}
    if any(value is not None for value in ends.values()):
        recipe = replace(recipe, **ends)  # type: ignore[arg-type]
    rest = {name: value for name, value in asked.items() if name not in ends}
    recipe = replace(recipe, **rest)
    if recipe.minutes is None and recipe.steps is None:
        recipe = replace(recipe, minutes=60.0 if recipe.until else DEFAULT_MINUTES)
    return recipe


def refuse_changes(recipe: Recipe, stored: Recipe, changes: Mapping[str, str], method: str | None) -> None:
    """A resumed run keeps its recipe: only its end, its precision and how a batch is cut may change."""
    if method is not None and method != stored.method:
        raise RequestError(f"the run's method is {stored.method}, not {method}; another method needs a new --out")
    if recipe.seed != stored.seed:
        raise RequestError(f"the run's seed is {stored.seed}, not {recipe.seed}; another seed needs a new --out")
    for path, value in changes.items():
        if path != "micro_batch" and change(recipe, path, value) != recipe:
            raise RequestError(
                f"--set {path}={value} differs from the run's recipe; a changed recipe needs a new --out"
            )


def estimate(recipe: Recipe, needed: Needs, device: torch.device, smaller_words: str) -> dict[str, Any]:
    """Parameters, memory and time, said before the first step; `smaller_words` say what else could be lowered.

    Raises:
        RequestError: not enough memory.
    """
    free = bytes_free(device)
    if free is not None and needed.memory > free:
        raise RequestError(
            f"this needs about {needed.memory / 2**30:.1f} GB of memory and {free / 2**30:.1f} GB are free: lower "
            f"--set micro_batch={smaller(recipe)}, {smaller_words}"
        )
    rate = rounds_a_second(needed, recipe.batch, matmul_rate(device)) * processes()[1]
    return {
        "parameters": [needed.generator.parameters, needed.critic.parameters],
        "memory_gb": round(needed.memory / 2**30, 2),
        "seconds": expected_seconds(recipe, rate),
        "device": device.type,
    }


def smaller(recipe: Recipe) -> int:
    """A quarter of the pieces that a batch is taken in."""
    return max((recipe.micro_batch or recipe.batch) // 4, 1)


def expected_seconds(recipe: Recipe, rate: float) -> float:
    """How long training will take, at `rate` rounds a second."""
    ends = [60 * recipe.minutes] if recipe.minutes is not None else []
    if recipe.steps is not None and rate:
        ends.append(recipe.steps / rate)
    return min(ends, default=0.0)


def write_first_files(job: Job) -> None:
    """What a run is made from, before its first step; `run.json` comes first, since it makes the folder a run's."""
    job.folder.mkdir(parents=True, exist_ok=True)
    write_json(
        job.folder / "run.json",
        {
            "format": FORMAT,
            "rivals": rivals.__version__,
            "source": job.source,
            "data_sha256": job.content,
            "features": job.features,
            "found": job.found,
            "spread": None if job.spread is None else job.spread._asdict(),
        },
    )
    write_whole(job.folder / "recipe.json", to_json(job.recipe).encode())
    for name, content in job.pictures.items():
        (job.folder / "pictures").mkdir(exist_ok=True)
        write_whole(job.folder / "pictures" / name, content)
    if job.private is not None:
        write_whole(job.folder / "privacy.json", job.private.plan.ledger.to_json().encode())
    values = asdict(job.modality)  # type: ignore[call-overload]
    write_json(job.folder / "modality.json", {"name": job.recipe.modality, **values})
