"""Pictures of one kind into another and back, without pairs: CUT and CycleGAN, doing nothing and matched colours.

    python benchmarks/edit_unpaired.py

Two sets, 64x64 (sets.py): Chinese characters as a brush writes them and as they are printed, and OpenMoji's emoji as
lines and in colours. Of every ten names one is for judging alone, and of the rest every other is learned from as the
one kind, the others as the other, so that no name is on both sides. CUT learns each direction by itself, CycleGAN both
at once in twice the time. FD, KID and the content measure are those of `rivals judge` on the names for judging; since
these are there as both kinds, how near each picture comes to the one that was drawn is measured too, which nobody was
shown. Resumable; writes results/edit_unpaired.json after every run.
"""

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

import rivals
import running
import sets
from common import RUNS, circumstances, write_result

KINDS = {"hanzi": ("brush", "print"), "openmoji": ("lines", "colours")}  # of each set
DIRECTIONS = {"forth": (0, 1), "back": (1, 0)}  # which kind is given, and which is wanted
FOR_JUDGING = 10  # of so many names one
CONTENT, SETS = "content", ("fd", "kid")
LEAST = 1e-6  # of a score that is divided by


def parts(name: str) -> Path:
    """The folder of all of a set that is learned from and judged on; made the first time."""
    place, kinds = sets.DATA / f"{name}-parts", KINDS[name]
    if place.exists():
        return place
    whole, aside = sets.path(name), place.with_name(f"part-{place.name}")
    shutil.rmtree(aside, ignore_errors=True)
    for number, file in enumerate(sorted(file.name for file in (whole / kinds[0]).iterdir())):
        if number % FOR_JUDGING == FOR_JUDGING - 1:
            for direction, sides in DIRECTIONS.items():
                for side, kind in zip(("1-given", "2-wanted"), sides, strict=True):
                    copy(whole / kinds[kind] / file, aside / f"judge-{direction}" / side / file)
        else:
            kind = kinds[number % 2]
            copy(whole / kind / file, aside / kind / file)
    aside.rename(place)
    return place


def copy(file: Path, there: Path) -> None:
    there.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, there)


def judged(folder: Path, place: Path, *, most: int | None) -> dict[str, Any]:
    """The verdict of `rivals judge` on a run, as far as it is compared."""
    from rivals.edit_judging import judge_edits

    verdict = judge_edits(folder, place, count=most)
    ways = {"model": verdict, **verdict["baselines"]}
    found = {"ways": {way: {"scores": each["scores"], "intervals": each["intervals"]} for way, each in ways.items()}}
    turned = verdict["directions"].get("back")
    if turned is not None:
        found["turned"] = {"scores": turned["scores"], "intervals": turned["intervals"]}
    return {**found, "protocol": verdict["protocol"], "guards": verdict["guards"]}


def to_the_drawn(folder: Path, place: Path, *, back: bool) -> dict[str, float]:
    """How far what a run makes of each picture for judging is from the one that was drawn; means over pictures."""
    from rivals.modalities.images.edits.modality import edit
    from rivals.modalities.images.edits.pairs import find_pairs, load_pairs
    from rivals.modalities.images.edits.scores import beside_true
    from rivals.modalities.images.edits.store import middle

    model = rivals.load(folder)
    edits: Any = model.modality
    files = find_pairs(place / "1-given", place / "2-wanted")
    given, drawn = load_pairs(files, 32, None, (edits.seen, edits.channels))
    rows = range(len(given.places))
    each = [
        beside_true(edit(model.network, edits, middle(given, row, 64), back=back), middle(drawn, row, 64), 1)
        for row in rows
    ]
    return {name: float(torch.cat([one[name] for one in each]).mean()) for name in each[0]}


