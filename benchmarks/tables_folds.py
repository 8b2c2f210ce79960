"""Five fifths of abalone, each held out once: what do our rows teach of its 32 rare ones, and what do CTGAN's?

    python benchmarks/tables_quality.py --sets abalone   # the first fifth
    python benchmarks/tables_folds.py                    # the four others: 2 hours of CPU; goes on where it stopped

In the fifth that `tables_quality.py` holds out five rows are rare, and what is measured of them is mostly chance: real
rows themselves come to less than some of the made ones there. Here every rare row is judged once. Same protocol, scores
and time (five minutes of CPU, three seeds). `means` are over fifths and seeds, `by fifth` over seeds; `useful, ours
less ctgan` is the mean difference of the fifths, with a Student interval of 95 % over them.
Writes results/tables_folds.json.
"""

import statistics
from functools import partial

from scipy.stats import t

from common import RUNS, write_result
from running import each, parser
from table_sets import SETS, provenance
from tables_quality import ARMS, PLACE, SEEDED, better, floor, means, one

FIFTHS = tuple(name for name in SETS if name.startswith("abalone"))
MINUTES = 5.0


def difference(found: dict[str, dict[str, dict[str, float]]]) -> dict[str, float]:
    """Usefulness of ours less CTGAN's."""
    far = [arms["rivals"]["useful"] - arms["ctgan"]["useful"] for arms in found.values()]
    middle = statistics.fmean(far)
    half = float(t.ppf(0.975, len(far) - 1)) * statistics.stdev(far) / len(far) ** 0.5
    return {"mean": middle, "low": middle - half, "high": middle + half}


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=3)
    given = options.parse_args()
    place = RUNS / "tables-folds-quick" if given.quick else PLACE
    fifths = FIFTHS[:2] if given.quick else FIFTHS

    def done(rows: list[dict]) -> None:
        by_fifth = means(rows)
        whole = means([{**row, "set": "abalone"} for row in rows])["abalone"]
        complete = len(by_fifth) == len(fifths) and all({"rivals", "ctgan"} <= set(arms) for arms in by_fifth.values())
        if complete and not given.quick:
            values = {
                "minutes": MINUTES,
                "data": {name: provenance(name) for name in fifths},
                "real rows": {name: floor(name, place) for name in fifths},
                "means": whole,
                "by fifth": by_fifth,
                "better than ctgan": better(whole["rivals"], whole["ctgan"]),
                "useful, ours less ctgan": difference(by_fifth),
                "rows": rows,
            }
            write_result("tables_folds", values)

    tasks = [
        partial(one, name=name, arm=arm, seed=seed, minutes=MINUTES, quick=given.quick, place=place)
        for seed in range(1 if given.quick else given.seeds)
        for name in fifths
        for arm in ARMS
        if seed == 0 or arm in SEEDED
    ]
    rows = each(tasks, jobs=given.jobs, done=done)
    for arm, scores in means([{**row, "set": "abalone"} for row in rows])["abalone"].items():
        print(
            f"{arm:20}"
            + "".join(f"{key:>12} {scores[key]:.3f}" for key in ("shapes", "trends", "two_sample", "useful"))
        )


if __name__ == "__main__":
    main()
