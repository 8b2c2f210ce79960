import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rivals.engine.errors import RequestError
from rivals.engine.tune import Tune, adjuster, margin
from rivals.engine.types import Round, Verdict


def round_with(real, fake):
    logits = {1.0: torch.tensor(real), -1.0: torch.tensor(fake)}

    def critic(sample, cond):
        return Verdict((logits[float(sample[0])][:, None],))

    return Round(critic, torch.ones(len(real)), -torch.ones(len(fake)), None, None, torch.zeros(1))


def test_the_margin_is_the_difference_of_mean_logits():
    assert float(margin(round_with([1.0, 3.0], [-2.0, 0.0]))) == 3.0


def steered(tune, reply, noise=0.0):
    """The scale that is found where the critic's margin is `reply(scale)`, following slowly as a critic does."""
    torch.manual_seed(0)
    scale, adjust, now = torch.ones(()), adjuster(tune), reply(1.0)
    for step in range(tune.rounds + 50):
        now += 0.1 * (reply(float(scale)) - now)
        adjust(scale, round_with([now + noise * float(torch.randn(()))] * 2, [0.0] * 2), step)
    return float(scale)


@settings(max_examples=25, deadline=None)
@given(strength=st.floats(0.7, 8.0), slope=st.floats(0.2, 0.5))
def test_the_scale_goes_where_the_margin_is_as_wanted(strength, slope):
    tune = Tune(margin=2.5)
    found = steered(tune, lambda scale: strength * scale**-slope)
    wanted = (strength / 2.5) ** (1 / slope)
    assert abs(math.log(found / wanted)) < 0.25 * abs(math.log(wanted)) + 0.1  # most of the way from where it began


def test_a_noisy_margin_moves_the_scale_little():
    scales = steered(Tune(margin=2.5), lambda scale: 2.5 * scale**-0.25, noise=1.0)
    assert 0.5 < scales < 2


def test_a_steep_critic_is_held_back_and_a_dull_one_let_go():
    assert steered(Tune(), lambda scale: 9.0) > 10
    assert steered(Tune(), lambda scale: 0.3) < 0.1


def test_nothing_moves_before_and_after_its_rounds():
    tune, scale = Tune(wait=5, rounds=9), torch.ones(())
    adjust = adjuster(tune)
    for step in (0, 4, 9, 100):
        adjust(scale, round_with([50.0], [0.0]), step)
    assert float(scale) == 1
    adjust(scale, round_with([50.0], [0.0]), 5)
    assert float(scale) > 1


@pytest.mark.parametrize("values", [{"margin": 0.0}, {"speed": 0.0}, {"speed": 2.0}, {"wait": 300}, {"wait": -1}])
def test_senseless_values_are_refused(values):
    with pytest.raises(RequestError):
        Tune(**values)
