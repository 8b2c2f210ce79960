"""A run's folder: log, previews, checkpoints, the best state, resume.

recipe.json  modality.json  log.jsonl  samples/  state/  model/  best/  verdict.json  report.html
"""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from .between import PREVIEWS, Beat, between_rounds, due, verdicts
from .build import bare, build_game, build_optimizers, build_pace
from .checkpoint import drop_newer, newest_checkpoint, restore, save_checkpoint
from .compiled import compile_parts
from .data import Dataset, batches, to_device
from .equilibrium import Standing, settled_words
from .errors import RequestError, StoppedError
from .files import full_disk_told, write_whole
from .health import ROLLBACKS, calm_down, diagnosis, finite, rollback_words
from .loggers import Logger
from .modality import Modality
from .model import Model
from .parallel import any_process, from_first, processes
from .recipe import Recipe, plain
from .schedule import EQUILIBRIUM, Budget, Target
from .train import NonFiniteError, Training, rounds

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Scores = dict[str, float]


@dataclass(frozen=True)
class Watch:
    """What looks on while a run goes; the engine itself shows nothing.

    Args:
        judge: a model's quick scores; "fd" is the one that `best` is chosen by.
        sheet: a model's samples as one PNG.
        told: called with each line of the log, as plain values.
        known: the scores that `judge` gives.
    """

    judge: Callable[[Model], Scores]
    sheet: Callable[[Model], bytes]
    told: Callable[[Mapping[str, Any]], None] = lambda entry: None
    known: tuple[str, ...] = ("fd",)


@dataclass
class Run:
    """A run in progress and its folder."""

    folder: Path
    recipe: Recipe
    modality: Modality
    dataset: Dataset
    watch: Watch
    about: Mapping[str, Any] = field(default_factory=dict)
    loggers: Sequence[Logger] = ()
    checkpoint_seconds: float = 20.0
    best: Scores = field(default_factory=dict)
    last: Scores = field(default_factory=dict)
    history: list[Standing] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=lambda: {"verdict": 0, "preview": 0})

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return processes()[0] == 0

    def model(self, training: Training) -> Model:
        """The running average as a model, sharing its weights."""
        about = {"method": self.recipe.method, "step": training.step, **self.about}
        recipe = self.recipe
        network = bare(training.average, recipe, self.modality)
        return Model(network, self.modality, recipe.modality, recipe.generator, recipe.latent, about)

    def write(self, kind: str, step: int, **values: Any) -> None:
        """A line of the log, to the file, the loggers and whoever watches."""
        if not self.first:
            return
        entry = {"kind": kind, "step": step, **values}
        line = json.dumps(entry) + "\n"
        path = self.folder / "log.jsonl"
        with full_disk_told(path, len(line)), path.open("a", encoding="utf-8") as file:
            file.write(line)
        scalars = {f"{kind}/{name}": value for name, value in numbers(values)}
        self.send(lambda logger: logger.scalars(step, scalars))
        self.watch.told(entry)

    def send(self, words: Callable[[Logger], None]) -> None:
        """Something for every logger; one that fails is left out from then on, since training is worth more."""
        for logger in list(self.loggers):
            try:
                words(logger)
            except Exception as error:
                self.loggers = [other for other in self.loggers if other is not logger]
                self.write("event", 0, words=f"{type(logger).__name__} failed and is left out: {error}")

    def save(self, training: Training, precision: Mapping[str, Any]) -> None:
        """A checkpoint, unless a weight is not a number: then the one before stays the last."""
        if self.first and finite(training):
            extra = {
                "best": self.best,
                "last": self.last,
                "done": self.done,
                "history": self.history,
                "scaler": dict(precision),
            }
            save_checkpoint(self.folder / "state", training, extra)


