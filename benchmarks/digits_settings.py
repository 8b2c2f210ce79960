"""Why the defaults for small pictures on a CPU are what they are: one setting changed at a time, the same steps each.

Trains `digits` 1,500 steps for every variant (resumable: a finished one is not trained again) and writes
results/digits_settings.json. One seed each: differences of less than about a tenth mean nothing.
"""

import json
import os
import subprocess
import sys

from common import RUNS, write_result

VARIANTS = {
    "default": {},
    "lr 2e-3": {"optimizer.lr": "2e-3"},
    "lr 4e-3": {"optimizer.lr": "4e-3"},
    "lr 8e-3": {"optimizer.lr": "8e-3"},
    "penalties every step": {"critic_terms.r1.every": "1", "critic_terms.r2.every": "1"},
    "penalties every 4 steps": {"critic_terms.r1.every": "4", "critic_terms.r2.every": "4"},
    "other fakes for the generator": {"share_fakes": "false"},
    "auxiliary classifier": {"critic.options.condition": "auxiliary"},
    "no augmentation": {"augment.operations": "[]"},
}


def one(name: str, changes: dict[str, str], steps: int) -> dict:
    folder = RUNS / ("settings3-" + name.replace(" ", "-"))
    words = [part for path, value in changes.items() for part in ("--set", f"{path}={value}")]
    command = ["-m", "rivals", "train", "digits", "--steps", str(steps), "--out", str(folder), "--resume", *words]
    subprocess.run([sys.executable, *command], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    verdict = json.loads((folder / "verdict.json").read_text())
    return {"name": name, "changes": changes, "scores": verdict["scores"], "seconds": verdict["seconds"]}


def main() -> None:
    steps = 1500
    rows = [one(name, changes, steps) for name, changes in VARIANTS.items()]
    write_result("digits_settings", {"steps": steps, "threads": 1, "seed": 0, "rows": rows})
    for row in rows:
        print(f"{row['name']:32} {row['scores']['fd_share']:.2f} %  {row['scores']['agreement']:.1f} %")


if __name__ == "__main__":
    main()
