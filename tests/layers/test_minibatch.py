import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rivals.layers.minibatch import MinibatchDeviation


@given(batch=st.integers(1, 13), channels=st.integers(1, 3), seed=st.integers(0, 99))
def test_the_channel_is_the_mean_deviation_of_the_group(batch, channels, seed):
    x = np.random.default_rng(seed).normal(size=(batch, channels, 3, 2))
    group = max(size for size in (1, 2, 3, 4) if batch % size == 0)
    made = MinibatchDeviation()(torch.from_numpy(x))
    assert made.shape == (batch, channels + 1, 3, 2)
    np.testing.assert_array_equal(made[:, :channels].numpy(), x)
    for start in range(0, batch, group):
        expected = np.sqrt(x[start : start + group].var(0) + 1e-8).mean()
        np.testing.assert_allclose(made[start : start + group, channels].numpy(), expected, rtol=1e-5)


def test_two_opposite_samples_deviate_by_their_size():
    x = torch.stack([torch.full((2, 4, 4), 3.0), torch.full((2, 4, 4), -3.0)])
    assert float(MinibatchDeviation()(x)[0, 2, 0, 0]) == pytest.approx(3)


def test_a_collapsed_batch_has_no_deviation_and_finite_gradients_of_both_orders():
    x = torch.ones(4, 2, 3, 3, requires_grad=True)
    made = MinibatchDeviation()(x)
    assert float(made[:, 2].detach().max()) == pytest.approx(math.sqrt(1e-8))
    (first,) = torch.autograd.grad(made.square().sum(), x, create_graph=True)
    first.square().sum().backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("batch", [1, 3, 4])
def test_it_can_be_differentiated_twice(batch):
    torch.manual_seed(0)
    x = torch.randn(batch, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda part: MinibatchDeviation()(part) ** 2, x)


def test_in_half_precision_it_is_worked_out_in_single():
    x = 100 + torch.randn(4, 2, 3, 3, generator=torch.Generator().manual_seed(0)).bfloat16() / 4
    made, exact = MinibatchDeviation()(x), MinibatchDeviation()(x.float())
    assert made.dtype == torch.bfloat16
    torch.testing.assert_close(made[:, 2].float(), exact[:, 2], rtol=0.01, atol=0)


def test_vectors_and_other_groups_will_do():
    x = torch.randn(6, 5)
    made = MinibatchDeviation(group=6)(x)
    torch.testing.assert_close(made[:, 5], x.std(0, correction=0).mean().expand(6))
