import copy
import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from rivals.engine.equilibrium import (
    WINDOW,
    Standing,
    advantage,
    duality_gap,
    settled,
    settled_words,
    trend,
)
from rivals.engine.errors import RequestError
from rivals.engine.game import Duel
from rivals.engine.losses import LOSSES
from rivals.engine.terms import LeCam, Term, adversarial, r1
from rivals.engine.types import Batch, Verdict


class Point(nn.Module):
    """The Dirac GAN's generator (Mescheder et al., 2018, section 2): all samples at one place, here within -1 and 1."""

    def __init__(self, place):
        super().__init__()
        self.place = nn.Parameter(torch.tensor(math.atanh(place)))

    def forward(self, z, cond=None):
        return torch.tanh(self.place).expand(len(z), 1)


class Slope(nn.Module):
    """Its critic: linear, D(x) = slope x."""

    def __init__(self, slope):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(float(slope)))

    def forward(self, x, cond=None):
        return Verdict((self.slope * x,))


def dirac(place, slope, loss="wasserstein", penalty=1.0, **more):
    critic, generator = adversarial(LOSSES[loss])
    terms = {"adversarial": Term(critic), "r1": Term(r1, penalty), **more}
    return Duel(
        Point(place), Slope(slope), latent=1, critic_terms=terms, generator_terms={"adversarial": Term(generator)}
    )


def zeros():
    return itertools.repeat(Batch(torch.zeros(4, 1)))


SMALL = {"steps": 150, "lr": 0.05, "held_out": 1}


def test_at_the_dirac_gans_equilibrium_the_gap_is_zero():
    for loss in ("wasserstein", "logistic", "minimax", "score_difference", "relativistic"):
        assert duality_gap(dirac(0.0, 0.0, loss), zeros(), **SMALL) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("place", "slope"), [(0.6, 0.0), (-0.4, 0.2), (0.0, 0.7), (0.5, -0.3)])
def test_the_dirac_gans_gap_equals_its_closed_form(place, slope):
    """V = -slope place. The best critic under slope^2 / 2 is -place: V = place^2; the worst place is +-1: V = -|slope|.

    Without the noise of data and with a bounded generator, both best responses are exact.
    """
    gap = duality_gap(dirac(place, slope), zeros(), **SMALL)
    assert gap == pytest.approx(max(place**2, -slope * place) + abs(slope), abs=0.02)


def test_a_logistic_critic_that_can_tell_all_apart_wins_two_logs_of_two():
    """V at slope 0 is -2 log 2; D' with slope to minus infinity leaves -log 2 of the real sample at 0."""
    gap = duality_gap(dirac(0.9, 0.0, "logistic", penalty=0.0), zeros(), steps=150, lr=0.3, held_out=1)
    assert gap == pytest.approx(math.log(2), abs=0.02)


@given(place=st.floats(-0.9, 0.9), slope=st.floats(-2, 2), loss=st.sampled_from(sorted(LOSSES)))
@settings(max_examples=15)
def test_the_gap_is_never_negative(place, slope, loss):
    assert duality_gap(dirac(place, slope, loss), zeros(), steps=3, lr=0.5, held_out=1) >= 0


def test_the_gap_falls_on_the_way_to_the_equilibrium():
    gaps = [duality_gap(dirac(place, place), zeros(), **SMALL) for place in (0.8, 0.4, 0.2, 0.05)]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > 10 * gaps[-1]


def test_a_critic_limited_by_clipping_wins_no_more_than_that_allows():
    gap = duality_gap(dirac(0.5, 0.0, penalty=0.0), zeros(), clip=0.1, **SMALL)
    assert gap == pytest.approx(0.1 * 0.5, abs=1e-3)


def test_a_gaussians_mean_is_learned_where_the_gap_is_small():
    class Shift(nn.Module):
        def __init__(self, mean):
            super().__init__()
            self.mean = nn.Parameter(torch.tensor(mean))

        def forward(self, z, cond=None):
            return z + self.mean

    def data():
        while True:
            yield Batch(torch.randn(64, 2) + torch.tensor([1.0, -1.0]))

    class Linear(Slope):
        def __init__(self):
            super().__init__(0)
            self.slope = nn.Parameter(torch.zeros(2))

        def forward(self, x, cond=None):
            return Verdict((x @ self.slope,))

    critic, generator = adversarial(LOSSES["wasserstein"])

    def gap(mean):
        terms = {"adversarial": Term(critic), "r1": Term(r1, 1.0)}
        game = Duel(Shift(mean), Linear(), latent=2, critic_terms=terms, generator_terms={"g": Term(generator)})
        return duality_gap(game, data(), steps=150, lr=0.02, held_out=16)

    assert gap([1.0, -1.0]) == pytest.approx(0, abs=0.03)
    assert gap([0.0, 0.0]) == pytest.approx(2.0, abs=0.3)  # |mean - target|^2 / penalty; noise of 1,024 samples


