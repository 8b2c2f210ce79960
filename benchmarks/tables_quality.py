"""How good are our rows beside CTGAN's after equal CPU time? Four tables, three seeds, five minutes of one thread.

    python benchmarks/tables_peers.py            # makes the peers' environments, once
    python benchmarks/tables_quality.py          # 4 sets x 3 seeds: about 3 hours of CPU; goes on where it stopped
    python benchmarks/tables_quality.py --minutes 10 --sets adult --arms rivals
    python benchmarks/tables_quality.py --result tables_yeast --seeds 2 --arms rivals,ctgan --sets SETS

The time is CPU time from the call to the last round: reading, looking at columns, encoding, training and, of ours, the
verdicts between rounds. CTGAN (its defaults) is stopped by its clock after the round that uses the time up. Ours trains
through the command line for as many steps as a trial of 300 steps before it says that the time holds; what it took is
beside every row as `trained`. CTGAN is told the kinds of columns that we found. Baselines, once each, take what they
take: our own Gaussian copula, independent columns, and an adversarial random forest (arfpy, taught by 5,000 rows at
most, since it is slow).

Scores are against held-out rows that no generator saw, in our own code (`tables_equal.py` compares it with SDMetrics'):
`shapes` and `trends` are errors in percent, 100 less the mean score; `trends` over all pairs by the definition,
`trends, report` as SDMetrics' quality report takes them, over related pairs. `two_sample` is the area under the curve
of gradient boosting that tells fakes from held-out rows, `useful` that of what fakes teach on held-out rows (R2 where
the target is a number). Shares of categories are of 100,000 rows, against the training rows: `common` is the farthest
of those of 1 % and more from its true one, `rare` of those of 0.1 % to 1 %, each as a part of it, and `met` how many
are within 10 % and 20 %. `asked` is how often the asked value came back before anything is rejected, over up to a dozen
values of every kind of frequency, `asked, least` the least of them, `returned` what a user gets.
Writes results/tables_quality.json (tables_quality_10.json with --minutes 10). SETS of tables_yeast.json, four small
tables with rare classes, are yeast3,yeast4,yeast5,yeast6.
"""

import shutil
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from common import RUNS, write_result
from rivals.api import load
from rivals.modalities.tables.baselines import BASELINES
from rivals.modalities.tables.columns import CODED, NUMERIC, Column
from rivals.modalities.tables.fidelity import coded, percent, related, shapes, some_pairs, trends
from rivals.modalities.tables.reading import open_table
from rivals.modalities.tables.rows import Kinds, Rows, kinds_of, parts_of, plain
from rivals.modalities.tables.sampling import drawn, frames
from rivals.modalities.tables.survey import Survey
from rivals.modalities.tables.two_sample import two_sample
from rivals.modalities.tables.usefulness import task_of, usefulness
from rivals.modalities.tables.wishes import Demand, Wish
from running import each, kept, parser
from table_sets import FOUR, SETS, part, provenance
from tables_peers import arf, ctgan, rivals

PLACE = RUNS / "tables-quality"
SEEDED = ("rivals", "ctgan")  # baselines are made once
ARMS = ("rivals", "ctgan", "gaussian_copula", "independent", "arf")
SHARED = 100_000  # rows that shares are measured on
TRIAL = 300  # steps
FOREST = 5_000  # rows that arfpy is taught by
WISHES, WISHED = 12, 1_000
COMMON, RARE = 0.01, 0.001
LOWER = ("shapes", "trends", "trends, report", "two_sample")  # the lower, the better
COMPARED = ("shapes", "trends", "two_sample", "useful")


@dataclass(frozen=True)
class Real:
    """A set, read."""

    columns: tuple[Column, ...]
    train: pl.DataFrame
    held_out: pl.DataFrame

    @property
    def kinds(self) -> Kinds:
        """Of the judged columns."""
        return kinds_of(self.columns)

    @property
    def discrete(self) -> list[str]:
        """What CTGAN has to be told."""
        return [column.name for column in self.columns if column.kind not in NUMERIC]


def read(path: Path) -> pl.DataFrame:
    return pl.concat(open_table(path).chunks())


