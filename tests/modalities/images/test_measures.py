import math

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import torch
from torch import nn

from rivals.modalities.images.measures import (
    SCALES,
    colour_distance,
    colours,
    layer_distance,
    layers_of,
    ms_ssim,
    scales,
    similarity_within,
    spectrum,
    spectrum_distance,
)


def pictures(count=4, channels=3, size=48, seed=0):
    noise = torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.from_numpy(scipy.ndimage.gaussian_filter(noise.numpy(), (0, 0, 1.5, 1.5)) * 3).tanh()


def ms_ssim_by_scipy(a, b):
    """One channel of one pair: Wang's own steps with scipy's filter, for brightness 0 to 255."""
    a, b = ((x.numpy() + 1) * 127.5 for x in (a, b))
    count = scales(min(a.shape))
    weights, value = np.array(SCALES[:count]) / sum(SCALES[:count]), 1.0
    for scale in range(count):

        def mean(x):
            return scipy.ndimage.gaussian_filter(x, 1.5, truncate=5 / 1.5)[5:-5, 5:-5]

        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        mu, nu = mean(a), mean(b)
        structure = (2 * (mean(a * b) - mu * nu) + c2) / (mean(a * a) - mu**2 + mean(b * b) - nu**2 + c2)
        luminance = (2 * mu * nu + c1) / (mu**2 + nu**2 + c1)
        term = (luminance * structure if scale == count - 1 else structure).mean()
        value *= max(term, 0) ** weights[scale]
        half = min(a.shape) // 2
        a, b = (x[: 2 * half, : 2 * half].reshape(half, 2, half, 2).mean((1, 3)) for x in (a, b))
    return value


@pytest.mark.parametrize("size", [16, 48, 176])
def test_ms_ssim_is_that_of_its_own_steps_with_scipys_filter(size):
    a = pictures(2, 1, size)
    b = 0.7 * a + 0.3 * pictures(2, 1, size, seed=1)
    expected = [ms_ssim_by_scipy(x[0], y[0]) for x, y in zip(a, b, strict=True)]
    assert ms_ssim(a, b).tolist() == pytest.approx(expected, rel=1e-6)


def test_ms_ssim_of_equal_ones_is_one_and_falls_with_noise():
    a = pictures()
    values = [float(ms_ssim(a, a + share * pictures(seed=3)).mean()) for share in (0.0, 0.1, 0.3, 1.0)]
    assert values[0] == pytest.approx(1.0)
    assert values == sorted(values, reverse=True)
    assert torch.equal(ms_ssim(a, a.flip(-1)), ms_ssim(a.flip(-1), a))


def test_opposed_structure_is_zero_not_nan():
    a = pictures()
    assert ms_ssim(a, -a).tolist() == [0.0] * 4


def test_ms_ssim_refuses_other_shapes_and_tiny_pictures():
    a = pictures()
    with pytest.raises(ValueError, match="equal shapes"):
        ms_ssim(a, a[:2])
    with pytest.raises(ValueError, match="11 pixels or more, got 8"):
        ms_ssim(a[..., :8, :8], a[..., :8, :8])


def test_similarity_within_tells_the_class_that_is_all_alike():
    varied = pictures(20)
    alike = varied[:1] + 0.05 * pictures(20, seed=5)
    labels = torch.tensor([0] * 20 + [1] * 20 + [2])
    found = similarity_within(torch.cat([varied, alike, varied[:1]]), labels, pairs=30)
    assert set(found) == {0, 1}
    assert found[1] > 0.9 > 0.6 > found[0]


def test_a_wave_has_its_power_at_its_frequency():
    across = torch.arange(32) / 32
    wave = torch.cos(2 * math.pi * 6 * across).expand(2, 1, 32, 32)
    power = spectrum(wave)
    assert power.shape == (17,)
    assert int(power.argmax()) == 6
    assert float(power[10:].sum() / power.sum()) < 1e-6
    assert torch.allclose(spectrum(wave.mT), power)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (31, 31), (24, 40), (33, 20)])
