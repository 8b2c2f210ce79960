"""Line drawings into coloured ones and back, without pairs: CUT and CycleGAN against doing nothing and matched colours.

    python benchmarks/edit_unpaired.py

OpenMoji's emoji as lines and in colours, 64x64 (sets.py): of every ten motifs one is for judging alone, and of the rest
every other is learned from as lines, the others in colours, so that no motif is on both sides. CUT learns each
direction by itself, CycleGAN both at once in twice the time. FD, KID and the content measure are those of
`rivals judge` on the motifs for judging; since these are there as lines and in colours, how near each picture comes to
the one that was drawn is measured too, which nobody was shown. Resumable; writes results/edit_unpaired.json after every
run.
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
from common import RUNS, write_result

DIRECTIONS = {"forth": ("lines", "colours"), "back": ("colours", "lines")}
FOR_JUDGING = 10  # of so many motifs one
CONTENT, SETS = "content", ("fd", "kid")
LEAST = 1e-6  # of a score that is divided by


def parts() -> Path:
    """The folder of all that is learned from and judged on; made the first time."""
    place = sets.DATA / "openmoji-parts"
    if place.exists():
        return place
    whole, aside = sets.path("openmoji"), place.with_name(f"part-{place.name}")
    shutil.rmtree(aside, ignore_errors=True)
    for number, name in enumerate(sorted(file.name for file in (whole / "lines").iterdir())):
        if number % FOR_JUDGING == FOR_JUDGING - 1:
            for direction, sides in DIRECTIONS.items():
                for side, kind in zip(("1-given", "2-wanted"), sides, strict=True):
                    copy(whole / kind / name, aside / f"judge-{direction}" / side / name)
        else:
            kind = ("lines", "colours")[number % 2]
            copy(whole / kind / name, aside / kind / name)
    aside.rename(place)
    return place


def copy(file: Path, there: Path) -> None:
    there.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, there)


def judged(folder: Path, direction: str, *, most: int | None) -> dict[str, Any]:
    """The verdict of `rivals judge` on a run, as far as it is compared."""
    from rivals.edit_judging import judge_edits

    verdict = judge_edits(folder, parts() / f"judge-{direction}", count=most)
    ways = {"model": verdict, **verdict["baselines"]}
    found = {"ways": {way: {"scores": each["scores"], "intervals": each["intervals"]} for way, each in ways.items()}}
    turned = verdict["directions"].get("back")
    if turned is not None:
        found["turned"] = {"scores": turned["scores"], "intervals": turned["intervals"]}
    return {**found, "protocol": verdict["protocol"], "guards": verdict["guards"]}


def to_the_drawn(folder: Path, direction: str, *, back: bool) -> dict[str, float]:
    """How far what a run makes of each picture for judging is from the one that was drawn; means over pictures."""
    from rivals.modalities.images.edits.modality import edit
    from rivals.modalities.images.edits.pairs import find_pairs, load_pairs
    from rivals.modalities.images.edits.scores import beside_true
    from rivals.modalities.images.edits.store import middle

    model = rivals.load(folder)
    place = parts() / f"judge-{direction}"
    given, drawn = load_pairs(find_pairs(place / "1-given", place / "2-wanted"), 32, None, (3, 3))
    rows = range(len(given.places))
    edits: Any = model.modality
    each = [
        beside_true(edit(model.network, edits, middle(given, row, 64), back=back), middle(drawn, row, 64), 1)
        for row in rows
    ]
    return {name: float(torch.cat([one[name] for one in each]).mean()) for name in each[0]}


def one(
    *, method: str, direction: str, seed: int, words: tuple[str, ...], folder: Path, threads: int, most: int | None
) -> dict:
    """Train and judge one run."""
    source, onto = (str(parts() / kind) for kind in DIRECTIONS[direction])
    verdict = running.train(folder, source, [onto, "--method", method, "--seed", str(seed), *words], threads=threads)
    found = running.kept(folder / "judged.json", lambda: judged(folder, direction, most=most))
    near = running.kept(folder / "drawn.json", lambda: to_the_drawn(folder, direction, back=False))
    row = {"method": method, "direction": direction, "seed": seed, "step": verdict["step"]}
    row |= {"seconds": verdict["seconds"], "words": words, **found, "to_the_drawn": near}
    if "turned" in found:
        other = "back" if direction == "forth" else "forth"
        row["turned_to_the_drawn"] = running.kept(
            folder / "drawn-back.json", lambda: to_the_drawn(folder, other, back=True)
        )
    return row


def over(ours: float, theirs: float) -> float | None:
    """A ratio; None over what is nothing, as of a model that changes no picture."""
    return round(ours / theirs, 3) if theirs > LEAST else None


def compared(rows: list[dict]) -> dict[str, Any]:
    """CUT in each direction beside what has learned nothing, and beside CycleGAN; of the first seed that has all."""
    found: dict[str, Any] = {}
    good = [row for row in rows if "error" not in row]
    cycles = {row["seed"]: row for row in good if row["method"] == "cyclegan"}
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
        cycle = cycles.get(row["seed"])
        if cycle is not None:
            theirs = (cycle["ways"]["model"] if row["direction"] == "forth" else cycle["turned"])["scores"]
            told |= {f"{score} over cyclegan": over(ours[score], theirs[score]) for score in (*SETS, CONTENT)}
        found[f"{row['direction']}, seed {row['seed']}"] = told
    return found


def main() -> None:
    parser = running.parser(__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="of each CUT run; CycleGAN gets twice that")
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    minutes = 0.05 if given.quick else given.minutes
    home = RUNS / ("unpaired-quick" if given.quick else "unpaired")
    arms = [("cut", "forth", minutes), ("cut", "back", minutes), ("cyclegan", "forth", 2 * minutes)]
    small = running.options({"data.crop": 32, "generator.options.width": 8}) if given.quick else []
    tasks = [
        partial(
            one,
            method=method,
            direction=direction,
            seed=seed,
            words=("--minutes", f"{time:g}", "--loggers", "none", *small),
            folder=home / f"{method}-{direction}-{time:g}-{given.threads}t-{seed}",
            threads=given.threads,
            most=24 if given.quick else None,
        )
        for seed in range(given.seeds)
        for method, direction, time in arms
    ]
    protocol = {
        "minutes": {f"{method} {direction}": time for method, direction, time in arms},
        "threads": given.threads,
        "jobs": given.jobs,
        "data": sets.provenance("openmoji"),
        "parts": {name: len(list((parts() / name).rglob("*.png"))) for name in ("lines", "colours", "judge-forth")},
        "wanted": "below 1: CUT's FD and KID over those of doing nothing and of matched histograms, in both "
        "directions; at most 1: its content measure over CycleGAN's",
    }

    def save(rows: list[dict]) -> None:
        if not given.quick:
            write_result("edit_unpaired", {"ratios": compared(rows), "rows": rows, "protocol": protocol})

    rows = running.each(tasks, jobs=given.jobs, done=save)
    for row in rows:
        print({key: value for key, value in row.items() if key in ("method", "direction", "step", "error")})
    print(compared(rows))


if __name__ == "__main__":
    main()
