"""A folder of 500 colour pictures of 128 px, trained without any flag but the time: what is chosen, and what comes out.

The pictures are the built-in procedural portraits (`faces`), written as PNG files. Writes
results/folder_of_pictures.json and leaves the run in benchmarks/runs/folder-MINUTES.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from common import RUNS, write_result
from rivals.modalities.images.cache import load, survey, uncut
from rivals.modalities.images.modality import png


def pictures(count: int) -> Path:
    folder = RUNS / f"pictures-{count}"
    if not folder.exists():
        folder.mkdir(parents=True)
        faces = load(survey(f"faces:open-peeps:{count}"), height=128, width=128, channels=3)
        for number, picture in enumerate(uncut(faces.pixels.float() / 127.5 - 1, 8)):
            (folder / f"{number:04d}.png").write_bytes(png(picture))
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=6)
    given = parser.parse_args()
    run = RUNS / f"folder-{given.minutes:g}"
    command = [
        "-m",
        "rivals",
        "train",
        str(pictures(500)),
        "--minutes",
        str(given.minutes),
        "--out",
        str(run),
        "--resume",
    ]
    subprocess.run([sys.executable, *command], check=True)
    verdict = json.loads((run / "verdict.json").read_text())
    recipe = json.loads((run / "recipe.json").read_text())
    write_result("folder_of_pictures", {"minutes": given.minutes, "verdict": verdict, "recipe": recipe})


if __name__ == "__main__":
    main()
