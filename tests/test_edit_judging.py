import json

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import rivals
from rivals.cli import app
from rivals.edit_judging import judge_edits
from rivals.engine.build import build_network
from rivals.engine.errors import RequestError
from rivals.engine.model import Model
from rivals.engine.recipe import Use
from rivals.kinds import modality_of
from rivals.modalities.images.cache import survey
from rivals.modalities.images.edits import scores, sets
from rivals.modalities.images.edits.modality import Edits
from rivals.modalities.images.edits.store import load
from rivals.modalities.images.edits.tasks import TASKS, settings


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(scores, "installed", lambda: False)
    monkeypatch.setattr(sets, "TIMES", 4)


def photos(folder, count=12, size=(48, 56), mode="RGB", seed=0):
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    for number in range(count):
        small = Image.fromarray(random.integers(0, 255, (7, 7, 3), np.uint8))
        small.resize(size, Image.Resampling.BICUBIC).convert(mode).save(folder / f"{number:02}.png")
    return folder


def run_of(folder, task="super-resolution", source=None, *, channels=3, generator=None, scale=2, **more):
    """A run's folder with a network that has learned nothing."""
    scale = scale if task == "super-resolution" else 1
    seen = TASKS[task].seen(channels) if task in TASKS else channels
    damage = settings(task, {}) if task in TASKS else {"ways": 2}
    edits = Edits(task, channels, seen, scale, 32, damage, **more)
    use = generator or (
        Use("compact", {"width": 8, "depth": 1}) if scale > 1 else Use("unet", {"width": 8, "depth": 1})
    )
    torch.manual_seed(0)
    network = build_network(use, edits.generators, "generator", latent=0, **edits.common())
    Model(network, edits, "edits", use, 0, {}).save(folder / "model")
    about = {"format": 1, "source": str(source), "features": "random"}
    if source is not None:
        about["data_sha256"] = load(survey(source, learning=False), channels, 32).content
    (folder / "run.json").write_text(json.dumps(about))
    (folder / "modality.json").write_text((folder / "model" / "model.json").read_text())
    return folder


def test_a_run_is_judged_on_its_own_held_out_pictures_and_on_others(tmp_path):
    source = photos(tmp_path / "good")
    run = run_of(tmp_path / "run", source=source)
    assert modality_of(run) == "edits"
    own = rivals.judge(run)
    held = load(survey(source, learning=False), 3, 32).held_out
    assert own["card"]["split"] == "held-out part"
    assert 0 < own["card"]["real_count"] <= len(held)
    assert set(own["baselines"]) == {"nearest", "bicubic"}
    others = rivals.judge(run, photos(tmp_path / "others", seed=1), count=5, seed=3)
    assert others["card"]["split"] == "all"
    assert others["card"]["real_count"] == 5
    assert others["card"]["seed"] == 3


def test_the_command_prints_a_table_and_writes_a_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = run_of(tmp_path / "run", "denoise", photos(tmp_path / "good"))
    told = CliRunner().invoke(app, ["judge", str(run), "--against", str(photos(tmp_path / "others", 6, seed=2))])
    assert told.exit_code == 0, told.output
    assert "median filter" in told.output
    assert "PSNR" in told.output
    (page,) = (tmp_path / "runs").glob("judge-run-against-others.html")
    assert 'class="versus"' in page.read_text(encoding="utf-8")
    found = CliRunner().invoke(app, ["judge", str(run), "--json"])
    assert json.loads(found.stdout)["scores"]["psnr"] > 0


def test_pictures_that_have_changed_and_unknown_spaces_are_refused(tmp_path):
    source = photos(tmp_path / "good")
    run = run_of(tmp_path / "run", source=source)
    with pytest.raises(RequestError, match="no feature space 'nope'"):
        rivals.judge(run, features="nope")
    (source / "00.png").unlink()
    with pytest.raises(RequestError, match="nobody knows which it has seen"):
        rivals.judge(run)


