"""What judging inside training costs, at default settings: the share of a run's time, by its own clock.

    python benchmarks/judging_cost.py

Digits for one and three minutes, emoji in colour for three, by `rivals train NAME --minutes M` and nothing else. A run
adds up the seconds of its quick verdicts (with saving the best state), sheets of samples and looks at the critic, all
of them inside its training time; `verdict.json` has both. Facts on the data before the first round and the final
verdict after the last are in neither. Wanted: under 5 % each. Resumable; writes results/judging_cost.json after every
run.
"""

import json
from functools import partial
from pathlib import Path

import running
import sets
from common import RUNS, write_result

CASES = {"digits-1m": ("digits", 1.0), "digits-3m": ("digits", 3.0), "emoji-3m": ("emoji", 3.0)}
QUICK = {"digits-quick": ("digits", 0.1)}
GOAL = 5.0  # percent


def one(*, name: str, source: str, minutes: float, folder: Path, threads: int) -> dict:
    """Train one run and read what it spent."""
    words = ["--minutes", f"{minutes:g}"]
    verdict = running.train(folder, source, words, threads=threads)
    entries = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    steps = [entry["step"] for entry in entries if entry["kind"] == "verdict"]
    newest = json.loads(max((folder / "state").glob("step-*.json")).read_text())
    spent = {kind: told["seconds"] for kind, told in newest["extra"]["spent"].items()}
    return {
        "run": name,
        "words": words,
        "seconds": round(verdict["seconds"], 2),
        "judging_seconds": round(verdict["judging_seconds"], 3),
        "percent": round(100 * verdict["judging_seconds"] / verdict["seconds"], 2),
        "percent_of": {kind: round(100 * seconds / verdict["seconds"], 2) for kind, seconds in spent.items()},
        "times": {kind: told["times"] for kind, told in newest["extra"]["spent"].items()},
        "verdicts_at": [round(step / verdict["step"], 3) for step in steps],
        "steps": verdict["step"],
        "space": verdict["protocol"]["extractor"],
        "goal": GOAL,
    }


def main() -> None:
    given = running.parser(__doc__).parse_args()
    home = RUNS / ("judging-quick" if given.quick else "judging")
    cases = QUICK if given.quick else CASES
    tasks = [
        partial(
            one,
            name=name,
            source=source if source == "digits" else sets.source(source),
            minutes=minutes,
            folder=home / f"{name}-{given.threads}t",
            threads=given.threads,
        )
        for name, (source, minutes) in cases.items()
    ]

    def save(rows: list[dict]) -> None:
        if not given.quick:
            write_result("judging_cost", {"wanted_below": GOAL, "rows": rows})

    for row in running.each(tasks, jobs=given.jobs, done=save):
        print(row)


if __name__ == "__main__":
    main()
