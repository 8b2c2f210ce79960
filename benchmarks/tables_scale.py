"""Two million rows of 30 columns, 300,000 categories, two processes: does memory stay flat, and how fast is it?

    python benchmarks/tables_scale.py                    # about 15 minutes of CPU; goes on where it stopped
    python benchmarks/tables_scale.py processes          # some parts only: stages, large, wide, processes

stages     reading and finding out what the columns are, fitting encoders, encoding: CPU seconds a million rows, each
           in a process of its own after what comes before it; 200,000 rows against 2,000,000 show what grows.
large      the whole commands: `rivals train` (300 steps) and `rivals sample` of a million rows into a Parquet file.
wide       a column of 300,000 categories in a million rows: the same, 100,000 rows of samples.
processes  seconds a round of the census by the clock, of one process, of two, and of one with two threads, with the
           usual batch and with one of 2,000: in turns, three times. Nothing else may run then.

Memory is the most that the process had resident, libraries (about 450 MB) and mapped files included; of training up to
the last round, and the verdict after it beside. The table is made up: numbers with tails, gaps and special values,
categories (2 to 1,000), dates, an id, all hanging on four hidden numbers. Writes results/tables_scale.json.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from common import RUNS, write_result
from peers.clock import peak
from running import kept, one_rate, parser
from table_sets import part
from tables_peers import ENVIRONMENT, rivals

PLACE, DATA = RUNS / "tables-scale", RUNS / "data" / "tables" / "made"
ROWS, FEW, CHUNK = 2_000_000, 200_000, 100_000
WIDE_ROWS, CATEGORIES = 1_000_000, 300_000
STEPS = 300
BATCHES = (250, 2_000)  # of which the first is the usual one
PARTS = ("stages", "large", "wide", "processes")
SIZES = (2, 2, 3, 4, 5, 8, 12, 20, 40, 80, 200, 1_000)  # of the columns of categories
WANTED = {"large_mb": 3_000, "wide_mb": 2_000, "two processes": 1.6}


def made_up(rows: int) -> Iterator[pl.DataFrame]:
    """The large table in chunks: 13 numbers, 12 of categories, 4 of dates, an id."""
    weights = np.random.default_rng(0).normal(size=(4, 32))
    for start in range(0, rows, CHUNK):
        count = min(CHUNK, rows - start)
        rng = np.random.default_rng((1, start))
        driven = rng.normal(size=(count, 4)) @ weights / 2 + rng.normal(size=(count, 32)) / 2
        shares = normal(driven / 1.2)
        columns: dict[str, Any] = {"id": [f"C{number:09d}" for number in range(start, start + count)]}
        for k in range(4):
            columns[f"whole_{k}"] = np.round(40 + 15 * driven[:, k]).astype(np.int64)
            columns[f"amount_{k}"] = np.round(np.exp(7 + 1.5 * driven[:, 4 + k]), 2)
            columns[f"level_{k}"] = np.round(driven[:, 8 + k] + 4 * (driven[:, k] > 0.5), 4)
        columns["gain"] = np.where(driven[:, 12] > 1, np.round(np.exp(6 + driven[:, 13])), 0.0)
        for k, size in enumerate(SIZES):
            columns[f"kind_{k}"] = np.char.add(f"k{k}_", (shares[:, 14 + k] ** 2 * size).astype(np.int64).astype(str))
        for k in range(2):
            days = np.datetime64("2015-01-01") + np.round(3_000 * shares[:, 26 + k]).astype("timedelta64[D]")
            columns[f"day_{k}"] = pl.Series(days.astype("datetime64[ms]")).cast(pl.Date)
            seconds = np.round(86_400 * shares[:, 28 + k]).astype("timedelta64[s]")
            columns[f"moment_{k}"] = days.astype("datetime64[ms]") + seconds
        gaps = pl.Series(rng.random(count) < 0.05)
        frame = pl.DataFrame({name: pl.Series(name, values) for name, values in columns.items()})
        yield frame.with_columns(pl.when(~gaps).then(pl.col("level_0", "kind_3")))


def normal(values: np.ndarray) -> np.ndarray:
    """The standard normal distribution function, in (0, 1)."""
    import torch

    return torch.special.ndtr(torch.from_numpy(values)).numpy().clip(1e-9, 1 - 1e-9)


def many(rows: int, categories: int) -> Iterator[pl.DataFrame]:
    """A table with one column of very many categories, whose frequencies fall as in language (Zipf)."""
    names = np.array([f"item {k:06d}" for k in range(categories)])
    chances = 1 / (10 + np.arange(categories))
    edges = np.cumsum(chances / chances.sum())
    for start in range(0, rows, CHUNK):
        count = min(CHUNK, rows - start)
        rng = np.random.default_rng((2, start))
        codes = np.minimum(np.searchsorted(edges, rng.random(count)), categories - 1)
        fresh = np.arange(start, start + count)  # so that every category is there
        codes = np.where(fresh < categories, fresh, codes)
        yield pl.DataFrame(
            {
                "item": names[codes],
                "price": np.round(np.exp(2 + (codes % 97) / 40 + rng.normal(size=count) / 4), 2),
                "shelf": np.char.add("s", (codes % 12).astype(str)),
                "sold": rng.poisson(1 + 50 / (1 + codes % 31)),
            }
        )


def file_of(name: str, rows: int, chunks: Iterator[pl.DataFrame]) -> Path:
    """A made-up table as a Parquet file; made once."""
    from rivals.modalities.tables.writing import write_table

    path = DATA / f"{name}-{rows}.parquet"
    if not path.exists():
        write_table(chunks, path)
    return path


# ---------------------------------------------------------------------------------------------- inside a process


def stage(which: str, source: str, cache: str) -> dict[str, Any]:
    """One stage of preparing, after those before it: its CPU seconds, and what the process had at most."""
    import torch

    from rivals.modalities.tables.encode import encoders_of
    from rivals.modalities.tables.reading import open_table
    from rivals.modalities.tables.store import kept as stored
    from rivals.table_jobs import cells_of, surveyed

    torch.set_num_threads(1)
    libraries = peak()
    marks = {"": time.process_time()}
    table = open_table(source)
    columns, rows = surveyed(table, {}, lambda entry: None)
    marks["reading"] = time.process_time()
    if which != "reading":
        encoders = encoders_of(columns, cells_of(table, columns))
        marks["fitting"] = time.process_time()
    if which == "encoding":
        stored(encoders, lambda: cells_of(table, columns), rows, table.sha256, cache=Path(cache))
        marks["encoding"] = time.process_time()
    last, before = [*marks.values()][-1], [*marks.values()][-2]
    kinds: dict[str, int] = {}
    for column in columns:
        kinds[column.kind] = kinds.get(column.kind, 0) + 1
    return {"rows": rows, "seconds": last - before, "mb": peak(), "libraries_mb": libraries, "kinds": kinds}


def in_own_process(which: str, source: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=RUNS) as cache:
        command = [sys.executable, __file__, "--inside", which, str(source), cache]
        environment = {**os.environ, **ENVIRONMENT, "POLARS_MAX_THREADS": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout.splitlines()[-1])


# ---------------------------------------------------------------------------------------------- parts


def stages(place: Path, rows: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for count in (rows // 10, rows):
        source = file_of("large", count, made_up(count))
        for which in ("reading", "fitting", "encoding"):
            told = kept(place / f"{which}-{count}.json", lambda w=which, s=source: in_own_process(w, s))
            found[f"{which}, {count} rows"] = told | {"seconds a million rows": 1e6 * told["seconds"] / told["rows"]}
    return found


def commands(place: Path, source: Path, steps: int, count: int) -> dict[str, Any]:
    """Training and sampling by the command line."""
    run, out = place / "run", place / "rows.parquet"
    settings = ("--steps", str(steps), "--loggers", "none", "--resume")
    trained = rivals(place / "train.json", "train", str(source), "--out", str(run), *settings, cache=place / "cache")
    out.unlink(missing_ok=True)
    sampled = rivals(place / "sample.json", "sample", str(run), "--count", str(count), "--out", str(out))
    size = out.stat().st_size if out.exists() else None
    batch = json.loads((run / "recipe.json").read_text())["batch"]
    return {
        "before the first round, seconds": trained["before"],
        "round, ms": 1e3 * trained["round"],
        "training, seconds a million rows": 1e6 * trained["round"] / batch,
        "training_mb": trained["trained_mb"],
        "with the verdict_mb": trained["peak_mb"],
        "sampled": count,
        "sampling, seconds a million rows": 1e6 * sampled["whole"] / count,
        "sampling_mb": sampled["peak_mb"],
        "bytes": size,
    }


def large(place: Path, rows: int, steps: int) -> dict[str, Any]:
    return commands(place, file_of("large", rows, made_up(rows)), steps, rows // 2)


def wide(place: Path, rows: int, categories: int, steps: int) -> dict[str, Any]:
    found = commands(place, file_of("wide", rows, many(rows, categories)), steps, rows // 10)
    made = pl.read_parquet(place / "rows.parquet")["item"]
    return found | {"categories": categories, "different ones among the samples": made.n_unique()}


def processes(place: Path, turns: int, seconds: float) -> dict[str, Any]:
    """Seconds a round by the clock, by batch."""
    ways = {"one": (1, 1), "two": (2, 1), "one of two threads": (1, 2)}
    source = str(part("census", "train"))

    def measured(batch: int) -> dict[str, list[float | None]]:
        rates: dict[str, list[float | None]] = {way: [] for way in ways}
        for _ in range(turns):
            for way, (count, threads) in ways.items():
                words = ["--processes", str(count), "--set", f"batch={batch}"]
                rates[way].append(one_rate(source, words, minutes=30, threads=threads, seconds=seconds))
        return rates

    found: dict[str, Any] = {"load": os.getloadavg()}
    for batch in BATCHES:
        rates = kept(place / f"rates-{batch}.json", partial(measured, batch))
        best = {way: statistics.median(rate for rate in each if rate) for way, each in rates.items() if any(each)}
        times = {way: best["one"] / rate for way, rate in best.items()}
        rows = {way: batch / rate for way, rate in best.items()}
        found[f"batch {batch}"] = {"seconds a round": rates, "times": times, "rows a second": rows}
    return found


def main() -> None:
    if sys.argv[1:2] == ["--inside"]:
        print(json.dumps(stage(*sys.argv[2:])))
        return
    options = parser(__doc__)
    options.add_argument("parts", nargs="*", default=list(PARTS), help=", ".join(PARTS))
    given = options.parse_args()
    place = RUNS / "tables-scale-quick" if given.quick else PLACE
    if given.quick:
        shutil.rmtree(place, ignore_errors=True)
    rows, wide_rows, steps = (4_000, 4_000, 6) if given.quick else (ROWS, WIDE_ROWS, STEPS)
    known = place / "found.json"
    found: dict[str, Any] = json.loads(known.read_text()) if known.exists() else {}
    makers = {
        "stages": lambda: stages(place / "stages", rows),
        "large": lambda: large(place / "large", rows, steps),
        "wide": lambda: wide(place / "wide", wide_rows, 1_000 if given.quick else CATEGORIES, steps),
        "processes": lambda: processes(place / "processes", 1 if given.quick else 3, 1 if given.quick else 20),
    }
    for name in given.parts:
        found[name] = makers[name]()
        known.parent.mkdir(parents=True, exist_ok=True)
        known.write_text(json.dumps(found, indent=1))
        if not given.quick:
            write_result("tables_scale", {"wanted": WANTED, "rows": rows, **found})
    for name, values in found.items():
        print(f"\n{name}")
        for what, value in values.items():
            if name == "stages":
                print(f"  {what:36} {value['seconds a million rows']:.1f} s a million rows, {value['mb']:.0f} MB")
            else:
                print(f"  {what:36} {value}")


if __name__ == "__main__":
    main()
