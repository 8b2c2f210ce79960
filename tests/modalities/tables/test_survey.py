import numpy as np
import polars as pl
import pytest

from rivals.modalities.tables import tally
from rivals.modalities.tables.survey import Survey, infer, remarks

DRAWS = np.random.default_rng(1)


def in_chunks(frame, rows):
    survey = Survey()
    for start in range(0, len(frame), rows):
        survey.feed(frame.slice(start, rows))
    return survey.columns()


def test_chunks_give_the_same_columns_as_the_whole():
    frame = pl.DataFrame(
        {
            "amount": DRAWS.normal(size=3000).round(3),
            "text": [f"{number}" for number in DRAWS.integers(0, 500, 3000)],
            "kind": DRAWS.choice(["a", "b", None], 3000).tolist(),
            "key": [f"k{row}" for row in range(3000)],
        }
    )
    assert in_chunks(frame, 257) == infer(frame)


@pytest.fixture
def small(monkeypatch):
    """Memory for few cells, so that small tables are larger than it."""
    for name, value in {"MOST_CELLS": 2000, "_MOST_NUMBERS": 1000, "_SAMPLE": 1000, "_FREQUENT": 50}.items():
        monkeypatch.setattr(tally, name, value)
    monkeypatch.setattr("rivals.modalities.tables.survey._PENDING", 500)


def test_what_does_not_fit_is_estimated_and_extremes_and_words_are_kept(small):
    values = DRAWS.permutation(40_000) + 7
    cells = [f"{value / 4:.2f}" for value in values]
    cells[17_000:17_003] = ["unknown"] * 3
    cells += ["0.00"] * 5000
    frame = pl.DataFrame({"amount": cells, "key": [f"{value:012x}" for value in range(45_000)]})
    amount, key = in_chunks(frame, 1500)
    assert (amount.kind, amount.words, amount.special) == ("number", ("unknown",), (0,))
    kept = np.delete(values, slice(17_000, 17_003)) / 4
    assert (amount.low, amount.high) == (kept.min(), kept.max())
    assert amount.distinct == pytest.approx(39_999, rel=0.15)
    assert (key.kind, key.rows) == ("id", 45_000)
    assert key.distinct == pytest.approx(45_000, rel=0.15)


def test_memory_holds_only_so_many_cells(small):
    survey = Survey()
    for start in range(0, 50_000, 1000):
        survey.feed(pl.DataFrame({"key": [f"a-{row}" for row in range(start, start + 1000)]}))
        assert sum(len(kept.values) for kept in survey._tallies["key"]) < 6000


def test_many_categories_are_all_known():
    cells = [f"c{number}" for number in DRAWS.integers(0, 30_000, 120_000)]
    column = in_chunks(pl.DataFrame({"x": cells}), 50_000)[0]
    assert (column.kind, len(column.categories), sum(column.counts)) == ("category", len(set(cells)), 120_000)


def test_types_that_change_between_chunks_meet():
    survey = Survey()
    for cells in ([None, None], [1, 2], [2.5, 3.0], ["unknown", "4"]):
        survey.feed(pl.DataFrame({"x": cells}, strict=False))
    column = survey.columns({"x": "number"})[0]
    assert (column.kind, column.missing, column.words, column.high) == ("number", 2, ("unknown",), 4)


def test_entities_with_several_rows_and_free_text_are_remarked_on():
    rows = 600
    frame = pl.DataFrame(
        {
            "patient_id": DRAWS.integers(0, 200, rows),
            "visit": pl.Series(DRAWS.integers(15_000, 19_000, rows)).cast(pl.Int32).cast(pl.Date),
            "note": [" ".join(DRAWS.choice(["pain", "in", "the", "left", "knee", "again"], 9)) for _ in range(rows)],
        }
    )
    said = remarks(infer(frame))
    assert "'patient_id'" in said[0]
    assert "sequence" in said[0]
    assert "'note' is free text" in said[1]
    assert "another table" in remarks(infer(frame.drop("visit")))[0]
    assert remarks(infer(frame.select("visit"))) == ()
