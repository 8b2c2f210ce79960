"""The main jobs, in Python: `train`, `load`, `judge`. The command line and the studio stand on these."""

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import rivals

from .engine.checkpoint import newest_checkpoint
from .engine.cost import bytes_free, matmul_rate
from .engine.errors import RequestError, StoppedError
from .engine.files import write_whole
from .engine.loggers import Logger, open_loggers
from .engine.model import Model
from .engine.parallel import processes
from .engine.recipe import PRECISIONS, Recipe, change, read, to_json
from .engine.run import Run, Target, Watch, play, run_lock, start_training, write_json
from .modalities.images.cache import Pictures, survey
from .modalities.images.cache import load as load_pictures
from .modalities.images.features import choose as choose_features
from .modalities.images.features import extractor
from .modalities.images.judge import PicturesJudge
from .modalities.images.modality import Images, dataset
from .modalities.images.recipes import (
    DEFAULT_MINUTES,
    Frame,
    choose_frame,
    choose_recipe,
    needs,
    rounds_a_second,
    settled,
)

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Tell = Callable[[Mapping[str, Any]], None]
FORMAT = 1  # of a run's folder


def train(
    source: str | Path,
    *,
    out: str | Path | None = None,
    method: str | None = None,
    recipe: Recipe | None = None,
    changes: Mapping[str, str] | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    until: str | None = None,
    seed: int | None = None,
    resume: bool = False,
    device: str = "auto",
    precision: str | None = None,
    features: str | None = None,
    loggers: Sequence[str] = ("tensorboard",),
    checkpoint_seconds: float = 20.0,
    tell: Tell = lambda entry: None,
) -> Model:
    """Train a GAN on pictures and return its generator, the running average at the end.

    Args:
        source: a folder, zip, .npz, IDX files, a Parquet or Arrow table, or a built-in name (`digits`, `faces`).
        out: the run's folder; `runs/NAME` if not given. It may not hold another run.
        method: a name in `rivals.engine.methods.METHODS`; "r3gan" if not given.
        recipe: a whole recipe instead of the chosen one.
        changes: settings to change, such as {"optimizer.lr": "1e-4"}.
        minutes: wall-clock time of training; 10 if neither this nor `steps` nor `until` is given.
        steps: rounds of training. With this alone, a run is reproducible bit by bit.
        until: a wanted quality, such as "fd<5" or "agreement>97"; needs `minutes` or `steps` as a limit, 60 minutes if
            neither is given.
        seed: of weights, noise and the order of data.
        resume: go on with the run in `out` if there is one, else begin it.
        device: "auto", "cpu", "cuda" or "mps".
        precision: "32-true", "bf16-mixed" or "16-mixed".
        features: the feature space of the verdict; chosen from the data if not given.
        loggers: any of "tensorboard", "mlflow", "wandb".
        checkpoint_seconds: time between checkpoints.
        tell: called with every line of the log and with what was found and chosen before the first step.

    Raises:
        RequestError: the request can't be served.
        StoppedError: training could not go on.
        KeyboardInterrupt: interrupted; all is saved, and `resume=True` goes on.
    """
    fabric = launch(device, precision or (recipe.precision if recipe else None))
    if recipe is not None and method is not None:
        raise RequestError("a recipe holds its method: give --recipe or --method, not both")
    folder = Path(out) if out is not None else Path("runs") / slug(source)
    changes = dict(changes or {})
    precision = precision or changes.pop("precision", None) or kept_precision(folder, resume, recipe)
    fabric = launch(device, precision)
    asked = {"minutes": minutes, "steps": steps, "until": until, "seed": seed, "precision": precision}
    asked = {name: value for name, value in asked.items() if value is not None}
    with run_lock(folder):
        stored = open_folder(folder, resume)
        with fabric.rank_zero_first():
            job = prepare(
                stored, source, folder, recipe=recipe, method=method, changes=changes, asked=asked,
                features=features, device=fabric.device, tell=tell if fabric.is_global_zero else silent,
            )  # fmt: skip
        if job.recipe.until is not None:
            Target.parse(job.recipe.until, score_names(job.images))
        judge = PicturesJudge.of(job.pictures, extractor(job.features)) if fabric.is_global_zero else None
        made = open_loggers(loggers, folder, asdict(job.recipe)) if fabric.is_global_zero else []
        if fabric.is_global_zero:  # only now: a request that was refused leaves the folder free
            write_first_files(job)
        return carry_out(job, judge, fabric, made, checkpoint_seconds, tell)


def kept_precision(folder: Path, resume: bool, recipe: Recipe | None) -> str | None:
    """The precision of the run that goes on, or of a given recipe."""
    if resume and (folder / "run.json").exists():
        return read(folder / "recipe.json").precision
    return None if recipe is None else recipe.precision


