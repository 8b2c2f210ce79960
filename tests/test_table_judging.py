"""`rivals judge` of tables, from file to page."""

import json

import numpy as np
import polars as pl
import pytest

from rivals import cli
from rivals.api import train
from rivals.engine.errors import RequestError
from rivals.kinds import makes_rows


def table(path, count, seed):
    """Rows of a number, and two categories of which one follows from it."""
    random = np.random.default_rng(seed)
    age = random.integers(18, 80, count)
    group = np.where(age + random.normal(0, 8, count) > 50, "old", "young")
    pl.DataFrame({"age": age, "town": random.choice(["Rome", "Oslo", "Lima"], count), "group": group}).write_csv(path)
    return path


def judged(capsys, *words):
    capsys.readouterr()
    cli.app(["judge", *map(str, words), "--json"], standalone_mode=False)
    return json.loads(capsys.readouterr().out)


def test_a_table_is_judged_against_another_and_a_page_is_written(tmp_path, capsys):
    real, held_out, fake = (table(tmp_path / f"{name}.csv", 300, seed) for seed, name in enumerate("rhf"))
    page = tmp_path / "page.html"
    found = judged(capsys, fake, "--against", real, "--held-out", held_out, "--out", page)
    assert 0.3 < found["scores"]["two_sample"] < 0.7  # rows of one distribution
    assert found["scores"]["shapes"] > 90
    assert found["card"]["target"] == "group"
    assert "advantage" in found["scores"]
    assert "<h2" in page.read_text(encoding="utf-8")
    without = judged(capsys, fake, "--against", real)
    assert "refused" in without["privacy"]
    assert any("held-out" in note for note in without["notes"])


def test_a_run_is_judged_by_the_rows_that_it_has_not_seen(tmp_path, capsys):
    real = table(tmp_path / "real.csv", 300, 0)
    run = tmp_path / "run"
    train(real, out=run, steps=3, loggers=(), device="cpu")
    assert makes_rows(run)
    assert makes_rows(real)
    assert not makes_rows(tmp_path)
    found = judged(capsys, run, "--count", 200)
    assert found["card"]["real_count"] == 60  # a fifth
    assert found["card"]["fakes"] == str(run)
    assert (run / "report.html").exists()


def test_what_cannot_be_judged_is_said(tmp_path, make_pictures):
    real = table(tmp_path / "real.csv", 60, 0)
    with pytest.raises(RequestError, match="give the real table with --against"):
        cli.app(["judge", str(real)], standalone_mode=False)
    with pytest.raises(RequestError, match="in no feature space"):
        cli.app(["judge", str(real), "--against", str(real), "--features", "digits"], standalone_mode=False)
    with pytest.raises(RequestError, match="are for tables"):
        cli.app(["judge", str(make_pictures()), "--target", "a"], standalone_mode=False)
