import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivals.engine.errors import RequestError
from rivals.engine.ledger import Charge
from rivals.engine.privacy_mechanisms import (
    category_threshold,
    geometric_noise,
    noisy_categories,
    noisy_histogram,
    noisy_quantiles,
    noisy_range,
)


def random(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("epsilon", [0.3, 1.0, 2.5])
def test_the_noise_is_the_two_sided_geometric_distribution(epsilon):
    count = 200_000
    noise = geometric_noise(count, epsilon, random())
    a = math.exp(-epsilon)
    for k in range(-4, 5):
        p = (1 - a) / (1 + a) * a ** abs(k)
        assert np.mean(noise == k) == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / count))
    assert noise.var() == pytest.approx(2 * a / (1 - a) ** 2, rel=0.03)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.nan, math.inf])
def test_noise_without_an_epsilon_is_refused(epsilon):
    with pytest.raises(RequestError, match="epsilon above 0"):
        geometric_noise(3, epsilon, random())


def test_one_row_changes_the_odds_of_no_outcome_by_more_than_epsilon():
    epsilon, count = 0.7, 400_000
    with_row, without = (
        np.bincount(noisy_histogram(np.full(count, rows), epsilon, random(rows), what="x")[0], minlength=30)[:12]
        for rows in (6, 5)
    )
    ratio = np.abs(np.log(with_row / without))
    assert ratio.max() < epsilon + 5 * math.sqrt(2 / min(with_row.min(), without.min()))
    assert ratio.max() > 0.8 * epsilon  # and no less noise would do


def test_a_histogram_keeps_its_counts_and_costs_epsilon_once():
    counts = np.array([0, 10_000, 0, 500])
    noisy, charge = noisy_histogram(counts, 0.5, random(), what="the histogram of age")
    assert noisy.min() >= 0
    assert np.abs(noisy - counts).max() < 40
    assert charge == Charge("the histogram of age", "noisy histogram of 4 bins", 0.5)


@pytest.mark.parametrize(("epsilon", "delta"), [(1.0, 1e-5), (0.2, 1e-8), (3.0, 0.01), (0.5, 0.2)])
def test_a_category_of_one_row_is_named_with_probability_delta_at_most(epsilon, delta):
    a, threshold = math.exp(-epsilon), category_threshold(epsilon, delta)

    def named(at):
        return a ** (at - 1) / (1 + a)  # P[1 + noise >= at] for at > 1

    assert named(threshold) <= delta
    assert threshold == 2 or named(threshold - 1) > delta
    if delta >= 0.01:
        found = sum(
            bool(noisy_categories({"rare": 1}, epsilon, delta, random(seed), what="x")[0]) for seed in range(4000)
        )
        assert found / 4000 < delta + 4 * math.sqrt(delta / 4000)


def test_frequent_categories_are_named_in_order_and_rare_ones_left_out():
    counts = {"b": 300, "a": 5000, **{f"rare {number}": 1 for number in range(50)}}
    named, charge = noisy_categories(counts, 1.0, 1e-6, random(), what="the categories of job")
    assert list(named) == ["a", "b"]
    assert named["b"] == pytest.approx(300, abs=20)
    assert (charge.epsilon, charge.delta) == (1.0, 1e-6)
    assert noisy_categories({}, 1.0, 1e-6, random(), what="x")[0] == {}
    with pytest.raises(RequestError, match="delta between 0 and 1"):
        noisy_categories(counts, 1.0, 0.0, random(), what="x")


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e12))
def test_a_range_holds_the_values_and_is_no_wider_than_their_powers_of_two(low, width):
    values = np.concatenate([np.full(400, low), np.full(400, low + width)])
    (found_low, found_high), charge = noisy_range(values, 1.0, random(), what="the range of x")
    assert found_low <= values.min() + 2.0**-64
    assert values.max() <= found_high + 2.0**-64
    assert max(abs(found_low), abs(found_high)) <= 2 * np.abs(values).max()
    assert charge == Charge("the range of x", "noisy histogram of 257 powers of two", 1.0)


def test_empty_places_seldom_widen_a_range_and_a_few_outliers_never_do():
    values = np.concatenate([random().uniform(20, 90, 1000), [1e15]])
    found = [noisy_range(values, 0.5, random(seed), what="x")[0] for seed in range(300)]
    assert sum(limits != (16.0, 128.0) for limits in found) <= 0.01 * 300 + 4 * math.sqrt(0.01 * 300)


def test_a_column_of_zeros_has_no_range_and_few_rows_are_refused():
    assert noisy_range(np.zeros(1000), 1.0, random(), what="x")[0] == (0.0, 0.0)
    assert noisy_range(np.array([0.0, 3.0] * 500), 1.0, random(), what="x")[0] == (0.0, 4.0)
    with pytest.raises(RequestError, match="2 rows are too few"):
        noisy_range(np.array([1.0, 2.0]), 0.5, random(), what="x")
    with pytest.raises(RequestError, match="missing and infinite"):
        noisy_range(np.array([1.0, np.nan]), 0.5, random(), what="x")


def test_quantiles_are_near_the_true_ones_in_order_and_within_the_limits():
    values = random().normal(40, 10, 5000)
    shares = [0.01, 0.25, 0.5, 0.75, 0.99]
    found, charge = noisy_quantiles(values, shares, (0.0, 100.0), 1.0, random(), what="the quantiles of age")
    ranks = np.searchsorted(np.sort(values), found) / 5000
    assert np.abs(ranks - shares).max() < 0.02
    assert (np.diff(found) >= 0).all()
    assert charge == Charge("the quantiles of age", "5 noisy quantiles", 1.0)


def test_a_quantile_is_drawn_with_the_odds_of_the_exponential_mechanism():
    values, epsilon, count = np.array([0.2, 0.5]), 1.2, 5_000
    generator = random(3)
    found = np.array(
        [noisy_quantiles(values, [0.5], (0.0, 1.0), epsilon, generator, what="x")[0] for _ in range(count)]
    )
    odds = np.array([0.2, 0.3, 0.5]) * np.exp(-epsilon * np.array([1, 0, 1]))  # sensitivity of a median: a half
    expected = odds / odds.sum()
    shares = np.histogram(found, [0, 0.2, 0.5, 1.0])[0] / count
    assert np.abs(shares - expected).max() < 5 * math.sqrt(0.25 / count)


def test_quantiles_of_no_rows_and_of_one_value_lie_within_the_limits():
    assert 0 <= noisy_quantiles(np.array([]), [0.5], (0.0, 1.0), 1.0, random(), what="x")[0][0] <= 1
    found = noisy_quantiles(np.full(1000, 7.0), [0.1, 0.9], (0.0, 10.0), 1.0, random(), what="x")[0]
    assert ((found >= 0) & (found <= 10)).all()


@pytest.mark.parametrize(
    ("shares", "limits", "words"),
    [([0.5], (1.0, 1.0), "within a range"), ([1.5], (0.0, 1.0), "shares"), ([], (0.0, 1.0), "shares")],
)
def test_quantiles_that_are_none_are_refused(shares, limits, words):
    with pytest.raises(RequestError, match=words):
        noisy_quantiles(np.array([0.5]), shares, limits, 1.0, random(), what="x")
