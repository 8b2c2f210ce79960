"""Pictures restored: enlarged, without noise, with holes filled, beside filters and the same network by L1 alone.

    python benchmarks/edit_restore.py --cases super-resolution-4,denoise-grey

Some fifty photographs (photos.py), a part of them held out, each task for its minutes on two threads, as
`rivals train photos --task ...` does it; the verdicts are those of the runs themselves, on held-out pictures, each
beside the baselines that have learned nothing. The distance "perceptual" is Rivals' own, in EfficientNet-Lite0
(docs/edit.md), not LPIPS. With `--budget steps` other work may go on, and the minutes are those of a quiet machine
(running.py). Resumable; writes results/edit_restore.json after every run and docs/images/edit-CASE.png.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

import running
import sets
from common import ROOT, RUNS, write_result

STROKES = ("--set", "data.damage.share=[0.25,0.25]", "--set", "data.damage.boxes=0")
QUICK = ("--steps", "3", "--set", "data.crop=32")


class Case(NamedTuple):
    """A task: the words that ask for it, its minutes, and whether the same network by L1 alone stands beside it."""

    words: tuple[str, ...]
    minutes: float
    beside: bool = True


CASES = {
    "super-resolution-4": Case(("--task", "super-resolution", "--scale", "4"), 20.0),
    "super-resolution-2-plain": Case(("--task", "super-resolution", "--scale", "2", "--method", "plain"), 20.0, False),
    "denoise-colour": Case(("--task", "denoise"), 10.0),
    "denoise-grey": Case(("--task", "denoise", "--set", "data.channels=1"), 10.0),
    "inpaint": Case(("--task", "inpaint", *STROKES), 20.0, False),
}
WANTED = {
    "super-resolution-4": "perceptual at most 0.75 of bicubic's and below plain's; PSNR at most 1.5 dB below plain's",
    "super-resolution-2-plain": "PSNR at least 1.0 dB above bicubic's",
    "denoise-colour": "PSNR at least 2 dB above non-local means', perceptual below it",
    "denoise-grey": "PSNR at least 2 dB above non-local means', perceptual below it",
    "inpaint": "perceptual and FD below Telea's and biharmonic's",
}


def arms(cases: Mapping[str, Case]) -> dict[str, tuple[str, tuple[str, ...], float]]:
    """Every run: its case, its words and its minutes, by name."""
    found = {}
    for name, case in cases.items():
        found[name] = (name, case.words, case.minutes)
        if case.beside:
            found[f"{name}-plain"] = (name, (*case.words, "--method", "plain"), case.minutes)
    return found


def one(*, arm: str, case: str, seed: int, words: tuple[str, ...], folder: Path, threads: int) -> dict[str, Any]:
    """Train one network and read its verdict."""
    asked = [*words, "--seed", str(seed)]
    verdict = running.train(folder, sets.source("photos"), asked, threads=threads)
    if seed == 0 and "quick" not in folder.parent.name:
        gallery(folder / "pictures", ROOT / "docs" / "images" / f"edit-{arm}.png")
    kept = ("scores", "intervals", "baselines", "guards", "notes", "step", "seconds", "protocol")
    row = {"arm": arm, "case": case, "seed": seed, "words": asked, "method": running.recipe(folder)["method"]}
    return {**row, **{key: verdict[key] for key in kept}}


def gallery(pictures: Path, place: Path, rows: int = 3) -> None:
    """Some pictures of a verdict as one: a row for each, as given, as made, as it truly is."""
    lines = []
    for number in range(1, rows + 1):
        parts = [pictures / f"edit-{number}-{part}.png" for part in ("given", "made", "true")]
        if all(part.exists() for part in parts):
            lines.append([Image.open(part).convert("RGB") for part in parts])
    if not lines:
        return
    gap = 4
    width = max(sum(picture.width + gap for picture in line) for line in lines) - gap
    sheet = Image.new("RGB", (width, sum(line[0].height + gap for line in lines) - gap), "white")
    top = 0
    for line in lines:
        left = 0
        for picture in line:
            sheet.paste(picture, (left, top))
            left += picture.width + gap
        top += line[0].height + gap
    aside = place.with_suffix(".part")
    sheet.save(aside, "PNG")
    aside.rename(place)


def main() -> None:
    parser = running.parser(__doc__)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--budget", choices=("minutes", "steps"), default="minutes")
    given = parser.parse_args()
    home = RUNS / ("edit-restore-quick" if given.quick else "edit-restore")
    photos = sets.provenance("photos")  # makes what isn't there, before runs side by side ask for it
    wanted = arms({name: CASES[name] for name in given.cases.split(",")})
    rates: dict = {}
    if given.budget == "steps" and not given.quick:
        asked = {arm: (sets.source("photos"), words) for arm, (_, words, _) in wanted.items()}
        rates = running.rates(home / "rates.json", asked, minutes=10.0)
    tasks = []
    for arm, (case, words, minutes) in wanted.items():
        end = QUICK if given.quick else running.budget(given.budget, minutes, rates.get(arm, {}).get("best"))
        for seed in range(given.seeds):
            folder = home / f"{arm}-{given.budget}-{given.threads}t-{seed}"
            task = partial(one, arm=arm, case=case, seed=seed, words=(*words, *end), folder=folder)
            tasks.append(partial(task, threads=given.threads))
    how = {"budget": given.budget, "threads": given.threads, "jobs": given.jobs, "rates": rates, "data": photos}

    def save(rows: list[dict]) -> None:
        if not given.quick:
            write_result("edit_restore", {"wanted": WANTED, "rows": rows, **how})

    for row in running.each(tasks, jobs=given.jobs, done=save):
        beside = {way: scores["scores"] for way, scores in row.get("baselines", {}).items()}
        print(row["arm"], row.get("error") or row["scores"], beside, flush=True)


if __name__ == "__main__":
    main()