@cache
def real(name: str) -> Real:
    survey, train = Survey(), read(part(name, "train"))
    survey.feed(train)
    return Real(survey.columns(), train, read(part(name, "held_out")))


# ---------------------------------------------------------------------------------------------- making tables


def ours(name: str, place: Path, seed: int, minutes: float, quick: bool, words: Sequence[str] = ()) -> dict[str, Any]:
    """Train for as many steps as the time holds, and sample."""
    source = str(part(name, "train"))
    common = ("train", source, "--loggers", "none", *words)
    trial_place = place.parent / f"trial-{place.name.rsplit('-', 1)[0]}"
    steps_tried = 6 if quick else TRIAL
    trial = rivals(trial_place.with_suffix(".json"), *common, "--steps", str(steps_tried), "--out", str(trial_place))
    between = (trial["mean_round"] - trial["round"]) * trial["rounds"]  # verdicts and previews: as many in every run
    steps = steps_tried if quick else max(round((60 * minutes - trial["before"] - between) / trial["round"]), 1)
    run, out = place / "run", place / "rows.csv"
    told = rivals(
        place / "train.json", *common, "--steps", str(steps), "--seed", str(seed), "--out", str(run), "--resume"
    )
    out.unlink(missing_ok=True)
    rivals(place / "sample.json", "sample", str(run), "--count", str(SHARED), "--seed", str(seed), "--out", str(out))
    return {**told, "steps": steps, "asked": asked_of_ours(name, run, seed)}


def theirs(name: str, place: Path, seed: int, minutes: float, quick: bool) -> dict[str, Any]:
    """CTGAN for the time."""
    made = place / "asked"
    made.mkdir(parents=True, exist_ok=True)
    wishes = [(column, value, str(made / f"{n}.csv")) for n, (column, value) in enumerate(wished(real(name)))]
    asked = {
        "table": str(part(name, "train")),
        "discrete": real(name).discrete,
        "seed": seed,
        "samples": {str(place / "rows.csv"): SHARED},
        "wishes": [[column, value, WISHED, file] for column, value, file in wishes],
    }
    told = ctgan({**asked, **({"rounds": 1} if quick else {"seconds": 60 * minutes})})
    found = {f"{column}={value}": share_of(read(Path(file)), column, value) for column, value, file in wishes}
    shutil.rmtree(made)
    return {**told, "asked": {"raw": found, "returned": found}}


def forest(name: str, place: Path, seed: int, minutes: float, quick: bool) -> dict[str, Any]:
    """An adversarial random forest."""
    del minutes
    set_ = real(name)
    place.mkdir(parents=True, exist_ok=True)
    asked = {"table": str(part(name, "train")), "discrete": set_.discrete, "seed": seed}
    count = 1_000 if quick else min(set_.train.height, 20_000)
    return arf({**asked, "most": 300 if quick else FOREST, "samples": {str(place / "rows.csv"): count}})


def baseline(which: str, name: str, place: Path, seed: int, minutes: float, quick: bool) -> dict[str, Any]:
    """A table by one of our baselines."""
    del minutes, quick
    set_ = real(name)
    place.mkdir(parents=True, exist_ok=True)
    frame = plain(set_.train, set_.columns)
    BASELINES[which](frame, set_.kinds, SHARED, seed).write_csv(place / "rows.csv")
    return {}


MAKERS = {
    "rivals": ours,
    "ctgan": theirs,
    "arf": forest,
    **{which: partial(baseline, which) for which in BASELINES},
}


# ---------------------------------------------------------------------------------------------- asking for values


