"""All benchmarks, one after another; what has a result is left out, and what was begun goes on.

`python benchmarks/all.py --again` measures everything anew. Nothing else should run on the machine. More than four
hours on two cores; `--only NAME,NAME` takes some. (The peers of `speed_peers` are fetched by `peers/fetch.py` first,
those of tables by `tables_peers.py`; without them it is left out. `train_digits_judge.py` makes the shipped classifier,
and is run by hand.)
"""

import argparse
import subprocess
import sys

from common import RESULTS, ROOT, RUNS

ORDER = {  # script and its words by the result it writes
    "startup": (),
    "demo_digits": (),
    "kill_resume": (),
    "sizes": (),
    "digits_settings": (),
    "folder_of_pictures": (),
    "memory_pictures": (),
    "judges": (),
    "judging_cost": (),
    "spaces": (),
    "judge_inception": (),
    "judge_equal": (),
    "judge_speed": (),
    "quality_digits": (),
    "quality_methods": ("--jobs", "2", "--threads", "1"),
    "modes_stacked": ("--jobs", "2", "--threads", "1"),
    "toys": (),
    "small_data": (),
    "memorisation": (),
    "gamma_rule": ("--jobs", "2", "--threads", "1"),
    "doctor": (),
    "colour": (),
    "speed_share": ("share", "memory", "curves", "methods"),
    "speed_peers": (),
    "tables_equal": (),
    "tables_speed": (),
    "tables_quality": (),
    "tables_quality_10": ("--minutes", "10", "--sets", "adult", "--arms", "rivals"),
    "tables_augment": (),
    "tables_scale": (),
}
SCRIPTS = {"speed_share": "speed_parts", "tables_quality_10": "tables_quality"}  # where named otherwise
RUN_BY_RUN = {
    "judging_cost",
    "spaces",
    "quality_digits",
    "quality_methods",
    "modes_stacked",
    "toys",
    "small_data",
    "memorisation",
    "gamma_rule",
    "doctor",
    "colour",
    "tables_speed",
    "tables_quality",
    "tables_quality_10",
    "tables_augment",
    "tables_scale",
}
"""Scripts that write a result after every run: one that is there may be of some runs only, so they go on."""

NEED_PEERS = {"tables_speed", "tables_quality"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--only", default=",".join(ORDER), help="some, by comma")
    given = parser.parse_args()
    for name in given.only.split(","):
        if not given.again and name not in RUN_BY_RUN and (RESULTS / f"{name}.json").exists():
            continue
        if name == "speed_peers" and not (RUNS / "peers").exists():
            print("speed_peers needs its peers: python benchmarks/peers/fetch.py")
            continue
        if name in NEED_PEERS and not (RUNS / "tables-peers" / "venv").exists():
            print(f"{name} needs its peers: python benchmarks/tables_peers.py")
            continue
        print(f"== {name}", flush=True)
        script = ROOT / "benchmarks" / f"{SCRIPTS.get(name, name)}.py"
        subprocess.run([sys.executable, str(script), *ORDER[name]], check=True)
    for page in ("tables", "methods_page"):
        subprocess.run([sys.executable, str(ROOT / "benchmarks" / f"{page}.py")], check=True)


if __name__ == "__main__":
    main()
