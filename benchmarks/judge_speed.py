"""How fast we judge, beside others, in turns in one run.

    python benchmarks/peers/judging.py       # their environment, once
    python benchmarks/judge_speed.py [--threads 2] [--turns 3] [--only frechet|judge]

frechet: the distance of 50,000 rows to 50,000 rows of 2,048 features (float32), from the rows on, against pytorch-fid's
code: numpy's covariances and scipy.linalg.sqrtm. Time and memory beyond the features. Asked: three times as fast.
Beside it the same from given covariances on (`of_distance`), where the two differ.

judge: 10,000 pictures of 32x32 against 10,000, from pictures in memory to the scores, the network loaded before. Each
program has its own loop over the pictures; what it computes, and how, the result says in WAYS' words. The peers get the
same network with the same weights and resizer as a module: ours, with folded batch norms, and once as it is published,
which a user who knows no better would give them. `verb`: `rivals judge` on files, as a user calls it, with nothing kept
from before. Asked: a minute, and 1.5 times the pictures a second of the peers.

Every measurement is a process of its own; one that is done isn't made again. Beside the seconds stand those of the CPU,
all threads and child processes together, which tell more where the machine is shared. Writes results/judge_speed.json.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

import running
import sets
from common import ROOT, RUNS, write_result
from peers import judging
from peers.judging_inside import memory_now, peak, used
from rivals.modalities.images.features import SMALL

HOME = RUNS / "judge-speed"
Measure = Callable[[], dict]
PART = 1000  # pictures that we are given at a time
WAYS = {
    "ours": "FD, kernel distance (100 blocks of 1,000), precision, recall, density and coverage, each with its "
    "interval; `embed` of 1,000 pictures at a time, which makes batches of 32, as many side by side as threads",
    "torchmetrics": "FID and KID (100 subsets of 1,000), `update` of a FeatureShare with 64 pictures at a time; our "
    "network",
    "torchmetrics, published network": "as torchmetrics, with the network of the weights' package",
    "torch-fidelity": "`calculate_metrics` of FID, KID (100 subsets of 1,000), precision and recall, batches of 64, "
    "its own data loader; our network",
    "torch-fidelity, published network": "as torch-fidelity, with the network of the weights' package",
    "verb": "`rivals judge FAKE.npz --against REAL.npz --json`: besides the same scores the floor between two parts of "
    "the real pictures, copies, authenticity, likeness; the start of the program, reading and writing the pictures",
}


def make_features(folder: Path, rows: int, width: int) -> None:
    """Rectified, correlated rows as a network gives them, float32; made in parts."""
    if (folder / "real.npy").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    scales = torch.logspace(0, -1.5, width)
    for name, seed, shift in (("fake", 1, 0.05), ("real", 2, 0.0)):
        drawn = torch.Generator().manual_seed(seed)
        file = np.lib.format.open_memmap(folder / f"{name}.part", "w+", np.float32, (rows, width))
        for start in range(0, rows, 1000):
            part = torch.randn(min(1000, rows - start), width, generator=drawn) + shift
            file[start : start + 1000] = torch.relu(scales * (part + 0.5 * part.roll(1, 1)) + 0.1).numpy()
        file.flush()
        (folder / f"{name}.part").rename(folder / f"{name}.npy")


def make_pictures(folder: Path, count: int) -> None:
    """Held-out digits of 32x32 in RGB, and training digits with some noise; as .npy, and as .npz for the verb."""
    if (folder / "real.npz").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    real, fake = (sets.part("mnist", part)[0][:count, None].repeat(3, 1) for part in ("t10k", "train"))
    fake = (fake + rng.normal(0, 20, fake.shape)).clip(0, 255).round().astype(np.uint8)
    for name, pictures in (("fake", fake), ("real", real)):
        np.save(folder / f"{name}.npy", pictures)
        np.savez(folder / f"{name}.npz", images=pictures.transpose(0, 2, 3, 1))


def ours_frechet(folder: str, threads: str) -> dict:
    """As `judging_inside.frechet`, by our code."""
    from rivals.judging.compare import frechet, frechet_from, moments

    torch.set_num_threads(int(threads))
    fake, real = (torch.from_numpy(np.load(Path(folder) / f"{name}.npy")) for name in ("fake", "real"))
    frechet(fake[:50], real[:50])  # libraries are loaded before the clock starts, as theirs are
    before = memory_now()
    start, began = time.perf_counter(), used()
    value = frechet(fake, real)
    seconds, most = {"seconds": time.perf_counter() - start, "cpu_seconds": used() - began}, peak() - before
    known = (*moments(fake), *moments(real))
    start = time.perf_counter()
    frechet_from(*known)
    alone = time.perf_counter() - start
    return {"value": value, **seconds, "of_distance": alone, "mib_beyond_features": most}


def ours_judge(folder: str, space: str, threads: str) -> dict:
    """Distances of pictures with their intervals, by our code."""
    from rivals.judging.verdict import distances
    from rivals.modalities.images.features import extractor

    torch.set_num_threads(int(threads))
    fake, real = (torch.from_numpy(np.load(Path(folder) / f"{name}.npy")) for name in ("fake", "real"))
    known = extractor(space)
    start, began = time.perf_counter(), used()
    rows = [torch.cat([known.embed(part / 127.5 - 1) for part in pictures.split(PART)]) for pictures in (fake, real)]
    between = time.perf_counter()
    scores, _ = distances(*rows, 0)
    seconds = {"seconds": time.perf_counter() - start, "cpu_seconds": used() - began, "of_embedding": between - start}
    return {"values": scores, **seconds, "peak_mib": peak()}


def verb(folder: Path, space: str, threads: int) -> dict:
    """`rivals judge` on two files, from the start of the process to its end, with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        words = [str(folder / "fake.npz"), "--against", str(folder / "real.npz"), "--features", space]
        command = [sys.executable, "-m", "rivals", "judge", *words, "--count", "10000", "--json"]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "RIVALS_CACHE": cache}
        start, began = time.perf_counter(), used()
        done = subprocess.run(command, cwd=cache, env=environment, capture_output=True, text=True, check=False)
        seconds = {"seconds": time.perf_counter() - start, "cpu_seconds": used() - began}
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return {"values": json.loads(done.stdout)["scores"], **seconds}


