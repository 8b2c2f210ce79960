"""Put what was measured of edited pictures into docs/edit.md, and pictures of the runs into docs/images.

    python benchmarks/edit_page.py

Tables are made of benchmarks/results; what was not measured is not written. Pictures are those of the runs themselves
on this machine: held-out ones as given, as made and, where it is known, as they truly are.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from common import RESULTS, ROOT, RUNS
from edit_restore import CASES, PLAIN
from edit_tasks import HOME, TASKS
from tables import put, result

NAMES = {
    "super-resolution-4": "enlarged four times",
    "super-resolution-2-plain": "enlarged twice, by L1 alone",
    "denoise-colour": "noise (sigma 25), colour",
    "denoise-grey": "noise (sigma 25), grey",
    "inpaint": "holes filled (25 % strokes)",
}
COLUMNS = {
    "perceptual": ("perceptual distance", "{:.3f}"),
    "perceptual_larger": ("the same in Lite2", "{:.3f}"),
    "psnr": ("PSNR", "{:.2f} dB"),
    "ssim": ("SSIM", "{:.3f}"),
    "fd": ("FD", "{:.0f}"),
}
UNPAIRED = {"fd": ("FD", "{:.0f}"), "kid": ("KD", "{:.3f}"), "content": ("content lost", "{:.3f}")}
DIRECTIONS = {
    "hanzi": {"forth": "brushed to printed", "back": "printed to brushed"},
    "openmoji": {"forth": "lines to colours", "back": "colours to lines"},
}
ROUNDING = 1  # level: where differences are no larger, there is nothing to see where pieces meet
SIDE, GAP, SHOWN = 200, 4, 2  # pixels of a picture in the gallery, between two, and pictures of a run


def rows(name: str, ours: str, verdict: Mapping[str, Any], columns: Mapping[str, tuple[str, str]]) -> list[str]:
    """Lines of a table: the model, and all that stands beside it."""
    lines = []
    for way, told in {ours: verdict, **verdict["ways"]}.items():
        cells = [
            form.format(told["scores"][key]) if key in told["scores"] else "" for key, (_, form) in columns.items()
        ]
        lines.append(f"| {name if way == ours else ''} | {way} | {' | '.join(cells)} |")
    return lines


def header(first: str, columns: Mapping[str, tuple[str, str]]) -> list[str]:
    names = [words for words, _ in columns.values()]
    return [f"| {first} | | {' | '.join(names)} |", "|---|---|" + "---|" * len(names)]


def restored() -> str:
    """Every case of edit_restore.py, seed 0."""
    found = result("edit_restore")
    counts = found["photographs"]
    lines = [
        f"{counts['learn']} photographs to learn from, {counts['judge']} others to judge on; "
        f"{found['circumstances']['cpu']}.",
        "",
        *header("task", COLUMNS),
    ]
    for row in found["rows"]:
        if "ways" in row and row["seed"] == 0:
            ways = {way.replace(PLAIN, "L1 alone"): told for way, told in row["ways"].items()}
            threads = f"{row['threads']} thread{'s' * (row['threads'] > 1)}"
            minutes = f"{NAMES[row['arm']]}, {CASES[row['arm']].minutes:g} minutes of {threads}"
            lines += rows(minutes, f"Rivals, `{row['method']}`", {**row, "ways": ways}, COLUMNS)
    return "\n".join(lines)


def unpaired() -> str:
    """Both directions of both sets of edit_unpaired.py, seed 0."""
    runs = [row for row in result("edit_unpaired")["rows"] if row["seed"] == 0 and "error" not in row]
    every = {(row["set"], row["method"], row["direction"]): row for row in runs}
    lines = header("direction", UNPAIRED)
    for name, directions in DIRECTIONS.items():
        cycle = every.get((name, "cyclegan", "forth"))
        for direction, words in directions.items():
            row = every.get((name, "cut", direction))
            if row is None:
                continue
            ways = {way: told for way, told in row["ways"].items() if way != "model"}
            if cycle is not None:
                ways = {"`cyclegan`": cycle["ways"]["model"] if direction == "forth" else cycle["turned"], **ways}
            lines += rows(words, "`cut`", {**row["ways"]["model"], "ways": ways}, UNPAIRED)
    return "\n".join(lines)


def tiles() -> str:
    """Pieces against the whole, and memory."""
    found = result("edit_tiles")
    lines = ["| model | pieces | largest difference, levels | mean | seam (1 is none) |", "|---|---|---|---|---|"]
    for name, told in found["likeness"].items():
        cells = [told[key] for key in ("pieces", "largest_difference", "mean_difference")]
        cells.append(told["seam"] if told["largest_difference"] > ROUNDING else None)
        lines.append(f"| {name} | {' | '.join('' if cell is None else str(cell) for cell in cells)} |")
    lines += ["", "| 12 megapixels | `--memory` | most memory | seconds |", "|---|---|---|---|"]
    for told in found["memory"]:
        way = f"{told['model']}, {Path(told['from']).suffix[1:]} to {Path(told['to']).suffix[1:]}"
        lines.append(f"| {way} | {told['memory']} | {told['peak_mb']} MB | {told['seconds']:.0f} |")
    return "\n".join(lines)


def gallery(pictures: Path, place: Path, parts: tuple[str, ...]) -> None:
    """Some pictures of a run as one: a row for each, its parts side by side."""
    files = [[pictures / f"edit-{number}-{part}.png" for part in parts] for number in range(1, SHOWN + 1)]
    lines = [[Image.open(file).convert("RGB") for file in line] for line in files if all(map(Path.exists, line))]
    if not lines:
        return
    step = SIDE + GAP
    sheet = Image.new("RGB", (step * len(parts) - GAP, step * len(lines) - GAP), "white")
    for top, line in enumerate(lines):
        for left, picture in enumerate(line):
            how = Image.Resampling.NEAREST if min(picture.size) < SIDE else Image.Resampling.LANCZOS
            sheet.paste(ImageOps.fit(picture, (SIDE, SIDE), how), (step * left, step * top))
    aside = place.with_suffix(".part")
    sheet.save(aside, "PNG")
    aside.rename(place)
    print(f"wrote {place.relative_to(ROOT)}")


def main() -> None:
    page, images = ROOT / "docs" / "edit.md", ROOT / "docs" / "images"
    tables = {
        "restored": ("edit_restore", restored),
        "unpaired": ("edit_unpaired", unpaired),
        "tiles": ("edit_tiles", tiles),
    }
    for name, (needed, text) in tables.items():
        if (RESULTS / f"{needed}.json").exists():
            put(page, name, text())
    for case in CASES:
        for run in sorted((RUNS / "edit-restore").glob(f"{case}-[ms]*-0"))[-1:]:  # of the most threads
            gallery(run / "pictures", images / f"edit-{case}.png", ("given", "made", "true"))
    for task in TASKS:
        gallery(
            HOME / task / "pictures", images / f"edit-{task}.png", ("given", "made", "true")[: 2 + (task != "style")]
        )
    for name, directions in DIRECTIONS.items():
        for direction in directions:
            for run in sorted((RUNS / "unpaired").glob(f"{name}-cut-{direction}-*-0"))[:1]:
                gallery(run / "pictures", images / f"edit-{name}-{direction}.png", ("given", "made"))


if __name__ == "__main__":
    main()