def one(
    *,
    name: str,
    method: str,
    direction: str,
    seed: int,
    ending: list[str],
    folder: Path,
    threads: int,
    most: int | None,
) -> dict:
    """Train and judge one run."""
    place, other = parts(name), "back" if direction == "forth" else "forth"
    source, onto = (str(place / KINDS[name][kind]) for kind in DIRECTIONS[direction])
    words = [onto, "--method", method, "--seed", str(seed), *ending]
    verdict = running.train(folder, source, words, threads=threads)
    made = running.kept(folder / "made.json", circumstances)
    there, back = (place / f"judge-{way}" for way in (direction, other))
    found = running.kept(folder / "judged.json", lambda: judged(folder, there, most=most))
    row = {"set": name, "method": method, "direction": direction, "seed": seed, "step": verdict["step"]}
    row |= {"seconds": verdict["seconds"], "words": ending, "made": made, **found}
    row["to_the_drawn"] = running.kept(folder / "drawn.json", lambda: to_the_drawn(folder, there, back=False))
    if "turned" in found:
        row["turned_to_the_drawn"] = running.kept(
            folder / "drawn-back.json", lambda: to_the_drawn(folder, back, back=True)
        )
    return row


def over(ours: float, theirs: float) -> float | None:
    """A ratio; None over what is nothing, as of a model that changes no picture."""
    return round(ours / theirs, 3) if theirs > LEAST else None


def compared(rows: list[dict]) -> dict[str, Any]:
    """CUT in each direction beside what has learned nothing, and beside CycleGAN of the same set and seed."""
    found: dict[str, Any] = {}
    good = [row for row in rows if "error" not in row]
    cycles = {(row["set"], row["seed"]): row for row in good if row["method"] == "cyclegan"}
    for row in good:
        if row["method"] != "cut":
            continue
        ways: Mapping[str, Any] = row["ways"]
        ours = ways["model"]["scores"]
        told: dict[str, Any] = {
            f"{score} over {way}": over(ours[score], each["scores"][score])
            for way, each in ways.items()
            if way != "model"
            for score in SETS
        }
        cycle = cycles.get((row["set"], row["seed"]))
        if cycle is not None:
            theirs = (cycle["ways"]["model"] if row["direction"] == "forth" else cycle["turned"])["scores"]
            told |= {f"{score} over cyclegan": over(ours[score], theirs[score]) for score in (*SETS, CONTENT)}
        found[f"{row['set']}, {row['direction']}, seed {row['seed']}"] = told
    return found


def main() -> None:
    parser = running.parser(__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of each CUT run; CycleGAN gets twice that")
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    minutes = 0.05 if given.quick else given.minutes
    home = RUNS / ("unpaired-quick" if given.quick else "unpaired")
    arms = [("cut", "forth", minutes), ("cut", "back", minutes), ("cyclegan", "forth", 2 * minutes)]
    small = running.options({"data.crop": 32, "generator.options.width": 8}) if given.quick else []
    tasks = [
        partial(
            one,
            name=name,
            method=method,
            direction=direction,
            seed=seed,
            ending=["--minutes", f"{time:g}", "--loggers", "none", *small],
            folder=home / f"{name}-{method}-{direction}-{time:g}-{given.threads}t-{seed}",
            threads=given.threads,
            most=24 if given.quick else None,
        )
        for seed in range(given.seeds)
        for name in KINDS
        for method, direction, time in arms
    ]
    protocol = {
        "minutes": {f"{method} {direction}": time for method, direction, time in arms},
        "threads": given.threads,
        "jobs": given.jobs,
        "data": {name: sets.provenance(name) for name in KINDS},
        "parts": {
            name: {part: len(list((parts(name) / part).rglob("*.png"))) for part in (*kinds, "judge-forth")}
            for name, kinds in KINDS.items()
        },
        "wanted": "below 1: CUT's FD and KID over those of doing nothing and of matched histograms, in both "
        "directions; at most 1: its content measure over CycleGAN's",
    }

    def save(rows: list[dict]) -> None:
        if not given.quick:
            write_result("edit_unpaired", {"ratios": compared(rows), "rows": rows, "protocol": protocol})

    rows = running.each(tasks, jobs=given.jobs, done=save)
    for row in rows:
        print({key: value for key, value in row.items() if key in ("set", "method", "direction", "step", "error")})
    print(compared(rows))


if __name__ == "__main__":
    main()
