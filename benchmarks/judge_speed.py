"""How fast we judge, beside others, in turns in one run.

    python benchmarks/peers/judging.py       # their environment, once
    python benchmarks/judge_speed.py [--threads 2] [--turns 3] [--only frechet|judge]

frechet: the distance of 50,000 rows to 50,000 rows of 2,048 features (float32), from the rows on, against pytorch-fid's
code: numpy's covariances and scipy.linalg.sqrtm. Time and memory beyond the features. Asked: three times as fast.
Beside it the same from given covariances on (`of_distance`), where the two differ.

judge: 10,000 pictures of 32x32 against 10,000. `ours`: FD with its interval, kernel distance, precision, recall,
density and coverage with theirs, from pictures in memory; `torchmetrics` (FID and KID, each picture embedded once) and
`torch-fidelity` (FID, KID, precision, recall) with the same feature space as their module, the clock running alike.
`verb`: `rivals judge` on files, as a user calls it, with nothing kept from before. Asked: a minute, and 1.5 times the
pictures a second of the peers.

Every measurement is a process of its own; one that is done isn't made again. Writes results/judge_speed.json.
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
from peers.judging_inside import memory_now, peak
from rivals.modalities.images.features import choose

HOME = RUNS / "judge-speed"
Measure = Callable[[], dict]


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
    start = time.perf_counter()
    value = frechet(fake, real)
    seconds, most = time.perf_counter() - start, peak() - before
    known = (*moments(fake), *moments(real))
    start = time.perf_counter()
    frechet_from(*known)
    alone = time.perf_counter() - start
    return {"value": value, "seconds": seconds, "of_distance": alone, "mib_beyond_features": most}


def ours_judge(folder: str, space: str, threads: str) -> dict:
    """Distances of pictures with their intervals, by our code."""
    from rivals.judging.verdict import distances
    from rivals.modalities.images.features import extractor

    torch.set_num_threads(int(threads))
    fake, real = (torch.from_numpy(np.load(Path(folder) / f"{name}.npy")) for name in ("fake", "real"))
    known = extractor(space)
    start = time.perf_counter()
    rows = [torch.cat([known.embed(part / 127.5 - 1) for part in pictures.split(256)]) for pictures in (fake, real)]
    between = time.perf_counter()
    scores, _ = distances(*rows, 0)
    end = time.perf_counter()
    return {"values": scores, "seconds": end - start, "of_embedding": between - start, "peak_mib": peak()}


def verb(folder: Path, space: str, threads: int) -> dict:
    """`rivals judge` on two files, from the start of the process to its end, with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        words = [str(folder / "fake.npz"), "--against", str(folder / "real.npz"), "--features", space]
        command = [sys.executable, "-m", "rivals", "judge", *words, "--count", "10000", "--json"]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "RIVALS_CACHE": cache}
        start = time.perf_counter()
        done = subprocess.run(command, cwd=cache, env=environment, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return {"values": json.loads(done.stdout)["scores"], "seconds": seconds}


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
        "torch-fidelity": partial(judging.ask, "judge_torch_fidelity", folder, space, threads, ours=True),
        "verb": partial(verb, folder, space, threads),
    }
    found = in_turns(home / f"judge-{space.replace(':', '-')}-{threads}", ways, turns)
    return {
        "rows": found,
        "space": space,
        "pictures": 2 * count,
        "pictures_a_second": {way: 2 * count / best(found, way) for way in ways},
        "times_as_fast": {way: best(found, way) / best(found, "ours") for way in ("torchmetrics", "torch-fidelity")},
        "seconds_of_the_verb": best(found, "verb"),
        "wanted": {"times_as_fast": 1.5, "seconds_of_the_verb": 60},
    }


def main() -> None:
    parser = running.parser(__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--only", choices=("frechet", "judge"))
    parser.add_argument("--space", default=choose("folder", side=32), help="feature space of the second part")
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(given.threads)  # of all that is started
    judging.make()
    quick = given.quick
    home, turns = (HOME.with_name("judge-speed-quick"), 1) if quick else (HOME, given.turns)
    result: dict = {"threads": given.threads, "turns": turns, "peers": judging.ask("versions")}
    if given.only != "judge":
        result["frechet"] = frechet_part(home, *((3000, 256) if quick else (50_000, 2048)), given.threads, turns)
    if given.only != "frechet":
        space = "random" if quick else given.space
        result["judge"] = judge_part(home, 200 if quick else 10_000, space, given.threads, turns)
    print(json.dumps({part: result[part].get("times_as_fast") for part in ("frechet", "judge") if part in result}))
    if not quick and given.only is None:
        write_result("judge_speed", result)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        task = {each.__name__: each for each in (ours_frechet, ours_judge)}[sys.argv[2]]
        print(json.dumps(task(*sys.argv[3:])))
    else:
        main()
