"""The page of a table's run: it speaks of rows, shows what there is, and trusts no file."""

import json
from pathlib import Path

import pytest

from rivals.modalities import write_report

COLUMN = {"name": "<b>age</b>", "kind": "integer", "why": "17 to 90"}
FILES = {
    "recipe.json": {"modality": "tables", "method": "r3gan", "minutes": 1.0},
    "run.json": {"source": "patients.csv", "found": {"items": "rows", "rows": 99, "train": 79, "held_out": 20}},
    "modality.json": {"name": "tables", "columns": [COLUMN]},
}
VERDICT = {"scores": {"shapes": 96.25, "two_sample": 0.7}, "floor": {"shapes": 98.0, "two_sample": 0.5}, "step": 5}


def run(folder: Path, *, verdict: object = None, rows: bytes = b"<b>age</b>\n<script>31</script>\n") -> Path:
    for name, values in FILES.items():
        (folder / name).write_text(json.dumps(values))
    if verdict is not None:
        (folder / "verdict.json").write_text(json.dumps(verdict))
    rounds = [{"kind": "round", "step": n, "accuracy": {"real": 60.0, "fake": 55.0, "held_out": 58.0}} for n in (1, 5)]
    (folder / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in rounds))
    (folder / "samples").mkdir()
    (folder / "samples" / "step-000000005.csv").write_bytes(rows)
    return folder


def test_rows_columns_and_scores_are_shown(tmp_path: Path) -> None:
    page = write_report(run(tmp_path, verdict=VERDICT)).read_text()
    assert "96.3" in page or "96.2" in page
    assert "99 rows" in page
    assert "17 to 90" in page
    assert "The GAN is dead" in page  # the method's paper


def test_nothing_is_said_of_pictures(tmp_path: Path) -> None:
    page = write_report(run(tmp_path, verdict=VERDICT)).read_text()
    shown = page[page.index("<main>") :]
    assert "picture" not in shown
    assert "training rows" in shown


def test_cells_and_names_are_text(tmp_path: Path) -> None:
    page = write_report(run(tmp_path)).read_text()
    assert "&lt;script&gt;31" in page
    assert "<script>31" not in page
    assert "<b>age" not in page


@pytest.mark.parametrize("rows", [b"", b"\xff\xfe\x00", b"age\n", b'a,"b\nc', b"x" * 3_000_000])
def test_a_broken_sample_is_no_obstacle(tmp_path: Path, rows: bytes) -> None:
    assert "Reproduce it" in write_report(run(tmp_path, rows=rows)).read_text()


@pytest.mark.parametrize("verdict", [{}, {"scores": 3}, {"scores": {"shapes": "much"}}, []])
def test_without_scores_it_says_so(tmp_path: Path, verdict: object) -> None:
    page = write_report(run(tmp_path, verdict=verdict)).read_text()
    assert "There is no verdict yet" in page or "There are no scores" in page
