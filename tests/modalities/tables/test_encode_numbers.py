import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from rivals.modalities.tables.columns import Typed
from rivals.modalities.tables.draws import uniforms
from rivals.modalities.tables.encode_numbers import STEPS, NumberEncoder, number_encoder, rounded, step_of


def fitted(numbers, **options):
    return number_encoder("x", numbers, float(numbers.min()), float(numbers.max()), **options)


def there_and_back(encoder, numbers, codes=None):
    arrays = encoder.encode(Typed(numbers, codes), uniforms(0, len(numbers), 1))
    for part, array in zip(encoder.parts(), arrays, strict=True):
        assert array.min() >= (0 if part.width else -1)
        assert array.max() <= (part.width - 1 if part.width else 1)
    return encoder.decode(arrays, np.zeros(len(numbers)))


@given(numbers=st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=50))
@settings(max_examples=40, deadline=None)
def test_whole_numbers_come_back_exactly(numbers):
    numbers = np.array(numbers, float)
    assert there_and_back(fitted(numbers, step=1.0), numbers).numbers.tolist() == numbers.tolist()


@pytest.mark.parametrize("draw", [
    lambda rng: rng.normal(1e5, 3, 5000),
    lambda rng: np.rint(rng.normal(40, 12, 5000)),
    lambda rng: np.round(rng.lognormal(5, 2, 5000), 2),
    lambda rng: -rng.pareto(1.5, 5000),
    lambda rng: np.concatenate([np.zeros(2500), rng.normal(1e6, 1, 2500)]),
    lambda rng: rng.standard_cauchy(5000),
])  # fmt: skip
def test_marginals_come_back(draw):
    numbers = draw(np.random.default_rng(0))
    step = (*STEPS, 0.0)[step_of(numbers, STEPS)]
    found = there_and_back(fitted(numbers, step=step), numbers).numbers
    assert ks_2samp(numbers, found).statistic < 0.01
    near = np.abs(found - numbers)
    assert (near <= 1e-6 * (np.abs(numbers - np.median(numbers)) + numbers.std())).all()


def test_cents_of_a_long_tail_come_back_exactly():
    numbers = np.round(np.random.default_rng(0).lognormal(5, 1.5, 20_000), 2)
    encoder = fitted(numbers, step=0.01)
    assert encoder.scale > 0
    assert np.array_equal(there_and_back(encoder, numbers).numbers, numbers)


def test_only_long_tails_are_transformed():
    rng = np.random.default_rng(0)
    for numbers in (rng.normal(size=5000), rng.random(5000), rng.exponential(size=5000), np.repeat([1.0, 9.0], 50)):
        assert fitted(numbers).scale == 0
    for numbers in (rng.lognormal(0, 1.5, 5000), -rng.lognormal(0, 1.5, 5000), rng.standard_cauchy(5000)):
        assert fitted(numbers).scale > 0


def test_special_values_words_and_missing_are_slots_with_scalar_zero():
    rng = np.random.default_rng(0)
    numbers = rng.normal(50, 10, 300)
    codes = np.full(300, -1, np.int32)
    numbers[:100], numbers[100:150], numbers[150:200] = -1.0, np.nan, np.nan
    codes[150:175], codes[175:200] = 0, 1
    ordinary = numbers[200:]
    fit = fitted(ordinary)
    encoder = NumberEncoder(**{**vars(fit), "special": (-1.0, 99999.0), "words": 2, "missing": True})
    scalars, slots = encoder.encode(Typed(numbers, codes), uniforms(0, 300, 1))
    modes = len(encoder.means)
    assert encoder.slots == modes + 5
    assert set(slots[:100]) == {modes}
    assert set(slots[100:150]) == {modes + 4}
    assert set(slots[150:175]) == {modes + 2}
    assert set(slots[175:200]) == {modes + 3}
    assert not scalars[:200].any()
    found = there_and_back(encoder, numbers, codes)
    assert np.array_equal(found.codes, codes)
    assert np.isnan(found.numbers[100:200]).all()
    assert (found.numbers[:100] == -1).all()
    assert found.numbers[200:] == pytest.approx(ordinary, rel=1e-6)


def test_whatever_the_scalar_a_mode_on_one_value_decodes_to_it():
    rng = np.random.default_rng(0)
    hours = np.concatenate([np.full(5000, 40.0), np.rint(rng.normal(35, 12, 5000))])
    encoder = fitted(hours, step=1.0)
    mode = int(np.argmin(np.abs(np.array(encoder.means) - 40) + np.array(encoder.reaches)))
    found = encoder.decode([rng.uniform(-1, 1, 500), np.full(500, mode)], np.zeros(500))
    assert set(found.numbers) == {40.0}


