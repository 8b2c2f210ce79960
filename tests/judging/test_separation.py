import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rivals.judging.separation import advantage, auc, best_threshold

some_scores = st.lists(st.integers(-5, 5).map(float), min_size=2, max_size=30)


@settings(max_examples=40, deadline=None)
@given(some_scores, some_scores)
def test_the_area_is_that_of_mann_and_whitney(a, b):
    expected = stats.mannwhitneyu(a, b, method="asymptotic").statistic / (len(a) * len(b))
    assert auc(a, b).value == pytest.approx(expected)
    assert auc(b, a).value == pytest.approx(1 - expected)


def test_the_interval_holds_the_true_area_in_about_95_of_100_draws():
    rng = np.random.default_rng(0)
    true = stats.norm.cdf(1 / 2**0.5)
    spans = [auc(rng.normal(1, 1, 80), rng.normal(0, 1, 120)) for _ in range(400)]
    held = np.mean([span.low <= true <= span.high for span in spans])
    assert 0.92 <= held <= 0.98


def test_scores_without_meaning_have_no_advantage_on_average():
    rng = np.random.default_rng(1)
    found = [advantage(rng.normal(size=100), rng.normal(size=100), seed=seed).advantage for seed in range(200)]
    values = np.array([span.value for span in found])
    assert abs(values.mean()) < 3 * values.std() / len(values) ** 0.5  # the best threshold of all scores gives 0.12
    assert np.mean([span.low > 0 for span in found]) <= 0.06


def test_the_advantage_of_shifted_normal_scores_is_the_one_of_theory():
    rng = np.random.default_rng(2)
    found = advantage(rng.normal(1, 1, 20_000), rng.normal(0, 1, 20_000))
    assert found.advantage.value == pytest.approx(2 * stats.norm.cdf(0.5) - 1, abs=0.02)
    assert found.advantage.low < 2 * stats.norm.cdf(0.5) - 1 < found.advantage.high
    assert found.caught.value == pytest.approx(stats.norm.sf(stats.norm.isf(0.01) - 1), abs=0.02)


def test_a_few_sure_members_show_at_few_false_alarms_only():
    rng = np.random.default_rng(3)
    members = np.concatenate([np.full(100, 9.0), rng.normal(size=1900)])
    found = advantage(members, rng.normal(size=2000))
    assert found.caught.low > 0.045
    assert found.advantage.value < 0.12


def test_what_is_told_apart_always_has_all_the_advantage():
    found = advantage(np.linspace(2, 3, 500), np.linspace(0, 1, 500))
    assert found.advantage.value > 0.98  # a threshold chosen on half the members misses those below it
    assert found.auc.value == found.auc.low == 1.0
    assert found.caught.value == 1.0
    assert best_threshold(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 2.0


def test_equal_scores_tell_nothing():
    found = advantage(np.zeros(50), np.zeros(60))
    assert found.advantage.value == 0.0
    assert found.auc.value == 0.5
    assert found.caught.value == 0.0


@pytest.mark.parametrize(("a", "b"), [([1.0], [1.0, 2.0]), ([1.0, float("nan")], [1.0, 2.0])])
def test_too_few_scores_and_nan_are_refused(a, b):
    with pytest.raises(ValueError, match="scores"):
        auc(a, b)
