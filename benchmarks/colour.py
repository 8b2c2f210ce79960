"""Colour pictures at 64x64: faces that DiceBear draws and Twemoji, 15 minutes each, with a sheet of each.

    python benchmarks/colour.py

Judged by Rivals itself in the features of an EfficientNet-Lite0 trained on ImageNet (`--features efficientnet`, 1,000
samples against the held-out pictures). Nothing else should run on the machine; with `--budget steps` something may, and
the minutes are then those of two threads of a quiet machine (running.py). Resumable; writes results/colour.json and
docs/images/colour-NAME.png.
"""

from functools import partial
from pathlib import Path

import judges
import rivals
import running
import sets
from common import ROOT, RUNS, write_result
from rivals.engine.files import write_whole
from rivals.modalities.images.cache import cut, load, survey

NAMES = ("faces", "emoji")
SHEETS = ROOT / "docs" / "images"
SPACE = ("--features", "efficientnet")
QUICK = ("--set", "data.height=16", "--set", "data.width=16", "--steps", "5")


def one(*, data: str, seed: int, words: tuple[str, ...], space: str, folder: Path, sheets: Path, threads: int) -> dict:
    """Train one set and write its sheet."""
    asked = [*words, "--seed", str(seed), "--features", space]
    verdict = running.train(folder, sets.source(data), asked, threads=threads)
    model = rivals.load(folder)
    if seed == 0:
        sheets.mkdir(parents=True, exist_ok=True)
        sheet = model.modality.sheet(judges.draw(model, 80, seed=2), least=1)  # type: ignore[attr-defined]
        write_whole(sheets / f"colour-{data}.png", sheet)
        write_whole(sheets / f"colour-{data}-real.png", real_sheet(data, model))
    row = {"data": data, "seed": seed, "words": asked, "provenance": sets.provenance(data)}
    return {**row, **{key: verdict[key] for key in ("scores", "floor", "neighbours", "step", "seconds", "protocol")}}


def real_sheet(data: str, model: rivals.Model) -> bytes:
    """Held-out pictures beside which samples can be looked at."""
    images = model.modality
    size = {name: getattr(images, name) for name in ("height", "width", "channels")}
    pictures = load(survey(sets.source(data)), **size)
    return images.sheet(cut(pictures, pictures.held_out[:80]), least=1)  # type: ignore[attr-defined]


def main() -> None:
    parser = running.parser(__doc__)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--data", default=",".join(NAMES))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--budget", choices=("minutes", "steps"), default="minutes")
    given = parser.parse_args()
    home = RUNS / ("colour-quick" if given.quick else "colour")
    for name in given.data.split(","):
        sets.provenance(name)  # makes what isn't there, before runs side by side ask for it
    rates: dict = {}
    if given.budget == "steps":
        wanted = {name: (sets.source(name), SPACE) for name in given.data.split(",")}
        rates = running.rates(home / "rates.json", wanted, minutes=given.minutes, quick=given.quick)
    tasks = [
        partial(
            one,
            data=name,
            seed=seed,
            words=QUICK
            if given.quick
            else tuple(running.budget(given.budget, given.minutes, rates.get(name, {}).get("best"))),
            space="digits" if given.quick else "efficientnet",
            folder=home / f"{name}-{given.budget}-{given.minutes:g}-{given.threads}t-{seed}",
            sheets=home if given.quick else SHEETS,
            threads=given.threads,
        )
        for seed in range(given.seeds)
        for name in given.data.split(",")
    ]

    def save(rows: list[dict]) -> None:
        if not given.quick:
            how = {
                "minutes": given.minutes,
                "budget": given.budget,
                "rates": rates,
                "threads": given.threads,
                "jobs": given.jobs,
            }
            write_result("colour", {**how, "rows": rows})

    for row in running.each(tasks, jobs=given.jobs, done=save):
        print(row["data"], row.get("error") or (row["scores"], row["floor"]))


if __name__ == "__main__":
    main()
