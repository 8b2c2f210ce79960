"""Pictures restored: enlarged, without noise, with holes filled, beside filters and the same network by L1 alone.

    python benchmarks/edit_restore.py --cases super-resolution-4,denoise-grey

Some fifty photographs (photos.py): every fourth by name is for judging alone, and of the others `rivals train LEARN
--task ...` holds a part out to choose the best state by. Each task has its minutes, on two threads if nobody says. The
verdict is that of `rivals judge RUN --against JUDGE --beside PLAIN`: beside baselines that have learned nothing, and
beside the same network by L1 alone, on the same pictures; where noise is taken away, also beside that network with
`--ensemble`. The distance "perceptual" is Rivals' own, in EfficientNet-Lite0, not LPIPS (docs/edit.md). With `--budget
steps` other work may go on, and the minutes are those of a quiet machine (running.py). Resumable; writes
results/edit_restore.json after every run, beside what it holds of other cases that were run in the same way;
`edit_page.py` makes tables and pictures of it.
"""

import json
import shutil
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import running
import sets
from common import RESULTS, RUNS, circumstances, write_result

STROKES = ("--set", "data.damage.share=[0.25,0.25]", "--set", "data.damage.boxes=0")
QUICK = ("--steps", "3", "--set", "data.crop=32")


class Case(NamedTuple):
    """A task: words that ask for it, minutes, whether a network by L1 alone is beside it, and that one's ensemble."""

    words: tuple[str, ...]
    minutes: float
    beside: bool = True
    ensemble: bool = False


CASES = {
    "super-resolution-4": Case(("--task", "super-resolution", "--scale", "4"), 20.0),
    "super-resolution-2-plain": Case(("--task", "super-resolution", "--scale", "2", "--method", "plain"), 20.0, False),
    "denoise-colour": Case(("--task", "denoise"), 10.0, ensemble=True),
    "denoise-grey": Case(("--task", "denoise", "--set", "data.channels=1"), 10.0, ensemble=True),
    "inpaint": Case(("--task", "inpaint", *STROKES), 20.0, False),
}
WANTED = {
    "super-resolution-4": "perceptual at most 0.75 of bicubic's and below plain's; PSNR at most 1.5 dB below plain's",
    "super-resolution-2-plain": "PSNR at least 1.0 dB above bicubic's",
    "denoise-colour": "PSNR at least 2 dB above non-local means', perceptual below it",
    "denoise-grey": "PSNR at least 2 dB above non-local means', perceptual below it",
    "inpaint": "perceptual and FD below Telea's and biharmonic's",
}
FOR_JUDGING = 4  # of so many photographs one
PLAIN, ENSEMBLE = "plain", "plain, ensemble"
KEPT = ("scores", "intervals", "guards", "notes", "protocol")


def part(which: str) -> Path:
    """The folder of the photographs to "learn" from or to "judge" on; made the first time."""
    place = sets.DATA / "photos-parts"
    if not place.exists():
        aside = place.with_name(f"part-{place.name}")
        shutil.rmtree(aside, ignore_errors=True)
        for number, file in enumerate(sorted(sets.path("photos").iterdir())):
            there = aside / ("judge" if number % FOR_JUDGING == FOR_JUDGING - 1 else "learn")
            there.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, there / file.name)
        aside.rename(place)
    return place / which


def arms(cases: Mapping[str, Case]) -> dict[str, tuple[str, ...]]:
    """The words of every run, by name: the plain one of a case goes before the one that is judged beside it."""
    found = {}
    for name, case in cases.items():
        if case.beside:
            found[f"{name}-{PLAIN}"] = (*case.words, "--method", PLAIN)
        found[name] = case.words
    return found


def one(*, arm: str, seed: int, words: tuple[str, ...], home: Path, ending: str, threads: int) -> dict[str, Any]:
    """Train one network and judge it, beside the plain one if there is one."""
    folder, plain = (home / f"{name}-{ending}-{seed}" for name in (arm, f"{arm}-{PLAIN}"))
    told = running.train(folder, str(part("learn")), [*words, "--seed", str(seed)], threads=threads)
    row = {"arm": arm, "seed": seed, "threads": threads, "words": words, "method": running.recipe(folder)["method"]}
    if arm.endswith(f"-{PLAIN}") and arm not in CASES:  # judged with the one that it is beside
        return {**row, "step": told["step"], "seconds": told["seconds"]}

    def judged() -> dict[str, Any]:
        from rivals.edit_judging import judge_edits

        page = folder / "judged.html"
        verdict = judge_edits(folder, part("judge"), beside=[plain] if plain.exists() else [], page=page)
        ways = {PLAIN if way == str(plain) else way: told for way, told in verdict["beside"].items()}
        if CASES[arm].ensemble:
            looks = judge_edits(plain, part("judge"), ensemble=True)
            ways[ENSEMBLE] = {key: looks[key] for key in ("scores", "intervals")}
        return {
            **{key: verdict[key] for key in KEPT},
            "ways": {**ways, **verdict["baselines"]},
            "made": circumstances(),
        }

    return {**row, "step": told["step"], "seconds": told["seconds"], **running.kept(folder / "judged.json", judged)}


def earlier(runs: Collection[tuple[str, int]], how: Mapping[str, Any]) -> list[dict]:
    """Rows of the results file of other runs than these (arm, seed), if they were made in the same way."""
    file = RESULTS / "edit_restore.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    if any(found.get(key) != value for key, value in how.items()):
        return []
    rows = [row for row in found["rows"] if (row["arm"], row["seed"]) not in runs]
    return [{"made": found["circumstances"], "threads": found.get("threads"), **row} for row in rows]


def main() -> None:
    parser = running.parser(__doc__)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--budget", choices=("minutes", "steps"), default="minutes")
    given = parser.parse_args()
    home = RUNS / ("edit-restore-quick" if given.quick else "edit-restore")
    photos = sets.provenance("photos")
    source = str(part("learn"))  # made before runs side by side ask for it
    wanted = {name: CASES[name] for name in given.cases.split(",")}
    rates: dict = {}
    if given.budget == "steps" and not given.quick:
        asked = {arm: (source, words) for arm, words in arms(wanted).items()}
        rates = running.rates(home / "rates.json", asked, minutes=10.0)
    tasks = []
    for arm, words in arms(wanted).items():
        minutes = CASES[arm if arm in CASES else arm.removesuffix(f"-{PLAIN}")].minutes
        end = QUICK if given.quick else running.budget(given.budget, minutes, rates.get(arm, {}).get("best"))
        for seed in range(given.seeds):
            task = partial(one, arm=arm, seed=seed, words=(*words, *end), home=home)
            tasks.append(partial(task, ending=f"{given.budget}-{given.threads}t", threads=given.threads))
    counts = {which: len(list(part(which).iterdir())) for which in ("learn", "judge")}
    how = {"budget": given.budget, "data": photos, "photographs": counts}
    before = earlier({(arm, seed) for arm in arms(wanted) for seed in range(given.seeds)}, how)

    def save(rows: list[dict]) -> None:
        if not given.quick:
            more = {"jobs": given.jobs, "rates": rates}
            write_result("edit_restore", {"wanted": WANTED, "rows": [*before, *rows], **how, **more})

    for row in running.each(tasks, jobs=given.jobs, done=save):
        beside = {way: scores["scores"] for way, scores in row.get("ways", {}).items()}
        print(row["arm"], row.get("error") or row.get("scores"), beside, flush=True)


if __name__ == "__main__":
    main()