def own(task: Callable[..., dict], *words: object) -> dict:
    """A function of this script in a process of its own, as the peers' are."""
    command = [sys.executable, __file__, "--inside", task.__name__, *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout.splitlines()[-1])


def in_turns(home: Path, ways: dict[str, Measure], turns: int) -> list[dict]:
    """Every way once, then again, `turns` times; the load before each is kept beside it."""
    rows = []
    for turn in range(turns):
        for name, measure in ways.items():

            def one(name: str = name, measure: Measure = measure) -> dict:
                load = os.getloadavg()[0]
                return {"way": name, "load": round(load, 2), **measure()}

            rows.append({"turn": turn, **running.kept(home / f"{name}-{turn}.json", one)})
            print(json.dumps(rows[-1]), flush=True)
    return rows


def best(rows: list[dict], way: str, of: str = "seconds") -> float:
    """The least seconds of a way."""
    return min(row[of] for row in rows if row["way"] == way)


def frechet_part(home: Path, rows: int, width: int, threads: int, turns: int) -> dict:
    make_features(home / "features", rows, width)
    folder = home / "features"
    ways = {
        "ours": partial(own, ours_frechet, folder, threads),
        "pytorch-fid": partial(judging.ask, "frechet", folder, threads),
    }
    found = in_turns(home / f"frechet-{threads}", ways, turns)
    values = [row["value"] for row in found]
    return {
        "rows": found,
        "counts": [rows, width],
        "times_as_fast": best(found, "pytorch-fid") / best(found, "ours"),
        "times_as_fast_from_covariances": best(found, "pytorch-fid", "of_distance")
        / best(found, "ours", "of_distance"),
        "values_apart": max(values) / min(values) - 1,
        "wanted": 3.0,
    }


def judge_part(home: Path, count: int, space: str, threads: int, turns: int) -> dict:
    folder = home / f"pictures-{count}"
    make_pictures(folder, count)
    ways: dict[str, Measure] = {
        "ours": partial(own, ours_judge, folder, space, threads),
        "torchmetrics": partial(judging.ask, "judge_torchmetrics", folder, space, threads, ours=True),
        "torchmetrics, published network": partial(
            judging.ask, "judge_torchmetrics", folder, space, threads, "published", ours=True
        ),
        "torch-fidelity": partial(judging.ask, "judge_torch_fidelity", folder, space, threads, ours=True),
        "torch-fidelity, published network": partial(
            judging.ask, "judge_torch_fidelity", folder, space, threads, "published", ours=True
        ),
        "verb": partial(verb, folder, space, threads),
    }
    found = in_turns(home / f"judge-{space.replace(':', '-')}-{threads}", ways, turns)
    distances = [row["values"]["fd"] for row in found]
    return {
        "rows": found,
        "ways": WAYS,
        "space": space,
        "pictures": 2 * count,
        "distances_apart": max(distances) / min(distances) - 1,
        "pictures_a_second": {way: 2 * count / best(found, way) for way in ways},
        "times_as_fast": {way: best(found, way) / best(found, "ours") for way in ways if way not in ("ours", "verb")},
        "seconds_of_the_verb": best(found, "verb"),
        "wanted": {"times_as_fast": 1.5, "seconds_of_the_verb": 60},
    }


def main() -> None:
    parser = running.parser(__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--only", choices=("frechet", "judge"))
    parser.add_argument("--space", default=SMALL, help="feature space of the second part: efficientnet@SIZE")
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(given.threads)  # of all that is started
    judging.make()
    quick = given.quick
    home, turns = (HOME.with_name("judge-speed-quick"), 1) if quick else (HOME, given.turns)
    result: dict = {"threads": given.threads, "turns": turns, "peers": judging.ask("versions")}
    if given.only != "judge":
        result["frechet"] = frechet_part(home, *((3000, 256) if quick else (50_000, 2048)), given.threads, turns)
    if given.only != "frechet":
        result["judge"] = judge_part(home, 200 if quick else 10_000, given.space, given.threads, turns)
    print(json.dumps({part: result[part].get("times_as_fast") for part in ("frechet", "judge") if part in result}))
    if not quick and given.only is None:
        write_result("judge_speed", result)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        task = {each.__name__: each for each in (ours_frechet, ours_judge)}[sys.argv[2]]
        print(json.dumps(task(*sys.argv[3:])))
    else:
        main()
