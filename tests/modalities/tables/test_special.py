import numpy as np

from rivals.modalities.tables.special import special_values


def special(cells):
    return special_values(*np.unique(np.asarray(cells, float), return_counts=True))


def test_a_frequent_value_that_stands_out_and_one_that_lies_far_out_are_special():
    gains = [0] * 900 + list(range(114, 214)) + [99999] * 5
    assert special(gains) == (0, 99999)


def test_the_only_negative_value_is_special_if_it_comes_again():
    ages = [*range(90)] * 5
    assert special([*ages, -1, -1, -1]) == (-1,)
    assert special([*ages, -1]) == ()
    assert special([*ages, *[-999] * 4]) == (-999,)


def test_smooth_columns_have_none():
    draws = np.random.default_rng(0)
    assert special(draws.normal(size=2000).round(1)) == ()
    assert special(draws.poisson(6, 5000)) == ()
    assert special(draws.lognormal(0, 2, 5000)) == ()
