"""What is due between two rounds of a run: a line of the log, a preview, a verdict, a checkpoint."""

import json
import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .data import spread, to_device
from .equilibrium import Standing, plateau, plateau_words, settled
from .files import write_whole
from .game import Duel
from .health import critic_advantage, finite
from .parallel import any_process, from_first, processes
from .schedule import EQUILIBRIUM, PLATEAU, reached, targets
from .signals import Watcher, watcher
from .spending import ASIDE, PREVIEW_SHARE, SHARE, SLACK, affordable, next_of, next_within
from .symptoms import Symptom
from .train import NonFiniteError, Played, Training

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from .model import Model
    from .run import Run

VERDICTS = 6  # quick verdicts over a run of so many steps: at fixed steps, or `best` would depend on the clock
MOST_VERDICTS = 24  # over a run by the clock, or one that waits for a state of rest, which takes a history
PREVIEWS = 12
PROBE = 0.1  # of a verdict's samples, to learn what one costs


@dataclass
class Beat:
    """What is due by the clock, log lines every second and checkpoints every so often, and by progress."""

    checkpoint_seconds: float
    began: float = field(default_factory=time.perf_counter)
    logged: float = 0.0
    accuracy: dict[str, float] = field(default_factory=dict)
    watcher: Watcher | None = None
    saved: float = field(default_factory=time.perf_counter)
    steps: int = 0
    verdict_at: float = 0.0  # progress
    preview_at: float = 0.0

    def log_due(self) -> bool:
        """Whether a second has gone by."""
        return time.perf_counter() - self.logged >= 1.0

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
    if progress + SLACK >= beat.preview_at:
        if run.first:
            with run.spent["preview"].clocked():
                preview(run, training)
        beat.preview_at = preview_next(run, progress, training.seconds)
    if progress + SLACK >= beat.verdict_at:
        if any_process(not finite(training), fabric.device):
            raise NonFiniteError("generator", training.step, {"weights": torch.tensor(float("nan"))})
        if run.first:
            with run.spent["verdict"].clocked():
                verdict(run, training, progress, fabric.device)
        beat.verdict_at = from_first(verdict_next(run, progress, training.seconds), fabric.device)
        share_scores(run)
        beat.saved = -math.inf  # what was judged is kept
    if beat.save_due():
        run.save(training, fabric.strategy.precision.state_dict())
        beat.saved = time.perf_counter()


def share_scores(run: "Run") -> None:
    """Tell all processes the last scores and whether they suffice, so that a target stops them together."""
    if processes()[1] > 1:
        told: list[Any] = [run.last, run.history, run.reached]
        torch.distributed.broadcast_object_list(told, src=0)
        run.last, run.history, run.reached = told


def verdict_next(run: "Run", progress: float, seconds: float) -> float:
    """The progress at which the next quick verdict is due: at fixed places, or as often as time allows.

    By the clock, all looking on together is kept to `SHARE` of the training time, of which verdicts take what the rest
    of previews and looks leave.
    """
    if run.private is not None:
        return math.inf  # scores on real rows, and a state chosen by them, are not charged
    if run.recipe.minutes is None or run.rests:
        return next_of(progress, MOST_VERDICTS if run.rests else VERDICTS)
    total = whole(run, progress, seconds)
    room = SHARE * total - run.judging_seconds - ASIDE * (1 - progress) * total
    return next_within(progress, total, run.spent["verdict"], room, MOST_VERDICTS)


def preview_next(run: "Run", progress: float, seconds: float) -> float:
    """The progress at which the next sheet of samples is due, likewise."""
    if run.recipe.minutes is None:
        return next_of(progress, PREVIEWS)
    total, spent = whole(run, progress, seconds), run.spent["preview"]
    return next_within(progress, total, spent, PREVIEW_SHARE * total - spent.seconds, PREVIEWS)


def whole(run: "Run", progress: float, seconds: float) -> float:
    """The seconds that training will take in all."""
    return seconds / progress if progress > 0 else 60 * (run.recipe.minutes or 0)


def log_round(
    run: "Run", training: Training, played: Played, progress: float, beat: Beat, device: torch.device
) -> None:
    """Losses, the critic's accuracy, rate and time, as a line of the log."""
    now = time.perf_counter()
    rate = beat.steps * run.recipe.batch / max(now - beat.began, 1e-9)
    beat.logged = now
    game: Duel = training.game  # type: ignore[assignment]
    seen = look(run, training, played, progress, beat)
    augmented = {"strength": round(float(game.strength), 4)} if game.strengthen else {}
    run.write(
        "round",
        training.step,
        progress=round(progress, 5),
        seconds=round(training.seconds, 2),
        rate=round(rate, 1),
        judging_seconds=round(run.judging_seconds, 2),
        losses={name: float(f"{float(loss):.5g}") for name, loss in played.losses.items()},
        accuracy=beat.accuracy,
        **augmented,
        **({"signals": seen} if seen else {}),
    )


