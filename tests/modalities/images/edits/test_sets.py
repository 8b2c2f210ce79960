import pytest
import torch

from rivals.modalities.images.edits.sets import CROP, Seen, ahead_of, crops_of, enough, scores_of, set_scores


def features(count=12, each=6, shift=0.0, seed=0):
    random = torch.Generator().manual_seed(seed)
    return [torch.randn(each, 5, generator=random) + shift for _ in range(count)]


def test_crops_lie_on_a_grid_and_are_spread_over_the_picture():
    x = torch.arange(CROP * 3 * CROP * 2, dtype=torch.float32).reshape(1, 1, 3 * CROP, 2 * CROP)
    all_six = crops_of(x)
    assert all_six.shape == (6, 1, CROP, CROP)
    torch.testing.assert_close(all_six[3], x[0, :, CROP : 2 * CROP, CROP:])
    torch.testing.assert_close(crops_of(x, 2), all_six[[0, 3]])


@pytest.mark.parametrize("shape", [(1, 3, 63, 200), (1, 1, 8, 8)])
def test_a_picture_that_is_smaller_than_a_crop_has_none(shape):
    assert len(crops_of(torch.zeros(shape))) == 0


def test_equal_sets_are_at_distance_nothing_and_a_shift_is_its_square():
    true = features()
    same = set_scores(true, true)
    assert same.scores["fd"] == pytest.approx(0, abs=1e-6)
    moved = set_scores([x + 2 for x in true], true)
    assert moved.scores["fd"] == pytest.approx(5 * 2**2, rel=1e-4)
    low, high = moved.intervals["fd"]
    assert low <= moved.scores["fd"] <= high
    assert moved.scores["fd_share"] == pytest.approx(100 * 20 / torch.cat(true).var(0).sum().item(), rel=1e-4)


def test_the_nearer_set_is_ahead_on_the_same_pictures():
    true = features()
    values = {"psnr": torch.arange(12.0, dtype=torch.float64)}
    near, far = Seen(values, [x + 0.1 for x in true]), Seen(values, [x + 1 for x in true])
    apart, low, high = ahead_of(near, far, true)["fd"]
    assert apart < 0
    assert low <= apart <= high < 0
    assert ahead_of(near, far, [])["psnr"] == [0.0, 0.0, 0.0]
    assert set(scores_of(near, []).scores) == {"psnr"}


def test_few_crops_tell_no_distance():
    assert enough([torch.zeros(8, 1)] * 8)
    assert not enough([torch.zeros(8, 1)] * 7)
    assert not enough([torch.zeros(1, 1)] * 20)
