import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from rivals.layers.resample import doubled_conv, even, halved_conv

sides = st.integers(1, 20)


@given(height=sides, width=sides, bias=st.booleans())
def test_a_doubling_then_a_convolution_is_what_the_folded_kernel_does(height, width, bias):
    conv = nn.Conv2d(2, 3, 3, padding=1, bias=bias).double()
    x = torch.randn(2, 2, height, width, dtype=torch.float64)
    expected = conv(x.repeat_interleave(2, 2).repeat_interleave(2, 3))
    torch.testing.assert_close(doubled_conv(conv, x), expected)


@given(height=sides, width=sides, bias=st.booleans())
def test_a_convolution_then_a_mean_is_what_the_folded_kernel_does(height, width, bias):
    conv = nn.Conv2d(2, 3, 3, padding=1, bias=bias).double()
    x = torch.randn(2, 2, 2 * height, 2 * width, dtype=torch.float64)
    expected = conv(x).unflatten(2, (height, 2)).mean(3).unflatten(3, (width, 2)).mean(4)
    torch.testing.assert_close(halved_conv(conv, x), expected)


@pytest.mark.parametrize("apply", [doubled_conv, halved_conv])
def test_folded_kernels_have_the_gradients_of_the_plain_ones_twice_over(apply):
    """As R1 takes them: the weights' gradient of the squared gradient with respect to the picture."""
    torch.manual_seed(0)
    conv = nn.Conv2d(2, 3, 3, padding=1).double()
    x = torch.randn(2, 2, 16, 16, dtype=torch.float64, requires_grad=True)

    def plain(conv, x):
        return F.avg_pool2d(conv(x), 2) if apply is halved_conv else conv(F.interpolate(x, scale_factor=2))

    def twice(function):
        (first,) = torch.autograd.grad(function(conv, x).pow(3).sum(), x, create_graph=True)
        return first, *torch.autograd.grad(first.square().sum(), [x, *conv.parameters()])

    for ours, theirs in zip(twice(apply), twice(plain), strict=True):
        torch.testing.assert_close(ours, theirs)


@given(height=sides, width=sides)
def test_an_odd_side_repeats_its_last_line(height, width):
    x = torch.randn(1, 2, height, width)
    made = even(x)
    assert made.shape == (1, 2, height + height % 2, width + width % 2)
    assert torch.equal(made[:, :, :height, :width], x)
    assert torch.equal(made[:, :, -1, :width], x[:, :, -1])
    assert torch.equal(made[:, :, :height, -1], x[..., -1])
