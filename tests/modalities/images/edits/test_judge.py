import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from rivals.engine.errors import RequestError
from rivals.engine.model import Model
from rivals.engine.recipe import Use
from rivals.modalities.images.cache import survey
from rivals.modalities.images.edits import scores, sets
from rivals.modalities.images.edits.degrade import blurred, gaussian
from rivals.modalities.images.edits.judge import EditJudge, repairs, setting_words
from rivals.modalities.images.edits.judge_parts import editor_of
from rivals.modalities.images.edits.modality import Edits
from rivals.modalities.images.edits.store import load
from rivals.modalities.images.edits.tasks import grey, settings
from rivals.modalities.images.edits.verdict_words import beside_rows, guard_sentences, verdict_sentences


class Network(nn.Module):
    """A network that does what a function says."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.nothing = nn.Parameter(torch.zeros(()))

    def forward(self, z, cond):
        return self.function(cond)


def model(edits, function):
    return Model(Network(function), edits, "edits", Use("none"), 0, {})


def smooth(x):
    return blurred(x, gaussian(7, (1.5, 1.5)))


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(scores, "installed", lambda: False)
    monkeypatch.setattr(sets, "TIMES", 8)


@pytest.fixture
def shelf(tmp_path):
    folder = tmp_path / "good"
    folder.mkdir()
    random = torch.Generator().manual_seed(0)
    for number in range(20):
        height, width = 128 + 8 * (number % 3), 136
        x = blurred(torch.randn(1, 3, height, width, generator=random), gaussian(13, (2.5, 2.5))).mul(3).clamp(-1, 1)
        pixels = ((x[0].permute(1, 2, 0).numpy() + 1) * 127.5).round().astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return load(survey(folder, learning=False), 3, 32)


def judge(shelf, task="denoise", scale=1, *, of=16, most=None):
    edits = Edits(task, 3, 4 if task == "inpaint" else 3, scale, 32, settings(task, {}))
    rows = torch.arange(len(shelf.places))
    seen = EditJudge.of(shelf, edits, rows[of:], rows[:of], space="random")
    return seen if most is None else replace(seen, most=most)


def test_damage_is_the_same_for_the_same_picture_and_seed_alone(shelf):
    pair = repairs(shelf, judge(shelf).edits)
    (one, true), (again, _), (other, same), (far, _) = pair(0, 64, 1), pair(0, 64, 1), pair(0, 64, 2), pair(1, 64, 1)
    assert torch.equal(one, again)
    assert torch.equal(true, same)
    assert not torch.equal(one, other)
    assert not torch.equal(one - true, far[..., : true.shape[2], :] - pair(1, 64, 1)[1][..., : true.shape[2], :])


@pytest.mark.parametrize(("scale", "sides"), [(2, (40, 40)), (3, (24, 24)), (4, (40, 40))])
def test_sides_suit_the_scale(shelf, scale, sides):
    given, true = repairs(shelf, judge(shelf, "super-resolution", scale).edits)(0, 45, 1)
    assert tuple(true.shape[2:]) == sides
    assert [scale * side for side in given.shape[2:]] == list(sides)


def test_a_quick_verdict_gives_the_main_scores_and_the_guard_rails(shelf):
    seen = judge(shelf)
    found = seen.quick(model(seen.edits, lambda x: x), 0, 1.0)
    assert list(found) == ["dissimilarity", "psnr", "ssim", "colour_drift", "sharpness", "change"]
    assert found["change"] == 0
    assert found["sharpness"] > 1.5  # the noise is still there
    assert found == seen.quick(model(seen.edits, lambda x: x), 0, 1.0)
    assert found != seen.quick(model(seen.edits, lambda x: x), 11, 1.0)
    assert seen.quick(model(seen.edits, smooth), 0, 1.0)["psnr"] > found["psnr"]


def test_a_quick_verdict_is_the_mean_psnr_over_validation_pictures(shelf):
    seen = judge(shelf)
    expected = []
    for row in range(16, 20):
        given, true = seen.pairs(row, 128, 0)
        levels = ((given.clamp(-1, 1) + 1) * 127.5).double().round(), ((true + 1) * 127.5).double().round()
        expected.append(10 * np.log10(255**2 / float((levels[0] - levels[1]).square().mean())))
    found = seen.quick(model(seen.edits, lambda x: x), 0, 1.0)
    assert found["psnr"] == pytest.approx(np.mean(expected), abs=1e-4)  # halves of a level are rounded


def test_a_network_that_does_nothing_is_no_better_than_nothing_done_and_worse_than_a_filter(shelf):
    seen = judge(shelf, most=5)
    verdict = json.loads(json.dumps(seen.judged(model(seen.edits, lambda x: x), name="still").verdict))
    nothing = verdict["baselines"]["nothing done"]
    assert nothing["scores"] == verdict["scores"]
    assert nothing["ahead"]["psnr"] == [0, 0, 0]
    assert verdict["baselines"]["median filter"]["ahead"]["psnr"][2] < 0
    words = " ".join(verdict_sentences(verdict))
    assert "is better in" in words
    assert "dB, median filter" in words or "dB, non-local means" in words
    assert "changed by 0 of" in " ".join(guard_sentences(verdict["guards"]))


def test_a_network_that_repairs_wins_and_the_table_shows_all(shelf):
    seen = judge(shelf, "super-resolution", 2)
    true = {}
    for row in range(len(shelf.places)):
        given, whole = seen.pairs(row, 256, 1)
        true[tuple(given[0, :, 3, 5].tolist())] = whole

    verdict = seen.judged(model(seen.edits, lambda x: true[tuple(x[0, :, 3, 5].tolist())]), name="oracle").verdict
    assert verdict["scores"]["psnr"] == scores.MOST_DECIBELS
    assert verdict["scores"]["dissimilarity"] == pytest.approx(0, abs=1e-9)
    assert verdict["scores"]["fd"] == pytest.approx(0, abs=1e-6)
    words = " ".join(verdict_sentences(json.loads(json.dumps(verdict))))
    assert "No baseline is better" in words
    assert "dB ahead" in words
    heads, rows = beside_rows(verdict)
    assert [row[0] for row in rows] == ["this model", "nearest", "bicubic"]
    assert {len(row) for row in rows} == {len(heads)}
    assert any("PSNR of Y" in head for head in heads)


def test_other_models_stand_beside_it_on_the_same_pictures(shelf):
    seen = judge(shelf, most=6)
    ours, still = model(seen.edits, smooth), model(seen.edits, lambda x: x)
    verdict = json.loads(json.dumps(seen.judged(ours, name="ours", beside={"still": still, "same": ours}).verdict))
    assert verdict["beside"]["still"] == verdict["baselines"]["nothing done"]
    assert verdict["beside"]["same"]["scores"] == verdict["scores"]
    assert [row[0] for row in beside_rows(verdict)[1][:4]] == ["this model", "still", "same", "nothing done"]
    (told, same) = [each for each in verdict_sentences(verdict) if each.startswith("Beside ")]
    assert "Beside still: better in 1 − MS-SSIM (" in told
    assert "PSNR (" in told
    assert "worse in" not in told
    assert same.startswith("Beside same: not told apart in ")
    assert "better" not in same


def test_bicubic_is_that_of_pillow(shelf):
    seen = judge(shelf, "super-resolution", 4)

    def enlarged(x):
        size = (4 * x.shape[3], 4 * x.shape[2])
        channels = [Image.fromarray(each.numpy()).resize(size, Image.Resampling.BICUBIC) for each in x[0]]
        return torch.from_numpy(np.stack([np.asarray(each) for each in channels]))[None].clamp(-1, 1)

    verdict = seen.judged(model(seen.edits, enlarged), name="bicubic").verdict
    for name in ("dissimilarity", "psnr", "ssim", "psnr_y"):
        theirs = verdict["baselines"]["bicubic"]["scores"][name]
        assert theirs == pytest.approx(verdict["scores"][name], rel=1e-3), name
    assert verdict["guards"]["change"] == pytest.approx(0, abs=1e-3)


def test_a_final_verdict_leaves_pictures_and_a_card(shelf, tmp_path):
    seen = judge(shelf, "inpaint", most=6)
    verdict = seen.final(model(seen.edits, lambda x: x[:, :3]), tmp_path)
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir())[:3] == [
        "edit-1-given.png",
        "edit-1-made.png",
        "edit-1-true.png",
    ]
    assert verdict["card"]["real_count"] == 6
    assert verdict["card"]["split"] == "held-out part"
    assert "share 0.1 to 0.35" in verdict["protocol"]["damage"]
    assert "psnr_y" not in verdict["scores"]
    assert set(verdict) >= {"scores", "intervals", "floor", "notes", "protocol", "card", "baselines", "guards"}


def test_pictures_are_judged_as_they_are_given_to_people(shelf):
    filled = judge(shelf, "inpaint")
    given, true = filled.pairs(0, 64, 1)
    made = editor_of(model(filled.edits, lambda x: torch.ones_like(x[:, :3])))(given)
    mask = given[:, 3:]
    torch.testing.assert_close(made * (1 - mask), true * (1 - mask))
    assert float((made * mask).sum()) == 3 * float(mask.sum())
    coloured = Edits("colourise", 3, 1, crop=32)
    luma = given[:, :1] / 2
    made = editor_of(model(coloured, lambda x: torch.cat([x + 0.1, x, x], 1) / 2))(luma)
    torch.testing.assert_close(grey(made), luma)


def test_few_and_small_pictures_are_judged_and_said(shelf):
    few = judge(shelf, of=3)
    verdict = few.judged(model(few.edits, smooth), name="few").verdict
    assert verdict["intervals"] == {}
    assert any("Only 3 pictures" in note for note in verdict["notes"])
    assert any("No distance between sets" in note for note in verdict["notes"])
    assert "fd" not in verdict["scores"]


def test_pairs_are_judged_as_they_are(shelf):
    edits = Edits("pairs", damage={"ways": 2})
    rows = torch.arange(12)
    seen = EditJudge.of_pairs(shelf, shelf, edits, rows[:4], rows[4:], space="random")
    verdict = seen.judged(model(edits, lambda x: x), name="same").verdict
    assert verdict["scores"]["psnr"] == scores.MOST_DECIBELS
    assert list(verdict["baselines"]) == ["nothing done"]


def test_settings_of_damage_in_words():
    assert setting_words("blind", False) == ""
    assert setting_words("sigma", (5.0, 25.5)) == "sigma 5 to 25.5"


def test_a_space_that_has_to_be_learned_is_refused_before_training(shelf):
    rows = torch.arange(14)
    with pytest.raises(RequestError, match="self"):
        EditJudge.of(shelf, judge(shelf).edits, rows[:2], rows, space="self")
