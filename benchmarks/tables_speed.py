"""How fast are we beside CTGAN 0.12.1? Adult, networks of (256, 256), batch 500, packs of 10, equal rounds, one thread.

    python benchmarks/tables_peers.py            # makes CTGAN's environment, once
    python benchmarks/tables_speed.py

CPU seconds of one thread, in turns, three times; ratios are of medians, and beside them stand the ratios of each turn.

preparation  from the call to the first round: reading the CSV file, finding out what the columns are, modes, encoding,
             networks; no imports. Nothing of ours is in the cache. (CTGAN is told which columns are categories.)
round        one step of either side, the median: verdicts, previews and checkpoints of ours come between rounds.
sampling     100,000 rows into a CSV file; of ours with loading the model, of CTGAN's without.
memory       the most that the process had resident, libraries included: of CTGAN's training and sampling in one
             process; of our two commands the larger, until the last round (the verdict after it has CTGAN no match for,
             and is beside it). Beside it, too: until the last round on both sides, without sampling.

With `ctgan` our method is that of CTGAN. The default is another, and stands here with CTGAN's batch and with its own.
Writes results/tables_speed.json.
"""

import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common import RUNS, write_result
from running import kept, parser
from table_sets import part, provenance
from tables_peers import ctgan, rivals

PLACE = RUNS / "tables-speed"
TURNS, ROUNDS, ROWS = 3, 208, 100_000
DISCRETE = [
    "workclass", "education", "marital-status", "occupation", "relationship", "race", "sex", "native-country", "income"
]  # fmt: skip
OURS: Mapping[str, tuple[str, ...]] = {
    "rivals, ctgan": ("--method", "ctgan"),
    "rivals, default at batch 500": ("--set", "batch=500"),
    "rivals, default": (),
}
WANTED = {"preparation": 8.0, "round": 2.5, "sampling": 2.0, "memory": 1 / 0.6}
MEASURES = ("preparation", "round", "sampling", "memory")


def of_ctgan(place: Path, rounds: int, rows: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "rows.csv")
        asked = {"table": str(part("adult", "train")), "discrete": DISCRETE, "rounds": rounds, "samples": {file: rows}}
        told = kept(place / "ctgan.json", lambda: ctgan(asked))
    return {
        "preparation": told["before"],
        "round": told["round"],
        "sampling": next(iter(told["sampled"].values()))["csv"],
        "memory": told["peak_mb"],
        "memory of training": told["trained_mb"],
    }


def of_ours(place: Path, words: tuple[str, ...], rounds: int, rows: int) -> dict[str, float]:
    table = str(part("adult", "train"))
    settings = ("--steps", str(rounds), "--loggers", "none", *words)
    with tempfile.TemporaryDirectory() as cache:
        told = rivals(place / "train.json", "train", table, "--out", str(place / "run"), *settings, cache=Path(cache))
    out = place / "rows.csv"
    sampled = rivals(place / "sample.json", "sample", str(place / "run"), "--count", str(rows), "--out", str(out))
    out.unlink(missing_ok=True)
    return {
        "preparation": told["before"],
        "round": told["round"],
        "sampling": sampled["whole"],
        "memory": max(told["trained_mb"], sampled["peak_mb"]),
        "memory of training": told["trained_mb"],
        "memory with the verdict": told["peak_mb"],
        "mean round, with what comes between": told["mean_round"],
    }


def table(turns: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Medians of every arm, and ours by CTGAN's."""
    found: dict[str, Any] = {}
    for arm in turns[0]:
        found[arm] = {what: statistics.median(turn[arm][what] for turn in turns) for what in turns[0][arm]}
        if arm != "ctgan 0.12.1":
            found[arm]["times"] = {
                what: {
                    "median": found["ctgan 0.12.1"][what] / found[arm][what],
                    "each": [turn["ctgan 0.12.1"][what] / turn[arm][what] for turn in turns],
                }
                for what in MEASURES
            }
    return found


def main() -> None:
    given = parser(__doc__).parse_args()
    times, rounds, rows = (1, 6, 2_000) if given.quick else (TURNS, ROUNDS, ROWS)
    turns: list[dict[str, dict[str, float]]] = []
    with tempfile.TemporaryDirectory() as aside:
        for turn in range(times):
            place = (Path(aside) if given.quick else PLACE) / str(turn)
            arms = {"ctgan 0.12.1": of_ctgan(place, rounds, rows)}
            for arm, words in OURS.items():
                arms[arm] = of_ours(place / arm.replace(", ", "-").replace(" ", "-"), words, rounds, rows)
            turns.append(arms)
            found = table(turns)
            if not given.quick:
                facts = {"data": provenance("adult"), "rounds": rounds, "rows": rows, "turns": turns}
                write_result("tables_speed", {"wanted": WANTED, "arms": found, **facts})
    print(f"\n{'':30} {'preparation':>16} {'a round':>16} {'sampling':>16} {'memory':>16}")
    for arm, row in found.items():
        shown = [f"{row['preparation']:.2f} s", f"{1e3 * row['round']:.1f} ms", f"{row['sampling']:.2f} s"]
        shown.append(f"{row['memory']:.0f} MB")
        if "times" in row:
            ratios = [row["times"][what]["median"] for what in MEASURES]
            shown = [f"{told} {ratio:.2f}x" for told, ratio in zip(shown, ratios, strict=True)]
        print(f"{arm:30} " + " ".join(f"{each:>16}" for each in shown))
    print(f"{'wanted':30} " + " ".join(f"{WANTED[what]:>15.2f}x" for what in MEASURES))


if __name__ == "__main__":
    main()
