"""`rivals judge` on every kind of side, and on everything that can be wrong with them."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

import rivals
from rivals import judge_verb
from rivals.cli import app
from rivals.engine.errors import RequestError


@pytest.fixture
def judge(quick_judge):
    return rivals.judge


@pytest.fixture
def run_folder(make_pictures, train, tmp_path):
    train(make_pictures("data", classes=("a", "b"), count=40), tmp_path / "run", steps=2)
    return tmp_path / "run"


def notes(verdict):
    return " ".join(verdict["notes"])


def test_pictures_against_pictures_of_another_size_and_without_colour(make_pictures, judge):
    verdict = judge(make_pictures("fakes", size=12), make_pictures("real", channels=1, seed=1), seed=3)
    assert "The fakes (12x12) were brought to 8x8: scaled (Lanczos" in notes(verdict)
    assert "The fakes are colour, the real pictures grey; both are taken as colour" in notes(verdict)
    card = verdict["card"]
    assert card["size"] == "8x8, 3 channels"
    assert card["split"] == "all, training and held-out part"
    assert (card["seed"], card["state"]) == (3, "as given")
    assert card["fake_count"] == card["real_count"] == 16, "what the space does in a minute"
    assert verdict["scores"]["fd"] > 0
    assert verdict["floor"]["fd"] > 0


def test_a_set_against_itself_is_said_to_be_that(make_pictures, judge):
    data = make_pictures()
    verdict = judge(data, data)
    assert verdict["same"]
    assert verdict["notes"][0].startswith("Both sides are the same pictures")
    assert verdict["scores"]["fd"] == pytest.approx(0, abs=1e-9)
    assert verdict["scores"]["precision"] == verdict["scores"]["recall"] == 1


def test_files_that_can_not_be_read_are_counted(make_pictures, judge):
    fakes = make_pictures("fakes")
    (fakes / "damaged.png").write_bytes((fakes / "000.png").read_bytes()[:50])
    verdict = judge(fakes, make_pictures("real", seed=1))
    assert re.search(r"Skipped 1 fake file in .*fakes: .*damaged", notes(verdict))


@pytest.mark.parametrize(
    ("count", "more", "told"),
    [
        (1, {}, "holds only 1 usable picture; a verdict needs two or more on each side"),
        (9, {"count": 1}, "--count 1: a verdict needs two samples or more"),
        (9, {"best": True}, "--best is for runs"),
        (9, {"seed": -5}, "--seed -5: a seed lies between 0 and 4294967295"),
        (9, {"seed": 2**32}, "a seed lies between 0"),
        (9, {"features": "nonsense"}, "no feature space 'nonsense'"),
    ],
)
def test_what_can_not_be_judged_is_refused_in_a_line(count, more, told, make_pictures, judge):
    with pytest.raises(RequestError, match=re.escape(told)):
        judge(make_pictures("fakes", count=count), make_pictures("real", seed=1), **more)


def test_pictures_need_something_to_be_judged_against(make_pictures, judge, tmp_path):
    with pytest.raises(RequestError, match="are to be judged against: --against PICTURES"):
        judge(make_pictures())
    with pytest.raises(RequestError, match="There is nothing at"):
        judge(make_pictures(), tmp_path / "nowhere")


def test_a_collapsed_set_is_judged_though_no_gan_could_learn_from_it(make_pictures, judge):
    fakes = make_pictures("fakes", count=4)
    for path in fakes.iterdir():
        path.write_bytes((fakes / "000.png").read_bytes())
    verdict = judge(fakes, make_pictures("real", seed=1))
    assert verdict["card"]["fake_count"] == 4
    assert verdict["scores"]["recall"] == 0


def test_real_pictures_that_are_all_the_same_are_refused(make_pictures, judge):
    real = make_pictures("real", count=4)
    for path in real.iterdir():
        path.write_bytes((real / "000.png").read_bytes())
    with pytest.raises(RequestError, match=r"all 4 real pictures are the same"):
        judge(make_pictures("fakes", seed=1), real)


def test_large_pictures_are_judged_in_the_space_for_large_ones(make_pictures, judge, monkeypatch):
    asked = []

    def chosen(kind, device="cpu", side=64):
        asked.append(side)
        return "random"

    monkeypatch.setattr(judge_verb, "choose_features", chosen)
    judge(make_pictures("fakes", size=100), make_pictures("real", size=80, seed=1))
    assert asked == [80]


def test_labels_that_do_not_match_are_said_and_those_that_do_are_used(make_pictures, judge):
    real = make_pictures("real", classes=("a", "b"), count=40, seed=1)
    other = judge(make_pictures("other", classes=("x", "y"), count=40), real)
    assert "The labels don't match (fakes: x, y; real: a, b)" in notes(other)
    assert "agreement" not in other["scores"]
    same = judge(make_pictures("same", classes=("b", "a"), count=40), real)
    assert 0 <= same["scores"]["agreement"] <= 100
    assert set(same["classes"]) == {"a", "b"}


def test_a_zip_of_arrays_does_as_well(make_pictures, judge, tmp_path):
    np.savez(tmp_path / "fakes.npz", images=np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8))
    assert judge(tmp_path / "fakes.npz", make_pictures())["card"]["fakes"].endswith("fakes.npz")


def test_a_run_against_its_data_other_data_and_another_run(run_folder, make_pictures, judge):
    own = judge(run_folder)
    assert own["card"]["split"] == "held-out part"
    assert own["card"]["weights"] == "running average"
    stored = json.loads((run_folder / "verdict.json").read_text())
    assert own["scores"] == pytest.approx(stored["scores"])
    assert own["card"] == stored["card"]
    colour = judge(run_folder, make_pictures("large", size=16, seed=5))
    assert "The real pictures (16x16) were brought to 8x8" in notes(colour)
    twin = judge(run_folder, run_folder)
    assert twin["card"]["split"] == "samples of a model"
    assert twin["floor"] == twin["memorisation"] == {}
    assert not twin["same"], "they are drawn from other seeds"


def test_the_best_state_says_of_how_many_it_is_the_best(run_folder, judge):
    verdicts = sum('"verdict"' in line for line in (run_folder / "log.jsonl").read_text().splitlines())
    assert judge(run_folder, best=True)["card"]["state"] == f"best of {verdicts} quick verdicts"


def test_pictures_against_a_run_are_brought_to_its_size(run_folder, make_pictures, judge):
    verdict = judge(make_pictures("fakes", size=16), run_folder)
    assert "The fakes (16x16) were brought to 8x8" in notes(verdict)
    assert verdict["card"]["split"] == "samples of a model"


def test_a_reference_is_embedded_once(make_pictures, judge, monkeypatch):
    fakes, real = make_pictures("fakes"), make_pictures("real", seed=1)
    told = []
    first = judge(fakes, real, tell=told.append)
    assert {entry["kind"] for entry in told} >= {"embedding", "comparing"}
    again = []
    assert judge(fakes, real, tell=again.append)["scores"] == first["scores"]
    assert "embedding" not in {entry["kind"] for entry in again}


def command(*words):
    return app(["judge", *map(str, words)], standalone_mode=False)


def test_the_command_writes_a_page_and_a_table_or_json(make_pictures, judge, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fakes, real = make_pictures("fakes", count=30), make_pictures("real", count=30, seed=1)
    command(fakes, "--against", real)
    shown = capsys.readouterr().out
    assert "FD[random" in shown
    assert "real to real" in shown
    page = (tmp_path / "runs/judge-fakes-against-real.html").read_text()
    for part in ("verdict", "scores", "samples", "neighbours", "ends", "clouds", "card"):
        assert f'<section id="{part}"' in page
    assert not re.search(r"(src|href|srcset)=.?https?:", page), "it loads nothing"
    (tmp_path / "runs/judge-fakes-against-real.html").unlink()
    command(fakes, "--against", real, "--json")
    assert json.loads(capsys.readouterr().out)["scores"]["fd"] > 0
    assert not (tmp_path / "runs/judge-fakes-against-real.html").exists()


def test_a_folder_is_no_page_and_nothing_is_no_source(make_pictures, judge, tmp_path):
    fakes, real = make_pictures("fakes"), make_pictures("real", seed=1)
    with pytest.raises(RequestError, match="is a folder; name the page"):
        command(fakes, "--against", real, "--out", tmp_path)
    with pytest.raises(RequestError, match="has no name"):
        command(fakes, "--against", "")


def test_ctrl_c_exits_with_130_and_keeps_what_was_made(make_pictures, judge, monkeypatch, capsys):
    fakes, real = make_pictures("fakes"), make_pictures("real", seed=1)
    whole = judge_verb.extractor

    def stopped(name, *more, **rest):
        def embed(pictures):
            raise KeyboardInterrupt

        return replace(whole(name), embed=embed)

    monkeypatch.setattr(judge_verb, "extractor", stopped)
    assert command(fakes, "--against", real) == 130
    assert "goes on from the features that were kept" in capsys.readouterr().err
