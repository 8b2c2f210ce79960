"""A run before its first step: the folder, the data, the recipe, what it will take. Refuses what can't be done."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

import rivals

from .engine.cost import bytes_free, matmul_rate
from .engine.errors import RequestError
from .engine.files import write_whole
from .engine.method import Method
from .engine.parallel import processes
from .engine.processes import Spread, check_processes
from .engine.recipe import Recipe, change, read, to_json
from .engine.run import write_json
from .modalities.images.cache import Pictures, Survey, survey
from .modalities.images.cache import load as load_pictures
from .modalities.images.features import check as check_features
from .modalities.images.features import choose as choose_features
from .modalities.images.frames import Frame, pick_frame
from .modalities.images.modality import Images
from .modalities.images.recipes import (
    DEFAULT_MINUTES,
    choose_recipe,
    needs,
    rounds_a_second,
    settled,
    with_gamma,
)

Tell = Callable[[Mapping[str, Any]], None]
FORMAT = 1  # of a run's folder


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a person asked for.

    `own` is a method of their own under the name `method`; `asked` holds minutes, steps, until, seed and precision, as
    far as they were given.
    """

    source: str | Path
    folder: Path
    recipe: Recipe | None = None
    method: str | None = None
    own: Method | None = None
    changes: Mapping[str, str] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=dict)
    features: str | None = None
    processes: int | None = None
    resume: bool = False


@dataclass(frozen=True)
class Job:
    """All that a run is made from."""

    folder: Path
    source: str
    recipe: Recipe
    images: Images
    pictures: Pictures
    features: str
    spread: Spread | None = None  # over processes and threads; None where others than we decide it


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


def prepare(request: Request, stored: Mapping[str, Any] | None, device: torch.device, tell: Tell) -> Job:
    """Look at the data, choose what is not given, and check that it can be done.

    `stored` is what `open_folder` found. Nothing is written but the cache of decoded pictures.

    Raises:
        RequestError: the request can't be served.
    """
    looked = survey(
        request.source, progress=lambda done, total: tell({"kind": "reading", "done": done, "total": total})
    )
    tell({"kind": "found", "found": asdict(looked.found)})
    going = resumed(request, stored)
    recipe, reasons = going or chosen(request, looked, device)
    check_processes(recipe.batch, request.processes, device)
    frame = Frame(**recipe.data)
    told = estimate(recipe, expected_images(looked, frame), device)  # before decoding: what can't be done costs no time
    tell({"kind": "plan", "folder": str(request.folder), "recipe": asdict(recipe), "reasons": reasons, **told})
    pictures = load_pictures(
        looked, **frame._asdict(), progress=lambda at, all_: tell({"kind": "decoding", "done": at, "total": all_})
    )
    tell_skipped(looked.found.skipped, pictures.found.skipped, tell)
    if stored is not None and stored["data_sha256"] != pictures.content:
        raise RequestError(
            f"the pictures in {request.source} are not those that {request.folder} was trained on: restore them, or "
            "give another --out"
        )
    if going is None and request.recipe is None:
        recipe = with_gamma(recipe, pictures, tuple(request.changes), tell)
    images = Images.of(pictures)
    space = feature_space(request, stored, looked, device)
    spread = Spread.kept(stored or {})
    return Job(request.folder, str(request.source), settled(recipe, images), images, pictures, space, spread)


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


def chosen(request: Request, looked: Survey, device: torch.device) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe of a run that begins, and why it is what it is."""
    changes = dict(request.changes)
    networks = changes.pop("networks", None)
    minutes, steps = request.asked.get("minutes"), request.asked.get("steps")
    if minutes is None and steps is None:
        minutes = 60.0 if "until" in request.asked else DEFAULT_MINUTES
    frame, why = pick_frame(request.recipe, changes, looked, device, minutes)
    images = expected_images(looked, frame)
    recipe = request.recipe
    reasons: tuple[str, ...] = (why,)
    if recipe is None:
        choice = choose_recipe(
            images,
            request.method or "r3gan",
            device,
            minutes,
            steps,
            own=request.own,
            networks=networks,
            pictures=looked.training,
        )
        recipe, reasons = choice.recipe, (why, *choice.reasons)
    recipe = replace(recipe, data=frame._asdict())
    for path, value in changes.items():
        recipe = change(recipe, path, value)
    return settled(with_budget(recipe, request.asked), images), reasons


def expected_images(looked: Survey, frame: Frame) -> Images:
    """The modality as far as it is known before decoding."""
    classes = looked.found.classes
    return Images(*frame, looked.bits, tuple(classes), tuple(classes.values()))


def feature_space(request: Request, stored: Mapping[str, Any] | None, looked: Survey, device: torch.device) -> str:
    """The feature space of the verdict: the run's own, or the one asked for, or the data's."""
    kept = None if stored is None else stored.get("features")
    asked = request.features
    if asked is not None and kept is not None and asked != kept:
        raise RequestError(f"the run is judged in the feature space {kept!r}, not {asked!r}; leave --features out")
    side = max(looked.found.median_width, looked.found.median_height)
    space: str = asked or kept or choose_features(looked.found.kind, device.type, side)
    return check_features(space)  # refuses what is not known or not installed


def kept_precision(request: Request) -> str | None:
    """The precision of the run that goes on, or of a given recipe."""
    path = request.folder / "recipe.json"
    if request.resume and (request.folder / "run.json").exists() and path.exists():
        return read(path).precision
    return None if request.recipe is None else request.recipe.precision


def tell_skipped(before: Mapping[str, int], after: Mapping[str, int], tell: Tell) -> None:
    """Pictures that turned out to be damaged only when they were decoded."""
    more = {reason: count - before.get(reason, 0) for reason, count in after.items() if count > before.get(reason, 0)}
    if more:
        tell({"kind": "event", "step": 0, "words": "skipped " + ", ".join(f"{n} ({why})" for why, n in more.items())})


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


def estimate(recipe: Recipe, images: Images, device: torch.device) -> dict[str, Any]:
    """Parameters, memory and time, said before the first step.

    Raises:
        RequestError: not enough memory.
    """
    needed = needs(recipe, images)
    free = bytes_free(device)
    if free is not None and needed.memory > free:
        raise RequestError(
            f"this needs about {needed.memory / 2**30:.1f} GB of memory and {free / 2**30:.1f} GB are free: lower "
            f"--set micro_batch={smaller(recipe)}, data.height and data.width, or the networks' width"
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
            "data_sha256": job.pictures.content,
            "features": job.features,
            "found": asdict(job.pictures.found),
            "spread": None if job.spread is None else job.spread._asdict(),
        },
    )
    write_whole(job.folder / "recipe.json", to_json(job.recipe).encode())
    write_json(job.folder / "modality.json", {"name": "images", **asdict(job.images)})