def test_the_spectrum_of_white_noise_is_flat_and_of_the_right_size(height, width):
    noise = torch.randn(400, 1, height, width, generator=torch.Generator().manual_seed(0))
    window = torch.hann_window(height)[:, None] * torch.hann_window(width)
    expected = float(window.square().mean())
    assert spectrum(noise)[3:].tolist() == pytest.approx([expected] * (min(height, width) // 2 - 2), rel=0.12)


def test_the_spectrum_by_the_whole_transform():
    a = pictures(3, 3, 20)
    grey = a.mean(1).float()
    window = torch.hann_window(20)[:, None] * torch.hann_window(20)
    power = torch.fft.fft2((grey - grey.mean((1, 2), keepdim=True)) * window, norm="ortho").abs().square().mean(0)
    ring = torch.hypot(torch.fft.fftfreq(20)[:, None], torch.fft.fftfreq(20)[None]).mul(20).round()
    expected = [float(power[ring == k].mean()) for k in range(11)]
    assert spectrum(a).tolist() == pytest.approx(expected, rel=1e-4)


def test_spectrum_distance_is_zero_for_equal_sets_and_ten_decibels_for_ten_times_the_power():
    a = pictures()
    assert spectrum_distance(a, a.flip(0)) == pytest.approx(0.0, abs=1e-6)
    assert spectrum_distance(a, a * math.sqrt(10)) == pytest.approx(10.0, abs=1e-3)
    blurred = torch.from_numpy(scipy.ndimage.gaussian_filter(a.numpy(), (0, 0, 1, 1)))
    assert spectrum_distance(a, blurred) > 3
    with pytest.raises(ValueError, match="one size"):
        spectrum_distance(a, a[..., 1:])


def test_colours_are_numpys():
    a = pictures(6)
    found, rows = colours(a), a.movedim(1, 0).flatten(1).numpy()
    np.testing.assert_allclose(found.mean, rows.mean(1), atol=1e-9)
    np.testing.assert_allclose(found.deviation, rows.std(1), rtol=1e-9)
    np.testing.assert_allclose(found.correlation, np.corrcoef(rows), atol=1e-9)
    flat = colours(torch.ones(2, 3, 4, 4))
    assert flat.correlation.abs().max() == 0


def test_colour_distance_is_scipys_wasserstein():
    a, b = pictures(3), 0.5 * pictures(3, seed=1) + 0.2
    levels = [((x + 1) * 127.5).round().movedim(1, 0).flatten(1).numpy() for x in (a, b)]
    expected = np.mean([scipy.stats.wasserstein_distance(x, y) for x, y in zip(*levels, strict=True)])
    assert colour_distance(a, b) == pytest.approx(expected, rel=1e-9)
    brighter = (torch.zeros(1, 1, 8, 8), torch.zeros(2, 1, 4, 4) + 20 / 127.5)
    assert colour_distance(*brighter) == pytest.approx(20, abs=1)
    with pytest.raises(ValueError, match="as many channels"):
        colour_distance(a, b[:, :1])


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True), nn.Conv2d(8, 5, 3, stride=2), nn.ReLU())


def test_layer_distance_by_hand():
    net, a, b = network(), pictures().float(), pictures(seed=1).float()
    found = layer_distance(a, b, layers_of(net, ["0", "2"]))
    expected = torch.zeros(4)
    with torch.no_grad():
        for depth in (1, 3):
            x, y = ((v / v.norm(dim=1, keepdim=True)) for v in (net[:depth](a), net[:depth](b)))
            expected += (x - y).square().sum(1).mean((1, 2))
    assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-4)
    assert layer_distance(a, a, layers_of(net, ["1"])).tolist() == [0.0] * 4


def test_layers_leave_the_network_as_it_was_and_unknown_ones_are_refused():
    net = network()
    layers_of(net, ["1", "3"])(pictures().float())
    assert not any(module._forward_hooks for module in net.modules())
    with pytest.raises(ValueError, match="no part '9'; it has 0, 1, 2, 3"):
        layers_of(net, ["9"])


def test_broken_pictures_are_refused():
    a = pictures()
    a[0, 0, 0, 0] = math.nan
    for measure in (spectrum, colours):
        with pytest.raises(ValueError, match="not finite"):
            measure(a)
        with pytest.raises(ValueError, match="floats"):
            measure(torch.zeros(2, 3, 8, 8, dtype=torch.uint8))
