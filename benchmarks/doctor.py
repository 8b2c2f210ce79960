"""Whether `rivals doctor` names what was planted: short runs with known faults, and healthy ones.

    python benchmarks/doctor.py             # results/doctor.json; resumable, a finished run is not trained again
    python benchmarks/doctor.py --quick     # a smoke run of a few plants; writes no result

Every run is one of `faults.py` on 5,000 pictures of MNIST or Fashion-MNIST at 32x32, with networks of 8 channels at
full resolution, trained by `rivals.train` in a process of its own, where a patch is made before it is called. The
doctor reads the run's folder afterwards, which names neither fault nor patch. Its thresholds were set on seed 100 of
MNIST and Fashion-MNIST; the runs reported are of the seeds given here, never 100. What it says of the longer runs of
other benchmarks, as far as they are there, is listed beside: nothing was planted in those.
"""

import argparse
import json
import multiprocessing
import os
import time
import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import faults
import sets
from common import RUNS, write_result
from rivals import api, picture_jobs
from rivals.engine.errors import StoppedError
from rivals.judging.doctor import examine

DEVELOPED_ON = 100  # the seed that thresholds were set on
WIDTH = {"generator.options.width": 8, "critic.options.width": 8}
PLANTS = {**faults.FAULTS, **faults.HEALTHY}


class Trained(Exception):  # noqa: N818
    """Raised when a run begins to judge itself, which takes longer than to train it, and which the doctor needs not."""


def stop_at_judging(entry: Mapping[str, Any]) -> None:
    """Told of all that a run says."""
    if entry["kind"] == "judging":
        raise Trained


def child(plant: faults.Plant, arrays: Path, folder: Path, seed: int, steps: int, said: Path) -> None:
    """Train one run and leave; how it ended goes to a file. Quick verdicts use few samples: they aren't the subject."""
    torch.set_num_threads(1)
    os.nice(max(19 - os.nice(0), 0))
    known = picture_jobs.extractor
    picture_jobs.extractor = lambda *given, **more: replace(known(*given, **more), quick=200, full=400)
    if plant.patch:
        faults.PATCHES[plant.patch]()
    settings: dict[str, Any] = {**WIDTH, **plant.settings}
    if plant is PLANTS["gamma x1000"]:
        with np.load(arrays, allow_pickle=False) as held:
            settings |= faults.gamma_settings(held["images"])
    changes = {path: str(value) for path, value in settings.items()}
    ending = "trained"
    try:
        api.train(arrays, out=folder, method=plant.method, changes=changes, steps=steps, seed=seed, features="random",
              resume=True, loggers=(), tell=stop_at_judging)  # fmt: skip
    except Trained:
        pass
    except StoppedError as error:
        ending = f"stopped: {error}"
    except KeyboardInterrupt:
        os._exit(130)  # goes on next time
    except Exception:
        ending = f"failed: {traceback.format_exc()[-2000:]}"
    said.write_text(json.dumps({"ending": ending, "changes": changes, "cpu_seconds": round(time.process_time(), 1)}))
    os._exit(0)


def trained(home: Path, name: str, which: str, seed: int, steps: int) -> Path:
    """The folder of a run, made where it isn't there."""
    key = f"{which}-{list(PLANTS).index(name):02d}-{seed}"
    folder, said = home / key, home / "said" / f"{key}.json"
    if not said.exists():
        said.parent.mkdir(parents=True, exist_ok=True)
        plant = PLANTS[name]
        images, labels = sets.part(which, "train")
        arrays = home / "data" / f"{key}.npz"
        arrays.parent.mkdir(exist_ok=True)
        images, labels = plant.data(images, labels, np.random.default_rng(1000 * seed + list(PLANTS).index(name)))
        np.savez(arrays, images=images, labels=labels)
        began = time.monotonic()
        task = multiprocessing.get_context("fork").Process(
            target=child, args=(plant, arrays, folder, seed, steps, said)
        )
        task.start()
        task.join()
        if not said.exists():
            raise SystemExit(f"{key} was interrupted; the same command goes on with it")
        print(f"{key}: {name}, {time.monotonic() - began:.0f} s", flush=True)
    return folder