def silent(entry: Mapping[str, Any]) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Job:
    """All that a run is made from."""

    folder: Path
    source: str
    recipe: Recipe
    images: Images
    pictures: Pictures
    features: str


def launch(device: str, precision: str | None) -> "Fabric":
    """A Fabric for this machine: one device, or as many processes as torchrun started."""
    from lightning_fabric import Fabric

    if device not in ("auto", "cpu", "cuda", "mps"):
        raise RequestError(f"no device {device!r}: there are auto, cpu, cuda, mps")
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device, True):
        raise RequestError(f"there is no {device} device on this machine; leave --device out")
    kind = next((name for name in ("cuda", "mps") if there[name]), "cpu") if device == "auto" else device
    if kind == "cpu" and precision == "16-mixed":
        raise RequestError("precision 16-mixed needs a GPU: the CPU has no fast 16-bit floats; leave --precision out")
    if precision is not None and precision not in PRECISIONS:
        raise RequestError(f"no precision {precision!r}: there are {', '.join(PRECISIONS)}")
    world, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    fabric = Fabric(
        accelerator=kind,
        devices=local,
        num_nodes=max(world // local, 1),
        strategy="ddp" if world > 1 else "auto",
        precision=precision or "32-true",  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric


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
        if set(others) - {"tensorboard"}:
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


def prepare(
    stored: dict[str, Any] | None,
    source: str | Path,
    folder: Path,
    *,
    recipe: Recipe | None,
    method: str | None,
    changes: Mapping[str, str],
    asked: Mapping[str, Any],
    features: str | None,
    device: torch.device,
    tell: Tell,
) -> Job:
    """Look at the data, choose what is not given, and check that it can be done."""
    looked = survey(source, progress=lambda done, total: tell({"kind": "reading", "done": done, "total": total}))
    if stored is not None and (folder / "recipe.json").exists():  # else it was killed at its very beginning
        first = read(folder / "recipe.json")
        if recipe is not None and with_budget(recipe, asked) != with_budget(first, asked):
            raise RequestError(f"the recipe differs from that of the run in {folder}; another recipe needs a new --out")
        recipe = with_budget(first, asked)
        refuse_changes(recipe, first, changes, method)
        recipe = change(recipe, "micro_batch", changes["micro_batch"]) if "micro_batch" in changes else recipe
    begins = stored is None or not (folder / "recipe.json").exists()
    minutes, steps = asked.get("minutes"), asked.get("steps")
    if recipe is None and minutes is None and steps is None:
        minutes = 60.0 if "until" in asked else DEFAULT_MINUTES
    tell({"kind": "found", "found": asdict(looked.found)})
    changes = dict(changes)
    networks = changes.pop("networks", None) if begins else None
    frame, why = pick_frame(recipe, changes, looked, device, minutes)
    classes = looked.found.classes
    images = Images(*frame, looked.bits, tuple(classes), tuple(classes.values()))
    reasons: tuple[str, ...] = ()
    if recipe is None:
        choice = choose_recipe(images, method or "r3gan", device, minutes, steps, networks=networks)
        recipe, reasons = choice.recipe, (why, *choice.reasons)
    if begins:
        recipe = replace(recipe, data=frame._asdict())
        for path, value in changes.items():
            recipe = change(recipe, path, value)
        recipe = settled(with_budget(recipe, asked), images)
    check_processes(recipe)
    told = estimate(recipe, images, device)  # before decoding, so that what can't be done costs no time
    tell({"kind": "plan", "folder": str(folder), "recipe": asdict(recipe), "reasons": reasons, **told})
    pictures = load_pictures(
        looked, height=frame.height, width=frame.width, channels=frame.channels,
        progress=lambda done, total: tell({"kind": "decoding", "done": done, "total": total}),
    )  # fmt: skip
    tell_skipped(looked.found.skipped, pictures.found.skipped, tell)
    if stored is not None and stored["data_sha256"] != pictures.content:
        raise RequestError(
            f"the pictures in {source} are not those that {folder} was trained on: restore them, or give another --out"
        )
    images = Images.of(pictures)
    settled(recipe, images)
    kept = None if stored is None else stored.get("features")
    if features is not None and kept is not None and features != kept:
        raise RequestError(f"the run is judged in the feature space {kept!r}, not {features!r}; leave --features out")
    space = features or kept or choose_features(looked.found.kind, device.type)
    extractor(space)
    return Job(folder, str(source), recipe, images, pictures, space)


def tell_skipped(before: Mapping[str, int], after: Mapping[str, int], tell: Tell) -> None:
    """Pictures that turned out to be damaged only when they were decoded."""
    more = {reason: count - before.get(reason, 0) for reason, count in after.items() if count > before.get(reason, 0)}
    if more:
        tell({"kind": "event", "step": 0, "words": "skipped " + ", ".join(f"{n} ({why})" for why, n in more.items())})


def pick_frame(
    recipe: Recipe | None, changes: Mapping[str, str], looked: Any, device: torch.device, minutes: float | None
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


def check_processes(recipe: Recipe) -> None:
    """A batch must come out even over the processes."""
    _, world = processes()
    if recipe.batch % world:
        near = -(-recipe.batch // world) * world
        raise RequestError(f"batch {recipe.batch} can't be shared evenly by {world} processes: --set batch={near}")


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


def score_names(images: Images) -> tuple[str, ...]:
    """The scores that a verdict on these pictures gives."""
    return ("fd", "fd_share", *(("agreement",) if images.classes else ()))


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
        },
    )
    write_whole(job.folder / "recipe.json", to_json(job.recipe).encode())
    write_json(job.folder / "modality.json", {"name": "images", **asdict(job.images)})


def carry_out(
    job: Job,
    judge: PicturesJudge | None,
    fabric: "Fabric",
    made: Sequence[Logger],
    checkpoint_seconds: float,
    tell: Tell,
) -> Model:
    """Train, save the model, judge it, write the report."""
    shown = torch.Generator().manual_seed(job.recipe.seed)
    noise = torch.randn(100, job.recipe.latent, generator=shown)
    labels = torch.arange(100) % max(len(job.images.classes), 1) if job.images.classes else None

    def sheet(model: Model) -> bytes:
        return job.images.sheet(model.from_noise(noise, labels))  # type: ignore[arg-type]

    first = fabric.is_global_zero
    about = {"source": job.source, "data_sha256": job.pictures.content}
    quick = judge.quick if judge else lambda model: {}
    watch = Watch(quick, sheet, tell if first else silent, score_names(job.images))
    run = Run(job.folder, job.recipe, job.images, dataset(job.pictures), watch, about, made, checkpoint_seconds)
    try:
        training = play(run, fabric)
    except (StoppedError, KeyboardInterrupt):
        if first:
            save_newest(run, fabric)
        raise
    except RuntimeError as error:
        if not any(words in str(error) for words in ("out of memory", "allocate memory")):
            raise
        raise RequestError(
            f"out of memory at batch {job.recipe.batch} ({' '.join(str(error).split())[:99]}): go on with "
            f"--resume --set micro_batch={smaller(job.recipe)}, or anew with smaller pictures or networks"
        ) from None
    finally:
        for logger in made:
            logger.close()
    model = run.model(training)
    if judge is not None:
        model.save(job.folder / "model")
        tell({"kind": "judging", "step": training.step})
        verdict = {**judge.full(model), "step": training.step, "best": run.best, "seconds": training.seconds}
        write_json(job.folder / "verdict.json", verdict)
        write_extras(job, judge, model)
        from .judging.report import write_report

        write_report(job.folder)
        tell({"kind": "done", "folder": str(job.folder), "verdict": verdict, "step": training.step})
    fabric.barrier()
    return model


def save_newest(run: Run, fabric: "Fabric") -> None:
    """Make the newest good state usable as a model, after an interruption or a failure."""
    if newest_checkpoint(run.folder / "state") is None:
        return
    watch = replace(run.watch, told=silent)
    quiet = replace(run, watch=watch, loggers=())
    training = start_training(quiet, fabric)
    if training.step:
        quiet.model(training).save(run.folder / "model")


def write_extras(job: Job, judge: PicturesJudge, model: Model) -> None:
    """The pictures of the report: a final sheet, an interpolation, nearest neighbours."""
    from .modalities.images.pages import write_pictures

    write_pictures(job.folder, job.images, judge, model)


def load(run: str | Path, *, best: bool = False) -> Model:
    """The model of a run (or of a model's own folder): the last state, or the best by its quick verdicts.

    Raises:
        RequestError: there is none, or it is damaged or of another version.
    """
    folder = Path(run)
    if not folder.is_dir():
        raise RequestError(f"there is no run at {folder}")
    inside = folder / ("best" if best else "model")
    if (folder / "model.json").exists():
        inside = folder
    elif not inside.exists() and (folder / "run.json").exists():
        raise RequestError(f"{folder} has no {inside.name} yet: train it further with --resume")
    return Model.load(inside, {"images": Images})


def judge(run: str | Path, against: str | Path | None = None, *, features: str | None = None) -> dict[str, Any]:
    """The verdict on a run's model against the held-out part of its pictures (or of others), with its protocol."""
    folder = Path(run)
    model = load(folder)
    about = (open_folder(folder, True) or {}) if (folder / "run.json").exists() else {}
    source = against if against is not None else about.get("source")
    if source is None:
        raise RequestError(f"{folder} does not say what it was trained on; give the pictures to judge against")
    images: Any = model.modality
    looked = survey(source)
    pictures = load_pictures(looked, height=images.height, width=images.width, channels=images.channels)
    space = features or about.get("features") or choose_features(looked.found.kind)
    return PicturesJudge.of(pictures, extractor(space)).full(model)
