import math

import numpy as np
import pytest
import torch
from hypothesis import given as when
from hypothesis import settings
from hypothesis import strategies as st

from rivals.modalities.images.edits import scores
from rivals.modalities.images.edits.degrade import blurred, gaussian
from rivals.modalities.images.edits.scores import ahead, as_given, beside_true, guards, mean_scores, ratio, unlikeness
from rivals.modalities.images.measures import ms_ssim


def pictures(count=1, channels=3, side=32, seed=0):
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(seed)) * 1.6 - 0.8


@pytest.fixture
def without_network(monkeypatch):
    monkeypatch.setattr(scores, "installed", lambda: False)


@pytest.mark.usefixtures("without_network")
def test_without_a_feature_network_the_first_score_is_ms_ssim_and_named_so():
    a, b = pictures(2), pictures(2, seed=1)
    assert scores.score_names() == ("dissimilarity", "psnr", "ssim")
    torch.testing.assert_close(unlikeness(a, b), 1 - ms_ssim(a.double(), b.double()))


def test_equal_pictures_are_at_distance_nothing_whoever_measures():
    a = pictures(2, side=64)
    torch.testing.assert_close(unlikeness(a, a), torch.zeros(2, dtype=torch.float64), atol=1e-6, rtol=0)
    assert beside_true(a, a, 1)["psnr"].tolist() == [scores.MOST_DECIBELS] * 2


@pytest.mark.usefixtures("without_network")
def test_psnr_is_what_the_formula_says_and_leaves_the_border_out():
    true = torch.zeros(1, 3, 40, 40)
    made = true.clone()
    made[..., 4:-4, 4:-4] += 2 * 10 / 255
    found = beside_true(made, true, 4)
    assert float(found["psnr"]) == pytest.approx(20 * math.log10(255 / 10), abs=1e-9)
    assert set(found) == {"dissimilarity", "psnr", "ssim", "psnr_y", "ssim_y"}
    assert set(beside_true(made, true, 1)) == {"dissimilarity", "psnr", "ssim"}


@pytest.mark.usefixtures("without_network")
def test_psnr_and_ssim_are_those_of_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    true = blurred(pictures(1, side=48), gaussian(9, (2.0, 2.0)))
    made = (true + 0.1 * pictures(1, side=48, seed=3)).clamp(-1, 1)
    a, b = (np.rint((x[0].permute(1, 2, 0).double().numpy() + 1) * 127.5).astype(np.uint8) for x in (true, made))
    found = beside_true(made, true, 1)
    assert float(found["psnr"]) == pytest.approx(metrics.peak_signal_noise_ratio(a, b), abs=1e-6)
    theirs, each = metrics.structural_similarity(
        a, b, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    assert float(found["ssim"]) == pytest.approx(each[5:-5, 5:-5].mean(), abs=1e-6)
    assert theirs == pytest.approx(float(found["ssim"]), abs=0.02)  # theirs has the border in it


@pytest.mark.parametrize(
    ("seen", "channels", "scale"), [(3, 3, 1), (4, 3, 1), (1, 3, 1), (3, 1, 1), (2, 1, 1), (3, 3, 4)]
)
def test_what_is_given_is_shown_as_a_picture_of_the_true_ones_shape(seen, channels, scale):
    x = pictures(2, seen, 8)
    shown = as_given(x, channels, (8 * scale, 8 * scale))
    assert shown.shape == (2, channels, 8 * scale, 8 * scale)
    if seen >= channels and scale == 1 and seen - channels < 2:
        torch.testing.assert_close(shown, x[:, :channels])
    assert shown.abs().max() <= 1


def test_a_network_that_hands_pictures_through_changes_nothing_and_a_perfect_one_all():
    true, given = list(pictures(3).split(1)), list(pictures(3, seed=1).split(1))
    assert guards(given, given, true)["change"] == 0
    perfect = guards(true, given, true)
    assert perfect == {"colour_drift": 0, "sharpness": 1, "change": 1}


def test_a_cast_is_told_in_levels_and_more_detail_in_times():
    true = list(pictures(2, seed=2).div(4).split(1))
    cast = [x + 2 * 8 / 255 for x in true]
    assert guards(cast, true, [x + 0.1 for x in true])["colour_drift"] == pytest.approx(abs(8 - 0.1 * 127.5), rel=1e-4)
    assert guards(cast, true, true)["colour_drift"] == pytest.approx(8, rel=1e-4)
    sharper = [2 * x for x in true]
    assert guards(sharper, true, true)["sharpness"] == pytest.approx(4, rel=1e-4)


@when(st.floats(0, 100), st.floats(0, 100))
@settings(max_examples=20)
def test_a_ratio_is_always_a_number(over, under):
    assert math.isfinite(ratio(over, under))
    assert ratio(0.0, 0.0) == 1


def test_means_have_intervals_from_four_pictures_on_and_what_is_ahead_has_its_sign():
    values = {"psnr": torch.tensor([1.0, 2.0, 3.0, 6.0], dtype=torch.float64)}
    found = mean_scores(values)
    assert found.scores == {"psnr": 3.0}
    assert found.intervals["psnr"][0] < 3 < found.intervals["psnr"][1]
    assert mean_scores({"psnr": values["psnr"][:3]}).intervals == {}
    apart, low, high = ahead(values, {"psnr": values["psnr"] - 1.0})["psnr"]
    assert (apart, low, high) == (1.0, 1.0, 1.0)  # the same on every picture: no chance in it