def row(home: Path, name: str, which: str, seed: int, steps: int) -> dict[str, Any]:
    """A run, and what the doctor says of it."""
    folder = trained(home, name, which, seed, steps)
    told = json.loads((home / "said" / f"{folder.name}.json").read_text())
    if told["ending"].startswith("failed"):
        return {"fault": name, "set": which, "seed": seed, "error": told["ending"][-200:]}
    found = [finding for finding in examine(folder).findings if finding.problem]
    names = PLANTS[name].names
    first = found[0].name if found else "healthy"
    return {
        "fault": name,
        "set": which,
        "seed": seed,
        "wanted": list(names) or ["healthy"],
        "first": first,
        "right": first in (names or ("healthy",)),
        "found": [[finding.name, finding.weight, finding.words] for finding in found],
        "ending": told["ending"][:80],
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The shares that count, and the confusion table."""
    good = [one for one in rows if "error" not in one]
    planted = [one for one in good if one["wanted"] != ["healthy"]]
    well = [one for one in good if one["wanted"] == ["healthy"]]
    table: dict[str, Counter[str]] = {}
    for one in good:
        table.setdefault(one["fault"], Counter())[one["first"]] += 1

    def share(some: list[dict[str, Any]]) -> float | None:
        return round(sum(one["right"] for one in some) / len(some), 4) if some else None

    return {
        "planted": len(planted),
        "named_first": share(planted),
        "healthy": len(well),
        "no_alarm": share(well),
        "errors": len(rows) - len(good),
        "confusion": {name: dict(counts) for name, counts in table.items()},
    }


def grown() -> dict[str, list[str]]:
    """Problems found in the runs that other benchmarks made, by folder."""
    homes = ("quality", "methods", "judging", "stacked", "colour", "small")
    folders = [file.parent for home in homes for file in sorted((RUNS / home).glob("*/verdict.json"))]
    return {
        str(folder.relative_to(RUNS)): [found.name for found in examine(folder).findings if found.problem]
        for folder in folders
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke run of a few plants; writes no result")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--steps", type=int, default=400)
    given = parser.parse_args()
    home = RUNS / ("doctor-quick" if given.quick else "doctor")
    names = ["duplicates", "healthy"] if given.quick else list(PLANTS)
    kinds = ["mnist"] if given.quick else ["mnist", "fashion"]
    steps, seeds = (40, [0]) if given.quick else (given.steps, given.seeds)
    rows = []
    for seed in seeds:
        for name in names:
            for which in kinds:
                rows.append(row(home, name, which, seed, steps))
                print({key: value for key, value in rows[-1].items() if key != "found"}, flush=True)
                if not given.quick:
                    write_result("doctor", {"wanted": [0.85, 0.9], **summary(rows), **protocol(given), "rows": rows})
    print(json.dumps(summary(rows), indent=1))
    if not given.quick:
        others = {"runs_of_other_benchmarks": grown()}
        write_result("doctor", {"wanted": [0.85, 0.9], **summary(rows), **protocol(given), **others, "rows": rows})


def protocol(given: argparse.Namespace) -> dict[str, Any]:
    """What the numbers mean."""
    return {
        "protocol": {
            "steps": given.steps,
            "seeds": given.seeds,
            "developed_on_seed": DEVELOPED_ON,
            "networks": "DCGAN's, 8 channels at full resolution (16 where it says wider)",
            "pictures": faults.PICTURES,
            "data": {name: sets.provenance(name) for name in ("mnist", "fashion")},
            "right": "the first finding is one of `wanted`; for a healthy run there is none beyond notes",
            "plants": {name: list(plant.names) for name, plant in PLANTS.items()},
        }
    }


if __name__ == "__main__":
    main()
