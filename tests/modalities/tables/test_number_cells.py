import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rivals.modalities.tables.columns import Format
from rivals.modalities.tables.number_cells import find_decimals, find_numbers, read_numbers, write_numbers


def found(*cells):
    return find_numbers(pl.Series(cells), np.ones(len(cells), int))


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (("1", "20", "-3"), (1, 20, -3)),
        (("1.5", "2.25", "3"), (1.5, 2.25, 3)),
        (("1.50", "2.25", "-3.00"), (1.5, 2.25, -3)),
        (("$1,234.50", "-$5.00", "$1,000,000.00"), (1234.5, -5, 1e6)),
        (("($5.00)", "$6.00"), (-5, 6)),
        (("$-5", "$6"), (-5, 6)),
        (("1.234,50 €", "-12,00 €"), (1234.5, -12)),
        (("950", "1.200", "12.340", "5.500"), (950, 1200, 12340, 5500)),
        (("0,125", "1,5", "2,75"), (0.125, 1.5, 2.75)),
        (("1,234", "12,345"), (1234, 12345)),
        (("1 234,5", "22 000,1"), (1234.5, 22000.1)),
        (("CHF 1'200.50", "CHF 12.25"), (1200.5, 12.25)),
        (("12 %", "3.5 %"), (12, 3.5)),
        (("1e-05", "0.5", "12.25"), (1e-5, 0.5, 12.25)),
        ((" 39", " 50"), (39, 50)),
        (("1.0", "2.0"), (1, 2)),
    ],
)
def test_numbers_are_read_as_people_mean_them_and_written_as_they_were(cells, values):
    numbers = found(*cells)
    assert numbers.values.to_list() == list(values)
    assert write_numbers(np.array(values, float), numbers.format).to_list() == list(cells)


@pytest.mark.parametrize(
    "cells", [("A12", "A13"), ("10.0.0.1", "10.0.0.2"), ("555-123-4567",), ("12 kg 3",), ("<=50K",)]
)
def test_what_only_has_digits_is_no_number(cells):
    numbers = found(*cells)
    assert numbers is None or numbers.values.null_count() == len(cells)


def test_zeros_that_mean_nothing_are_counted():
    assert found("007", "010", "123", "999").zeros == 0.5


@settings(max_examples=60)
@given(
    units=st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=20),
    decimals=st.integers(0, 3),
    signs=st.sampled_from([("", "."), (",", "."), (".", ","), ("'", "."), ("\u202f", ",")]),
    affixes=st.sampled_from([("", ""), ("$", ""), ("", " €"), ("CHF ", ""), (" ", "")]),
    minus=st.sampled_from(["-", "−", "("]),
)
def test_every_regular_format_comes_back_by_writing_and_reading(units, decimals, signs, affixes, minus):
    (thousands, decimal), (prefix, suffix) = signs, affixes
    form = Format(
        decimals=decimals, least=decimals, thousands=thousands, decimal=decimal, prefix=prefix, suffix=suffix,
        minus=minus,
    )  # fmt: skip
    values = np.array(units) / 10**decimals
    written = write_numbers(values, form)
    assert read_numbers(written, form).to_list() == values.tolist()
    for cell, unit in zip(written.to_list(), units, strict=True):  # against Python's own formatting
        own = f"{abs(unit) // 10**decimals:,}" + (f".{abs(unit) % 10**decimals:0{decimals}}" if decimals else "")
        own = own.translate(str.maketrans({",": thousands, ".": decimal}))
        assert own in cell


@settings(max_examples=60)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_floats_as_python_writes_them_come_back_to_the_last_bit(values):
    cells = [repr(value) for value in values]
    numbers = found(*cells)
    assert numbers.values.to_list() == values
    if numbers.format.decimals is None:
        zero = [cell.removeprefix("-") if value == 0 else cell for cell, value in zip(cells, values, strict=True)]
        assert write_numbers(np.array(values), numbers.format).to_list() == zero


def test_a_missing_number_is_a_missing_cell():
    assert write_numbers(np.array([1.0, np.nan]), Format(decimals=2, least=2)).to_list() == ["1.00", None]


def test_decimals_of_floats_are_those_of_the_shortest_text():
    assert find_decimals(pl.Series([0.1, 2.25, 3.0])).format.decimals == 2
    assert find_decimals(pl.Series([0.1, 2.25], dtype=pl.Float32)).format.decimals == 2
    assert find_decimals(pl.Series([1 / 3])).format.decimals is None
    assert find_decimals(pl.Series([3804120336980.13, 0.1294])).format.decimals is None  # 17 digits are no float's
    assert find_decimals(pl.Series([1, 2])).format.decimals == 0