def wished(set_: Real) -> list[tuple[str, str]]:
    """Values to ask for: of every column of categories the most frequent, a middle one and a rare one; a dozen."""
    found: list[tuple[str, str]] = []
    for column in reversed([some for some in set_.columns if some.kind in CODED and len(some.categories) > 1]):
        often = [k for k, count in enumerate(column.counts) if count >= RARE * column.rows]
        picked = dict.fromkeys(often[place] for place in (-1, 0, len(often) // 2))
        found.extend((column.name, column.categories[k]) for k in picked)
    return found[:WISHES]


def asked_of_ours(name: str, run: Path, seed: int) -> dict[str, dict[str, float]]:
    """How often an asked value comes back: before rejection, and to the user."""
    model, found = load(run), {"raw": {}, "returned": {}}  # type: ignore[var-annotated]
    columns = {column.name: column for column in model.modality.columns}  # type: ignore[attr-defined]
    for column, value in wished(real(name)):
        wish = Wish((Demand(column, (columns[column].categories.index(value),)),))
        met = wish.met(drawn(model, WISHED, seed=seed, wish=wish))
        given = pl.concat(frames(model, WISHED, seed=seed, wish=wish))
        found["raw"][f"{column}={value}"] = float(met.mean())
        found["returned"][f"{column}={value}"] = share_of(given, column, value)
    return found


def share_of(frame: pl.DataFrame, column: str, value: str) -> float:
    return float((frame[column].cast(pl.String).str.strip_chars() == value).fill_null(False).mean())  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------- scoring


def scored(name: str, fake: pl.DataFrame, seed: int) -> dict[str, Any]:
    """All scores of a made table."""
    set_ = real(name)
    sides = {"training": set_.train, "held-out": set_.held_out, "synthetic": fake}
    parts = parts_of({side: plain(frame, set_.columns) for side, frame in sides.items()}, set_.kinds)
    train, held_out, whole = parts["training"], parts["held-out"], parts["synthetic"]
    rows = whole.drawn(len(train), seed)
    useful = usefulness(rows, train, held_out, task_of(train, SETS[name].target), seed=seed)
    score = "auc" if "auc" in useful["real"] else "r2"
    return {
        **alike(held_out, rows),
        "two_sample": two_sample(held_out, rows, seed=seed).value,
        "useful": useful["synthetic"].get(score, float("nan")),
        "useful, real rows": useful["real"][score],
        **share_scores(train, whole, SETS[name].target),
    }


def alike(held_out: Rows, rows: Rows) -> dict[str, float]:
    """Errors of column shapes and pair trends, in percent."""
    by_definition, as_reported = (coded(held_out, rows, own_bins=own) for own in (False, True))
    pairs = some_pairs(len(by_definition[0].names))
    strong = [pair for pair, is_one in zip(pairs, related(as_reported[0], pairs), strict=True) if is_one]
    return {
        "shapes": 100 - percent(shapes(*by_definition)),
        "trends": 100 - percent(trends(*by_definition, pairs)),
        "trends, related": 100 - percent(trends(*by_definition, strong)),
        "trends, report": 100 - percent(trends(*as_reported, strong)),
    }


def share_scores(train: Rows, whole: Rows, target: str) -> dict[str, Any]:
    """How far shares of categories are from the true ones, as parts of these."""
    found: dict[str, list[float]] = {"common": [], "rare": []}
    worst: dict[str, str] = {}
    own = 0.0
    for column, levels in train.levels.items():
        a, b = (np.bincount(side.codes[column] + 1, minlength=len(levels) + 1)[1:] for side in (train, whole))
        true, made = a / len(train), b / len(whole)
        for level, p, q in zip(levels, true, made, strict=True):
            kind = "common" if p >= COMMON else "rare" if p >= RARE else None
            if kind:
                if abs(q - p) / p >= max(found[kind], default=0.0):
                    worst[kind] = f"{column}={level}"
                found[kind].append(abs(q - p) / p)
            if column == target:
                own = max(own, abs(q - p) / p)
    met = {"common": 0.1, "rare": 0.2}
    return {
        **{kind: max(far, default=0.0) for kind, far in found.items()},
        **{f"{kind}, met": float(np.mean(np.array(far) <= met[kind])) if far else 1.0 for kind, far in found.items()},
        **{f"{kind}, farthest": which for kind, which in worst.items()},
        "target share": own,
    }


# ---------------------------------------------------------------------------------------------- all of it


def one(*, name: str, arm: str, seed: int, minutes: float, quick: bool, place: Path) -> dict[str, Any]:
    """A row of the result; made once."""
    folder = place / f"{minutes:g}" / name / f"{arm}-{seed}"

    def make() -> dict[str, Any]:
        folder.mkdir(parents=True, exist_ok=True)
        told = MAKERS[arm](name, folder, seed, minutes, quick)
        fake = read(folder / "rows.csv")
        found = {"scores": scored(name, fake, seed), "trained": told.get("trained"), "rounds": told.get("rounds")}
        if "asked" in told:
            raw, back = (list(told["asked"][which].values()) for which in ("raw", "returned"))
            found["scores"] |= {"asked": float(np.mean(raw)), "asked, least": min(raw), "returned": min(back)}
            found["asked"] = told["asked"]
        (folder / "rows.csv").unlink()
        return found

    return {"set": name, "arm": arm, "seed": seed, **kept(folder / "scores.json", make)}


def floor(name: str, place: Path) -> dict[str, Any]:
    """The scores of real rows: the training part as if it had been made."""
    return kept(place / "floor" / f"{name}.json", lambda: scored(name, real(name).train, 0))


def means(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """Means over seeds, by set and arm."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, arm in dict.fromkeys((row["set"], row["arm"]) for row in rows if "error" not in row):
        some = [row for row in rows if "error" not in row and (row["set"], row["arm"]) == (name, arm)]
        keys = [key for key, value in some[0]["scores"].items() if isinstance(value, int | float)]
        mean = {key: statistics.fmean(row["scores"][key] for row in some) for key in keys}
        known = [row["trained"] for row in some if row["trained"]]
        found.setdefault(name, {})[arm] = mean | ({"trained": statistics.fmean(known)} if known else {})
    return found


def better(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, bool]:
    """In which of the compared scores one is better than the other."""
    return {key: (one[key] < other[key]) == (key in LOWER) for key in COMPARED}


def remarks(found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Iterator[str]:
    """Where ours is not the best, in words."""
    for name, arms in found.items():
        for arm, scores in arms.items():
            if arm != "rivals" and "rivals" in arms:
                lost = [key for key, won in better(arms["rivals"], scores).items() if not won]
                if lost:
                    yield f"{name}: {arm} is better than we are, or as good, in {', '.join(lost)}"


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--minutes", type=float, default=5.0, help="of CPU")
    options.add_argument("--sets", default=",".join(FOUR))
    options.add_argument("--arms", default=",".join(ARMS))
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--result", help="what the file is called")
    given = options.parse_args()
    place = RUNS / "tables-quality-quick" if given.quick else PLACE
    if given.quick:
        shutil.rmtree(place, ignore_errors=True)
    sets, arms = given.sets.split(","), given.arms.split(",")
    seeds = 1 if given.quick else given.seeds

    def done(rows: list[dict]) -> None:
        if not given.quick:
            usual = "tables_quality" if given.minutes == 5 else f"tables_quality_{given.minutes:g}"
            found = means(rows)
            against = {s: better(a["rivals"], a["ctgan"]) for s, a in found.items() if {"rivals", "ctgan"} <= set(a)}
            values = {
                "minutes": given.minutes,
                "data": {name: provenance(name) for name in sets},
                "real rows": {name: floor(name, place) for name in sets},
                "means": found,
                "better than ctgan": against,
                "remarks": [*remarks(found)],
                "rows": rows,
            }
            write_result(given.result or usual, values)

    tasks = [
        partial(one, name=name, arm=arm, seed=seed, minutes=given.minutes, quick=given.quick, place=place)
        for name in sets
        for seed in range(seeds)
        for arm in arms
        if seed == 0 or arm in SEEDED
    ]
    rows = each(tasks, jobs=given.jobs, done=done)
    shown = ("shapes", "trends", "trends, report", "two_sample", "useful", "common", "rare, met", "asked", "trained")
    print(f"\n{'':26}" + "".join(f"{key:>15}" for key in shown))
    for name, arms_found in means(rows).items():
        for arm, scores in {**arms_found, "real rows": floor(name, place)}.items():
            told = "".join(f"{scores[key]:15.3f}" if key in scores else f"{'':15}" for key in shown)
            print(f"{name + ' ' + arm:26}{told}")
    print("\n".join(remarks(means(rows))))


if __name__ == "__main__":
    main()
