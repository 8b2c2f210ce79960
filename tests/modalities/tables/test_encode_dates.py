import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rivals.modalities.tables.columns import Typed
from rivals.modalities.tables.draws import uniforms
from rivals.modalities.tables.encode_dates import DAY, DateEncoder, calendar, date_encoder

FIRST = 16_436  # the first of January 2015, a Thursday


def fitted(numbers, timed=False, **options):
    return date_encoder("when", numbers, float(numbers.min()), float(numbers.max()), timed=timed, **options)


def there_and_back(encoder, numbers):
    arrays = encoder.encode(Typed(numbers), uniforms(0, len(numbers), 1))
    return encoder.decode(arrays, np.zeros(len(numbers))).numbers


def roles(encoder):
    return {part.role: part.values for part in encoder.calendar}


def working_days(count=4000, seed=0):
    days = FIRST + np.random.default_rng(seed).integers(0, 2000, count)
    return days[calendar(days, "weekday") < 5].astype(float)


@given(days=st.lists(st.integers(-100_000, 100_000), min_size=1, max_size=20))
@settings(max_examples=25, deadline=None)
def test_the_calendar_is_python_s(days):
    from datetime import date, timedelta

    dates = [date(1970, 1, 1) + timedelta(day) for day in days]
    assert calendar(np.array(days), "weekday").tolist() == [day.weekday() for day in dates]
    assert calendar(np.array(days), "month").tolist() == [day.month for day in dates]
    assert calendar(np.array(days), "day of month").tolist() == [day.day for day in dates]


def test_uniform_dates_need_no_parts_and_come_back():
    days = FIRST + np.random.default_rng(0).integers(0, 2000, 5000).astype(float)
    encoder = fitted(days)
    assert roles(encoder) == {}
    assert np.array_equal(there_and_back(encoder, days), days)


def test_working_days_stay_working_days_whatever_is_generated():
    days = working_days()
    encoder = fitted(days)
    assert roles(encoder) == {"weekday": (0, 1, 2, 3, 4)}
    assert np.array_equal(there_and_back(encoder, days), days)
    rng = np.random.default_rng(1)
    arrays = [rng.integers(0, part.width, 1000) if part.width else rng.uniform(-1, 1, 1000) for part in encoder.parts()]
    found = encoder.decode(arrays, np.zeros(1000)).numbers
    assert np.array_equal(calendar(found.astype(int), "weekday"), arrays[-1])
    assert found.min() >= days.min()
    assert found.max() <= days.max()
    plain = DateEncoder("when", False, encoder.days).decode(arrays[:-1], np.zeros(1000)).numbers
    assert np.abs(found - plain).max() <= 6  # three days, or the other way round at either end of the range


def test_firsts_of_the_month_stay_firsts():
    months = np.arange("2010-01", "2020-01", dtype="datetime64[M]").astype("datetime64[D]").astype(float)
    days = np.random.default_rng(0).choice(months, 3000)
    encoder = fitted(days)
    assert roles(encoder)["day of month"] == (1,)
    arrays = encoder.encode(Typed(days), uniforms(0, len(days), 1))
    arrays[0] = np.clip(arrays[0] + np.random.default_rng(1).normal(0, 0.05, len(days)), -1, 1)  # a clumsy generator
    found = encoder.decode(arrays, np.zeros(len(days))).numbers
    assert set(calendar(found.astype(int), "day of month")) == {1}


def test_seasons_are_a_part_and_the_month_asked_for_is_what_comes():
    days = FIRST + np.arange(3 * 365)
    weights = np.where(np.isin(calendar(days, "month"), [6, 7, 8]), 5.0, 1.0)
    drawn = np.random.default_rng(0).choice(days, 5000, p=weights / weights.sum()).astype(float)
    encoder = fitted(drawn)
    assert "month" in roles(encoder)
    arrays = encoder.encode(Typed(drawn), uniforms(0, len(drawn), 1))
    place = [part.role for part in encoder.parts()].index("month")
    arrays[place] = np.full(len(drawn), 6)
    assert set(calendar(encoder.decode(arrays, np.zeros(len(drawn))).numbers.astype(int), "month")) == {7}


def test_times_of_day_come_back_to_the_step():
    rng = np.random.default_rng(0)
    numbers = working_days(3000) * DAY
    numbers += 900 * rng.integers(32, 72, len(numbers))
    encoder = fitted(numbers, timed=True, step=900.0, clock=(32 * 900.0, 71 * 900.0))
    assert np.array_equal(there_and_back(encoder, numbers), numbers)
    rows = [rng.integers(0, part.width, 500) if part.width else rng.uniform(-1, 1, 500) for part in encoder.parts()]
    found = encoder.decode(rows, np.zeros(500)).numbers
    assert not (found % 900).any()
    assert (found % DAY >= 32 * 900).all()
    assert (found % DAY <= 71 * 900).all()


def test_missing_and_special_dates_come_back():
    from dataclasses import replace

    numbers = working_days(2000) * DAY + 3600.0
    fit = fitted(numbers, timed=True, step=3600.0, clock=(3600.0, 3600.0))
    never = 253_370_764_800.0  # the first of January 9999
    encoder = replace(fit, days=replace(fit.days, special=(never,), missing=True))
    numbers[:50], numbers[50:90] = never, np.nan
    np.testing.assert_array_equal(there_and_back(encoder, numbers), numbers)


@pytest.mark.parametrize("numbers", [np.array([5.0]), np.array([5.0, 5.0, 9.0])])
def test_few_dates(numbers):
    assert there_and_back(fitted(numbers), numbers).tolist() == numbers.tolist()
