import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from rivals.layers.attention import SelfAttention


def open_gain(layer, gain=0.7):
    nn.init.constant_(layer.gain, gain)
    return layer


def pooled(maps):
    """(batch, channels, h, w) -> the maximum of each 2x2, what is left over at the border on its own."""
    rows = [maps[:, :, i : i + 2].amax(2) for i in range(0, maps.shape[2], 2)]
    rows = torch.stack(rows, 2)
    return torch.stack([rows[..., j : j + 2].amax(3) for j in range(0, maps.shape[3], 2)], 3)


@given(channels=st.sampled_from([1, 3, 8, 17]), height=st.integers(1, 7), width=st.integers(1, 7))
def test_it_is_the_formula(channels, height, width):
    torch.manual_seed(0)
    layer = open_gain(SelfAttention(channels)).double()
    x = torch.randn(2, channels, height, width, dtype=torch.float64)

    def project(conv):
        return torch.einsum("bchw,dc->bdhw", x, conv.weight[:, :, 0, 0])

    key, value = pooled(project(layer.key)), pooled(project(layer.value))
    scores = torch.einsum("bdhw,bdij->bhwij", project(layer.query), key)
    shares = scores.exp() / scores.exp().sum((3, 4), keepdim=True)
    seen = torch.einsum("bhwij,bdij->bdhw", shares, value)
    expected = x + 0.7 * torch.einsum("bdhw,cd->bchw", seen, layer.out.weight[:, :, 0, 0])
    torch.testing.assert_close(layer(x), expected)


def test_it_begins_as_the_identity_and_its_gain_learns_at_once():
    layer, x = SelfAttention(8), torch.randn(2, 8, 5, 4)
    assert torch.equal(layer(x), x)
    layer(x).square().sum().backward()
    assert layer.gain.grad.abs() > 0


def test_its_widths_are_the_published_ones():
    layer = SelfAttention(64)
    found = {name: tuple(part.shape[:2]) for name, part in layer.named_parameters() if part.ndim == 4}
    assert found == {"query.weight": (8, 64), "key.weight": (8, 64), "value.weight": (32, 64), "out.weight": (64, 32)}


def test_it_can_be_differentiated_twice_with_respect_to_all():
    torch.manual_seed(0)
    layer = open_gain(SelfAttention(2)).double()
    x = torch.randn(1, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in layer.named_parameters()]

    def call(x, *weights):
        return torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), (x,))

    assert torch.autograd.gradgradcheck(call, (x, *layer.parameters()))


@pytest.mark.parametrize("size", [(8, 8), (7, 9)])
def test_a_far_place_is_seen(size):
    layer = open_gain(SelfAttention(4))
    x = torch.randn(1, 4, *size, requires_grad=True)
    layer(x)[0, :, 0, 0].sum().backward()
    assert (x.grad[0, :, -2:, -2:].abs().sum() > 0).item()
