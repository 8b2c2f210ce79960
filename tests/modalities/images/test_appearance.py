from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from rivals.modalities.images.appearance import appearance, mean_of_means, pairs
from rivals.modalities.images.features import extractor
from rivals.modalities.images.measures import ms_ssim
from rivals.modalities.images.sides import PART, Side


def blobs(count, seed, size=20):
    """Pictures with large and small structure, in [-1, 1]."""
    rng = torch.Generator().manual_seed(seed)
    parts = [torch.randn(count, 3, side, side, generator=rng) for side in (5, 10)]
    large, small = (F.interpolate(part, (size, size), mode="bilinear") for part in parts)
    return (0.4 * large + 0.3 * small).tanh()


def side(pictures):
    cut = lambda number: pictures[number * PART : (number + 1) * PART]  # noqa: E731
    return Side("x", "x", len(pictures), cut, torch.arange(len(pictures)) % 4, tuple("abcd"))


def judge(size=20, space="digits"):
    real, train, unseen = (side(blobs(200, seed, size)) for seed in (1, 2, 3))
    return SimpleNamespace(real=real, training=train, control=unseen, extractor=extractor(space))


def looked(pictures, **more):
    fake = side(pictures)
    return appearance(fake, fake.labels, judge(**more), 1)


def test_fakes_like_the_real_pictures_are_about_at_the_floor():
    found = looked(blobs(200, 9))
    assert set(found.scores) == {"similarity", "layer_distance", "spectrum", "colours"} == set(found.floor)
    for name, value in found.scores.items():
        low, high = found.intervals[name]
        assert low < value < high
        assert value < 2 * found.floor[name]
        assert low < found.floor[name] * 1.5
    assert set(found.classes) == {0, 1, 2, 3}
    assert all(abs(row["similarity"] - row["similarity_real"]) < 0.15 for row in found.classes.values())


def test_a_class_of_one_picture_is_too_alike():
    pictures = blobs(200, 9)
    pictures[::4] = pictures[:1] + 0.01 * torch.randn(50, 3, 20, 20)
    found = looked(pictures)
    assert found.scores["similarity"] > found.floor["similarity"] + 0.15
    assert found.scores["layer_distance"] < 0.85 * found.floor["layer_distance"]
    assert found.classes[0]["similarity"] > 0.9
    assert found.classes[1]["similarity"] < 0.5


def test_blur_shows_in_the_spectrum_and_another_brightness_in_the_colours():
    pictures = blobs(200, 9)
    plain, blurred = looked(pictures), looked(F.avg_pool2d(pictures, 3, 1, 1))
    assert blurred.scores["spectrum"] > 5 * plain.scores["spectrum"]
    assert blurred.intervals["spectrum"][0] > blurred.floor["spectrum"]
    dark = looked(0.5 * pictures - 0.5)
    assert dark.scores["colours"] == pytest.approx(127.5 * (0.5 * pictures + 0.5).mean().item(), rel=0.1)
    assert dark.intervals["colours"][0] > dark.floor["colours"]


def test_without_labels_pairs_are_of_the_whole_set_and_small_pictures_have_no_windows():
    fake = side(blobs(60, 9))
    whole = appearance(fake, None, judge(), 1)
    assert whole.classes == {}
    assert 0 < whole.scores["similarity"] < 1
    tiny = appearance(side(blobs(60, 9, size=6)), None, judge(size=6, space="random"), 1)
    assert set(tiny.scores) == {"spectrum", "colours"}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_next_to_no_fakes_give_what_can_be_given(count):
    found = looked(blobs(count, 9))
    assert "similarity" not in found.scores
    assert found.scores["colours"] > 0


def test_without_known_training_pictures_only_pairs_have_a_floor():
    fake, alone = side(blobs(60, 9)), judge()
    alone.training = alone.control = None
    assert set(appearance(fake, fake.labels, alone, 1).floor) == {"similarity", "layer_distance"}


def test_pairs_are_of_one_class_and_share_no_row():
    labels = torch.randint(5, (101,), generator=torch.Generator().manual_seed(0))
    first, second, classes = pairs(labels, 1000, 3)
    assert torch.equal(labels[first], classes)
    assert torch.equal(labels[second], classes)
    assert len(torch.cat([first, second]).unique()) == 2 * len(first)
    assert len(first) == sum(int(count) // 2 for count in torch.bincount(labels))
    assert len(pairs(labels, 10, 3)[0]) == 10


def test_the_interval_of_pairs_covers_as_often_as_it_says():
    pool = blobs(4000, 5, size=12)
    every = torch.randperm(4000, generator=torch.Generator().manual_seed(1)).view(2, -1)
    truth = float(ms_ssim(pool[every[0]], pool[every[1]]).mean())
    inside = 0
    for start in range(0, 4000, 80):
        some = pool[start : start + 80]
        first, second, classes = pairs(torch.arange(80) % 4, 100, start)
        values = ms_ssim(some[first], some[second])
        value, reach = mean_of_means([values[classes == number] for number in range(4)])
        inside += abs(value - truth) <= reach
    assert inside >= 43  # of 50; fewer than 43 has a chance of 1 %


def test_a_side_that_can_pick_gives_the_same_pictures():
    plain = side(blobs(600, 4))
    picked = replace(plain, pick=lambda rows: blobs(600, 4)[rows])
    rows = torch.tensor([599, 0, 251])
    assert torch.equal(plain.take(rows), picked.take(rows))
