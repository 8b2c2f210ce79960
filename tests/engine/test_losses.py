import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rivals.engine.losses import LOSSES


def softplus(x):
    return np.logaddexp(0, x)


def sigmoid(x):
    return np.exp(-np.logaddexp(0, -x))


CRITIC = {  # by the papers: real x, fake y
    "hinge": lambda x, y: np.maximum(0, 1 - x) + np.maximum(0, 1 + y),
    "least_squares": lambda x, y: 0.5 * (x - 1) ** 2 + 0.5 * y**2,
    "logistic": lambda x, y: -np.log(sigmoid(x)) - np.log(sigmoid(-y)),
    "minimax": lambda x, y: -np.log(sigmoid(x)) - np.log(sigmoid(-y)),
    "relativistic": lambda x, y: -np.log(sigmoid(x - y)),
    "relativistic_average": lambda x, y: -np.log(sigmoid(x - y.mean())) - np.log(sigmoid(x.mean() - y)),
    "score_difference": lambda x, y: (1 / 2 + np.tanh(y / 2) / 2) - (1 / 2 + np.tanh(x / 2) / 2),
    "wasserstein": lambda x, y: y - x,
}
GENERATOR = {
    "hinge": lambda x, y: -y,
    "least_squares": lambda x, y: 0.5 * (y - 1) ** 2,
    "logistic": lambda x, y: -np.log(sigmoid(y)),
    "minimax": lambda x, y: np.log(sigmoid(-y)),
    "relativistic": lambda x, y: -np.log(sigmoid(y - x)),
    "relativistic_average": lambda x, y: -np.log(sigmoid(y - x.mean())) - np.log(sigmoid(y.mean() - x)),
    "score_difference": lambda x, y: -1 / 2 - np.tanh(y / 2) / 2,
    "wasserstein": lambda x, y: -y,
}
logits = arrays(np.float64, 6, elements=st.floats(-30, 30, width=64))


def test_every_loss_has_a_closed_form_here():
    assert set(LOSSES) == set(CRITIC) == set(GENERATOR)


@pytest.mark.parametrize("name", LOSSES)
@given(real=logits, fake=logits)
def test_both_halves_equal_their_closed_form(name, real, fake):
    loss = LOSSES[name]
    x, y = torch.from_numpy(real), torch.from_numpy(fake)
    np.testing.assert_allclose(loss.critic(x, y).numpy(), CRITIC[name](real, fake), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(loss.generator(x, y).numpy(), GENERATOR[name](real, fake), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", LOSSES)
@given(real=logits, fake=logits)
def test_only_a_relativistic_generator_reads_the_real_logits(name, real, fake):
    loss = LOSSES[name]
    x = torch.from_numpy(real).requires_grad_()
    value = loss.generator(x, torch.from_numpy(fake).requires_grad_()).sum()
    (gradient,) = torch.autograd.grad(value, x, allow_unused=True)
    assert (gradient is not None) == loss.relativistic


@pytest.mark.parametrize("name", LOSSES)
def test_losses_stay_finite_at_extreme_logits(name):
    far = torch.tensor([-1e4, 1e4, 0.0])
    for half in (LOSSES[name].critic, LOSSES[name].generator):
        assert torch.isfinite(half(far, far.flip(0))).all()


@given(fake=arrays(np.float64, 6, elements=st.floats(-15, 15)))
def test_the_minimax_generator_minimises_the_log_of_one_minus_the_probability(fake):
    y = torch.from_numpy(fake)
    torch.testing.assert_close(LOSSES["minimax"].generator(y, y), torch.log1p(-torch.sigmoid(y)), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(LOSSES["minimax"].critic(-y, y), -2 * LOSSES["minimax"].generator(y, y))


def gradient(name, logit):
    y = torch.tensor([logit], dtype=torch.float64, requires_grad=True)
    LOSSES[name].generator(torch.zeros_like(y), y).sum().backward()
    return float(y.grad)


def test_against_a_confident_critic_minimax_saturates_and_logistic_does_not():
    assert abs(gradient("minimax", -20.0)) < 1e-8
    assert gradient("logistic", -20.0) == pytest.approx(-1.0, abs=1e-8)
    assert gradient("minimax", 0.0) == gradient("logistic", 0.0) == pytest.approx(-0.5)


@given(real=logits, fake=logits, shift=st.floats(-5, 5))
def test_relativistic_losses_do_not_see_a_common_shift(real, fake, shift):
    x, y = torch.from_numpy(real), torch.from_numpy(fake)
    for name in ("relativistic", "relativistic_average"):
        torch.testing.assert_close(LOSSES[name].critic(x + shift, y + shift), LOSSES[name].critic(x, y))


@given(p=arrays(np.float64, 4, elements=st.floats(0.01, 1)), q=arrays(np.float64, 4, elements=st.floats(0.01, 1)))
def test_the_best_score_difference_is_the_total_variation(p, q):
    """On four points with probabilities p and q, the best bounded critic is 1 where p > q and 0 elsewhere."""
    p, q = p / p.sum(), q / q.sum()
    sure = torch.from_numpy(np.where(p > q, 40.0, -40.0))
    loss = LOSSES["score_difference"].critic(sure, sure[None].T)  # (fake, real): every pair
    won = -(torch.from_numpy(np.outer(q, p)) * loss).sum()
    assert float(won) == pytest.approx(np.abs(p - q).sum() / 2, abs=1e-9)


@given(real=logits, fake=logits)
def test_the_score_difference_is_bounded_and_zero_sum(real, fake):
    x, y = torch.from_numpy(real), torch.from_numpy(fake)
    loss = LOSSES["score_difference"]
    assert (loss.critic(x, y).abs() <= 1).all()
    torch.testing.assert_close(loss.critic(x, y) + loss.generator(x, y), -torch.sigmoid(x))
