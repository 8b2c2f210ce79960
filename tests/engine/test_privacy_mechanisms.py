import math

import numpy as np
import pytest

from rivals.engine.errors import RequestError
from rivals.engine.privacy_mechanisms import look_size, name_threshold, named_counts, noisy_counts


def random(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("sigma", [0.7, 3.0, 40.0])
def test_the_noise_is_normal_and_whole(sigma):
    counts = np.full(100_000, 7)
    noise = noisy_counts(counts, sigma, random()) - counts
    assert noise.dtype == np.int64
    assert abs(noise.mean()) < 5 * sigma / math.sqrt(len(noise))
    assert noise.var() == pytest.approx(sigma**2 + 1 / 12, rel=0.03)  # of rounding, by Sheppard
    below = math.erf(1 / math.sqrt(2))
    assert np.mean(np.abs(noise) <= sigma) == pytest.approx(below, abs=0.5 / sigma)


def test_noise_tells_two_counts_apart_no_better_than_the_mechanism_of_gauss_allows():
    sigma, count = 2.0, 400_000
    with_row, without = (noisy_counts(np.full(count, rows), sigma, random(rows)) for rows in (6, 5))
    best = max(abs((with_row >= at).mean() - (without >= at).mean()) for at in range(12))
    assert best == pytest.approx(math.erf(1 / (2 * sigma * math.sqrt(2))), abs=0.01)  # total variation of N(0), N(1)


@pytest.mark.parametrize(("sigma", "delta"), [(1.0, 1e-2), (5.0, 1e-3), (0.4, 0.05)])
def test_a_value_of_one_row_is_hardly_ever_named(sigma, delta):
    count = 200_000
    named, _ = named_counts(np.ones(count, int), sigma, delta, random())
    assert len(named) <= delta * count + 5 * math.sqrt(delta * count)


def test_frequent_values_are_named_with_about_their_counts():
    counts = np.array([5000, 1, 900, 40])
    named, noisy = named_counts(counts, 10.0, 1e-6, random())
    assert named.tolist() == [0, 2]
    assert np.abs(noisy - counts[named]).max() < 50
    assert noisy.min() >= name_threshold(10.0, 1e-6)
    assert len(named_counts(np.zeros(0, int), 10.0, 1e-6, random())[0]) == 0


def test_more_looks_are_one_look_with_less_noise():
    assert look_size([5.0]) == pytest.approx(5.0)
    assert look_size([5.0] * 9) == pytest.approx(5.0 / 3)
    assert look_size([3.0, 4.0]) == pytest.approx(12 / 5)


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf])
def test_a_look_without_noise_is_refused(sigma):
    with pytest.raises(RequestError, match="noise above 0"):
        noisy_counts(np.ones(3), sigma, random())


@pytest.mark.parametrize("delta", [0.0, 1.0, -1.0])
def test_a_threshold_without_delta_is_refused(delta):
    with pytest.raises(RequestError, match="between 0 and 1"):
        name_threshold(1.0, delta)
