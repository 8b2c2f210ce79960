import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rivals.modalities.tables.cells import typed, untyped
from rivals.modalities.tables.columns import Column, Typed
from rivals.modalities.tables.survey import infer


def back_again(cells):
    column = infer(cells.to_frame())[0]
    ids = None
    if column.kind == "id":
        bare = cells.cast(pl.String).str.strip_prefix(column.format.prefix).str.strip_suffix(column.format.suffix)
        ids = bare.to_list()
    return column, untyped(column, typed(column, cells), ids)


FORMATS = {
    "plain": lambda value: f"{value}",
    "floats": lambda value: f"{value / 100}",
    "cents": lambda value: f"{value / 100:.2f}",
    "money": lambda value: f"${value / 100:,.2f}" if value >= 0 else f"-${-value / 100:,.2f}",
    "accounts": lambda value: f"{value / 100:,.2f}" if value >= 0 else f"({-value / 100:,.2f})",
    "german": lambda value: f"{value / 100:,.2f}".translate(str.maketrans(",.", ".,")) + " €",
    "dates": lambda value: (dt.date(2000, 1, 1) + dt.timedelta(value % 9999)).strftime("%d.%m.%Y"),
    "moments": lambda value: (dt.datetime(2000, 1, 1) + dt.timedelta(seconds=value % 10**8)).isoformat(" "),
    "words": lambda value: ["red", "green", "blue and white", "", " ="][value % 5],
    "truth": lambda value: ["Yes", "No"][value % 2],
    "keys": lambda value: f"K-{value % 10**7:07}",
}


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=25)
@given(st.data())
def test_regular_cells_come_back_as_they_were(form, data):
    values = data.draw(st.lists(st.none() | st.integers(-(10**7), 10**7), min_size=2, max_size=40))
    cells = pl.Series("x", [None if value is None else FORMATS[form](value) for value in values], dtype=pl.String)
    column, again = back_again(cells)
    if column.kind != "text" and not (column.format.missing == "" and None in values):
        assert again.to_list() == cells.to_list(), column


TYPES = {
    pl.Int64(): st.integers(-(2**53), 2**53),
    pl.UInt8(): st.integers(0, 255),
    pl.Float64(): st.floats(allow_nan=False),
    pl.Float32(): st.floats(width=32, allow_nan=False),
    pl.Boolean(): st.booleans(),
    pl.String(): st.text("abc1", max_size=4),
    pl.Categorical(): st.sampled_from(["a", "b", "c"]),
    pl.Enum(["a", "b", "c"]): st.sampled_from(["a", "b", "c"]),
    pl.Date(): st.dates(dt.date(1700, 1, 1), dt.date(2300, 1, 1)),
    pl.Datetime("us"): st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)),
    pl.Duration("us"): st.integers(-(10**12), 10**12).map(lambda value: dt.timedelta(microseconds=value)),
    pl.Decimal(12, 2): st.decimals(-(10**6), 10**6, places=2),
    pl.Time(): st.times(),
}


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@settings(max_examples=25)
@given(st.data())
def test_every_type_comes_back_with_its_values(dtype, data):
    values = data.draw(st.lists(st.none() | TYPES[dtype], min_size=2, max_size=30))
    cells = pl.Series("x", values, dtype=dtype)
    column, again = back_again(cells)
    if column.kind in ("text", "empty"):
        return
    assert again.name == "x"
    assert again.dtype == cells.dtype or isinstance(dtype, pl.Enum)  # an enum keeps the categories that occur
    unit = column.format.suffix if column.kind in ("number", "integer") else ""
    if unit and dtype == pl.String:  # a few cells without the unit that most have get it too
        bare = cells.str.contains(r"^[\d.,\s+−-]+$")
        cells = pl.select(pl.when(bare).then(cells + unit).otherwise(cells)).to_series()
    if column.format.missing is None:
        assert again.cast(cells.dtype).to_list() == cells.to_list(), column


def test_zones_and_their_types_come_back():
    cells = pl.Series("x", [dt.datetime(2024, 1, 1, 3), dt.datetime(2024, 7, 1, 4), None])
    cells = cells.dt.replace_time_zone("Asia/Tokyo")
    column, again = back_again(cells)
    assert again.dtype == cells.dtype
    assert again.to_list() == cells.to_list()
    assert typed(column, cells).numbers[0] == dt.datetime(2023, 12, 31, 18, tzinfo=dt.UTC).timestamp()


def test_infinities_and_nan_come_back():
    cells = pl.Series("x", [*range(50), float("inf"), float("-inf"), float("nan")], dtype=pl.Float64)
    column, again = back_again(cells)
    assert np.array_equal(again.to_numpy(), cells.to_numpy(), equal_nan=True)
    numbers = typed(column, cells).numbers
    assert np.isfinite(numbers[:50]).all()
    assert np.isnan(numbers[50:]).all()


def test_words_between_numbers_have_codes_of_their_own():
    cells = pl.Series("age", ["unknown", *map(str, range(30)), "?", "?", "90+"])
    column, again = back_again(cells)
    numbers, codes = typed(column, cells)
    assert column.words == ("90+", "unknown")
    assert codes.tolist() == [1, *[-1] * 32, 0]
    assert np.isnan(numbers).sum() == 4
    assert again.to_list() == cells.to_list()


def test_numbers_are_rounded_to_the_decimals_of_the_column_and_kept_within_its_type():
    prices = infer(pl.DataFrame({"x": ["1.50", "2.25", "3.75"] * 9}), {"x": "number"})[0]
    assert untyped(prices, Typed(np.array([1.234, 0.0049, np.nan]))).to_list() == ["1.23", "0.00", None]
    small = infer(pl.DataFrame({"x": pl.Series(range(100), dtype=pl.Int8)}), {"x": "integer"})[0]
    assert untyped(small, Typed(np.array([1.6, 500.0, -500.0, np.nan]))).to_list() == [2, 127, -128, None]


def test_what_a_column_does_not_know_is_missing():
    colours = Column("x", "category", categories=("red", "blue"), counts=(2, 1))
    assert typed(colours, pl.Series(["blue", "pink", None])).codes.tolist() == [1, -1, -1]
    ages = infer(pl.DataFrame({"x": range(100)}), {"x": "integer"})[0]
    assert np.isnan(typed(ages, pl.Series(["7", "x", "inf"])).numbers).tolist() == [False, True, True]
