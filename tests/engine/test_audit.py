import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom

from rivals.engine.audit import audit, lower_bound, planted
from rivals.engine.data import Dataset
from rivals.engine.errors import RequestError
from rivals.engine.types import Batch


@pytest.mark.parametrize(("guesses", "right"), [(50, 50), (50, 40), (200, 120), (30, 15), (10, 0)])
def test_without_delta_it_is_the_bound_of_clopper_and_pearson(guesses, right):
    share = beta.ppf(0.05, right, guesses - right + 1) if right else 0.0
    closed = max(np.log(share / (1 - share)), 0.0) if share > 0 else 0.0
    assert lower_bound(guesses, guesses, right, 0.0) == pytest.approx(closed, abs=1e-5)


@settings(max_examples=5)
@given(st.floats(0.1, 3.0), st.integers(0, 2**32 - 1))
def test_randomised_response_stays_under_its_epsilon_but_for_one_time_in_twenty(epsilon, seed):
    random = np.random.default_rng(seed)
    told = random.random((200, 60)) < 1 / (1 + np.exp(-epsilon))
    times = np.bincount(told.sum(1))
    over = sum(times[right] for right in np.flatnonzero(times) if lower_bound(60, 60, int(right), 1e-6) > epsilon)
    assert over <= binom.ppf(1 - 1e-6, 200, 0.05)


def test_a_delta_lowers_what_is_proved():
    found = [lower_bound(1000, 500, 450, delta) for delta in (0.0, 1e-6, 1e-4, 1e-3)]
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1]


def test_scores_that_tell_prove_much_and_scores_that_do_not_prove_nothing():
    coins = np.random.default_rng(0).random(200) < 0.5
    assert audit(coins.astype(float), coins, 1e-6).epsilon > 3
    assert audit(-coins.astype(float), coins, 1e-6) == (100, 0, 0.0, 0.95)
    blind = audit(np.random.default_rng(1).random(200), coins, 1e-6)
    assert blind.epsilon < 0.5
    assert blind.guesses == 100
    with pytest.raises(RequestError, match="even number of guesses"):
        audit(coins.astype(float), coins, 1e-6, guesses=201)


def test_canaries_are_planted_among_the_rows_by_their_coins():
    real = torch.arange(12.0).view(6, 2)
    data = Dataset(lambda rows: Batch(real[rows], rows * 10), torch.tensor([0, 2, 4]), torch.tensor([1, 3, 5]))
    canaries = Batch(-1 - torch.arange(8.0).view(4, 2), torch.tensor([7, 8, 9, 10]))
    made = planted(data, canaries, torch.tensor([True, False, True, False]))
    assert made.train.tolist() == [0, 2, 4, 6, 8]
    found = made.cut(torch.tensor([8, 4, 6, 0]))
    torch.testing.assert_close(found.real, torch.stack([canaries.real[2], real[4], canaries.real[0], real[0]]))
    assert found.cond.tolist() == [9, 40, 7, 0]
    assert made.cut(torch.tensor([6])).cond.tolist() == [7]
    assert made.cut(torch.tensor([4, 2])).cond.tolist() == [40, 20]
    assert made.cut(torch.tensor([], dtype=torch.long)).real.shape == (0, 2)
