"""Do synthetic rows of a rare class help to find it? Abalone, 32 rows of 4,174 rare, five seeds, gradient boosting.

    python benchmarks/tables_augment.py --jobs 2        # 10 trainings, about 25 minutes of CPU; can be interrupted

Of each seed all rows are cut into two halves with as many rare rows each; either half teaches, and the other is what
the taught models are tested on: a score is the mean of both average precisions of the rare class. A generator is
trained on the half alone. Models are taught by the real rows; by these and rows of the rare class until it is as
frequent as the other, as after `rivals sample RUN --balance class`: ours, rows of SMOTE-NC (imbalanced-learn), or the
rare rows again and again. Also with a tenth as many added. Intervals are Student's, over the five seeds.
Writes results/tables_augment.json.
"""

import csv
import random
import shutil
import statistics
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from common import RUNS, write_result
from rivals.api import load
from rivals.modalities.tables.learners import Design, Matrix, chances
from rivals.modalities.tables.reading import open_table
from rivals.modalities.tables.rows import Rows, kinds_of, parts_of, plain
from rivals.modalities.tables.sampling import frames
from rivals.modalities.tables.survey import Survey
from rivals.modalities.tables.usefulness import Task, average_precision, gain, smote
from running import each, kept, parser, train
from table_sets import SETS, part, provenance

PLACE = RUNS / "tables-augment"
NAME, SEEDS, STEPS = "abalone", 5, 3_000
PARTS = {"": 1.0, ", a tenth": 0.1}


def rows_of_set() -> tuple[list[str], list[list[str]]]:
    """The header, and all rows of both parts."""
    rows: list[list[str]] = []
    header: list[str] = []
    for which in ("train", "held_out"):
        with part(NAME, which).open(newline="") as file:
            header, *more = csv.reader(file)
            rows += more
    return header, rows


def halves(seed: int, place: Path) -> tuple[Path, Path]:
    """Both halves of a seed as files, with as many rare rows each."""
    files = place / "one.csv", place / "two.csv"
    if not all(file.exists() for file in files):
        place.mkdir(parents=True, exist_ok=True)
        header, rows = rows_of_set()
        where, rare = header.index(SETS[NAME].target), SETS[NAME].rare
        random.Random(seed).shuffle(rows)
        rows.sort(key=lambda row: row[where] == rare)  # stable: rare rows are the last
        for file, some in zip(files, (rows[::2], rows[1::2]), strict=True):
            with file.open("w", newline="") as out:
                csv.writer(out).writerows([header, *some])
    return files


def rare_rows(run: Path, count: int, seed: int) -> pl.DataFrame:
    """So many rows of the rare class from a run's model."""
    wish = f'{SETS[NAME].target}="{SETS[NAME].rare}"'
    return pl.concat(frames(load(run), count, seed=seed, wish=wish))


def one(*, seed: int, steps: int, place: Path) -> dict[str, Any]:
    """Average precisions of a seed, by way."""
    folder = place / str(seed)

    def make() -> dict[str, Any]:
        files = halves(seed, folder)
        found: dict[str, list[float]] = {}
        for taught, asked in (files, files[::-1]):
            run = folder / f"run-{taught.stem}"
            train(run, str(taught), ["--steps", str(steps), "--seed", str(seed), "--loggers", "none"], threads=1)
            for way, value in by_every_way(taught, asked, run, seed).items():
                found.setdefault(way, []).append(value)
        return {"seed": seed, "scores": {way: statistics.fmean(both) for way, both in found.items()}, "halves": found}

    return kept(folder / "scores.json", make)


def by_every_way(taught: Path, asked: Path, run: Path, seed: int) -> dict[str, float]:
    """The average precision of every way's model."""
    target, rare = SETS[NAME].target, SETS[NAME].rare
    known, test = (pl.concat(open_table(file).chunks()) for file in (taught, asked))
    survey = Survey()
    survey.feed(known)
    columns = survey.columns()
    count = known.height - 2 * int((known[target] == rare).sum())
    made = rare_rows(run, count, seed)
    sides = {"taught": known, "asked": test, "made": made}
    parts = parts_of({side: plain(frame, columns) for side, frame in sides.items()}, kinds_of(columns))
    rank = parts["taught"].levels[target].index(rare)
    task = Task(target, parts["taught"].levels[target])
    base, labels = task.features(parts["taught"]), is_rare(task, parts["taught"], rank)
    tested, true = task.features(parts["asked"]).matrix, is_rare(task, parts["asked"], rank).astype(bool)
    added_rows = {"real rows alone": base.matrix[:0]}
    for words, share in PARTS.items():
        added = round(share * count)
        more = {
            "ours": task.features(parts["made"]).matrix[:added],
            "SMOTE": smote(base, labels, added, seed),
            "again": base.matrix[np.random.default_rng(seed).choice(np.flatnonzero(labels), added)],
        }
        if more["SMOTE"] is None:
            raise RuntimeError("SMOTE needs imbalanced-learn: pip install 'rivals[dev]'")
        added_rows |= {way + words: rows for way, rows in more.items()}
    return {way: average_precision(true, answer(base, labels, rows, tested, seed)) for way, rows in added_rows.items()}


def is_rare(task: Task, rows: Rows, rank: int) -> np.ndarray:
    return (task.told(rows) == rank).astype(np.int64)


def answer(base: Design, labels: np.ndarray, more: Matrix, asked: Matrix, seed: int) -> Matrix:
    """The chance of each asked row to be rare, by a model that was taught with some rare rows more."""
    both = Design(np.concatenate([base.matrix, more]), base.categorical)
    return chances(both, np.append(labels, np.ones(len(more), dtype=np.int64)), asked, 2, seed)[:, 1]


def result(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over seeds, and what ours gains on every other way, with intervals."""
    by_way = {way: [row["scores"][way] for row in rows] for way in rows[0]["scores"]}
    found: dict[str, Any] = {"average precision": {way: statistics.fmean(values) for way, values in by_way.items()}}
    if len(rows) > 1:
        for words in PARTS:
            ours = by_way["ours" + words]
            others = ["real rows alone", "SMOTE" + words, "again" + words]
            found["gain of ours" + words] = {other: gain(ours, by_way[other]) for other in others}
    return found


def main() -> None:
    given = parser(__doc__).parse_args()
    place = RUNS / "tables-augment-quick" if given.quick else PLACE
    if given.quick:
        shutil.rmtree(place, ignore_errors=True)
    seeds, steps = (1, 6) if given.quick else (SEEDS, STEPS)

    def done(rows: list[dict]) -> None:
        whole = [row for row in rows if "error" not in row]
        if whole and not given.quick:
            write_result("tables_augment", {"data": provenance(NAME), "steps": steps, **result(whole), "rows": rows})

    rows = each(
        [partial(one, seed=seed, steps=steps, place=place) for seed in range(seeds)], jobs=given.jobs, done=done
    )
    found = result([row for row in rows if "error" not in row])
    print(f"\n{'':26}{'average precision':>20}")
    for way, value in found["average precision"].items():
        print(f"{way:26}{value:20.4f}")
    for what, gains in found.items():
        if what.startswith("gain"):
            for other, (mean, low, high) in gains.items():
                print(f"{what} on {other}: {mean:+.4f} ({low:+.4f} to {high:+.4f})")


if __name__ == "__main__":
    main()