def numbers(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """All numbers among nested values, by path."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from numbers(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            yield f"{prefix}{name}", value


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold a run's folder: one process at a time; the system frees it however the process ends.

    Raises:
        RequestError: another process holds it.
    """
    if processes()[0] != 0:
        yield
        return
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"{folder} is a file; give a folder with --out")
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RequestError(f"another process is working on {folder}; wait for it, or give another --out") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Whether someone asked to stop (Ctrl-C, SIGTERM); the second time, the program ends at once."""
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def start_training(run: Run, fabric: "Fabric") -> Training:
    """Networks and optimizers on their device, at the newest checkpoint if there is one."""
    game = build_game(run.recipe, run.modality).to(fabric.device)
    optimizers = fabric.setup_optimizers(*build_optimizers(run.recipe, game))
    training = Training.of(game, optimizers)  # type: ignore[arg-type]  # Fabric's wrappers are optimizers
    resume(run, training, fabric)
    alone = from_first(float(training.step), fabric.device) != training.step
    if any_process(alone, fabric.device):
        raise RequestError(
            f"not all processes find the checkpoints: {run.folder} must lie on a disk that all nodes see"
        )
    return training


def resume(run: Run, training: Training, fabric: "Fabric") -> None:
    """Go back to the newest checkpoint, if any, and let the log end there."""
    checkpoint = newest_checkpoint(run.folder / "state")
    if checkpoint is None:
        return
    restore(training, checkpoint)
    extra = checkpoint.values["extra"]
    run.best, run.last, run.done = extra["best"], extra["last"], extra["done"]
    run.history = [Standing(*row) for row in extra.get("history", ())]  # older checkpoints have none
    if extra["scaler"]:
        fabric.strategy.precision.load_state_dict(extra["scaler"])
    if run.first:
        cut_log(run.folder / "log.jsonl", training.step)
        drop_newer(run.folder / "state", training.step)  # damaged, and not to be kept instead of good ones
    for words in checkpoint.passed_over:
        run.write("event", training.step, words=words)


def cut_log(path: Path, step: int) -> None:
    """Drop the lines after `step`, and a last one that was cut short: they will be written again. Events stay."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if entry["step"] <= step or entry["kind"] == "event":
            kept.append(line + "\n")
    write_whole(path, "".join(kept).encode())


def play(run: Run, fabric: "Fabric") -> Training:
    """Train until the budget is used, the target is met, or someone asks to stop (KeyboardInterrupt, after saving).

    Raises:
        StoppedError: losses were not finite more often than rolling back helps.
        KeyboardInterrupt: interrupted; everything is saved.
    """
    training = start_training(run, fabric)
    if run.recipe.compile:
        few = run.dataset.train[: 2 * run.recipe.pack]
        words = compile_parts(training.game, to_device(run.dataset.cut(few), fabric.device))  # type: ignore[arg-type]
        run.write("event", training.step, words=words)
    scaler = fabric.strategy.precision.state_dict
    accidents: list[NonFiniteError] = []
    if training.step == 0:
        run.save(training, scaler())
    with interruptible() as asked:
        while True:
            try:
                go_on(run, training, fabric, asked)
                break
            except NonFiniteError as error:
                accidents.append(error)
                recover(run, training, fabric, accidents)
        run.save(training, scaler())
        if any_process(asked(), fabric.device):
            raise KeyboardInterrupt
    return training


def recover(run: Run, training: Training, fabric: "Fabric", accidents: Sequence[NonFiniteError]) -> None:
    """Back to the last good state, with lower learning rates; after the third time, stop with a diagnosis."""
    error = accidents[-1]
    number = training.stream + 1  # counts on over interruptions; the checkpoint may be from before the last accident
    if number >= ROLLBACKS:
        words = diagnosis(accidents, run.recipe.precision)
        run.write("event", error.step, words=words)
        raise StoppedError(words)
    resume(run, training, fabric)
    while training.stream < number:
        calm_down(training)
    run.write("event", training.step, words=rollback_words(error, training.step, number))


def go_on(run: Run, training: Training, fabric: "Fabric", asked: Callable[[], bool]) -> None:
    """The rounds that are left, with all that is due between them."""
    recipe = run.recipe
    seconds = None if recipe.minutes is None else 60 * recipe.minutes
    budget = Budget(recipe.steps, seconds)
    target = None if recipe.until is None else Target.parse(recipe.until, run.watch.known)
    pace = build_pace(recipe)
    data = batches(run.dataset, recipe.batch, recipe.seed, fabric.device, start=training.step * pace.batches)
    if target is not None and target.met(run.last):
        return
    behind = from_first(budget.progress(training.step, training.seconds), fabric.device)
    run.done["verdict"] = min(run.done["verdict"], due(behind, verdicts(run)))  # a new end counts anew
    run.done["preview"] = min(run.done["preview"], due(behind, PREVIEWS))
    beat = Beat(run.checkpoint_seconds)
    for played in rounds(training, data, budget, pace=pace, fabric=fabric, seed=recipe.seed):
        began = time.perf_counter()
        progress = from_first(budget.progress(training.step, training.seconds), fabric.device)
        between_rounds(run, training, fabric, played, progress, beat)
        training.seconds += time.perf_counter() - began
        if target is not None and target.met(run.last):
            at_rest = target.name == EQUILIBRIUM
            words = settled_words(run.history) if at_rest else f"reached {recipe.until}: stopped"
            run.write("event", training.step, words=words)
            return
        if any_process(asked(), fabric.device):  # after all that was due, or a resumed run would do it a round late
            return


def write_json(path: Path, values: Any) -> None:
    """Plain values as a JSON file, whole or not at all."""
    write_whole(path, (json.dumps(plain(values), indent=2) + "\n").encode())
