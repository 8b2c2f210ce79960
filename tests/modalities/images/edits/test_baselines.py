import pytest
import torch

from rivals.modalities.images.edits import baselines as module
from rivals.modalities.images.edits.baselines import BASELINES, alike, baselines, matched, noise_of
from rivals.modalities.images.edits.degrade import blurred, gaussian, noise
from rivals.modalities.images.edits.measures import psnr
from rivals.modalities.images.edits.modality import Edits
from rivals.modalities.images.edits.tasks import TASKS


def photo(channels=3, side=48, seed=0):
    random = torch.Generator().manual_seed(seed)
    return blurred(torch.randn(1, channels, side, side, generator=random), gaussian(21, (4.0, 4.0))).mul(4).clamp(-1, 1)


def holed(x, top=16, side=12):
    mask = torch.zeros(1, 1, *x.shape[2:])
    mask[..., top : top + side, top : top + side] = 1
    return torch.cat([x * (1 - mask), mask], 1)


def ways(task, **more):
    return baselines(Edits(task, **more), [])[0]


@pytest.mark.parametrize("task", [*TASKS, "pairs"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_baseline_makes_pictures_of_the_right_shape(task, channels):
    if task == "colourise" and channels == 1:
        return
    scale = 2 if task == "super-resolution" else 1
    seen = TASKS[task].seen(channels) if task in TASKS else channels
    x = photo(channels, 24)
    given = holed(x, 8, 6) if task == "inpaint" else x[:, :seen]
    found = ways(task, channels=channels, seen=seen, scale=scale)
    assert found
    for name, edit in found.items():
        made = edit(given)
        assert made.shape == (1, channels, 24 * scale, 24 * scale), name
        assert made.dtype == torch.float32
        assert made.abs().max() <= 1


def test_a_missing_library_is_said_with_the_way_to_it(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    found, missing = baselines(Edits("inpaint", seen=4), [])
    assert list(found) == ["mean colour"]
    assert ["Telea" in missing[0], "rivals[baselines]" in missing[1]] == [True, True]


def test_a_hole_gets_the_mean_of_what_is_known():
    x = torch.ones(1, 3, 8, 8) * torch.tensor([-0.5, 0.0, 0.5]).view(1, 3, 1, 1)
    x[..., 0, 0] += 0.1
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 4:, :] = 1
    made = ways("inpaint", seen=4)["mean colour"](torch.cat([x * (1 - mask), mask], 1))
    torch.testing.assert_close(made[..., :4, :], x[..., :4, :])
    expected = torch.tensor([-0.5, 0.0, 0.5]) + 0.1 / 32
    torch.testing.assert_close(made[0, :, 7, 3], expected)


def test_the_median_takes_single_pixels_away_and_pixels_are_repeated():
    x = torch.zeros(1, 3, 9, 9)
    x[..., 4, 4] = 1
    assert float(ways("denoise")["median filter"](x).abs().max()) == 0
    made = ways("super-resolution", scale=3)["nearest"](x)
    assert float(made.sum()) == 3 * 9


@pytest.mark.parametrize("sigma", [5.0, 25.0])
def test_noise_is_estimated_within_a_tenth(sigma):
    x = noise(photo(3, 128) / 2, sigma, torch.Generator().manual_seed(1))
    assert noise_of(x) * 255 == pytest.approx(sigma, rel=0.1)


def test_an_unsharp_mask_leaves_flat_pictures_alone():
    x = torch.full((1, 3, 16, 16), 0.3)
    torch.testing.assert_close(ways("deblur")["unsharp mask"](x), x)


def test_histograms_are_matched_exactly_where_there_are_as_many_levels():
    one, other = torch.tensor([3.0, 1.0, 2.0]), torch.tensor([10.0, 30.0, 20.0])
    assert alike(one, other).tolist() == [30, 10, 20]
    x, like = photo(seed=1), photo(seed=2)
    made = next(iter(matched([x], [like])))
    assert made.shape == x.shape
    for ours, theirs in zip(made[0], like[0], strict=True):
        shares = torch.linspace(0.05, 0.95, 19)  # equal levels stay equal, so the ends can't be met
        torch.testing.assert_close(ours.quantile(shares), theirs.quantile(shares), atol=0.02, rtol=0)
    assert alike(torch.zeros(4), other).unique().numel() == 1


def test_nothing_is_left_of_the_grid_of_tasks():
    assert set(BASELINES) <= set(TASKS)


def test_non_local_means_take_most_of_the_noise_away():
    pytest.importorskip("skimage")
    true = photo(3, 48)
    random = torch.Generator().manual_seed(2)
    given = noise(true, 25.0, random)
    found, _ = baselines(Edits("denoise"), [(given, true)])
    assert float(psnr(found["non-local means"](given), true)) > float(psnr(given, true)) + 5


def test_a_smooth_hole_is_filled_smoothly():
    x = torch.linspace(-0.8, 0.8, 48).expand(1, 3, 48, 48).contiguous()
    given = holed(x)
    pytest.importorskip("skimage")
    torch.testing.assert_close(ways("inpaint", seen=4)["biharmonic"](given), x, atol=0.02, rtol=0)


def test_telea_fills_a_flat_hole_with_what_is_around_it():
    pytest.importorskip("cv2")
    for channels in (1, 3):
        x = torch.full((1, channels, 32, 32), 0.5)
        made = ways("inpaint", channels=channels, seen=channels + 1)["Telea"](holed(x, 8, 8))
        torch.testing.assert_close(made, x, atol=0.02, rtol=0)


def test_noise_beyond_black_and_white_is_not_cut_off():
    """Networks are given it whole, so baselines are too."""
    x = torch.linspace(-1.5, 1.5, 48).view(1, 1, 6, 8)
    torch.testing.assert_close(torch.from_numpy(module.as_pixels(x))[..., 0].float() * 2 - 1, x[0, 0])
