import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import norm

from rivals.modalities.tables.mixture import LIGHTEST, Mixture, fit_mixture, histogram


def two(count=20_000, seed=0):
    rng = np.random.default_rng(seed)
    near = rng.random(count) < 0.3
    return np.where(near, rng.normal(-5, 1, count), rng.normal(5, 0.1, count))


def likelihood(values, mixture):
    each = norm.logpdf(values[:, None], mixture.means, mixture.deviations) + np.log(mixture.weights)
    return logsumexp(each, 1).mean()


def test_two_clouds_are_found_as_two_modes():
    fit = fit_mixture(two())
    assert fit.means == pytest.approx((-5, 5), abs=0.05)
    assert fit.deviations == pytest.approx((1, 0.1), rel=0.05)
    assert fit.weights == pytest.approx((0.3, 0.7), abs=0.01)


def test_the_fit_is_as_likely_as_the_distribution_that_was_drawn_from():
    rng = np.random.default_rng(1)
    true = Mixture((0.0, 3.0, 20.0), (1.0, 1.0, 5.0), (0.5, 0.2, 0.3))
    modes = rng.choice(3, 20_000, p=true.weights)
    values = rng.normal(np.array(true.means)[modes], np.array(true.deviations)[modes])
    assert likelihood(values, fit_mixture(values)) > likelihood(values, true) - 0.002
    assert likelihood(values, fit_mixture(values, most=2)) < likelihood(values, true) - 0.02


def test_a_normal_column_is_one_mode():
    fit = fit_mixture(np.random.default_rng(0).normal(40, 2, 50_000))
    assert len(fit.means) == 1
    assert (fit.means[0], fit.deviations[0]) == (pytest.approx(40, abs=0.05), pytest.approx(2, rel=0.02))


def test_few_values_are_a_mode_each():
    fit = fit_mixture(np.array([3.0, 1.0, 1.0, 9.0]), narrowest=0.01)
    assert fit.means == (1, 3, 9)
    assert fit.weights == (0.5, 0.25, 0.25)
    assert fit_mixture(np.full(5, 7.0)).means == (7,)


def test_a_heavy_tie_is_a_mode_of_its_own_width():
    rng = np.random.default_rng(0)
    hours = np.concatenate([np.full(5000, 40.0), np.rint(rng.normal(35, 12, 5000))])
    fit = fit_mixture(hours, narrowest=0.12)
    place = int(np.argmin(np.abs(np.array(fit.means) - 40)))
    assert fit.deviations[place] == pytest.approx(0.12, rel=0.1)
    assert fit.weights[place] > 0.45


def test_few_others_beside_a_heavy_tie_are_not_lost():
    values = np.concatenate([np.zeros(1000), np.random.default_rng(0).normal(size=10)])
    fit = fit_mixture(values)
    assert max(fit.weights) == pytest.approx(0.99, abs=0.005)
    assert max(fit.deviations) > 0.3


def test_weights_count_as_repetitions():
    values, counts = np.unique(np.rint(3 * two(3000)), return_counts=True)
    weighted = fit_mixture(values, counts.astype(float))
    repeated = fit_mixture(np.repeat(values, counts))
    assert weighted.means == pytest.approx(repeated.means)
    assert weighted.weights == pytest.approx(repeated.weights)


@given(
    values=st.lists(st.floats(-1e308, 1e308, allow_nan=False), min_size=1, max_size=60),
    most=st.integers(1, 10),
    narrowest=st.sampled_from([0.0, 0.1]),
)
@settings(max_examples=60, deadline=None)
def test_any_values_give_a_mixture(values, most, narrowest):
    fit = fit_mixture(np.array(values), most=most, narrowest=narrowest)
    assert 1 <= len(fit.means) <= most
    assert np.isfinite(fit.means).all()
    assert np.isfinite(fit.deviations).all()
    assert min(fit.deviations) > 0
    assert min(fit.deviations) >= narrowest * (1 - 1e-9)
    assert sum(fit.weights) == pytest.approx(1)
    assert list(fit.means) == sorted(fit.means)


def test_no_mode_is_light_and_order_does_not_matter():
    values = np.random.default_rng(0).standard_t(2, 30_000)
    fit = fit_mixture(values)
    assert min(fit.weights) >= LIGHTEST
    assert fit_mixture(values[::-1]).means == pytest.approx(fit.means)


def test_a_histogram_keeps_weight_mean_and_variance():
    values = np.random.default_rng(0).lognormal(0, 2, 50_000)
    bins = histogram(values)
    share = bins.weights / bins.weights.sum()
    middle = share @ bins.centres
    assert len(share) <= 1024
    assert bins.weights.sum() == 50_000
    assert middle == pytest.approx(values.mean())
    assert share @ (bins.variances + (bins.centres - middle) ** 2) == pytest.approx(values.var())
    assert bins.centres[-1] == pytest.approx(values.max())  # the tail has bins of its own