def test_the_game_and_the_random_state_stay_as_they_were():
    memory = LeCam()
    game = dirac(0.3, 0.3, lecam=Term(memory, 0.1))
    game.eval()
    before = copy.deepcopy(game.state_dict())
    assert "memories.critic_lecam.seen" in before
    state = torch.get_rng_state()
    first = duality_gap(game, zeros(), steps=5, lr=0.1)
    assert torch.equal(torch.get_rng_state(), state)
    for name, part in game.state_dict().items():
        assert torch.equal(part, before[name]), name
    assert all(parameter.grad is None and parameter.requires_grad for parameter in game.parameters())
    assert not game.training
    torch.manual_seed(99)
    assert duality_gap(game, zeros(), steps=5, lr=0.1) == first


@pytest.mark.parametrize("held_out", [0, 3])
def test_too_few_batches_are_refused(held_out):
    batches = iter([Batch(torch.zeros(4, 1))] * 5)
    with pytest.raises(RequestError, match="the duality gap needs"):
        duality_gap(dirac(0.1, 0.1), batches, steps=3, held_out=held_out)


def test_a_game_without_an_adversarial_term_is_refused():
    game = Duel(Point(0.1), Slope(0), latent=1, critic_terms={"r1": Term(r1)}, generator_terms={})
    with pytest.raises(RequestError, match="'adversarial'"):
        duality_gap(game, zeros())


logits = st.lists(st.integers(-5, 5), min_size=1, max_size=12)


@given(real=logits, fake=logits)
def test_the_advantage_is_mann_and_whitneys_u_as_a_share_of_all_pairs(real, fake):
    found = advantage(torch.tensor(real).float(), torch.tensor(fake).float())
    assert found == pytest.approx(stats.mannwhitneyu(real, fake).statistic / (len(real) * len(fake)))


def test_the_advantage_at_its_ends_and_its_middle():
    low, high = torch.zeros(5), torch.ones(3)
    assert (advantage(high, low), advantage(low, high), advantage(low, low)) == (1.0, 0.0, 0.5)


@given(st.lists(st.floats(-10, 10), min_size=3, max_size=12, unique=True))
def test_the_trend_without_ties_is_kendalls_tau_in_standard_errors(values):
    n = len(values)
    tau = stats.kendalltau(range(n), values).statistic
    error = math.sqrt(2 * (2 * n + 5) / (9 * n * (n - 1)))  # of tau, without a trend
    assert trend(values, 0.0) == pytest.approx(tau / error)


def test_differences_within_the_noise_are_no_trend():
    assert trend([1.0, 0.995, 0.991], 0.01) == 0
    assert trend([1.0, 0.9, 0.8], 0.01) < -1
    assert trend([1.0], 0.01) == trend([], 0.01) == 0


def history(scores, advantages):
    return [Standing(at, float(s), float(a)) for at, (s, a) in enumerate(zip(scores, advantages, strict=True))]


FLAT = [0.7] * WINDOW


def test_standing_still_is_rest_and_a_short_history_is_not():
    assert settled(history([3.0] * WINDOW, FLAT))
    assert not settled(history([3.0] * (WINDOW - 1), FLAT[1:]))
    assert not settled([])


def test_a_side_that_still_improves_is_not_at_rest():
    falling, rising = np.linspace(3, 2, WINDOW), np.linspace(0.5, 0.9, WINDOW)
    assert not settled(history(falling, FLAT))
    assert not settled(history([3.0] * WINDOW, rising))
    assert not settled(history([3.0] * WINDOW, rising[::-1]))  # the generator is getting ahead
    assert settled(history(falling[::-1], FLAT))  # a score that gets worse is no improvement


def test_improvements_long_ago_do_not_count_and_small_ones_neither():
    assert settled(history([*np.linspace(9, 3, 20), *[3.0] * WINDOW], [0.9] * 20 + FLAT))
    assert settled(history(3 * (1 - 0.001 * np.arange(WINDOW)), FLAT))
    assert not settled(history(3 * (1 - 0.01 * np.arange(WINDOW)), FLAT))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_value_that_is_no_number_is_never_rest(bad):
    for at in range(WINDOW):
        values = list(FLAT)
        values[at] = bad
        assert not settled(history(values, FLAT))
        assert not settled(history(FLAT, values))


def stopped_at(scores, advantages):
    past = history(scores, advantages)
    return next((at for at in range(1, len(past) + 1) if settled(past[:at])), None)


def test_under_noise_a_run_stops_on_its_plateau_and_seldom_before():
    """Twenty runs of 24 verdicts with 2 % noise: a quality that halves every 3 verdicts, to a floor reached at 15."""
    random = np.random.default_rng(0)
    stops = []
    for _ in range(20):
        scores = np.maximum(2.0 ** (-np.arange(24) / 3), 2.0**-5) * (1 + 0.02 * random.standard_normal(24))
        stops.append(stopped_at(scores, 0.7 + 0.01 * random.standard_normal(24)))
    assert all(stop is None or stop > 15 for stop in stops)
    assert sum(stop is not None for stop in stops) >= 18


def test_the_words_tell_the_window_and_both_sides():
    words = settled_words(history([9.0, *[3.0] * (WINDOW - 1), 2.99], [0.9, *FLAT]))
    assert words.startswith("equilibrium: ")
    assert f"last {WINDOW} verdicts (steps 1 to {WINDOW})" in words
    assert "score 3 to 2.99" in words
    assert "0.70 to 0.70" in words
