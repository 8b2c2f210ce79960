import datetime as dt

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rivals.engine.errors import RequestError
from rivals.modalities.tables.columns import Column
from rivals.modalities.tables.reading import open_table
from rivals.modalities.tables.writing import write_table

FRAME = pl.DataFrame(
    {
        "text": ["=cmd|x", "a,b", 'q"\nr', None],
        "whole": [1, 2**60, None, 4],
        "real": [1.5, float("nan"), float("inf"), None],
        "truth": [True, False, None, True],
        "day": [dt.date(2024, 1, 2)] * 3 + [None],
        "moment": [dt.datetime(2024, 1, 2, 3, 4, 5)] * 4,
        "kind": pl.Series(["x", "y", "x", None], dtype=pl.Enum(["x", "y"])),
        "price": pl.Series(["1.50", "2.25", None, "3.00"]).cast(pl.Decimal(10, 2)),
        "span": [dt.timedelta(hours=30)] * 4,
    }
)


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "feather"])
def test_chunks_become_one_table_of_the_same_types(tmp_path, suffix):
    path = tmp_path / f"t.{suffix}"
    assert write_table(iter([FRAME, FRAME]), path) == 8
    again = pl.concat(list(open_table(path).chunks()))
    assert again.equals(pl.concat([FRAME, FRAME]))
    assert again.dtypes == FRAME.dtypes


def test_a_workbook_holds_text_as_text_and_numbers_and_days_as_such(tmp_path):
    path = tmp_path / "t.xlsx"
    write_table([FRAME], path)
    again = pl.concat(list(open_table(path).chunks()))
    assert again["text"].to_list() == FRAME["text"].to_list()
    assert again["day"].to_list() == FRAME["day"].to_list()
    assert again["whole"].to_list() == ["1", str(2**60), None, "4"]  # 2**60 is no float, so it is text
    assert again["price"].to_list() == [1.5, 2.25, None, 3.0]


def test_columns_are_written_in_the_order_of_the_original_with_its_separator(tmp_path):
    write_table(
        [pl.DataFrame({"b": [1], "a": ["x;y"]})],
        tmp_path / "t.csv",
        like=(Column("a", "category"), Column("b", "integer")),
        separator=";",
    )
    assert (tmp_path / "t.csv").read_text() == 'a;b\n"x;y";1\n'


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.none() | st.text("=+-@'a1(|!\t\r\n\", ", max_size=8), min_size=2, max_size=8))
def test_no_text_starts_a_formula_in_a_csv_file_and_all_text_comes_back(tmp_path, cells):
    path = tmp_path / "t.csv"
    path.unlink(missing_ok=True)
    write_table([pl.DataFrame({"x": cells, "y": "z"}, schema={"x": pl.String, "y": pl.String})], path)
    raw = pl.read_csv(path, infer_schema=False)["x"]
    assert not raw.fill_null("").str.contains(r"^[=@\t\r]|^[+-].*[(|!]").any()
    again = pl.concat(list(open_table(path).chunks()))["x"]
    assert [cell or None for cell in again.to_list()] == [cell or None for cell in cells]


def test_negative_numbers_and_phone_numbers_stay_as_they_are(tmp_path):
    cells = ["-5", "+49 170 123", "-", "--", "-1.5e-3", "- a word", "+"]
    write_table([pl.DataFrame({"x": cells})], tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text().splitlines()[1:] == cells


def test_nothing_is_overwritten_and_nothing_half_written_stays(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("mine")
    with pytest.raises(RequestError, match="is there already"):
        write_table([FRAME], path)
    assert path.read_text() == "mine"
    with pytest.raises(RequestError, match="end it in"):
        write_table([FRAME], tmp_path / "t.doc")

    def broken():
        yield FRAME
        raise RuntimeError("stopped")

    for suffix in ("csv", "parquet", "arrow", "xlsx"):
        with pytest.raises(Exception, match="stopped"):
            write_table(broken(), tmp_path / f"u.{suffix}")
    assert [file.name for file in tmp_path.iterdir()] == ["t.csv"]
