"""kill -9 at random moments: every run must be resumable and end with the bytes of one that nothing happened to.

Trains digits for a fixed number of steps in a child process that writes a checkpoint after every step it can, kills the
child after random times, resumes until it ends, and compares hashes. Writes results/kill_resume.json.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from common import RUNS, write_result


def command(folder: Path, steps: int) -> list[str]:
    words = ["train", "digits", "--steps", str(steps), "--out", str(folder), "--resume", "--checkpoint-every", "0"]
    return [sys.executable, "-m", "rivals", *words, "--loggers", "none", "--set", "generator.options.width=8"]


def bytes_of(folder: Path) -> dict[str, str]:
    names = ("model/generator.safetensors", "model/model.json", "best/generator.safetensors", "pictures/final.png")
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    whole, broken = RUNS / "kill-whole", RUNS / "kill-broken"
    for folder in (whole, broken):
        shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(command(whole, given.steps), env=environment, check=True, stdout=subprocess.DEVNULL)
    expected = bytes_of(whole)
    draw = random.Random(given.seed)
    kills, finished_early = [], 0
    while len(kills) < given.kills:
        child = subprocess.Popen(command(broken, given.steps), env=environment, stdout=subprocess.DEVNULL)
        wait_for_start(broken, child)
        try:
            code = child.wait(timeout=draw.uniform(0.0, 2.5))
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
            kills.append(sorted(path.name for path in (broken / "state").glob("*")))
            continue
        assert code == 0, f"a resumed run ended with exit code {code}"
        assert bytes_of(broken) == expected, "a finished run differs from the unbroken one"
        finished_early += 1
        shutil.rmtree(broken)
    subprocess.run(command(broken, given.steps), env=environment, check=True, stdout=subprocess.DEVNULL)
    same = bytes_of(broken) == expected
    half = sum(any(name.endswith(".part") for name in state) for state in kills)
    values = {
        "kills": len(kills), "steps": given.steps, "same_bytes": same, "killed_while_writing": half,
        "finished_and_begun_again": finished_early, "hashes": expected, "state_at_kill": kills,
    }  # fmt: skip
    write_result("kill_resume", values)
    print(json.dumps({key: values[key] for key in ("kills", "same_bytes", "killed_while_writing")}))
    assert same


def wait_for_start(folder: Path, child: subprocess.Popen) -> None:
    """Until the first checkpoint of a new run, or a few seconds into a resumed one."""
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "state").glob("*.json")}
    until = time.monotonic() + 60
    while time.monotonic() < until and child.poll() is None:
        if {path.name: path.stat().st_mtime_ns for path in (folder / "state").glob("*.json")} != before:
            return
        time.sleep(0.01)


if __name__ == "__main__":
    main()
