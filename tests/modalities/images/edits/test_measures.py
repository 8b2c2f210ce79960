"""PSNR and SSIM against closed forms and scipy's filters."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from rivals.modalities.images.edits.measures import luma, psnr, ssim


def pictures(seed, channels=3, size=(24, 30)):
    levels = torch.randint(0, 256, (2, channels, *size), generator=torch.Generator().manual_seed(seed))
    return levels / 127.5 - 1


def test_psnr_of_a_known_difference():
    a = torch.zeros(1, 1, 16, 16) - 1
    b = a + 10 / 127.5
    assert float(psnr(a, b)) == pytest.approx(20 * math.log10(25.5))
    assert psnr(a, a).isinf().all()


def test_the_border_may_be_left_out():
    a = pictures(0)
    b = a.clone()
    b[..., :4, :] = -b[..., :4, :]
    assert psnr(a, b, crop=4).isinf().all()
    assert psnr(a, b).isfinite().all()


def test_luma_is_that_of_bt_601():
    white, black = torch.ones(1, 3, 1, 1), torch.zeros(1, 3, 1, 1)
    assert 255 * float(luma(white.double())) == pytest.approx(235, abs=0.01)
    assert 255 * float(luma(black.double())) == pytest.approx(16)


def test_files_of_eight_bits_are_compared():
    a = pictures(1)
    assert psnr(a, a + 0.3 / 127.5).isinf().all()
    assert psnr(a, a + 0.3 / 127.5, rounded=False).isfinite().all()


def reference(a, b):
    """SSIM of one channel, by scipy's Gaussian of 11 pixels."""
    mean = lambda x: gaussian_filter(x, 1.5, truncate=5 / 1.5)[5:-5, 5:-5]  # noqa: E731
    ma, mb = mean(a), mean(b)
    va, vb, both = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    c1, c2 = 0.01**2, 0.03**2
    return np.mean((2 * ma * mb + c1) * (2 * both + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))


def test_ssim_is_the_published_one():
    a = pictures(2, channels=1)
    b = (a + 0.3 * pictures(3, channels=1)).clamp(-1, 1)
    b = ((b + 1) * 127.5).round() / 127.5 - 1
    found = ssim(a, b)
    for number in range(2):
        one, other = (((x[number, 0].double() + 1) / 2).numpy() for x in (a, b))
        assert float(found[number]) == pytest.approx(reference(one, other), abs=1e-6)
    torch.testing.assert_close(ssim(a, a), torch.ones(2, dtype=torch.float64))
