"""How long Rivals takes to begin: `rivals --help`, `import rivals` on top of torch, and the first training step.

Medians of several runs, files warm. Writes results/startup.json.
"""

import shutil
import statistics
import subprocess
import sys
import time

from common import RUNS, write_result

FIRST_STEP = """
import sys, time
begun = time.perf_counter()
import rivals
class Seen(Exception): pass
def tell(entry):
    if entry["kind"] == "round":
        print(time.perf_counter() - begun); raise Seen
try: rivals.train("digits", out=sys.argv[1], steps=10, loggers=("tensorboard",), tell=tell)
except Seen: pass
"""


def seconds(words: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def inside(code: str, *words: str) -> float:
    told = subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True, text=True).stdout
    return float(told.split()[-1])


def first_step() -> float:
    folder = RUNS / "startup"
    shutil.rmtree(folder, ignore_errors=True)
    return inside(FIRST_STEP, str(folder))


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
