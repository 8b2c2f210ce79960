"""The demo's numbers: `rivals train digits --minutes 2.8` on this machine, for several seeds.

Writes results/demo_digits.json. A seed that is done is not trained again (benchmarks/runs/demo-SEED). With `--as-first`
later seeds get the steps that the first one made by the clock, so that a busy machine changes nothing.
"""

import argparse
import json
import subprocess
import sys

from common import RUNS, write_result


def one(seed: int, minutes: float, as_first: bool) -> dict:
    folder = RUNS / f"demo-{minutes:g}-{seed}"
    end = ["--minutes", str(minutes)]
    if as_first and seed:
        end = ["--steps", str(json.loads((RUNS / f"demo-{minutes:g}-0" / "verdict.json").read_text())["step"])]
    command = ["-m", "rivals", "train", "digits", *end, "--seed", str(seed)]
    subprocess.run([sys.executable, *command, "--out", str(folder), "--resume"], check=True)
    verdict = json.loads((folder / "verdict.json").read_text())
    return {"seed": seed, **{key: verdict[key] for key in ("scores", "floor", "neighbours", "step", "seconds", "best")}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=2.8)
    parser.add_argument("--as-first", action="store_true")
    given = parser.parse_args()
    runs = [one(seed, given.minutes, given.as_first) for seed in range(given.seeds)]
    protocol = json.loads((RUNS / f"demo-{given.minutes:g}-0" / "verdict.json").read_text())["protocol"]
    recipe = json.loads((RUNS / f"demo-{given.minutes:g}-0" / "recipe.json").read_text())
    write_result(
        "demo_digits",
        {"minutes": given.minutes, "as_first": given.as_first, "runs": runs, "protocol": protocol, "recipe": recipe},
    )


if __name__ == "__main__":
    main()
