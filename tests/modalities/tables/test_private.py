import math

import numpy as np
import polars as pl
import pytest

from rivals.engine.privacy_mechanisms import name_threshold
from rivals.modalities.tables.cells import typed
from rivals.modalities.tables.columns import Typed
from rivals.modalities.tables.private import (
    Counted,
    bin_edges,
    count_numbers,
    in_bins,
    look_noise_of,
    noise_for,
    noisy_columns,
    spread_out,
)
from rivals.modalities.tables.survey import infer

SECRET = bytes(range(32))
ROWS = 20_000
SIGMA = 5.0


def random(seed=0):
    return np.random.default_rng(seed)


def frame(rows=ROWS, seed=0):
    draw = random(seed)
    gain = np.where(draw.random(rows) < 0.9, 0, draw.integers(1000, 9000, rows))
    return pl.DataFrame(
        {
            "age": draw.integers(18, 90, rows),
            "weight": np.round(draw.lognormal(4, 0.3, rows), 1),
            "gain": gain,
            "kind": draw.choice(["a", "b", "c"], rows, p=[0.7, 0.2, 0.1]),
            "flag": draw.choice(["yes", "no"], rows),
            "day": [f"20{y}-{m:02}-{d:02}" for y, m, d in draw.integers((10, 1, 1), (20, 13, 29), (rows, 3))],
            "id": [f"P{number}" for number in range(10_000, 10_000 + rows)],
        }
    )


def looked(table, sigma=SIGMA, secret=SECRET):
    columns = infer(table)
    cells = [{c.name: typed(c, part[c.name]) for c in columns} for part in (table[:7_000], table[7_000:])]
    return noisy_columns(columns, cells, sigma, 1e-6, secret)


def test_columns_come_out_about_as_they_are():
    found = {column.name: column for column in looked(frame()).columns}
    assert [(name, column.kind) for name, column in found.items()] == [
        ("age", "integer"), ("weight", "number"), ("gain", "integer"), ("kind", "category"), ("flag", "boolean"),
        ("day", "date"), ("id", "id"),
    ]  # fmt: skip
    assert found["kind"].categories == ("a", "b", "c")
    assert np.abs(np.array(found["kind"].counts) / ROWS - [0.7, 0.2, 0.1]).max() < 0.02
    assert (found["age"].low, found["age"].high) == (18, 89)
    assert 15 < found["weight"].low < 35
    assert 80 < found["weight"].high <= 256
    assert found["gain"].special == (0.0,)
    assert 14_600 - 60 < found["day"].low < 14_610 + 60  # bins are some weeks wide
    assert 18_260 - 60 < found["day"].high < 18_260 + 60
    assert all(column.rows == ROWS and column.missing == 0 for column in found.values())


def test_cells_have_the_columns_shares():
    table = frame()
    noisy = looked(table)
    cells = {name: typed.numbers for name, typed in noisy.cells.items()}
    real = table["weight"].to_numpy()
    places = np.linspace(0.02, 0.98, 25)
    assert np.abs((np.searchsorted(np.sort(cells["weight"]), np.quantile(real, places)) / ROWS) - places).max() < 0.02
    assert (np.round(cells["weight"], 1) == cells["weight"]).all()
    assert (cells["gain"] == 0).mean() == pytest.approx(0.9, abs=0.01)
    assert {len(part) for typed in noisy.cells.values() for part in typed if part is not None} == {ROWS}
    assert abs(np.corrcoef(cells["age"], cells["weight"])[0, 1]) < 0.03


def test_nothing_rare_and_no_exact_count_is_told():
    table = frame()
    rare = table.with_columns(
        kind=pl.when(pl.int_range(ROWS) == 5).then(pl.lit("SECRET")).otherwise("kind"),
        gain=pl.when(pl.int_range(ROWS) == 7).then(87_654_321).otherwise("gain"),
        weight=pl.when(pl.int_range(ROWS) == 9).then(-4_321.5).otherwise("weight"),
    )
    columns = {column.name: column for column in infer(rare)}
    noisy = looked(rare)
    told = repr(noisy.columns)
    assert "SECRET" not in told
    assert "87654321" not in told
    assert "4321.5" not in told
    exact = [count for column in columns.values() for count in column.counts]
    for column in noisy.columns:
        assert column.low is None or column.low > -100
        assert column.high is None or column.kind == "id" or column.high < 20_000
        assert "in 20,000 rows" not in column.why
    assert sum(count in exact for column in noisy.columns for count in column.counts) <= 2  # by chance


