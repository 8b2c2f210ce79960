import json

import pytest

from rivals.judging.doctor import examine
from rivals.judging.edited import edited_findings
from rivals.judging.record import read_record


def run(tmp_path, readings, recipe=None):
    """A run's folder whose quick verdicts read so."""
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "modality.json").write_text("{}")
    (tmp_path / "recipe.json").write_text(json.dumps(recipe or {"optimizer": {"lr": 1e-4}}))
    lines = [{"kind": "verdict", "step": 100 * (n + 1), "scores": scores} for n, scores in enumerate(readings)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def found(tmp_path, readings, recipe=None):
    return {finding.name: finding for finding in edited_findings(read_record(run(tmp_path, readings, recipe)))}


GOOD = {"perceptual": 0.2, "psnr": 25.0, "ssim": 0.8, "colour_drift": 1.0, "sharpness": 0.9, "change": 0.8}


SHARPER = [GOOD, *[{**GOOD, "sharpness": 2.5}] * 3]


def test_a_good_run_and_one_of_another_kind_show_nothing(tmp_path):
    assert found(tmp_path, [GOOD] * 5) == {}
    assert found(tmp_path, [{"fd": 1.0, "fd_share": 2.0}] * 5) == {}


def test_a_run_begins_with_a_network_that_changes_nothing_and_that_is_no_collapse(tmp_path):
    still = {**GOOD, "change": 0.0}
    assert found(tmp_path, [still, still]) == {}
    assert found(tmp_path, [still, still, still, GOOD, GOOD]) == {}


def test_a_network_that_stands_still_is_seen_since_when_and_with_what_holds_it(tmp_path):
    recipe = {"generator_terms": {"identity_nce": {"start": 1.0}, "patch_nce": {"start": 1.0}}}
    seen = found(tmp_path, [GOOD, *[{**GOOD, "change": 0.02}] * 3], recipe)
    assert set(seen) == {"identity-collapse"}
    assert seen["identity-collapse"].step == 200
    assert "identity_nce.start=0.25" in seen["identity-collapse"].change
    plain = found(tmp_path, [{**GOOD, "change": 0.02}] * 3)
    assert "optimizer.lr=0.0004" in plain["identity-collapse"].change


def test_invented_detail_is_seen_and_the_critic_should_count_less(tmp_path):
    recipe = {"generator_terms": {"adversarial": {"start": 0.0, "stop": 0.03}}}
    seen = found(tmp_path, SHARPER, recipe)["over-sharpened"]
    assert "adversarial.stop=0.01" in seen.change
    assert "2.5 times" in seen.words
    constant = {"generator_terms": {"adversarial": {"start": 0.03, "stop": None}}}
    assert "adversarial.start=0.01" in found(tmp_path, SHARPER, constant)["over-sharpened"].change
    assert "lower weight" in found(tmp_path, SHARPER)["over-sharpened"].change


def test_noise_that_is_left_is_no_detail_that_was_invented(tmp_path):
    assert found(tmp_path, [{**GOOD, "sharpness": sharp} for sharp in (7.0, 5.0, 3.0, 2.0)]) == {}


def test_a_cast_is_seen_where_it_stays(tmp_path):
    assert found(tmp_path, [{**GOOD, "colour_drift": 20.0}, GOOD, GOOD]) == {}
    seen = found(tmp_path, [GOOD, *[{**GOOD, "colour_drift": 9.0}] * 3])["colour-drift"]
    assert (seen.step, seen.problem) == (200, True)
    assert "9 of 255" in seen.words


@pytest.mark.parametrize("broken", ["x", None, float("nan"), [1], True, 1e300])
def test_readings_that_are_none_are_left_out(tmp_path, broken):
    assert found(tmp_path, [{"change": broken, "sharpness": broken, "colour_drift": broken}] * 4) == {}


def test_the_doctor_says_it(tmp_path):
    diagnosis = examine(run(tmp_path, [{**GOOD, "change": 0.0}] * 4))
    assert "identity-collapse" in {finding.name for finding in diagnosis.findings}
    assert not diagnosis.healthy


def test_few_pictures_of_which_crops_are_learned_call_for_no_cutouts(tmp_path):
    folder = run(tmp_path, [GOOD] * 4, {"modality": "edits"})
    (folder / "data.json").write_text(json.dumps({"train": 100}))
    (finding,) = (each for each in examine(folder).findings if each.name == "few-pictures")
    assert not finding.problem
    assert "cutout" not in finding.change
