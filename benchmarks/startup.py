"""How long Rivals takes to begin: `rivals --help`, `import rivals` on top of torch, and the first training step.

Medians of several runs; the libraries' files are warm, Rivals' own cache is empty. Writes results/startup.json.
"""

import os
import shutil
import statistics
import subprocess
import sys
import time

from common import RUNS, write_result


def seconds(words: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def inside(code: str, *words: str) -> float:
    told = subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True, text=True).stdout
    return float(told.split()[-1])


def first_step() -> float:
    """From the command to the first line of the log, which comes after the first step; nothing cached."""
    folder = RUNS / "startup"
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "rivals", "train", "digits", "--steps", "100000", "--out", str(folder / "run")]
    environment = {**os.environ, "RIVALS_CACHE": str(folder / "cache")}
    began = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as running:
        while not (folder / "run" / "log.jsonl").exists() and running.poll() is None:
            time.sleep(0.01)
        took = time.perf_counter() - began
        running.kill()
    return took


def main() -> None:
    measure = {
        "help": lambda: seconds([sys.executable, "-m", "rivals", "--help"]),
        "import_rivals_on_top_of_torch": lambda: inside(
            "import torch, time; t = time.perf_counter(); import rivals; rivals.train; print(time.perf_counter() - t)"
        ),
        "first_step_of_train_digits": first_step,
    }
    for one in measure.values():
        one()  # warms files up
    values = {name: sorted(one() for _ in range(5)) for name, one in measure.items()}
    medians = {name: round(statistics.median(all_), 2) for name, all_ in values.items()}
    print(medians)
    write_result("startup", {"unit": "seconds", "median": medians, "all": values})


if __name__ == "__main__":
    main()
