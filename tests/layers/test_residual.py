import itertools

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d

from rivals.layers.residual import GAIN, BiasedLeaky, Downsample, ResidualBlock, Upsample, scaled_conv, scaled_linear
from rivals.modalities.images.networks import ResidualCritic, ResidualGenerator

LINE = np.array([1, 3, 3, 1]) / 8


def picture(height=12, width=10):
    return torch.randn(1, 1, height, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_downsampling_is_the_published_filter_with_zeros_around():
    x = picture()
    expected = convolve2d(np.pad(x[0, 0].numpy(), 1), np.outer(LINE, LINE), mode="valid")[::2, ::2]
    np.testing.assert_allclose(Downsample(1, 1)(x)[0, 0].numpy(), expected, atol=1e-12)


def test_upsampling_is_the_published_filter_away_from_the_border():
    x = picture()
    spread = np.zeros((24, 20))
    spread[::2, ::2] = x[0, 0].numpy()
    expected = convolve2d(spread, 4 * np.outer(LINE, LINE), mode="full")[1:-2, 1:-2]
    np.testing.assert_allclose(Upsample(1, 1)(x)[0, 0].numpy()[2:-2, 2:-2], expected[2:-2, 2:-2], atol=1e-12)


@pytest.mark.parametrize(("height", "width"), [(7, 8), (8, 7), (7, 7), (1, 1), (2, 3)])
def test_odd_sizes_are_rounded_up(height, width):
    assert Downsample(3, 3)(torch.zeros(2, 3, height, width)).shape == (2, 3, -(-height // 2), -(-width // 2))


def test_the_width_changes_by_a_convolution_only_where_it_must():
    assert list(Upsample(4, 4).parameters()) == list(Downsample(4, 4).parameters()) == []
    assert [part.shape for part in Upsample(4, 6).parameters()] == [(6, 4, 1, 1)]
    assert Downsample(4, 6)(torch.zeros(1, 4, 8, 8)).shape == (1, 6, 4, 4)


@pytest.mark.parametrize("group_size", [None, 16])
def test_a_block_begins_as_the_identity_and_learns_at_once(group_size):
    block = ResidualBlock(16, blocks=4, group_size=group_size)
    x = torch.randn(2, 16, 5, 5)
    assert torch.equal(block(x), x)
    block(x).square().sum().backward()
    assert block.narrow.weight.grad.abs().max() > 0


@pytest.mark.parametrize("group_size", [None, 16])
def test_a_block_has_the_parameters_counted_by_hand(group_size):
    c, inner = 48, 96
    mix = inner * (inner if group_size is None else group_size) * 9
    expected = c * inner + mix + inner * c + 2 * inner
    assert sum(part.numel() for part in ResidualBlock(c, blocks=4, group_size=group_size).parameters()) == expected


def test_weights_begin_with_the_spread_of_their_fan_in():
    torch.manual_seed(0)
    assert float(scaled_conv(64, 256, 3, gain=2).weight.detach().std()) == pytest.approx(2 / (64 * 9) ** 0.5, rel=0.02)
    assert float(scaled_conv(64, 256, 3, groups=4).weight.detach().std()) == pytest.approx(
        1 / (16 * 9) ** 0.5, rel=0.02
    )
    assert float(scaled_linear(400, 300).weight.detach().std()) == pytest.approx(1 / 20, rel=0.02)
    block = ResidualBlock(64, blocks=16, group_size=None)
    assert float(block.mix.weight.detach().std()) == pytest.approx(GAIN / 2 / (128 * 9) ** 0.5, rel=0.02)
    assert float(block.narrow.weight.detach().abs().max()) == 0


def test_the_activation_adds_its_bias_first():
    layer = BiasedLeaky(2)
    with torch.no_grad():
        layer.bias.copy_(torch.tensor([1.0, -1.0]))
    torch.testing.assert_close(layer(torch.zeros(1, 2, 1, 1)).flatten(), torch.tensor([1.0, -0.2]))


def counted(widths, *, blocks=2, group=16):
    per = sum(blocks * (2 * w * 2 * w + 2 * w * group * 9 + 2 * 2 * w) for w in widths)
    return per + sum(a * b for a, b in itertools.pairwise(widths) if a != b)


@pytest.mark.parametrize("width", [96, 32])
def test_networks_have_the_parameters_counted_by_hand(width):
    """At 32x32: four stages of which the coarsest is eight times as wide as the finest."""
    widths = [8 * width, 4 * width, 2 * width, width]
    generator, critic = ResidualGenerator((3, 32, 32), width=width), ResidualCritic((3, 32, 32), width=width)
    base = counted(widths)
    assert sum(p.numel() for p in generator.parameters()) == base + 16 * widths[0] + 64 * widths[0] + 3 * width
    assert sum(p.numel() for p in critic.parameters()) == base + 16 * widths[0] + widths[0] + 1 + 3 * width


def test_four_stages_of_the_published_width_have_the_published_size():
    """R3GAN at 32x32 has 768 channels in all four stages: 20.8 million parameters with labels."""
    assert counted([768] * 4) + 16 * 768 + 64 * 768 + 3 * 768 == pytest.approx(20.8e6, rel=0.02)
