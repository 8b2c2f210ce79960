import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rivals.cli import app
from rivals.engine.errors import RequestError
from rivals.judging.reports import differing, names, ranking, score_rows, side_by_side, told
from rivals.judging.reports_page import reports_page, write_reports

CARD = {"data_sha256": "ab" * 32, "extractor": "digits-cnn64", "fake_count": 10_000, "state": "last", "seed": 1}


@pytest.fixture
def make_run(tmp_path):
    """A run's folder with a verdict, as far as a report reads it."""

    def make(name, score=None, *, span=None, card=None, more=None):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        files = {"run": {"source": "x"}, "recipe": {"seed": 3, "batch": 32, "minutes": 1.0}, "modality": {"width": 8}}
        if score is not None:
            files["verdict"] = {
                "scores": {"fd": score / 2, "fd_share": score, "recall": 0.5}, "floor": {"fd_share": 0.5},
                "intervals": {"fd_share": span} if span else {}, "step": 100, "seconds": 20.0, "judging_seconds": 0.5,
                "protocol": {"extractor": "digits-cnn64"}, "card": {**CARD, **(card or {})}, **(more or {}),
            }  # fmt: skip
        for part, values in files.items():
            (folder / f"{part}.json").write_text(json.dumps(values))
        lines = [{"kind": "verdict", "step": step, "scores": {"fd_share": 500.0 / step}} for step in (25, 75)]
        (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return folder

    return make


def test_runs_are_ranked_by_distance_and_overlapping_intervals_are_a_tie(make_run):
    runs = [make_run("a", 3.0, span=[2.8, 3.2]), make_run("b", 1.2, span=[1.0, 1.4]), make_run("c", 1.3, span=[1.1, 2])]
    compared = side_by_side(runs)
    assert [(place.entry.method, place.rank) for place in ranking(compared)] == [("b", 1), ("c", 1), ("a", 3)]
    words = " ".join(told(compared))
    assert "b has the lowest distance, 1.2 % of the variance, but the intervals of b and c overlap: a tie." in words
    clear = side_by_side(runs[:2])
    assert "b has the lowest distance, 1.2 % of the variance, below a." in told(clear)


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ({"fake_count": 500}, "in the number of samples: 10000 (a), 500 (b)"),
        ({"extractor": "random"}, "in the feature space: digits-cnn64 (a), random (b)"),
        ({"data_sha256": "cd" * 32}, f"in the real pictures (by their contents): {'ab' * 6} (a), {'cd' * 6} (b)"),
        ({"state": "best of 24"}, "in the state of the run that was judged: last (a), best of 24 (b)"),
    ],
)
def test_numbers_of_other_protocols_are_not_ranked_and_the_part_is_said(card, words, make_run):
    compared = side_by_side([make_run("a", 3.0), make_run("b", 1.0, card=card)])
    assert [place.rank for place in ranking(compared)] == [None, None]
    assert list(differing(compared)) == [words]
    (said,) = told(compared)
    assert said == f"Not ranked: the numbers do not mean the same. They differ {words}."
    assert words.split(":")[0] in reports_page(compared).decode()


def test_another_seed_version_or_length_of_training_is_no_difference(make_run):
    compared = side_by_side([make_run("a", 3.0), make_run("b", 1.0, card={"seed": 9, "version": "2"})])
    assert not compared.differences
    longer = make_run("c", 0.9)
    (longer / "recipe.json").write_text(json.dumps({"minutes": 10.0, "seed": 4}))
    assert not side_by_side([longer, make_run("d", 1.0)]).differences


def test_a_run_without_a_verdict_is_shown_last_and_not_ranked(make_run):
    compared = side_by_side([make_run("going"), make_run("a", 2.0), make_run("b", 1.0)])
    heads, rows = score_rows(compared)
    assert [row[0] for row in rows] == ["b", "a", "going"]
    assert [row[1] for row in rows] == ["1", "2", "–"]
    assert heads[2:5] == ("FD[digits-cnn64] in % of the real variance", "FD[digits-cnn64]", "recall")
    assert rows[0][-2] == "2.5 %"  # half a second of judging in twenty
    assert told(compared)[0] == "No verdict yet, so not ranked: going."


def test_names_of_scores_say_no_space_where_there_are_several(make_run):
    other = {"protocol": {"extractor": "inception"}}
    heads, _ = score_rows(side_by_side([make_run("a", 2.0), make_run("b", 1.0, more=other)]))
    assert heads[3] == "FD[each its own space]"


@pytest.mark.parametrize("bad", ["missing", "file", "other", "twice"])
def test_bad_folders_are_a_clear_line(bad, make_run, tmp_path):
    good = make_run("a", 1.0)
    (tmp_path / "other").mkdir()
    (tmp_path / "file").write_text("x")
    folder = good.parent / "." / "a" if bad == "twice" else tmp_path / bad
    with pytest.raises(RequestError, match="is given twice" if bad == "twice" else f"there is no run at .*{bad}"):
        side_by_side([good, folder])


def test_damaged_files_of_a_run_break_no_report(make_run):
    a, b = make_run("a", 1.0), make_run("b", 2.0)
    (a / "verdict.json").write_text("{")
    (b / "log.jsonl").write_text("nothing\n")
    (b / "recipe.json").write_text("[]")
    assert b"No verdict yet, so not ranked: a." in reports_page(side_by_side([a, b]))


def test_names_tell_folders_apart():
    assert names([Path("/x/a"), Path("/y/a"), Path("/y/b")]) == ["x/a", "y/a", "b"]
    assert names([Path("/a")]) == ["a"]


def test_the_verb_prints_a_table_and_writes_one_page(make_run, tmp_path):
    runs = [str(make_run("a", 3.0)), str(make_run("b", 1.0))]
    done = CliRunner().invoke(app, ["report", *runs])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0].split("\t")[:2] == ["run", "rank"]
    assert lines[1].split("\t")[:3] == ["b", "1", "1 %"]
    page = tmp_path / "runs" / "report.html"
    assert str(page) in done.output.replace("\n", "")
    assert "b has the lowest distance" in page.read_text()
    done = CliRunner().invoke(app, ["report", *runs, "--out", str(tmp_path / "both.html")])
    assert (tmp_path / "both.html").read_text() == page.read_text()


def test_a_page_goes_where_it_is_asked_for(make_run, tmp_path):
    compared = side_by_side([make_run("a", 3.0), make_run("deep/b", 1.0)])
    assert write_reports(compared) == (tmp_path / "runs").resolve() / "report.html"
    assert write_reports(compared, tmp_path / "x.html").read_bytes() == reports_page(compared)