def test_the_noise_is_of_its_secret_alone():
    one, again, other = looked(frame()), looked(frame()), looked(frame(), secret=bytes(32))
    assert one.columns == again.columns
    assert all(np.array_equal(a, b, equal_nan=True) for name in one.cells
               for a, b in zip(one.cells[name], again.cells[name], strict=True) if a is not None)  # fmt: skip
    assert one.columns != other.columns


def test_values_below_the_threshold_count_as_missing():
    draw = random()
    table = pl.DataFrame({"kind": ["often"] * 5_000 + [f"rare {number}" for number in draw.integers(0, 2_000, 5_000)]})
    (column,) = looked(table).columns
    assert column.categories == ("often",)
    assert column.missing == pytest.approx(5_000, abs=100)
    few = pl.DataFrame({"kind": ["often"] * 9_990 + ["rare"] * 5 + ["other"] * 5})
    (column,) = looked(few).columns
    assert (column.categories, column.missing) == (("often",), 0)


def test_words_and_gaps_between_numbers_are_kept_where_they_are_frequent():
    draw = random()
    cells = (
        [str(number) for number in draw.integers(100, 300, 9_000)] + ["unknown"] * 600 + ["odd one"] * 2 + [""] * 398
    )
    (column,), noisy = looked(table := pl.DataFrame({"x": cells})).columns, looked(table)
    assert column.words == ("unknown",)
    assert column.missing == pytest.approx(400, abs=30)
    codes = noisy.cells["x"].codes
    assert (codes == 0).mean() == pytest.approx(0.06, abs=0.01)
    assert np.isnan(noisy.cells["x"].numbers[codes == 0]).all()


def test_columns_with_too_few_rows_of_anything_are_left_empty():
    (number, kind) = looked(pl.DataFrame({"x": [0.5, 1.7, 2.25, 9.125], "kind": list("aabb")}), sigma=30.0).columns
    assert {number.kind, kind.kind} == {"empty"}
    assert (number.low, kind.categories) == (None, ())


def test_all_looks_together_are_counted():
    columns = infer(frame(200))
    assert look_noise_of(columns, 10.0) == pytest.approx(10 / math.sqrt(2 + 4 * 2.25))
    assert look_noise_of(columns, noise_for(columns, 4.0)) == pytest.approx(4.0)


def test_one_row_more_changes_each_histogram_by_one():
    exact = Counted(np.array([1.0, 2.0, 5.0]), np.array([4, 9, 3]), np.array([2]), 1)
    more = Counted(exact.values, exact.counts + np.array([0, 0, 1]), exact.words, exact.missing)
    edges = np.array([[0.0, 2.0], [2.0, 4.0], [4.0, 6.0]])
    apart = in_bins(more.values, more.counts, edges) - in_bins(exact.values, exact.counts, edges)
    assert apart.tolist() == [0, 0, 1]
    assert in_bins(exact.values, exact.counts, edges).tolist() == [4, 9, 3]


def test_bins_do_not_overlap_and_are_no_finer_than_the_cells():
    values, counts = np.unique(random().integers(-300, 5_000, 50_000).astype(float), return_counts=True)
    edges = bin_edges(Counted(values, counts, np.zeros(0, int), 0), 4.0, 1.0, random())
    assert (edges[:, 1] > edges[:, 0]).all()
    assert (edges[1:, 0] >= edges[:-1, 1]).all()
    wide = np.abs(edges[:, 0]) >= 1
    assert (edges[wide] == np.rint(edges[wide])).all()
    assert in_bins(values, counts, edges).sum() > 0.99 * 50_000


def test_counting_in_chunks_is_counting_at_once():
    numbers = random().integers(0, 50, 1_000).astype(float)
    numbers[::9] = np.nan
    (column,) = infer(pl.DataFrame({"x": range(30)}))
    whole = count_numbers([column], [{"x": Typed(numbers)}])["x"]
    parts = count_numbers([column], [{"x": Typed(numbers[:400])}, {"x": Typed(numbers[400:])}])["x"]
    assert all(np.array_equal(a, b) for a, b in zip(whole, parts, strict=True))
    assert whole.counts.sum() + whole.missing == 1_000


def test_shares_are_spread_over_rows():
    places = spread_out(np.array([30, 0, -5, 70]), 1_000, random())
    assert np.bincount(places, minlength=4).tolist() == [300, 0, 0, 700]
    assert name_threshold(SIGMA, 1e-7) < 40
