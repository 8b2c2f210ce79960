"""One run of each other way to edit pictures, some minutes each: blur, JPEG's blocks, colours, pairs, a style.

    python benchmarks/edit_tasks.py

Photographs and their parts are those of edit_restore.py; pairs are OpenMoji's emoji as lines and in colours (sets.py);
the painting is "Autumn" of the Debian package plasma-workspace-wallpapers. Verdicts are those of the runs themselves,
on pictures that they held out, beside what has learned nothing. Resumable; writes results/edit_tasks.json after every
run, and `edit_page.py` puts pictures into docs/images.
"""

from functools import partial
from pathlib import Path
from typing import Any

import photos
import running
import sets
from common import RUNS, write_result
from edit_restore import part

HOME = RUNS / "edit-tasks"
TASKS = ("deblur", "deblock", "colourise", "pairs", "style")


def words_of(task: str) -> tuple[str, list[str]]:
    """What is learned from, and the words of the command line."""
    if task == "pairs":
        return sets.source("openmoji"), ["--task", "pairs"]
    if task == "style":
        folder = photos.unpacked("plasma-workspace-wallpapers", sets.DATA / "download" / "photos")
        return str(part("learn")), ["--style", str(folder / "wallpapers/Autumn/contents/images/2560x1600.jpg")]
    return str(part("learn")), ["--task", task]


def one(*, task: str, seed: int, ending: list[str], folder: Path, threads: int) -> dict[str, Any]:
    """Train one, and read its verdict."""
    source, words = words_of(task)
    verdict = running.train(folder, source, [*words, *ending, "--seed", str(seed)], threads=threads)
    kept = ("scores", "intervals", "baselines", "guards", "notes", "step", "seconds", "protocol")
    return {"task": task, "seed": seed, **{key: verdict.get(key) for key in kept}}


def main() -> None:
    parser = running.parser(__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--tasks", default=",".join(TASKS))
    given = parser.parse_args()
    home = RUNS / "edit-tasks-quick" if given.quick else HOME
    ending = ["--loggers", "none"] + (["--steps", "3"] if given.quick else ["--minutes", f"{given.minutes:g}"])
    tasks = [
        partial(one, task=task, seed=0, ending=ending, folder=home / task, threads=given.threads)
        for task in given.tasks.split(",")
    ]

    def save(rows: list[dict]) -> None:
        if not given.quick:
            data = {"photographs": sets.provenance("photos"), "pairs": sets.provenance("openmoji")}
            how = {"minutes": given.minutes, "threads": given.threads, "jobs": given.jobs, "data": data}
            write_result("edit_tasks", {"rows": rows, **how})

    for row in running.each(tasks, jobs=given.jobs, done=save):
        beside = {way: told["scores"] for way, told in (row.get("baselines") or {}).items()}
        print(row["task"], row.get("error") or row["scores"], beside, flush=True)


if __name__ == "__main__":
    main()
