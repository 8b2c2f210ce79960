import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rivals.modalities.tables.date_cells import find_dates, read_dates, temporal, write_dates


def found(*cells):
    return find_dates(pl.Series(cells), np.ones(len(cells), int))


@pytest.mark.parametrize(
    ("cells", "kind", "pattern"),
    [
        (("2024-01-31", "2023-12-01"), "date", "%Y-%m-%d"),
        (("31.1.2024", "1.12.2023"), "date", "%-d.%-m.%Y"),
        (("01/31/2024", "12/04/2023"), "date", "%m/%d/%Y"),
        (("31/01/2024", "04/12/2023"), "date", "%d/%m/%Y"),
        (("Jan 31, 2024", "May 1, 2023"), "date", "%b %-d, %Y"),
        (("January 31, 2024", "May 1, 2023"), "date", "%B %-d, %Y"),
        (("05-JAN-24", "16-FEB-23"), "date", "%d-%^b-%y"),
        (("20240131", "19991201"), "date", "%Y%m%d"),
        (("2024-01-31 00:00:00", "2023-01-30 00:00:00"), "date", "%Y-%m-%d 00:00:00"),
        (("2024-01-31T09:30:00Z", "2024-01-31T19:30:00Z"), "datetime", "%Y-%m-%dT%H:%M:%SZ"),
        (("2024-01-31T09:30:00+02:00", "2024-01-31T19:30:00+02:00"), "datetime", "%Y-%m-%dT%H:%M:%S+02:00"),
        (("1/31/2024 1:05 PM", "11/3/2024 11:05 AM"), "datetime", "%-m/%-d/%Y %-I:%M %p"),
        (("2024-01-31 09:30:00.123", "2024-01-31 09:30:00.120"), "datetime", "%Y-%m-%d %H:%M:%S%.3f"),
        (("05/Jan/2024:10:00:00 +0000", "05/Jan/2024:10:00:01 +0000"), "datetime", "%d/%b/%Y:%H:%M:%S +0000"),
        (("9:30", "23:59"), "time", "%-H:%M"),
        (("9:30 am", "11:59 pm"), "time", "%-I:%M %P"),
    ],
)
def test_dates_are_told_by_their_pattern_and_written_as_they_were(cells, kind, pattern):
    dates = found(*cells)
    assert (dates.kind, dates.pattern, dates.also) == (kind, pattern, ())
    assert write_dates(dates.values.to_numpy(), kind, pattern).to_list() == list(cells)


@pytest.mark.parametrize(
    "cell", ["12345678", "1.234.567", "16:9", "192.168.1.1", "555-123-4567", "123-45-6789", "12.5", "x"]
)
def test_other_things_with_signs_between_are_no_dates(cell):
    assert found(cell, cell) is None


def test_values_are_days_and_seconds_since_1970_and_seconds_since_midnight():
    assert found("1970-01-11", "1969-12-31").values.to_list() == [10, -1]
    assert found("1970-01-01 00:01:40", "1970-01-02 00:00:00").values.to_list() == [100, 86400]
    assert found("00:01", "01:00").values.to_list() == [60, 3600]


def test_mixed_patterns_are_all_read():
    dates = found("2024-01-31", "31.01.2024", "2024-02-01")
    assert (dates.pattern, dates.also) == ("%Y-%m-%d", ("%d.%m.%Y",))
    assert dates.values.to_list() == [19753, 19753, 19754]


def test_day_and_month_are_told_by_a_day_after_the_twelfth_and_doubted_without():
    assert found("13/01/2024", "01/02/2024").pattern == "%d/%m/%Y"
    assert not found("13/01/2024", "01/02/2024").unsure
    assert found("03/04/2024", "01/02/2024").unsure


def test_times_of_several_zones_are_the_same_moments():
    dates = found("2024-07-01T09:00:00+02:00", "2024-12-01T09:00:00+01:00")
    moments = [dt.datetime(2024, 7, 1, 7, tzinfo=dt.UTC), dt.datetime(2024, 12, 1, 8, tzinfo=dt.UTC)]
    assert dates.values.to_list() == [moment.timestamp() for moment in moments]


@settings(max_examples=40)
@given(st.lists(st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)), min_size=1, max_size=10))
def test_moments_of_these_centuries_come_back_to_the_microsecond(moments):
    cells = pl.Series(moments, dtype=pl.Datetime("us"))
    assert temporal(read_dates(cells, "datetime").to_numpy(), "datetime").to_list() == moments
