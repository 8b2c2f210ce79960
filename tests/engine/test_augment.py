import pytest
import torch

from rivals.engine.augment import EVERY, Augment, overfitting, strengthener
from rivals.engine.errors import RequestError
from rivals.engine.schedule import Curve
from rivals.engine.types import Round, Verdict


def round_with(real, fake):
    logits = {1.0: torch.tensor(real), -1.0: torch.tensor(fake)}

    def critic(sample, cond):
        return Verdict((logits[float(sample[0])][:, None],))

    return Round(critic, torch.ones(len(real)), -torch.ones(len(fake)), None, None, torch.zeros(1))


@pytest.mark.parametrize("shift", [0.0, -40.0, 7.5])
def test_overfitting_is_the_share_on_the_right_side_wherever_the_zero_point_lies(shift):
    real, fake = [3.0, 2.0, 1.0, -3.0], [-1.0, -2.0, 0.0, -3.0]  # the middle is -0.375
    played = round_with([value + shift for value in real], [value + shift for value in fake])
    assert float(overfitting(played)) == pytest.approx(0.5)


def test_the_strength_follows_its_curve():
    along, strength = strengthener(Augment(("x",), Curve(0.0, 0.8, "linear"))), torch.zeros(())
    for progress in (0.0, 0.5, 1.0):
        along(strength, round_with([1.0], [0.0]), 3, progress)
        assert float(strength) == pytest.approx(0.8 * progress)


def test_an_adaptive_strength_rises_while_the_critic_is_too_sure_and_falls_when_it_is_not():
    adapt, strength = strengthener(Augment(("x",), target=0.6, samples=64.0)), torch.zeros(())
    sure, unsure = round_with([5.0] * 4, [-5.0] * 4), round_with([1.0, -1.0] * 2, [1.0, -1.0] * 2)
    seen = []
    for step in range(3 * EVERY):
        adapt(strength, sure, step, 0.0)
        seen.append(float(strength))
    assert seen == pytest.approx([0.25] * 4 + [0.5] * 4 + [0.75] * 4)  # 16 of 64 samples a time
    for step in range(40):
        adapt(strength, sure, step, 0.0)
    assert float(strength) == 1
    for step in range(400):
        adapt(strength, unsure, step, 0.0)
    assert float(strength) == 0


@pytest.mark.parametrize(
    "values",
    [{"strength": Curve(0.0, 1.5)}, {"strength": Curve(-0.1)}, {"target": 1.0}, {"target": 0.0}, {"samples": 0.0}],
)
def test_senseless_values_are_refused(values):
    with pytest.raises(RequestError):
        Augment(("x",), **values)
