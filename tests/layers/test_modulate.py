import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from rivals.layers.modulate import EqualConv, EqualLinear, ModulatedConv, demodulation


def by_sample(x, weight, scale, demodulate):
    """Karras et al., 2020, eq. 1 and 3, with each sample's own weights."""
    made = []
    for one, s in zip(x, scale, strict=True):
        own = weight * s[None, :, None, None]
        if demodulate:
            own = own / (own.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        made.append(F.conv2d(one[None], own, padding=weight.shape[2] // 2))
    return torch.cat(made)


@settings(max_examples=10)
@given(
    inputs=st.integers(1, 6), outputs=st.integers(1, 6), kernel=st.sampled_from([1, 3]), batch=st.integers(1, 4),
    demodulate=st.booleans(), seed=st.integers(0, 1000),
)  # fmt: skip
def test_modulation_is_each_samples_own_weights(inputs, outputs, kernel, batch, demodulate, seed):
    torch.manual_seed(seed)
    layer = ModulatedConv(inputs, outputs, kernel, style=3, demodulate=demodulate).double()
    x, w = torch.randn(batch, inputs, 5, 4).double(), torch.randn(batch, 3).double()
    weight = layer.conv.weight / math.sqrt(inputs * kernel**2)
    torch.testing.assert_close(layer(x, w), by_sample(x, weight, layer.style(w), demodulate))


def test_modulation_is_twice_differentiable():
    torch.manual_seed(0)
    layer = ModulatedConv(2, 3, 3, style=2).double()
    x, w = (torch.randn(*shape).double().requires_grad_() for shape in [(2, 2, 3, 3), (2, 2)])
    assert torch.autograd.gradcheck(layer, (x, w))
    assert torch.autograd.gradgradcheck(layer, (x, w))


def test_demodulated_filters_have_unit_norm_whatever_the_style():
    weight, scale = torch.randn(4, 3, 3, 3), torch.tensor([[1.0, -2.0, 30.0], [0.1, 0.0, 0.2]])
    own = weight * scale[:, None, :, None, None] * demodulation(weight, scale)[:, :, None, None, None]
    torch.testing.assert_close(own.square().sum((2, 3, 4)), torch.ones(2, 4))


def test_a_style_of_zeros_gives_no_infinity():
    assert torch.isfinite(demodulation(torch.randn(4, 3, 3, 3), torch.zeros(2, 3))).all()


@pytest.mark.parametrize("rate", [1.0, 0.01])
def test_a_rate_changes_how_fast_a_layer_learns_and_not_what_it_computes(rate):
    torch.manual_seed(0)
    layer, x = EqualLinear(400, 300, rate=rate, bias=0.5), torch.randn(64, 400)
    made = layer(x)
    assert made.std().item() == pytest.approx(1, rel=0.05)
    assert made.mean().item() == pytest.approx(0.5, abs=0.05)
    made.sum().backward()
    with torch.no_grad():  # an adaptive step of fixed size
        layer.weight += 0.1 * layer.weight.grad.sign()
        layer.bias += 0.1 * layer.bias.grad.sign()
    expected = 0.1 * rate * (x.sum(0).sign() @ x.T / 20 + 1)
    torch.testing.assert_close((layer(x) - made)[:, 0], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("stride", "size"), [(1, (7, 6)), (2, (3, 2))])
def test_a_scaled_convolution_is_the_plain_one_with_smaller_weights(stride, size):
    layer, x = EqualConv(2, 3, 3, stride=stride), torch.randn(2, 2, 7, 6)
    plain = F.conv2d(x, layer.weight / math.sqrt(18), padding=1 if stride == 1 else 0, stride=stride)
    assert plain.shape[2:] == size
    torch.testing.assert_close(layer(x), plain)