def test_pictures_that_it_learned_from_are_known_wherever_they_lie(tmp_path):
    source = photos(tmp_path / "good")
    run = run_of(tmp_path / "run", source=source)
    moved = source.rename(tmp_path / "moved")
    assert rivals.judge(run, moved)["card"]["split"] == "held-out part"
    with pytest.raises(RequestError, match="good"):
        rivals.judge(run)


def test_pictures_that_a_scale_does_not_divide_are_left_out(tmp_path):
    run = run_of(tmp_path / "run", source=photos(tmp_path / "good"), scale=5)
    others = photos(tmp_path / "others", 6, seed=1)
    Image.new("RGB", (38, 38)).save(others / "small.png")
    assert "smaller than 40 pixels" in " ".join(rivals.judge(run, others)["notes"])


def test_small_pictures_are_left_out_and_others_are_recoloured_and_both_is_said(tmp_path):
    run = run_of(tmp_path / "run", "denoise", photos(tmp_path / "good"))
    others = photos(tmp_path / "others", 6, mode="L", seed=1)
    Image.new("L", (20, 20)).save(others / "small.png")
    notes = " ".join(rivals.judge(run, others)["notes"])
    assert "smaller than 32 pixels" in notes
    assert "The pictures are grey and were judged as colour" in notes
    with pytest.raises(RequestError, match="smaller than 32 pixels"):
        rivals.judge(run, photos(tmp_path / "tiny", 6, (16, 16)))


def test_nothing_can_be_judged_against_a_run_that_edits(tmp_path):
    run = run_of(tmp_path / "run", source=photos(tmp_path / "good"))
    with pytest.raises(RequestError, match="makes none of its own"):
        rivals.judge(tmp_path / "good", run)


def test_pairs_are_judged_on_pairs(tmp_path):
    run = run_of(tmp_path / "run", "pairs")
    with pytest.raises(RequestError, match="--against"):
        judge_edits(run)
    for folder in ("a", "b"):
        photos(tmp_path / "pairs" / folder, 6)
    found = judge_edits(run, tmp_path / "pairs")
    assert found["baselines"]["nothing done"]["scores"]["psnr"] == scores.MOST_DECIBELS
    assert found["card"]["real_count"] == 6


def test_two_kinds_are_judged_in_two_folders(tmp_path):
    small = Use("resnet", {"width": 4, "blocks": 1, "watched": 2, "projected": 8})
    run = run_of(tmp_path / "run", "unpaired", generator=small)
    with pytest.raises(RequestError, match="two are needed"):
        judge_edits(run, photos(tmp_path / "one"))
    photos(tmp_path / "kinds" / "a", 24)
    photos(tmp_path / "kinds" / "b", 24, seed=5)
    found = judge_edits(run, tmp_path / "kinds", page=tmp_path / "page.html")
    assert {"fd", "kid", "content", "identity"} <= set(found["scores"])
    assert found["floor"] == {}, "all are judged, and none are left to compare them with"
    assert found["baselines"]["histogram matching"]["scores"]["identity"] > 0, "no picture is matched to itself"
    assert (tmp_path / "page.html").exists()


def test_other_runs_are_put_beside_it_in_the_table_and_on_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = photos(tmp_path / "good")
    run_of(tmp_path / "one", "denoise", source)
    run_of(tmp_path / "two", "denoise", source)
    told = CliRunner().invoke(app, ["judge", "one", "--beside", "two", "--out", "page.html", "--count", "4"])
    assert told.exit_code == 0, told.output
    rows = [line.split() for line in told.output.splitlines() if line.startswith(("this model", "two", "nothing"))]
    assert rows[0][2:] == rows[1][1:], "the same weights get the same numbers"
    assert rows[2][0] == "nothing"
    assert "Beside two: not told apart in" in told.output
    assert "Beside others" in (tmp_path / "page.html").read_text(encoding="utf-8")
    verdict = rivals.judge("one", beside=["two"], count=4)
    assert verdict["beside"]["two"]["scores"] == verdict["scores"]
    assert verdict["card"]["split"] == "held-out part"
    assert not [note for note in verdict["notes"] if "two" in note], "it learned from the same"