def watcher_of(run: "Run", step: int) -> Watcher | None:
    """Who looks at the game; facts on the data, as a file. Made before the first round, since it takes a second.

    None where another process does, in a private training, whose data are not to be looked at, and without a critic.
    """
    if not run.first or run.private is not None or run.recipe.alone:
        return None
    made, facts = watcher(run.dataset)
    made.said |= told_of(run.folder / "log.jsonl")
    write_whole(run.folder / "data.json", (json.dumps(facts, indent=1) + "\n").encode())
    warn(run, step, made.news(facts))
    return made


def look(run: "Run", training: Training, played: Played, progress: float, beat: Beat) -> dict[str, Any]:
    """The signals of a look at the game, none where it is too early for one."""
    if beat.watcher is None or not beat.watcher.due():
        return {}
    with run.spent["look"].clocked():
        seen = beat.watcher.look(training, run.dataset, run.recipe.pack, played.losses, progress)
    beat.accuracy = seen.pop("accuracy")
    warn(run, training.step, beat.watcher.news())
    return seen


def warn(run: "Run", step: int, news: Sequence[Symptom]) -> None:
    """Warnings in words, as events of the log."""
    for symptom in news:
        run.write("event", step, words=f"{symptom.words} (rivals doctor {run.folder} says more)", name=symptom.name)


def told_of(log: Path) -> set[str]:
    """The names of warnings that are in a log: each is said once, however often the run goes on."""
    names = set()
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
        with suppress(ValueError, KeyError, TypeError):  # a last line may be cut short
            names.add(json.loads(line)["name"])
    return names


def preview(run: "Run", training: Training) -> None:
    """A sheet of samples, as a file."""
    sheet = run.watch.sheet(run.model(training))
    folder = run.folder / "samples"
    folder.mkdir(exist_ok=True)
    write_whole(folder / f"step-{training.step:09d}{run.watch.preview}", sheet)
    if run.watch.preview == ".png":
        run.send(lambda logger: logger.picture(training.step, "samples", sheet))


def verdict(run: "Run", training: Training, progress: float, device: torch.device) -> None:
    """Quick scores; the best state is kept beside the last; whether what was waited for is there."""
    model = run.model(training)
    if run.share is None:
        run.share = sample_share(run, model, progress, training.seconds)
    found = run.quick(model, 0)
    score = run.watch.known[0]
    best = found[score] < run.best.get(score, float("inf"))
    if best:
        run.best = {**found, "step": training.step}
        model.save(run.folder / "best")
    more: dict[str, Any] = {"share": round(run.share, 4)} if run.share < 1 else {}
    ahead = None
    if EQUILIBRIUM in run.rests:
        held = to_device(run.dataset.cut(spread(run.dataset.held_out, 512)), device)
        ahead = critic_advantage(training.game, held)  # type: ignore[arg-type]
        more["advantage"] = round(ahead, 4)
    run.history.append(Standing(training.step, found[score], ahead))
    rest = {EQUILIBRIUM: float(settled(run.history)), PLATEAU: float(plateau(run.history))}
    run.last = found | {name: rest[name] for name in run.rests}
    wanted = targets(run.recipe.until)
    if reached(wanted, run.last):
        again = run.last if all(target.name in rest for target in wanted) else run.last | run.quick(model, 1)
        if again is not run.last:
            more["again"] = rounded({name: again[name] for name in found})
        run.reached = run.recipe.until if reached(wanted, again) else None  # one lucky draw must not end a run
    run.write("verdict", training.step, scores=rounded(found), best=best, **more)
    if rest[PLATEAU] and not run.rests and not run.stalled and progress < 1:
        run.stalled = True
        words = "falling learning rates often help at the end, so training goes on; --until plateau stops here"
        run.write("event", training.step, words=f"no progress: {plateau_words(run.history)}; {words}")


def sample_share(run: "Run", model: "Model", progress: float, seconds: float) -> float:
    """The share of the usual samples that this run's quick verdicts take: all, unless the clock leaves too little.

    The same in all of a run, since a Frechet distance is the higher the fewer the samples.
    """
    if run.recipe.minutes is None:
        return 1.0
    began = time.perf_counter()
    run.watch.judge(model, 0, PROBE)
    return affordable((time.perf_counter() - began) / PROBE, whole(run, progress, seconds))


def rounded(scores: dict[str, float]) -> dict[str, float]:
    """Scores with six digits."""
    return {name: float(f"{value:.6g}") for name, value in scores.items()}
