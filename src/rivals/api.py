"""The main jobs, in Python: `train` and `load`. The command line and the studio stand on these."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .engine.best import CLEAR, clearly_better
from .engine.build import build_game, build_optimizers
from .engine.checkpoint import newest_checkpoint, restore
from .engine.errors import RequestError, StoppedError
from .engine.files import write_json
from .engine.launch import Command, fast_precision, launch, launched, spread_out
from .engine.loggers import Logger, open_loggers
from .engine.method import Method, read_method
from .engine.model import Model
from .engine.processes import decide, thread_count
from .engine.recipe import Recipe
from .engine.run import Run, Watch, play, run_lock
from .engine.schedule import targets
from .engine.secret import SECRET
from .engine.train import Training
from .jobs import Job, Judge, Request, Tell, kept_precision, open_folder, slug, smaller, write_first_files
from .modalities import modality, write_report
from .preparation import preparation

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def train(
    source: Any,
    *,
    onto: str | Path | None = None,
    task: str | None = None,
    scale: int | None = None,
    style: Sequence[str | Path] = (),
    start: str | Path | None = None,
    out: str | Path | None = None,
    method: str | Method | None = None,
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
    columns: Mapping[str, str] | None = None,
    query: str | None = None,
    constraints: Sequence[Any] = (),
    epsilon: float | None = None,
    delta: float | None = None,
    loggers: Sequence[str] = ("tensorboard",),
    checkpoint_seconds: float = 20.0,
    tell: Tell = lambda entry: None,
    command: Command | None = None,
) -> Model:
    """Train a GAN on pictures or on a table, and return its generator, the running average at the end.

    Args:
        source: pictures: a folder, zip, .npz, IDX files, a Parquet or Arrow table of them, or a built-in name
            (`digits`, `faces`); rows: a CSV, TSV, Parquet, Arrow or Excel file, a database's URL, or a data frame.
        onto: of pictures to be edited: others, which those of `source` are to be turned into.
        task: what is learned of pictures: "super-resolution", "denoise", "inpaint" and so on (`edits.tasks.TASKS`).
        scale: by which super-resolution enlarges; 4 if not given.
        style: pictures whose style is taken over.
        start: a run that edits pictures, or a .safetensors of such a network: the weights that training begins with.
        out: the run's folder; `runs/NAME` if not given. It may not hold another run.
        method: a name in `rivals.engine.methods.METHODS`, or a JSON file or a `Method` of one's own; "r3gan" if not
            given.
        recipe: a whole recipe instead of the chosen one.
        changes: settings to change, such as {"optimizer.lr": "1e-4"}.
        minutes: wall-clock time of training; 10 if neither this nor `steps` nor `until` is given.
        steps: rounds of training. With this alone, a run is reproducible bit by bit.
        until: a wanted quality, such as "fd<5" or "fd_share<2, agreement>97" (both), or a state of rest, "plateau"
            or "equilibrium"; needs `minutes` or `steps` as a limit, 60 minutes if neither is given.
        seed: of weights, noise and the order of data.
        resume: go on with the run in `out` if there is one, else begin it.
        device: "auto", "cpu", "cuda" or "mps".
        precision: "32-true", "bf16-mixed" or "16-mixed".
        features: the feature space of the verdict; chosen from the data if not given.
        columns: of a table, kinds that are given rather than found, such as {"age": "integer"}.
        query: what to read from a database: SQL, or a table's name.
        constraints: of a table, what every row made has to keep: texts such as "end > start", or a `Greater`, `Sum` and
            so on of `rivals.tabular`.
        epsilon: of a table: train with differential privacy of its rows; 1 is strong, 10 weak. Not by `minutes`.
        delta: of the same; the largest power of ten that is at most a tenth of 1 / rows if not given.
        loggers: any of "tensorboard", "mlflow", "wandb".
        checkpoint_seconds: time between checkpoints.
        tell: called with every line of the log and with what was found and chosen before the first step.
        command: the command line that asks for this, if one does: on a CPU it may be started again for more processes.

    Raises:
        RequestError: the request can't be served.
        StoppedError: training could not go on.
        KeyboardInterrupt: interrupted; all is saved, and `resume=True` goes on.
    """
    if recipe is not None and method is not None:
        raise RequestError("a recipe holds its method: give --recipe or --method, not both")
    name, own = own_method(method)
    folder = Path(out) if out is not None else Path("runs") / slug(source)
    changes = dict(changes or {})
    precision = precision or changes.pop("precision", None)
    if precision is None and recipe is None and epsilon is None and not resume:
        precision = fast_precision(device)
    asked = {"minutes": minutes, "steps": steps, "until": until, "seed": seed, "precision": precision}
    request = Request(
        source=source,
        folder=folder,
        recipe=recipe,
        method=name,
        own=own,
        changes=changes,
        asked={name: value for name, value in asked.items() if value is not None},
        data={
            "columns": dict(columns or {}),
            "query": query,
            "constraints": tuple(constraints),
            "epsilon": epsilon,
            "delta": delta,
            "task": task,
            "scale": scale,
            "onto": onto,
            "style": tuple(style),
            "start": start,
        },
        features=features,
        processes=None if command is None else command.processes,
        resume=resume,
    )
    threads = torch.get_num_threads()
    fabric = launch(device, precision or kept_precision(request))
    first = fabric.is_global_zero
    with run_lock(folder), ExitStack() as ending:
        stored = open_folder(folder, resume)
        with fabric.rank_zero_first():
            job = preparation(request)(request, stored, fabric.device, tell if first else silent)
        targets(job.recipe.until, job.scores)  # refuses what is no score
        if command is not None and fabric.device.type == "cpu" and not launched():
            data = job.dataset(None)
            spread = decide(job.recipe, job.modality, data, asked=command.processes, kept=job.spread, tell=tell)
            job = replace(job, spread=spread)
            fabric = ending.enter_context(spread_out(spread, command.words, device, job.recipe.precision))
        judge = job.judge(tell) if first else None
        made = open_loggers(loggers, folder, asdict(job.recipe)) if first else []
        if first:
            write_first_files(job)  # only now: a request that was refused leaves the folder free
        return carry_out(job, judge, fabric, made, checkpoint_seconds, tell, threads)


def own_method(method: str | Method | None) -> tuple[str | None, Method | None]:
    """A method's name, and what it is if it is no published one: a file's method is named after the file."""
    if isinstance(method, Method):
        return "own", method
    if method is not None and method.endswith(".json"):
        return Path(method).stem, read_method(Path(method))
    return method, None


def silent(entry: Mapping[str, Any]) -> None:
    """Tell nobody."""


def carry_out(
    job: Job,
    judge: Judge | None,
    fabric: "Fabric",
    made: Sequence[Logger],
    checkpoint_seconds: float,
    tell: Tell,
    threads: int,
) -> Model:
    """Train, save the model, judge it with so many threads (the other processes wait), write the report."""

    def quick(model: Model, seed: int, share: float) -> dict[str, float]:
        if judge is None:
            return {}
        with thread_count(threads):
            return judge.quick(model, seed, share)

    first = fabric.is_global_zero
    about = {"source": job.source, "data_sha256": job.content}
    watch = Watch(quick, job.sheet, tell if first else silent, job.scores, job.preview, job.finish)
    run = Run(
        job.folder,
        job.recipe,
        job.modality,
        job.dataset(fabric.device),
        watch,
        about,
        made,
        checkpoint_seconds,
        job.private,
        job.start,
    )
    try:
        training = play(run, fabric)
    except (StoppedError, KeyboardInterrupt):
        if first:
            save_newest(run)
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
    if judge is None:
        model = job.settle(run.model(training))
    else:
        with thread_count(threads):
            model = conclude(job, judge, run, training, tell)
    fabric.barrier()
    return model


def conclude(job: Job, judge: Judge, run: Run, training: Training, tell: Tell) -> Model:
    """Save what was trained, or its best state where that is clearly better and taken; judge it, write the report."""
    tell({"kind": "judging", "step": training.step})
    model = job.settle(run.model(training))
    model.save(job.folder / "model")
    (job.folder / SECRET).unlink(missing_ok=True)
    best = best_beside(run, model, taken=job.takes_best)
    if job.takes_best and best["clearly_better"]:
        model = job.settle(load(job.folder, best=True))
        model.save(job.folder / "model")
    found = judge.final(model, job.folder)
    told = {"best": best, "seconds": training.seconds, "judging_seconds": run.judging_seconds}
    verdict = {**found, "step": training.step, **told}
    write_json(job.folder / "verdict.json", verdict)
    write_report(job.folder)
    tell({"kind": "done", "folder": str(job.folder), "verdict": verdict, "step": training.step})
    return model


def best_beside(run: Run, last: Model, *, taken: bool = False) -> dict[str, Any]:
    """The best quick verdict, and whether that state is clearly better than the last, which is said where it is."""
    best, score = dict(run.best), run.watch.known[0]
    if not best or not run.last[score] > CLEAR * best[score]:
        return {**best, "clearly_better": False}
    found = clearly_better(run.quick, load(run.folder, best=True), last, score)
    if found is None:
        return {**best, "clearly_better": False}
    done = "the best is taken" if taken else f"--best takes the best one, as in: rivals sample {run.folder} --best"
    words = (
        f"the last state is worse than the best, of step {best['step']}: {score} {found[1]:.3g} against "
        f"{found[0]:.3g} on new samples; {done}"
    )
    run.watch.told({"kind": "event", "step": last.about["step"], "words": words})
    return {**best, "clearly_better": True, "words": words}


def save_newest(run: Run) -> None:
    """Make the newest good state usable as a model, after an interruption or a failure; other processes may be gone."""
    checkpoint = newest_checkpoint(run.folder / "state")
    if checkpoint is None or not checkpoint.values["step"]:
        return
    game = build_game(run.recipe, run.modality, None if run.private is None else run.private.measures)
    training = Training.of(game, build_optimizers(run.recipe, game))
    restore(training, checkpoint)
    run.model(training).save(run.folder / "model")


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
    elif best and (folder / "privacy.json").exists():
        raise RequestError(f"{folder} keeps no best state: it is private, and choosing one by real rows is not free")
    elif not inside.exists() and (folder / "run.json").exists():
        raise RequestError(f"{folder} has no {inside.name} yet: train it further with --resume")
    return Model.load(inside, modality)
