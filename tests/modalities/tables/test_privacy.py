import json

import numpy as np
import polars as pl
import pytest
import torch

from rivals.modalities.tables.attacks import ATTACKS, attacks, kernel_density
from rivals.modalities.tables.guessing import attribute_inference, risk_of, singling_out
from rivals.modalities.tables.privacy import copies, hashes, nearness, privacy
from rivals.modalities.tables.rows import guessed, parts_of
from rivals.modalities.tables.space import corners, normal_scores, placed


def table(count, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 4))
    frame = pl.DataFrame({f"x{k}": x[:, k] for k in range(4)})
    word = np.where(x[:, 0] + rng.normal(size=count) > 0, "up", "down")
    return frame.with_columns(a=pl.Series(word), b=pl.Series(rng.choice(list("pqrst"), count)))


def noisy(frame, seed, size=0.02):
    rng = np.random.default_rng(seed)
    return frame.with_columns(pl.col(f"x{k}") + pl.Series(size * rng.normal(size=frame.height)) for k in range(4))


def parts(**frames):
    return parts_of(frames, guessed(next(iter(frames.values()))))


def judged(fake, seed=0):
    found = parts(train=table(1200, 0), held_out=table(800, 1), fake=fake)
    return privacy(found["fake"], found["train"], found["held_out"], target="a", seed=seed)


def test_a_planted_overfit_table_is_flagged_by_several_attacks():
    found = judged(noisy(table(1200, 0), 5))
    assert {"distance", "calibrated", "standing_out"} <= set(found["flagged"])
    assert found["attacks"]["distance"]["advantage"][1] > 0.5
    assert found["copies"]["count"] == 0
    assert found["inference"]["a"]["shown"]
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("seed", [2, 3])
def test_fresh_rows_of_the_same_distribution_are_not_flagged(seed):
    found = judged(table(1200, seed), seed)
    assert found["flagged"] == []
    assert set(found["attacks"]) == set(ATTACKS)
    assert not found["singling_out"].get("shown")


def test_a_tenth_of_copies_is_flagged_though_distances_hardly_show_it():
    found = judged(pl.concat([table(1080, 2), table(1200, 0)[:120]]))
    assert "copies" in found["flagged"]
    assert found["copies"]["fake"][0] == pytest.approx(0.1)
    assert found["nearest"]["share_closer"][0] < 0.6


def test_too_few_held_out_rows_are_refused_in_words():
    found = parts(train=table(300, 0), held_out=table(30, 1), fake=table(300, 2))
    told = privacy(found["fake"], found["train"], found["held_out"])
    assert "30 held-out rows" in told["refused"]
    assert "attacks" not in told


def test_copies_that_held_out_rows_make_as_well_are_chance():
    coarse = [pl.DataFrame({"c": np.random.default_rng(k).choice(list("abc"), 200)}) for k in range(3)]
    found = parts(train=coarse[0], held_out=coarse[1], fake=coarse[2])
    told = copies(found["fake"], found["train"], found["held_out"])
    assert told["fake"][0] == told["held_out"][0] == 1
    assert not told["more_than_chance"]


def test_equal_rows_have_equal_hashes_missing_cells_and_minus_zero_included():
    frame = pl.DataFrame({"x": [0.0, -0.0, None, None, 1.0], "c": ["a", "a", None, None, "a"]})
    found = hashes(parts(train=frame)["train"]).to_list()
    assert found[0] == found[1]
    assert found[2] == found[3]
    assert len(set(found)) == 3


def test_nearness_is_even_for_fresh_rows_and_one_sided_for_copies():
    found = parts(train=table(600, 0), held_out=table(600, 1), fresh=table(600, 2), copy=noisy(table(600, 0), 3))
    low, high = nearness(found["fresh"], found["train"], found["held_out"], 0)["share_closer"][1:]
    assert low < 0.5 < high
    assert nearness(found["copy"], found["train"], found["held_out"], 0)["share_closer"][0] > 0.95


def test_points_of_equal_rows_coincide_and_missing_is_a_place_of_its_own():
    frame = pl.DataFrame({"x": [1.0, None, 1.0, 5.0], "c": ["a", "b", "a", None]})
    rows = parts(train=frame)["train"]
    points = placed(rows, (rows,))[0]
    assert torch.equal(points[0], points[2])
    assert len(torch.unique(points, dim=0)) == 3
    assert points.isfinite().all()


def test_normal_scores_of_many_ranks_are_normal():
    column = np.random.default_rng(0).exponential(size=5000)
    scores = normal_scores(column, column)
    assert float(scores.mean()) == pytest.approx(0, abs=1e-3)
    assert float(scores.std()) == pytest.approx(1, abs=1e-2)
    assert (scores.argsort() == torch.from_numpy(column).argsort()).all()


def test_many_categories_share_directions_of_length_one():
    found = corners(500, seed=0)
    assert found.shape == (500, 48)
    assert torch.allclose(found.norm(dim=1), torch.ones(500))
    assert float((found @ found.T - torch.eye(500)).abs().max()) < 0.8


def test_the_density_estimate_is_that_of_scipy():
    from scipy import stats

    rng = np.random.default_rng(0)
    rows, asked = rng.normal(size=(200, 2)), rng.normal(size=(20, 2))
    width = 200 ** (-1 / 6)
    kernels = [np.exp(-((asked - row) ** 2).sum(1) / (2 * width**2)) / (2 * np.pi * width**2) for row in rows]
    ours = kernel_density(torch.from_numpy(asked), torch.from_numpy(rows)).numpy() - np.log(2 * np.pi)
    assert ours == pytest.approx(np.log(np.mean(kernels, 0)))
    assert stats.gaussian_kde(rows.T).factor == pytest.approx(width)


def test_every_attack_scores_every_candidate():
    found = parts(train=table(50, 0), others=table(40, 1), reference=table(30, 2), fake=table(60, 3))
    told = []
    scores = attacks(found["fake"], found["train"], found["others"], found["reference"], tell=told.append)
    assert set(scores) == set(ATTACKS)
    assert all((len(a), len(b)) == (50, 40) and np.isfinite([*a, *b]).all() for a, b in scores.values())
    assert told


def test_risk_is_the_excess_over_the_control():
    found = risk_of(60, 20, 100)
    assert found.risk.value == pytest.approx(0.5)
    assert 0 < found.risk.low < 0.5 < found.risk.high
    assert risk_of(20, 20, 100).risk.low < 0


def test_copies_are_singled_out_and_their_secrets_guessed_fresh_rows_are_not():
    found = parts(train=table(600, 0), held_out=table(600, 1), fresh=table(600, 2), copy=noisy(table(600, 0), 3, 0.001))
    assert singling_out(found["train"], found["train"], found["held_out"]).risk.low > 0.2
    assert singling_out(found["fresh"], found["train"], found["held_out"]).risk.low < 0
    for secret in ("a", "x1"):
        leak = attribute_inference(found["copy"], found["train"], found["held_out"], secret)
        none = attribute_inference(found["fresh"], found["train"], found["held_out"], secret)
        assert leak.risk.low > 0.1, secret
        assert none.risk.low < 0, secret


def test_what_cant_be_guessed_is_left_out():
    found = parts(train=table(600, 0), held_out=table(5, 1), fake=table(600, 2))
    assert attribute_inference(found["fake"], found["train"], found["held_out"], "a") is None
    same = pl.DataFrame({"c": ["a"] * 50})
    found = parts(train=same, held_out=same, fake=same)
    assert singling_out(found["fake"], found["train"], found["held_out"]) is None
