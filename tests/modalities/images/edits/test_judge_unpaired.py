import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from rivals.engine.model import Model
from rivals.engine.recipe import Use
from rivals.modalities.images.edits import scores
from rivals.modalities.images.edits.judge_unpaired import UnpairedJudge
from rivals.modalities.images.edits.modality import Edits
from rivals.modalities.images.edits.scores import guards_unpaired
from rivals.modalities.images.edits.store import Shelf
from rivals.modalities.images.edits.verdict_words import beside_rows, verdict_sentences

SHIFT = 0.8  # between the two kinds, in one channel


class Network(nn.Module):
    def __init__(self, make, make_back):
        super().__init__()
        self.make, self.make_back = make, make_back
        self.nothing = nn.Parameter(torch.zeros(()))

    def forward(self, z, cond):
        return self.make(cond)


def model(edits, make, make_back=None):
    return Model(Network(make, make_back), edits, "edits", Use("none"), 0, {})


def moved(x, by):
    x = x.clone()
    x[:, 0] += by
    return x.clamp(-1, 1)


def shelf(red, count=48, side=32, seed=0):
    """Noise whose first channel is high or low."""
    random = np.random.default_rng(seed)
    values = random.normal(0, 0.12, (count, side, side, 3))
    values[..., 0] += SHIFT / 2 if red else -SHIFT / 2
    pixels = np.rint((values.clip(-1, 1) + 1) * 127.5).astype(np.uint8)
    places = np.stack([np.arange(count) * side * side * 3, np.full(count, side), np.full(count, side)], 1)
    held = torch.arange(0, count, 2) if count > 4 else torch.arange(0)
    train = torch.from_numpy(np.setdiff1d(np.arange(count), held.numpy()))
    found = SimpleNamespace(source="red" if red else "blue")
    return Shelf(pixels.reshape(-1), places, 3, train, held, "0" * 64, found, np.arange(count))


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(scores, "installed", lambda: False)


def judge(back=False, target=None, task="unpaired"):
    edits = Edits(task, crop=32, damage={"ways": 2}, back=back)
    sides = shelf(False), target or shelf(True, 112, seed=1)
    held = [side.held_out if len(side.held_out) else side.train for side in sides]
    validation, last = ([rows[part::2] if len(rows) > 1 else rows for rows in held] for part in (0, 1))
    return UnpairedJudge(*sides, edits, tuple(validation), tuple(last), "random")


def test_a_quick_verdict_sees_the_right_change():
    seen = judge()
    still = seen.quick(model(seen.edits, lambda x: x), 0, 1.0)
    right = seen.quick(model(seen.edits, lambda x: moved(x, SHIFT)), 0, 1.0)
    assert list(right)[:3] == ["fd", "fd_share", "kid"]
    assert right["fd"] < still["fd"] / 4
    assert right["kid"] < still["kid"]
    assert still["change"] == 0
    assert right["change"] == pytest.approx(1, abs=0.3)
    assert max(still["colour_drift"], right["colour_drift"]) < 2


def test_the_right_change_is_nearer_than_nothing_and_the_verdict_says_so():
    seen = judge()
    found = seen.judged(model(seen.edits, lambda x: moved(x, SHIFT)), name="right")
    verdict = json.loads(json.dumps(found.verdict))
    assert verdict["scores"]["fd"] < verdict["baselines"]["nothing done"]["scores"]["fd"]
    assert verdict["baselines"]["nothing done"]["scores"]["content"] == 0
    assert verdict["baselines"]["nothing done"]["scores"]["identity"] == 0
    assert 0 < verdict["scores"]["identity"] <= 127.5 * SHIFT / 3 + 1
    assert verdict["scores"]["fd"] < 4 * verdict["floor"]["fd"]
    assert set(verdict["intervals"]) >= {"fd", "kid", "content"}
    assert verdict["directions"] == {}
    words = " ".join(verdict_sentences(verdict))
    assert "already of the wanted kind are changed by" in words
    assert [row[0] for row in beside_rows(verdict)[1]] == ["this model", "nothing done", "histogram matching"]


def test_both_ways_are_judged_where_the_network_goes_both():
    seen = judge(back=True)
    both = model(seen.edits, lambda x: moved(x, SHIFT), lambda x: moved(x, -SHIFT))
    found = seen.judged(both, name="both")
    back = found.verdict["directions"]["back"]
    assert back["scores"]["fd"] < back["baselines"]["nothing done"]["scores"]["fd"]
    assert {*found.shown} == {"edit", "back"}


def test_other_models_stand_beside_each_way_that_they_go():
    seen = judge(back=True)
    right = model(seen.edits, lambda x: moved(x, SHIFT), lambda x: moved(x, -SHIFT))
    one_way = model(judge().edits, lambda x: moved(x, SHIFT / 2))
    found = seen.judged(right, name="right", beside={"half": one_way, "again": right}).verdict
    assert found["beside"]["again"]["scores"] == found["scores"]
    assert found["scores"]["fd"] < found["beside"]["half"]["scores"]["fd"]
    assert found["beside"]["half"]["scores"]["fd"] < found["baselines"]["nothing done"]["scores"]["fd"]
    assert list(found["directions"]["back"]["beside"]) == ["again"]
    assert [row[0] for row in beside_rows(found)[1][:3]] == ["this model", "half", "again"]


def test_one_painting_is_compared_by_crops():
    seen = judge(target=shelf(True, 1, 256), task="style")
    verdict = seen.judged(model(seen.edits, lambda x: moved(x, SHIFT)), name="style").verdict
    assert any("crops were compared" in note for note in verdict["notes"])
    assert verdict["scores"]["fd"] > 0
    assert verdict["floor"] == {}, "there is no second painting, and the one lies at 0 from itself"


def test_a_cast_beyond_both_kinds_is_a_drift_and_a_way_between_them_is_none():
    given, wanted = [torch.zeros(1, 3, 8, 8)], [torch.full((1, 3, 8, 8), 0.4)]
    half, beyond = [torch.full((1, 3, 8, 8), 0.2)], [torch.full((1, 3, 8, 8), 0.5)]
    assert guards_unpaired(half, given, wanted)["colour_drift"] == pytest.approx(0, abs=1e-5)
    assert guards_unpaired(beyond, given, wanted)["colour_drift"] == pytest.approx(12.75, rel=1e-4)
    assert guards_unpaired(half, given, wanted)["change"] == pytest.approx(0.5, rel=1e-5)
