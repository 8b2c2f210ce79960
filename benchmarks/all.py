"""All benchmarks, one after another; what has a result is left out, and what was begun goes on.

    python benchmarks/all.py              # everything
    python benchmarks/all.py methods      # a part: engine, methods, judging, tables, edits

`--again` measures anew; `--only NAME,NAME` takes some. Nothing else should run on the machine. The README beside this
file says how long each takes: `methods` less than four hours on two cores, `tables` about five. The peers of
`speed_peers` are fetched by `peers/fetch.py` first, those of tables by `tables_peers.py`, or they are left out.
`train_digits_judge.py` makes the shipped classifier, and is run by hand.
"""

import argparse
import subprocess
import sys

from common import RESULTS, ROOT, RUNS

TWO = ("--jobs", "2", "--threads", "1")  # runs side by side, a thread each
PARTS = {  # script and its words by the result it writes
    "engine": {
        "startup": (),
        "demo_digits": (),
        "kill_resume": (),
        "sizes": (),
        "digits_settings": (),
        "folder_of_pictures": (),
        "memory_pictures": (),
        "speed_share": ("share", "memory", "curves", "methods"),
        "speed_peers": (),
    },
    "methods": {
        "judges": (),
        "quality_digits": (),
        "quality_methods": TWO,
        "modes_stacked": TWO,
        "toys": (),
        "small_data": (),
        "gamma_rule": TWO,
        "colour": (),
    },
    "judging": {
        "judging_cost": (),
        "spaces": (),
        "judge_inception": (),
        "judge_equal": (),
        "judge_speed": (),
        "memorisation": (),
        "doctor": (),
    },
    "tables": {
        "tables_equal": (),
        "tables_speed": (),
        "tables_quality": (),
        "tables_quality_10": ("--minutes", "10", "--sets", "adult", "--arms", "rivals"),
        "tables_augment": (),
        "tables_privacy": (),
        "tables_scale": (),
    },
    "edits": {
        "edit_tiles": (),
        "edit_restore": (),
        "edit_unpaired": (),
        "edit_tasks": (),
    },
}
SCRIPTS = {"speed_share": "speed_parts", "tables_quality_10": "tables_quality"}  # where named otherwise
WHOLE = {
    "startup",
    "demo_digits",
    "kill_resume",
    "sizes",
    "digits_settings",
    "folder_of_pictures",
    "memory_pictures",
    "speed_share",
    "speed_peers",
    "judges",
    "judge_inception",
    "judge_equal",
    "judge_speed",
    "tables_equal",
    "edit_tiles",
}
"""Scripts whose result, where it is there, is of all runs; others write theirs after every run, so they go on."""

NEED_PEERS = {"tables_speed", "tables_quality"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all if none is given")
    parser.add_argument("--only", help="some, by comma")
    given = parser.parse_args()
    unknown = sorted(set(given.parts) - set(PARTS))
    if unknown:
        parser.error(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    words = {name: said for part in given.parts or PARTS for name, said in PARTS[part].items()}
    for name in given.only.split(",") if given.only else words:
        if not given.again and name in WHOLE and (RESULTS / f"{name}.json").exists():
            continue
        if name == "speed_peers" and not (RUNS / "peers").exists():
            print("speed_peers needs its peers: python benchmarks/peers/fetch.py")
            continue
        if name in NEED_PEERS and not (RUNS / "tables-peers" / "venv").exists():
            print(f"{name} needs its peers: python benchmarks/tables_peers.py")
            continue
        print(f"== {name}", flush=True)
        script = ROOT / "benchmarks" / f"{SCRIPTS.get(name, name)}.py"
        subprocess.run([sys.executable, str(script), *words[name]], check=True)
    for page in ("tables", "methods_page"):
        subprocess.run([sys.executable, str(ROOT / "benchmarks" / f"{page}.py")], check=True)


if __name__ == "__main__":
    main()
