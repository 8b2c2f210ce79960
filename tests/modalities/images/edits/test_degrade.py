"""Damage: of the stated strength, the same for the same seed, within its range."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import max_pool2d

from rivals.modalities.images.edits import degrade
from rivals.modalities.images.edits.masks import boxes, near_segment, strokes


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_noise_has_its_deviation():
    x = torch.zeros(4, 3, 64, 64)
    found = degrade.noise(x, 25, seeded())
    assert 127.5 * float(found.std()) == pytest.approx(25, rel=0.02)
    grey = degrade.noise(x, 25, seeded(), grey=True)
    assert torch.equal(grey[:, 0], grey[:, 2])


def test_shot_noise_grows_with_the_root_of_the_light():
    dark, bright = torch.full((1, 1, 200, 200), -0.5), torch.full((1, 1, 200, 200), 1.0)
    found = [float(degrade.poisson(x, 1.0, seeded()).std()) for x in (dark, bright)]
    assert found[1] / found[0] == pytest.approx(2.0, rel=0.05)  # a quarter of the light
    assert found[1] == pytest.approx(2 / math.sqrt(255), rel=0.05)


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_kernels_are_kernels(seed):
    kernel = degrade.random_kernel(seeded(seed), (0.2, 3.0), sinc=0.1, sizes=(7, 13, 21))
    assert float(kernel.sum()) == pytest.approx(1, abs=1e-4)
    torch.testing.assert_close(kernel, kernel.flip(0, 1))
    x = torch.full((2, 3, 16, 16), 0.3)
    torch.testing.assert_close(degrade.blurred(x, kernel), x, atol=1e-4, rtol=0)


def test_a_round_gaussian_has_its_deviation():
    kernel = degrade.gaussian(41, (3.0, 3.0)).double()
    places = torch.arange(41.0).double() - 20
    assert float((kernel.sum(0) * places**2).sum()) == pytest.approx(9.0, rel=1e-3)


def test_a_turned_kernel_lies_along_its_axis():
    kernel = degrade.gaussian(21, (4.0, 1.0), math.pi / 2)
    places = torch.arange(21.0) - 10
    down, across = (float((kernel.sum(axis) * places**2).sum()) for axis in (1, 0))
    assert down > 8 * across


def test_each_picture_may_have_a_kernel_of_its_own():
    x = torch.randn(2, 3, 16, 16)
    kernels = torch.stack([degrade.gaussian(7, (0.1, 0.1)), degrade.gaussian(7, (2.0, 2.0))])
    found = degrade.blurred(x, kernels)
    torch.testing.assert_close(found[0], x[0])
    torch.testing.assert_close(found[1:], degrade.blurred(x[1:], kernels[1]))


def test_a_ring_filter_passes_what_is_slow_and_stops_what_is_fast():
    kernel = degrade.ringing(21, math.pi / 2)
    spectrum = np.abs(np.fft.fft2(kernel.numpy(), (64, 64)))
    assert spectrum[0, 2] == pytest.approx(1, abs=0.1)
    assert spectrum[0, 28] < 0.1


def test_jpeg_is_the_codec_and_better_at_higher_quality():
    x = 4 * degrade.blurred(torch.rand(2, 3, 32, 40, generator=seeded()) - 0.5, degrade.gaussian(9, (2.0, 2.0)))
    low, high = (float((degrade.jpeg(x, quality) - x).square().mean()) for quality in (10, 95))
    assert low > 2 * high > 0
    flat = torch.full((1, 1, 16, 16), 0.25098039)
    torch.testing.assert_close(degrade.jpeg(flat, 90), flat, atol=0.02, rtol=0)
    own = degrade.jpeg(x, [10, 95])
    torch.testing.assert_close(own[1:], degrade.jpeg(x[1:], 95))


@settings(max_examples=12)
@given(st.integers(0, 10_000), st.sampled_from([1, 2, 4]), st.sampled_from([1, 3]))
def test_blind_damage_is_seeded_small_and_in_range(seed, scale, channels):
    x = torch.rand(2, channels, 32, 24, generator=seeded(1)) * 2 - 1
    before = x.clone()
    found = degrade.blind(x, scale, seeded(seed))
    assert found.shape == (2, channels, 32 // scale, 24 // scale)
    assert torch.isfinite(found).all()
    assert found.abs().max() <= 1
    assert torch.equal(found, degrade.blind(x, scale, seeded(seed)))
    assert torch.equal(x, before)


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.25, 0.6]), st.sampled_from([strokes, boxes]))
def test_masks_cover_what_was_asked(seed, share, make):
    masks = make(2, 40, 56, share, (2.0, 8.0), seeded(seed))
    assert masks.shape == (2, 1, 40, 56)
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    covered = masks.flatten(1).mean(1)
    assert (covered >= share).all()
    assert (covered < share + 0.4).all()
    assert torch.equal(masks, make(2, 40, 56, share, (2.0, 8.0), seeded(seed)))


@pytest.mark.parametrize("make", [strokes, boxes])
def test_holes_are_as_large_as_asked_whatever_the_picture(make):
    for side in (64, 160):
        small, large = (make(2, side, side, 0.05, (thick, thick), seeded()) for thick in (3.0, 16.0))
        within = [1 - max_pool2d(1 - holes, 11, 1) for holes in (small, large)]  # five pixels from every border
        assert within[0].mean() == 0
        assert within[1].mean() > 0.1 * large.mean()


@pytest.mark.parametrize("make", [strokes, boxes])
def test_holes_may_be_larger_than_the_picture(make):
    assert make(1, 8, 12, 0.5, (30.0, 40.0), seeded(0)).mean() >= 0.5


def test_distance_from_a_line():
    rows, columns = torch.tensor([[0.0], [3.0], [9.0]]), torch.tensor([[0.0]])
    found = near_segment(rows, columns, (0.0, 4.0), (5.0, 4.0))
    torch.testing.assert_close(found.flatten(), torch.tensor([4.0, 4.0, math.hypot(4.0, 4.0)]))
