"""A run's folder: log, previews, checkpoints, the best state, resume.

recipe.json  modality.json  log.jsonl  samples/  state/  model/  best/  verdict.json  report.html
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from torch import Tensor

from .between import Beat, between_rounds, preview_next, verdict_next, watcher_of
from .build import bare, build_game, build_optimizers, build_pace
from .checkpoint import drop_newer, newest_checkpoint, restore, save_checkpoint
from .compiled import compile_parts
from .data import Dataset, to_device
from .equilibrium import Standing, plateau_words, settled_words
from .errors import RequestError, StoppedError
from .files import full_disk_told, write_whole
from .health import ROLLBACKS, calm_down, diagnosis, finite, rollback_words
from .interrupt import interruptible
from .loggers import Logger, numbers
from .modality import Modality
from .model import Model
from .parallel import any_process, from_first, processes
from .privacy import Private, turns
from .recipe import Recipe
from .schedule import EQUILIBRIUM, PLATEAU, RESTS, Budget, targets
from .spending import Spent
from .train import NonFiniteError, Training, rounds

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Scores = dict[str, float]


@dataclass(frozen=True)
class Watch:
    """What looks on while a run goes; the engine itself shows nothing.

    Args:
        judge: a model's quick scores, from the samples of a seed, or a share of them.
        sheet: a model's samples as one file.
        told: called with each line of the log, as plain values; where a run goes on, with its verdicts so far.
        known: the scores that `judge` gives; the first is the one that `best` is chosen by, where lower is better.
        preview: how a sheet's file ends.
        finish: what a model goes through before it is looked at or saved.
    """

    judge: Callable[[Model, int, float], Scores]
    sheet: Callable[[Model], bytes]
    told: Callable[[Mapping[str, Any]], None] = lambda entry: None
    known: tuple[str, ...] = ("fd",)
    preview: str = ".png"
    finish: Callable[[Model], Model] = lambda model: model


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
    private: Private | None = None
    start: Mapping[str, Tensor] | None = None  # the generator's weights before the first step
    best: Scores = field(default_factory=dict)
    last: Scores = field(default_factory=dict)
    history: list[Standing] = field(default_factory=list)
    reached: str | None = None  # the target that was
    share: float | None = None  # of the usual samples, that a quick verdict takes; chosen at the first
    stalled: bool = False  # whether a lack of progress has been told
    spent: dict[str, Spent] = field(default_factory=lambda: {name: Spent() for name in ("verdict", "preview", "look")})

    @property
    def rests(self) -> tuple[str, ...]:
        """The states of rest that are waited for."""
        return tuple(target.name for target in targets(self.recipe.until) if target.name in RESTS)

    @property
    def judging_seconds(self) -> float:
        """What looking on has cost of the training time: verdicts, previews, looks at the critic."""
        return sum(spent.seconds for spent in self.spent.values())

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return processes()[0] == 0

    def model(self, training: Training) -> Model:
        """The running average as a model; it shares its weights where nothing more is done to it."""
        about = {"method": self.recipe.method, "step": training.step, **self.about}
        recipe = self.recipe
        network = bare(training.average, recipe, self.modality)
        return self.watch.finish(Model(network, self.modality, recipe.modality, recipe.generator, recipe.latent, about))

    def quick(self, model: Model, seed: int) -> Scores:
        """A model's quick scores, from as many samples as in all verdicts of this run."""
        return self.watch.judge(model, seed, self.share or 1.0)

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
                "history": self.history,
                "reached": self.reached,
                "share": self.share,
                "stalled": self.stalled,
                "spent": {name: asdict(spent) for name, spent in self.spent.items()},
                "scaler": dict(precision),
            }
            save_checkpoint(self.folder / "state", training, extra)


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


def start_training(run: Run, fabric: "Fabric") -> Training:
    """Networks and optimizers on their device, at the newest checkpoint if there is one."""
    game = build_game(run.recipe, run.modality, None if run.private is None else run.private.measures)
    if run.start is not None:
        game.generator.load_state_dict(run.start)
    game = game.to(fabric.device)
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
    run.best, run.last = extra["best"], extra["last"]
    run.history = [Standing(*row) for row in extra.get("history", ())]  # older checkpoints have none of these
    run.reached, run.stalled, run.share = extra.get("reached"), extra.get("stalled", False), extra.get("share")
    run.spent |= {name: Spent(**spent) for name, spent in extra.get("spent", {}).items()}
    if extra["scaler"]:
        fabric.strategy.precision.load_state_dict(extra["scaler"])
    if run.first:
        kept = cut_log(run.folder / "log.jsonl", training.step)
        verdicts = [entry for entry in kept if entry["kind"] == "verdict"]
        run.watch.told({"kind": "resumed", "step": training.step, "verdicts": verdicts})
        drop_newer(run.folder / "state", training.step)  # damaged, and not to be kept instead of good ones
    for words in checkpoint.passed_over:
        run.write("event", training.step, words=words)


def cut_log(path: Path, step: int) -> list[dict[str, Any]]:
    """Drop what comes after `step`, and a last line that was cut short: it will be written again. Events stay."""
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        with suppress(ValueError):
            entry = json.loads(line)
            if entry["step"] <= step or entry["kind"] == "event":
                kept.append(entry)
    write_whole(path, "".join(json.dumps(entry) + "\n" for entry in kept).encode())
    return kept


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
        run.write("event", error.step, words=(words := diagnosis(accidents, run.recipe.precision)))
        raise StoppedError(words)
    resume(run, training, fabric)
    while training.stream < number:
        calm_down(training)
    run.write("event", training.step, words=rollback_words(error, training.step, number))


def go_on(run: Run, training: Training, fabric: "Fabric", asked: Callable[[], bool]) -> None:
    """The rounds that are left, with all that is due between them."""
    recipe = run.recipe
    budget = Budget(recipe.steps, None if recipe.minutes is None else 60 * recipe.minutes)
    targets(recipe.until, run.watch.known)  # refuses what is no score
    pace = build_pace(recipe)
    data, critic = turns(recipe, run.private, run.dataset, run.modality, fabric.device, training.step * pace.batches)
    if recipe.until is not None and run.reached == recipe.until:
        return
    behind = from_first(budget.progress(training.step, training.seconds), fabric.device)
    beat = Beat(run.checkpoint_seconds, watcher=watcher_of(run, training.step))
    beat.verdict_at = from_first(verdict_next(run, behind, training.seconds), fabric.device)
    beat.preview_at = preview_next(run, behind, training.seconds)
    for played in rounds(training, data, budget, pace=pace, fabric=fabric, seed=recipe.seed, update_critic=critic):
        began = time.perf_counter()
        progress = from_first(budget.progress(training.step, training.seconds), fabric.device)
        between_rounds(run, training, fabric, played, progress, beat)
        training.seconds += time.perf_counter() - began
        if recipe.until is not None and run.reached == recipe.until:
            run.write("event", training.step, words=reached_words(run))
            return
        if any_process(asked(), fabric.device):  # after all that was due, or a resumed run would do it a round late
            return


def reached_words(run: Run) -> str:
    """Why the run stopped before its time."""
    if EQUILIBRIUM in run.rests:
        return settled_words(run.history)
    if PLATEAU in run.rests:
        return f"plateau: stopped; {plateau_words(run.history)}"
    told = ", ".join(f"{target.name} {run.last[target.name]:.4g}" for target in targets(run.recipe.until))
    return f"reached {run.recipe.until}: stopped; {told}, and a second verdict on other samples reached it too"
