"""Five fifths of abalone, each held out once: what do our rows teach of its 32 rare ones, and what do CTGAN's?

    python benchmarks/tables_quality.py --sets abalone   # the first fifth
    python benchmarks/tables_folds.py                    # the four others: 2 hours of CPU; goes on where it stopped

In the fifth that `tables_quality.py` holds out five rows are rare, and what is measured of them is mostly chance: real
rows themselves come to less than some of the made ones there. Here every rare row is judged once. Same protocol, scores
and time (five minutes of CPU, three seeds). `means` are over fifths and seeds, `by fifth` over seeds; `useful, ours
less ctgan` is the mean difference of the fifths, with a Student interval of 95 % over them.

CTGAN makes some twenty times as many rare rows as there are, and a learner of rare rows gains by that, whatever they
are like. So `useful, as many rare rows` is what ours teach when as many rare rows are asked of them as CTGAN of the
same fifth and seed made (as `rivals sample --wish class=positive` does), in a table of the same size.
Writes results/tables_folds.json.
"""

import statistics
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from scipy.stats import t

from common import RUNS, write_result
from rivals.api import load
from rivals.modalities.tables.rows import parts_of, plain
from rivals.modalities.tables.sampling import frames
from rivals.modalities.tables.usefulness import task_of, usefulness
from rivals.modalities.tables.wishes import Demand, Wish
from running import each, kept, parser
from table_sets import SETS, provenance
from tables_quality import ARMS, PLACE, SEEDED, better, floor, means, one, real, share_of

FIFTHS = tuple(name for name in SETS if name.startswith("abalone"))
MINUTES = 5.0
AS_MANY = "useful, as many rare rows"


def with_as_many(row: dict[str, Any], theirs: dict[str, Any], place: Path) -> float:
    """What rows of ours teach when as many of the rare class are asked for as CTGAN made."""
    name, seed = row["set"], row["seed"]
    folder = place / f"{MINUTES:g}" / name / f"rivals-{seed}"

    def make() -> float:
        set_, target = real(name), SETS[name].target
        often = share_of(set_.train, target, SETS[name].rare)
        count = round(set_.train.height * often * (1 + theirs["scores"]["target share"]))
        model = load(folder / "run")
        classes = next(column for column in model.modality.columns if column.name == target).categories  # type: ignore[attr-defined]
        made = [
            frame
            for k, label in enumerate(classes)
            for frame in frames(
                model,
                count if label == SETS[name].rare else set_.train.height - count,
                seed=seed,
                wish=Wish((Demand(target, (k,)),)),
            )
        ]
        sides = {"training": set_.train, "held-out": set_.held_out, "synthetic": pl.concat(made)}
        parts = parts_of({side: plain(frame, set_.columns) for side, frame in sides.items()}, set_.kinds)
        train = parts["training"]
        found = usefulness(parts["synthetic"], train, parts["held-out"], task_of(train, target), seed=seed)
        return found["synthetic"]["auc"]

    return kept(folder / "as_many.json", make)


def difference(found: dict[str, dict[str, dict[str, float]]], what: str) -> dict[str, float]:
    """Usefulness of ours less CTGAN's."""
    far = [arms["rivals"][what] - arms["ctgan"]["useful"] for arms in found.values()]
    middle = statistics.fmean(far)
    half = float(t.ppf(0.975, len(far) - 1)) * statistics.stdev(far) / len(far) ** 0.5
    return {"mean": middle, "low": middle - half, "high": middle + half}


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=3)
    given = options.parse_args()
    place = RUNS / "tables-folds-quick" if given.quick else PLACE
    fifths = FIFTHS[:2] if given.quick else FIFTHS

    tasks = [
        partial(one, name=name, arm=arm, seed=seed, minutes=MINUTES, quick=given.quick, place=place)
        for seed in range(1 if given.quick else given.seeds)
        for name in fifths
        for arm in ARMS
        if seed == 0 or arm in SEEDED
    ]
    rows = each(tasks, jobs=given.jobs, done=lambda rows: None)
    theirs = {(row["set"], row["seed"]): row for row in rows if row["arm"] == "ctgan" and "error" not in row}
    for row in rows:
        beside = theirs.get((row["set"], row["seed"]))
        if row["arm"] == "rivals" and beside and "error" not in row:
            row["scores"][AS_MANY] = with_as_many(row, beside, place)
    if not given.quick:
        by_fifth = means(rows)
        whole = means([{**row, "set": "abalone"} for row in rows])["abalone"]
        values = {
            "minutes": MINUTES,
            "data": {name: provenance(name) for name in fifths},
            "real rows": {name: floor(name, place) for name in fifths},
            "means": whole,
            "by fifth": by_fifth,
            "better than ctgan": better(whole["rivals"], whole["ctgan"]),
            "useful, ours less ctgan": difference(by_fifth, "useful"),
            f"{AS_MANY}, ours less ctgan": difference(by_fifth, AS_MANY),
            "rows": rows,
        }
        write_result("tables_folds", values)
    for arm, scores in means([{**row, "set": "abalone"} for row in rows])["abalone"].items():
        shown = ("shapes", "trends", "two_sample", "useful", AS_MANY)
        print(f"{arm:20}" + "".join(f"{key:>12} {scores[key]:.3f}" for key in shown if key in scores))


if __name__ == "__main__":
    main()