def test_a_run_beside_that_may_have_seen_what_is_judged_is_told_of_or_refused(tmp_path):
    one = run_of(tmp_path / "one", "denoise", photos(tmp_path / "good"))
    two = run_of(tmp_path / "two", "denoise", photos(tmp_path / "others", seed=1))
    notes = " ".join(rivals.judge(one, beside=[two], count=4)["notes"])
    assert f"{two} learned from other data, among which" in notes
    verdict = rivals.judge(one, tmp_path / "others", beside=[two], count=4)
    assert verdict["card"]["split"] == "held-out part", "the other one learned from the rest"
    assert f"{two} learned from these pictures" in " ".join(verdict["notes"])
    about = json.loads((two / "run.json").read_text())
    about["data_sha256"] = load(survey(tmp_path / "good", learning=False), 3, 40).content
    (two / "run.json").write_text(json.dumps(about))
    model = json.loads((two / "model" / "model.json").read_text())
    model["modality"]["crop"] = 40
    (two / "model" / "model.json").write_text(json.dumps(model))
    with pytest.raises(RequestError, match="both learned from these pictures, cut in other ways"):
        rivals.judge(one, beside=[two])


def test_what_cannot_stand_beside_a_run_is_refused(tmp_path):
    source = photos(tmp_path / "good")
    run = run_of(tmp_path / "run", source=source)
    for name, more, words in (
        ("denoise", {"task": "denoise"}, "its task is denoise, and super-resolution there"),
        ("larger", {"scale": 4}, "its scale is 4, and 2 there"),
        ("grey", {"channels": 1}, "its channels of what is given is 1, and 3 there"),
    ):
        with pytest.raises(RequestError, match=words):
            rivals.judge(run, beside=[run_of(tmp_path / name, source=source, **more)])
    with pytest.raises(RequestError, match="judged beside itself"):
        rivals.judge(run, beside=[run])
    with pytest.raises(RequestError, match="no set of pictures but a run: --beside"):
        rivals.judge(run, run)
    with pytest.raises(RequestError, match="there is no run at"):
        rivals.judge(run, beside=[tmp_path / "nowhere"])
    with pytest.raises(RequestError, match="--beside is for runs that edit pictures"):
        rivals.judge(source, source, beside=[run])
    with pytest.raises(RequestError, match="--ensemble is for runs that edit pictures"):
        rivals.judge(source, source, ensemble=True)


def test_an_ensemble_is_judged_as_one_and_the_verdict_says_so(tmp_path):
    source = photos(tmp_path / "good")
    networks = Use("rrdb", {"width": 8, "blocks": 1, "growth": 4})  # random, so that looks differ
    run, other = (run_of(tmp_path / name, source=source, generator=networks) for name in ("run", "other"))
    alone, whole = (rivals.judge(run, ensemble=ensemble, beside=[other]) for ensemble in (False, True))
    assert whole["scores"]["psnr"] != alone["scores"]["psnr"]
    assert whole["scores"] == whole["beside"][str(other)]["scores"]
    assert [way["scores"] for way in whole["baselines"].values()] == [
        way["scores"] for way in alone["baselines"].values()
    ]
    for part in ("card", "notes"):
        assert "mean of eight turned" in json.dumps(whole[part])
        assert "mean of eight turned" not in json.dumps(alone[part])
    said = CliRunner().invoke(app, ["judge", str(run), "--ensemble", "--json"])
    assert json.loads(said.stdout)["scores"] == whole["scores"]


def test_a_style_run_has_its_verdict_from_training(tmp_path):
    run = run_of(tmp_path / "run", "style")
    with pytest.raises(RequestError, match="when it is trained"):
        judge_edits(run, photos(tmp_path / "one"))
