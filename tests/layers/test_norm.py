import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from rivals.engine.build import couples_batch
from rivals.engine.errors import RequestError
from rivals.layers import norm
from rivals.layers.minibatch import MinibatchDeviation
from rivals.layers.norm import NORMS, ConditionalBatchNorm, WholeBatchNorm, normal


def unsettle(*layers):
    """The same gain and bias, away from where they begin, in each layer of three channels."""
    with torch.no_grad():
        for layer in layers:
            layer.weight.copy_(torch.tensor([0.5, 1.0, 2.0]))
            layer.bias.copy_(torch.tensor([0.1, -0.2, 0.3]))


def test_in_one_process_it_is_torchs_batch_norm_in_training_and_after():
    torch.manual_seed(0)
    ours, theirs = normal("batch", 3), nn.BatchNorm2d(3)
    unsettle(ours, theirs)
    for _ in range(3):
        x = torch.randn(4, 3, 5, 6) * 2 + 1
        torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    ours.eval()
    theirs.eval()
    torch.testing.assert_close(ours(x), theirs(x))


def test_its_state_keeps_the_names_that_saved_networks_have():
    assert set(WholeBatchNorm(3).state_dict()) == {"weight", "bias", "running_mean", "running_var"}


def test_instance_norm_is_torchs():
    ours, theirs = normal("instance", 3), nn.InstanceNorm2d(3, affine=True)
    unsettle(ours, theirs)
    x = torch.randn(4, 3, 5, 6) * 2 + 1
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("side", [1, 5])
def test_instance_norm_is_the_same_however_channels_lie_in_memory_with_its_first_and_second_gradients(training, side):
    layer = normal("instance", 3).double().train(training)
    unsettle(layer)
    x = torch.randn(4, 3, side, side + 1, dtype=torch.float64) * 2 + 1
    found = []
    for memory in (torch.contiguous_format, torch.channels_last):
        given = x.clone(memory_format=memory).requires_grad_()
        made = layer(given)
        (slope,) = torch.autograd.grad(made.pow(3).sum(), given, create_graph=True)
        (bend,) = torch.autograd.grad(slope.square().sum(), given)
        found.append((made, slope, bend))
        assert made.is_contiguous(memory_format=memory)
    torch.testing.assert_close(*found)


def test_layer_norm_is_torchs_over_all_of_a_sample_with_a_gain_for_each_channel():
    ours, theirs = normal("layer", 3), nn.LayerNorm([3, 5, 6], elementwise_affine=False)
    unsettle(ours)
    x = torch.randn(4, 3, 5, 6) * 2 + 1
    expected = theirs(x) * ours.weight.view(1, 3, 1, 1) + ours.bias.view(1, 3, 1, 1)
    torch.testing.assert_close(ours(x), expected)


@given(kind=st.sampled_from(["instance", "layer", "none"]), batch=st.integers(1, 4), seed=st.integers(0, 9))
def test_all_but_batch_norm_treat_each_sample_alone(kind, batch, seed):
    layer = normal(kind, 2)
    x = torch.randn(batch, 2, 4, 3, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(layer(x), torch.cat([layer(row[None]) for row in x]))


@pytest.mark.parametrize("kind", NORMS)
def test_every_norm_can_be_differentiated_twice(kind):
    torch.manual_seed(0)
    layer = normal(kind, 2).double()
    x = torch.randn(3, 2, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(layer, x)


def test_conditional_batch_norm_can_be_differentiated_twice():
    torch.manual_seed(0)
    layer = ConditionalBatchNorm(2, 3).double()
    x = torch.randn(3, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(layer, (x, torch.randn(3, 3, dtype=torch.float64, requires_grad=True)))


def test_an_unknown_norm_names_the_known():
    with pytest.raises(RequestError, match="batch, instance, layer, none"):
        normal("bacth", 3)


def by_hand(x, mean, var, weight, vector):
    gain, bias = (vector @ weight.T).chunk(2, 1)
    out = torch.empty_like(x)
    for i in range(len(x)):
        for c in range(x.shape[1]):
            out[i, c] = (x[i, c] - mean[c]) / (var[c] + 1e-5).sqrt() * (1 + gain[i, c]) + bias[i, c]
    return out


def test_conditional_batch_norm_is_the_formula_in_training_and_after():
    torch.manual_seed(0)
    layer = ConditionalBatchNorm(3, 5)
    nn.init.normal_(layer.linear.weight)
    x, vector = torch.randn(4, 3, 2, 6) * 2 + 1, torch.randn(4, 5)
    rows = x.transpose(0, 1).flatten(1)
    expected = by_hand(x, rows.mean(1), rows.var(1, correction=0), layer.linear.weight, vector)
    torch.testing.assert_close(layer(x, vector), expected)
    torch.testing.assert_close(layer.running_mean, 0.1 * rows.mean(1))
    torch.testing.assert_close(layer.running_var, 0.9 + 0.1 * rows.var(1))
    layer.eval()
    expected = by_hand(x, layer.running_mean, layer.running_var, layer.linear.weight, vector)
    torch.testing.assert_close(layer(x, vector), expected)
    torch.testing.assert_close(layer(x[1:2], vector[1:2]), expected[1:2])


def test_conditional_batch_norm_begins_near_the_plain_one_and_is_not_all_zeros():
    layer = ConditionalBatchNorm(64, 10)
    one_hot = torch.eye(10)
    x = torch.randn(10, 64, 4, 4)
    torch.testing.assert_close(layer(x, one_hot), nn.BatchNorm2d(64)(x), rtol=0, atol=0.6)
    assert torch.linalg.matrix_norm(layer.linear.weight.detach(), 2) > 0


@pytest.mark.parametrize("kind", ["plain", "conditional"])
def test_two_processes_normalise_as_one_with_the_whole_batch(kind, monkeypatch):
    """Both processes hold the same half here, so that summing over them is doubling."""
    torch.manual_seed(0)
    x, vector = torch.randn(3, 2, 4, 5) * 2 + 1, torch.randn(3, 4)
    make = (lambda: WholeBatchNorm(2)) if kind == "plain" else (lambda: ConditionalBatchNorm(2, 4))
    one, two = make(), make()
    two.load_state_dict(one.state_dict())
    told = (lambda count: ()) if kind == "plain" else (lambda count: (torch.cat([vector] * count),))
    whole = one(torch.cat([x, x]), *told(2))
    monkeypatch.setattr(norm, "processes", lambda: (0, 2))
    monkeypatch.setattr("torch.distributed.nn.functional.all_reduce", lambda part: 2 * part)
    torch.testing.assert_close(two(x, *told(1)), whole[:3])
    torch.testing.assert_close(two.running_mean, one.running_mean)
    torch.testing.assert_close(two.running_var, one.running_var)


def test_what_couples_a_batch_says_so_however_deep_it_is():
    for part in (WholeBatchNorm(2), ConditionalBatchNorm(2, 3), MinibatchDeviation()):
        assert couples_batch(nn.Sequential(nn.ReLU(), nn.Sequential(part)))
    assert not couples_batch(nn.Sequential(normal("layer", 2), normal("instance", 2), nn.Linear(2, 2)))
