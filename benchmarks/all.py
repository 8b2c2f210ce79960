"""All benchmarks that need nothing from outside, one after another; what has a result already is left out.

`python benchmarks/all.py --again` measures everything anew. Nothing else should run on the machine meanwhile.
(`train_digits_judge.py` needs the MNIST files and is run by hand: it makes the shipped classifier.)
"""

import argparse
import subprocess
import sys

from common import RESULTS, ROOT

ORDER = ("startup", "demo_digits", "kill_resume", "sizes", "digits_settings", "folder_of_pictures", "memory_pictures")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="store_true")
    again = parser.parse_args().again
    for name in ORDER:
        if again or not (RESULTS / f"{name}.json").exists():
            print(f"== {name}", flush=True)
            subprocess.run([sys.executable, str(ROOT / "benchmarks" / f"{name}.py")], check=True)
    subprocess.run([sys.executable, str(ROOT / "benchmarks" / "tables.py")], check=True)


if __name__ == "__main__":
    main()
