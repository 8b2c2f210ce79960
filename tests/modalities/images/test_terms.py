import pytest
import torch
from torch import nn

from rivals.engine.types import Round, Verdict, leaf
from rivals.modalities.images.augment import augment
from rivals.modalities.images.terms import consistency


def pictures(*shape, seed):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def a_round(critic, real, fake, cond=None):
    return Round(critic, leaf(real), leaf(fake), cond, fake, torch.zeros(len(real), 0))


def test_consistency_is_the_squared_change_of_the_logits_of_moved_samples():
    real, fake, weights = pictures(5, 1, 16, 16, seed=0), pictures(5, 1, 16, 16, seed=1), pictures(2, 256, seed=2)

    def critic(sample, cond):
        return Verdict(tuple((sample.flatten(1) @ w)[:, None] for w in weights))  # two members

    torch.manual_seed(7)
    found = consistency(a_round(critic, real, fake))
    torch.manual_seed(7)
    changes = [(augment(part, ["xint"], 1.0) - part).flatten(1) @ weights.T for part in (real, fake)]
    expected = sum(change.square().mean() for change in changes)
    assert expected.item() > 0.1
    assert found.item() == pytest.approx(expected.item(), rel=1e-4)


def test_a_critic_that_does_not_look_at_places_is_consistent():
    def critic(sample, cond):
        return Verdict((sample.amax((1, 2, 3)) * 0 + cond,))

    samples = pictures(4, 3, 8, 8, seed=0)
    assert consistency(a_round(critic, samples, -samples, torch.arange(4.0))).item() == 0


def test_its_gradient_reaches_the_critic():
    layer = nn.Linear(192, 1)
    samples = pictures(4, 3, 8, 8, seed=0)
    r = a_round(lambda sample, cond: Verdict((layer(sample.flatten(1)),)), samples, -samples)
    consistency(r).backward()
    assert layer.weight.grad.abs().sum() > 0
