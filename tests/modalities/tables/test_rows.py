import datetime

import numpy as np
import polars as pl
import pytest

from rivals.engine.errors import RequestError
from rivals.modalities.tables.rows import guessed, kinds_of, numbers_of, parts_of, plain
from rivals.modalities.tables.survey import infer


def test_codes_mean_the_same_in_every_part_and_new_categories_come_last():
    first = pl.DataFrame({"c": ["b", "a", "b", None]})
    second = pl.DataFrame({"c": ["z", "a", "b", None]})
    parts = parts_of({"train": first, "fake": second}, {"c": "category"})
    assert parts["train"].levels["c"] == ("b", "a", "z")
    assert parts["train"].codes["c"].tolist() == [0, 1, 0, -1]
    assert parts["fake"].codes["c"].tolist() == [2, 1, 0, -1]


def test_numbers_come_from_text_dates_and_infinities():
    assert numbers_of(pl.Series("x", [" 1.5", "", None, "2"])).tolist()[0::3] == [1.5, 2.0]
    assert np.isnan(numbers_of(pl.Series("x", [float("inf"), float("nan"), None]))).all()
    assert numbers_of(pl.Series("x", [datetime.date(1970, 1, 3)])).tolist() == [2.0]
    with pytest.raises(RequestError, match="'x' of the synthetic rows should hold numbers"):
        numbers_of(pl.Series("x", ["one"]), "synthetic")


def test_what_cant_be_judged_is_said():
    frame = pl.DataFrame({"a": [1], "b": ["x"]})
    with pytest.raises(RequestError, match="no column 'c'"):
        parts_of({"train": frame}, {"c": "number"})
    with pytest.raises(RequestError, match="no column to judge"):
        parts_of({"train": frame}, {})
    with pytest.raises(RequestError, match="the fake rows are none"):
        parts_of({"train": frame, "fake": frame[:0]}, guessed(frame))


def test_rows_can_be_drawn_and_columns_left_out():
    frame = pl.DataFrame({"a": range(100), "b": ["x", "y"] * 50})
    rows = parts_of({"train": frame}, guessed(frame))["train"]
    some = rows.drawn(10, seed=1)
    assert len(some) == 10
    assert len(set(some.numbers["a"])) == 10
    assert (some.codes["b"] == some.numbers["a"] % 2).all()
    assert rows.drawn(1000, seed=1) is rows
    assert rows.without(["b"]).names == ("a",)


def test_the_word_for_missing_cells_is_no_category():
    rng = np.random.default_rng(1)
    real = pl.DataFrame({"c": rng.choice([" a", " b", " ?"], 200, p=[0.5, 0.4, 0.1])})
    columns = infer(real)
    assert columns[0].format.missing == " ?"
    read = plain(pl.DataFrame({"c": [" a", " ?", " q", ""]}), columns)
    assert read["c"].to_list() == ["a", None, "q", None]


def test_a_table_written_otherwise_is_read_by_the_columns_of_the_real_one():
    rng = np.random.default_rng(0)
    real = pl.DataFrame(
        {
            "money": [f"${value:.2f}" for value in rng.uniform(1, 90, 60)],
            "yes": rng.choice(["true", "false"], 60),
            "letter": rng.choice(["a", "b"], 60),
            "id": [f"person-{number:05d}" for number in range(60)],
        }
    )
    columns = infer(real)
    kinds = kinds_of(columns)
    assert kinds["money"] == "number"
    assert kinds["letter"] == "category"
    assert "id" not in kinds
    other = pl.DataFrame({"money": [3.5, None], "yes": ["true", "maybe"], "letter": ["b", "q"], "id": ["", ""]})
    read = plain(other, columns)
    assert read["money"].to_list() == [3.5, None]
    assert read["letter"].to_list() == ["b", "q"]
    assert read["yes"].to_list() == ["true", "maybe"]
    with pytest.raises(RequestError, match="no column 'letter'"):
        plain(other.drop("letter"), columns)
