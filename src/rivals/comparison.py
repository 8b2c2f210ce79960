"""Methods against each other on one set of pictures: `compare`. Every run is a run's folder like any other."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import api
from .comparison_plan import DEFAULT_METHODS, DEFAULT_MINUTES, Clock, Plan, open_comparison, read_methods
from .engine.errors import RequestError, StoppedError
from .engine.files import write_json, write_whole
from .engine.launch import launch
from .engine.run import run_lock
from .jobs import Request, Tell, kept_precision, open_folder, slug
from .judging.comparison import Comparison, Entry
from .judging.comparison_page import comparison_page
from .judging.record import read_record
from .preparation import preparation


def compare(
    source: str | Path,
    *,
    methods: str | Sequence[str] = DEFAULT_METHODS,
    minutes: float | None = None,
    steps: int | None = None,
    seeds: int = 1,
    out: str | Path | None = None,
    features: str | None = None,
    changes: Mapping[str, str] | None = None,
    resume: bool = False,
    device: str = "auto",
    tell: Tell = lambda entry: None,
) -> dict[str, Any]:
    """Train every method with every seed on the same pictures, one after another, and rank them by one protocol.

    Each run is a run's folder, `out/METHOD-SEED`. Beside them lie `comparison.json` and one page that stands alone,
    `comparison.html`; both are written anew after every run. A method whose training stops is told of as failed and
    the others go on.

    Args:
        source: the pictures, as `train` takes them.
        methods: names in `rivals.engine.methods.METHODS` or JSON files of one's own, as a sequence or by comma.
        minutes: of training for each run; 5 if neither this nor `steps` is given.
        steps: rounds of training for each run.
        seeds: how many runs each method gets, with seeds 0, 1, 2 ...
        out: the comparison's folder; `runs/compare-NAME` if not given.
        features: the feature space of the verdicts; chosen from the data if not given.
        changes: settings to change in every recipe, such as {"batch": "64"}.
        resume: go on with the comparison in `out` if there is one, else begin it. Finished and failed runs are not
            trained again; methods and seeds may be added.
        device: "auto", "cpu", "cuda" or "mps".
        tell: called with plain values of what goes on: `train`'s, and "comparison", "turn", "failed", "compared".

    Returns:
        What comparison.json holds: "standings" (best first: rank, mean, interval, scores by seed), "runs", "protocol",
        "floor", "incomparable" (what differs, where it can't be ranked).

    Raises:
        RequestError: the request can't be served; looked for in all methods before the first is trained.
        StoppedError: every run failed.
        KeyboardInterrupt: interrupted; all is saved, and `resume=True` goes on.
    """
    if minutes is None and steps is None:
        minutes = DEFAULT_MINUTES
    plan = Plan(
        source=str(source),
        folder=Path(out) if out is not None else Path("runs") / f"compare-{slug(source)}",
        methods=read_methods(methods),
        seeds=seeds,
        minutes=None if minutes is None else float(minutes),
        steps=steps,
        features=features,
        changes=dict(changes or {}),
        device=device,
    )
    if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 1:
        raise RequestError(f"--seeds is the number of runs a method gets, at least 1, not {seeds}")
    if "seed" in plan.changes:
        raise RequestError(
            "--set seed=... can't be compared: the seeds are 0, 1, 2 ...; give their number with --seeds"
        )
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise RequestError("rivals compare runs in one process; under torchrun, use rivals train for each method")
    with run_lock(plan.folder):
        failures = open_comparison(plan, resume)
        clock = Clock(check(plan, tell))
        write(plan, failures)
        try:
            train_all(plan, failures, clock, tell)
        finally:
            comparison = write(plan, failures)
    tell({"kind": "compared", "folder": str(plan.folder), "comparison": comparison})
    if all(entry.state == "failed" for entry in comparison.entries):
        raise StoppedError(f"every run failed; {plan.folder}/comparison.html says why")
    return comparison.plain()


def check(plan: Plan, tell: Tell) -> dict[str, float]:
    """Every method's expected seconds of training, after a look at all that could be refused.

    Raises:
        RequestError: a method can't be trained on these pictures, or a run that was begun can't go on.
    """
    expected: dict[str, float] = {}
    for method, seed in plan.runs:
        folder = plan.run_folder(method, seed)
        stored = open_folder(folder, True)
        if method in expected and stored is None:
            continue

        def listen(entry: Mapping[str, Any], method: str = method, first: bool = not expected) -> None:
            if entry["kind"] == "plan":
                expected[method] = entry["seconds"]
            elif first and entry["kind"] in ("reading", "decoding", "found"):
                tell(entry)

        changes = dict(plan.changes)
        precision = changes.pop("precision", None)
        asked = {"minutes": plan.minutes, "steps": plan.steps, "seed": seed, "precision": precision}
        request = Request(
            source=plan.source,
            folder=folder,
            method=method,
            own=api.own_method(plan.methods[method])[1],
            changes=changes,
            asked={name: value for name, value in asked.items() if value is not None},
            features=plan.features,
            resume=True,
        )
        try:
            fabric = launch(plan.device, precision or kept_precision(request))
            preparation(request)(request, stored, fabric.device, listen)
        except RequestError as error:
            raise RequestError(f"{folder.name}: {error}" if stored else f"{method}: {error}") from None
    return expected


def train_all(plan: Plan, failures: dict[str, str], clock: Clock, tell: Tell) -> None:
    """Train what is not finished; `failures` takes those that stop, by their folders."""
    left = [entry for entry in entries(plan, failures) if entry.state not in ("finished", "failed")]
    runs = {"done": len(plan.runs) - len(left), "total": len(plan.runs)}
    tell({"kind": "comparison", **plan.about, "methods": list(plan.methods), **runs, "folder": str(plan.folder),
          "seconds": sum(clock.run(entry.method) for entry in left)})  # fmt: skip
    for place, entry in enumerate(left):
        folder = entry.record.folder
        later = [other.method for other in left[place + 1 :]]
        seconds = {"expected": clock.expected[entry.method], "judging": clock.more, "later": sum(map(clock.run, later))}
        number = len(plan.runs) - len(left) + place + 1
        tell({"kind": "turn", "run": folder.name, "number": number, "total": len(plan.runs), **seconds})
        began = time.monotonic()
        try:
            api.train(
                plan.source,
                out=folder,
                method=plan.methods[entry.method],
                changes=plan.changes,
                minutes=plan.minutes,
                steps=plan.steps,
                seed=entry.seed,
                resume=True,
                device=plan.device,
                features=plan.features,
                tell=tell,
            )
        except StoppedError as error:
            failures[folder.name] = str(error)
            tell({"kind": "failed", "run": folder.name, "words": str(error)})
        except RequestError as error:
            raise RequestError(f"{folder.name}: {error}") from None
        else:
            if entry.state == "waiting":  # one that went on says nothing of a whole run's time
                clock.took[entry.method] = time.monotonic() - began
        write(plan, failures)


def entries(plan: Plan, failures: Mapping[str, str]) -> Iterator[Entry]:
    """All runs as their folders tell."""
    for method, seed in plan.runs:
        folder = plan.run_folder(method, seed)
        yield Entry(method, seed, read_record(folder), failures.get(folder.name, ""))


def write(plan: Plan, failures: Mapping[str, str]) -> Comparison:
    """Write comparison.json and comparison.html from what there is."""
    comparison = Comparison(plan.about, tuple(entries(plan, failures)))
    write_json(plan.folder / "comparison.json", comparison.plain())
    write_whole(plan.folder / "comparison.html", comparison_page(comparison))
    return comparison