@given(seed=st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_any_row_decodes_within_range_and_to_a_multiple_of_the_step(seed):
    rng = np.random.default_rng(seed)
    numbers = np.round(rng.lognormal(3, 2, 500) * 4) / 4
    encoder = fitted(numbers, step=0.25)
    found = encoder.decode([rng.uniform(-2, 2, 200), rng.integers(0, encoder.slots, 200)], np.zeros(200)).numbers
    assert (found * 4 == np.rint(found * 4)).all()
    assert (found >= numbers.min()).all()
    assert (found <= numbers.max()).all()


def test_modes_are_drawn_by_their_posterior():
    encoder = NumberEncoder("x", -9, 9, 0, 0, 0, (-1.0, 1.0), (8.0, 8.0), (0.5, 0.5))
    numbers = np.full(40_000, 0.5)
    _, slots = encoder.encode(Typed(numbers), uniforms(0, len(numbers), 1))
    ours, other = np.exp(-0.5 * (0.5 / 2) ** 2), np.exp(-0.5 * (1.5 / 2) ** 2)
    assert (slots == 1).mean() == pytest.approx(ours / (ours + other), abs=0.01)


def test_each_of_a_few_different_values_is_a_mode_however_rare_and_comes_back_whatever_the_scalar():
    numbers = np.repeat(np.arange(1.0, 17.0), [2, 6, 10, 20, 16, 30, 40, 14, 300, 220, 40, 30, 160, 50, 20, 12])
    encoder = fitted(numbers, step=1.0)
    assert encoder.means == tuple(range(1, 17))
    for mode, value in enumerate(range(1, 17)):
        for scalar in (-1.0, 0.3, 1.0):
            assert encoder.decode([np.array([scalar], np.float32), np.array([mode])], np.zeros(1)).numbers == value
    assert len(fitted(np.arange(33.0), step=1.0).means) <= 10


def test_outliers_that_no_mode_reaches_get_a_mode_that_spans_everything():
    numbers = np.append(np.random.default_rng(0).normal(0, 1, 5000), [40.0])
    encoder = fitted(numbers)
    assert encoder.weights[-1] == 0
    assert there_and_back(encoder, numbers).numbers == pytest.approx(numbers, abs=1e-5)
    assert fitted(numbers[:-1]).weights[-1] > 0


def test_a_constant_has_no_scalar_and_a_lone_mode_no_softmax():
    constant = fitted(np.full(9, 3.0))
    assert constant.parts() == ()
    assert there_and_back(constant, np.full(9, 3.0)).numbers.tolist() == [3.0] * 9
    lone = fitted(np.random.default_rng(0).normal(size=500))
    assert [part.width for part in lone.parts()] == [0]


def test_a_column_without_ordinary_values_has_slots_only():
    empty = number_encoder("x", np.empty(0), 0.0, 0.0)
    encoder = NumberEncoder(**{**vars(empty), "special": (7.0,), "missing": True})
    numbers = np.array([7.0, np.nan, 7.0])
    assert [part.width for part in encoder.parts()] == [2]
    np.testing.assert_array_equal(there_and_back(encoder, numbers).numbers, numbers)


@pytest.mark.parametrize(("numbers", "step"), [
    ([1200, 300, -500], 100), ([0.1, 0.35, 12.25], 0.05), ([19.99, 5.0], 0.01), ([3, 4], 1), ([0.125, 1.5], 0.025),
    ([900, 2700], 100), ([0, 0.00001], 0.00001),
])  # fmt: skip
def test_steps(numbers, step):
    place = step_of(np.array(numbers, float), STEPS)
    assert STEPS[place] == pytest.approx(step)
    assert rounded(np.array(numbers, float) + step / 5, STEPS[place]).tolist() == numbers
    assert step_of(np.array([1 / 3]), STEPS) == len(STEPS)


def test_draws_depend_on_the_row_s_number_only_and_are_uniform():
    draws = uniforms(0, 10_000, 3)
    assert np.array_equal(draws[2000:3000], uniforms(2000, 1000, 3))
    assert ks_2samp(draws, np.linspace(0, 1, 10_000)).statistic < 0.02
    assert abs(np.corrcoef(draws, uniforms(0, 10_000, 4))[0, 1]) < 0.04
    assert abs(np.corrcoef(draws[1:], draws[:-1])[0, 1]) < 0.04
