"""What is due between two rounds of a run: a line of the log, a preview, a verdict, a checkpoint."""

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from .data import spread, to_device
from .equilibrium import Standing, settled
from .files import write_whole
from .game import Duel
from .health import critic_accuracy, critic_advantage, finite
from .parallel import any_process, processes
from .schedule import EQUILIBRIUM
from .train import NonFiniteError, Played, Training

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from .run import Run

VERDICTS = 6  # quick verdicts over a run's length
VERDICTS_TO_SETTLE = 24  # so many where an equilibrium is waited for, which takes a history
PREVIEWS = 12


@dataclass
class Beat:
    """What is due by the clock: log lines every second, checkpoints every so often."""

    checkpoint_seconds: float
    began: float = field(default_factory=time.perf_counter)
    logged: float = 0.0
    looked: float = -math.inf
    accuracy: dict[str, float] = field(default_factory=dict)
    saved: float = field(default_factory=time.perf_counter)
    steps: int = 0

    def log_due(self) -> bool:
        """Whether a second has gone by."""
        return time.perf_counter() - self.logged >= 1.0

    def look_due(self) -> bool:
        """Whether it is time to ask the critic about other samples, which costs as much as some rounds."""
        return time.perf_counter() - self.looked >= 4.0

    def save_due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return time.perf_counter() - self.saved >= self.checkpoint_seconds


def between_rounds(
    run: "Run", training: Training, fabric: "Fabric", played: Played, progress: float, beat: Beat
) -> None:
    """Log, preview, verdict and checkpoint, each when it is due; only the first process writes."""
    beat.steps += 1
    if run.first and beat.log_due():
        log_round(run, training, played, progress, beat, fabric.device)
    if due(progress, PREVIEWS) > run.done["preview"]:
        run.done["preview"] = due(progress, PREVIEWS)
        if run.first:
            preview(run, training)
    if due(progress, verdicts(run)) > run.done["verdict"]:
        run.done["verdict"] = due(progress, verdicts(run))
        if any_process(not finite(training), fabric.device):
            raise NonFiniteError("generator", training.step, {"weights": torch.tensor(float("nan"))})
        if run.first:
            verdict(run, training, fabric.device)
        share_scores(run)
        beat.saved = -math.inf  # what was judged is kept
    if beat.save_due():
        run.save(training, fabric.strategy.precision.state_dict())
        beat.saved = time.perf_counter()


def share_scores(run: "Run") -> None:
    """Tell all processes the last scores, so that a target stops them together."""
    if processes()[1] > 1:
        told: list[Any] = [run.last, run.history]
        torch.distributed.broadcast_object_list(told, src=0)
        run.last, run.history = told


def verdicts(run: "Run") -> int:
    """How many quick verdicts there are over a run's length: each costs about a second, so a short run has fewer."""
    if settles(run):
        return VERDICTS_TO_SETTLE
    minutes = run.recipe.minutes
    return VERDICTS if minutes is None else min(VERDICTS, max(2, round(3 * minutes)))


def settles(run: "Run") -> bool:
    """Whether the run goes on until an equilibrium."""
    return (run.recipe.until or "").strip() == EQUILIBRIUM


def due(progress: float, times: int) -> int:
    """How many of `times` evenly spread events lie behind.

    >>> due(0.34, 6), due(1.0, 6)
    (2, 6)
    """
    return int(progress * times + 1e-9)


def log_round(
    run: "Run", training: Training, played: Played, progress: float, beat: Beat, device: torch.device
) -> None:
    """Losses, the critic's accuracy, rate and time, as a line of the log."""
    now = time.perf_counter()
    rate = beat.steps * run.recipe.batch / max(now - beat.began, 1e-9)
    beat.logged = now
    game: Duel = training.game  # type: ignore[assignment]
    if beat.look_due():
        real = to_device(run.dataset.cut(few(run.dataset.train, run.recipe.pack)), device)
        held = to_device(run.dataset.cut(few(run.dataset.held_out, run.recipe.pack)), device)
        beat.accuracy = {name: round(value, 1) for name, value in critic_accuracy(game, real, held).items()}
        beat.looked = time.perf_counter()
    augmented = {"strength": round(float(game.strength), 4)} if game.strengthen else {}
    run.write(
        "round",
        training.step,
        progress=round(progress, 5),
        seconds=round(training.seconds, 2),
        rate=round(rate, 1),
        losses={name: float(f"{float(loss):.5g}") for name, loss in played.losses.items()},
        accuracy=beat.accuracy,
        **augmented,
    )


def few(rows: torch.Tensor, pack: int) -> torch.Tensor:
    """Some of the rows, as many as make up whole packs."""
    some = spread(rows, 128)
    return some.repeat(pack) if len(some) < pack else some[: len(some) // pack * pack]


def preview(run: "Run", training: Training) -> None:
    """A sheet of samples, as a file."""
    png = run.watch.sheet(run.model(training))
    folder = run.folder / "samples"
    folder.mkdir(exist_ok=True)
    write_whole(folder / f"step-{training.step:09d}.png", png)
    run.send(lambda logger: logger.picture(training.step, "samples", png))


def verdict(run: "Run", training: Training, device: torch.device) -> None:
    """Quick scores; the best state is kept beside the last. Where equilibrium is waited for, whether it is there."""
    model = run.model(training)
    run.last = run.watch.judge(model)
    best = run.last["fd"] < run.best.get("fd", float("inf"))
    if best:
        run.best = {**run.last, "step": training.step}
        model.save(run.folder / "best")
    scores = {name: float(f"{v:.6g}") for name, v in run.last.items()}
    if not settles(run):
        run.write("verdict", training.step, scores=scores, best=best)
        return
    held = to_device(run.dataset.cut(spread(run.dataset.held_out, 512)), device)
    ahead = critic_advantage(training.game, held)  # type: ignore[arg-type]
    run.history.append(Standing(training.step, run.last["fd"], ahead))
    run.last = {**run.last, EQUILIBRIUM: float(settled(run.history))}
    run.write("verdict", training.step, scores=scores, best=best, advantage=round(ahead, 4))
