import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rivals.modalities.tables.association import associations, cramer, information, ratio
from rivals.modalities.tables.fidelity import (
    coded,
    contingency,
    correlations,
    percent,
    related,
    shapes,
    shares_met,
    some_pairs,
    trends,
)
from rivals.modalities.tables.rows import guessed, parts_of


def rows(real, fake):
    parts = parts_of({"real": real, "fake": fake}, guessed(real))
    return parts["real"], parts["fake"]


def both(real, fake, **more):
    return coded(*rows(real, fake), **more)


def table(count, seed, shift=0.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(shift, 1, count)
    frame = pl.DataFrame({"x": x, "y": x + rng.normal(size=count), "c": rng.choice(["a", "b", "d"], count)})
    return frame.with_columns(pl.when(pl.Series(rng.random(count) < 0.1)).then(None).otherwise("y").alias("y"))


column = st.lists(st.one_of(st.none(), st.integers(-3, 3).map(float)), min_size=1, max_size=25)


@settings(max_examples=40, deadline=None)
@given(column, column)
def test_shapes_of_numbers_are_one_less_kolmogorov_and_smirnov(a, b):
    schema = {"x": pl.Float64}
    found = shapes(*both(pl.DataFrame({"x": a}, schema), pl.DataFrame({"x": b}, schema)))[0]
    kept = [[value for value in side if value is not None] for side in (a, b)]
    if not all(kept):
        assert np.isnan(found)
    else:
        below = [[np.mean([value <= limit for value in side]) for limit in [*kept[0], *kept[1]]] for side in kept]
        assert found == pytest.approx(1 - np.abs(np.subtract(*below)).max())


def test_shapes_of_categories_are_one_less_the_total_variation_by_hand():
    real = pl.DataFrame({"c": ["a", "a", "b", "b", None]})
    fake = pl.DataFrame({"c": ["a", "a", "a", "z"]})
    assert shapes(*both(real, fake)).tolist() == [pytest.approx(1 - (0.25 + 0.5 + 0.25) / 2)]


def test_a_table_is_like_itself_and_nothing_is_like_a_table_of_other_values():
    real = table(200, 0)
    same = both(real, real)
    assert shapes(*same).tolist() == [1, 1, 1]
    assert trends(*same, some_pairs(3)) == pytest.approx([1, 1, 1])
    other = real.with_columns(pl.col("x") + 100, c=pl.lit("q"))
    found = shapes(*both(real, other))
    assert (found[0], found[2]) == pytest.approx((0, 0))


def test_correlations_are_pearsons_over_rows_where_both_are_there():
    real = table(300, 1)
    found = correlations(real.select(pl.col("x", "y").fill_null(float("nan"))).to_numpy())
    kept = real.drop_nulls("y")
    assert found[0, 1] == pytest.approx(stats.pearsonr(kept["x"], kept["y"]).statistic, abs=1e-12)
    assert np.isnan(correlations(np.array([[1.0, 2.0], [1.0, 3.0]]))[0, 1])


def test_correlations_far_from_zero_keep_their_digits():
    rng = np.random.default_rng(2)
    x = 1e9 + rng.normal(size=(500, 2))
    assert correlations(x)[0, 1] == pytest.approx(np.corrcoef(x.T)[0, 1], abs=1e-6)


def test_trends_of_mixed_pairs_are_by_hand_the_total_variation_of_counts():
    # ten bins over 0 to 10: 0 in the first, 9 and 10 in the last, 100 as well
    real = pl.DataFrame({"x": [0.0, 10.0, 9.0, None], "c": ["a", "b", "b", "a"]})
    fake = pl.DataFrame({"x": [0.0, 100.0], "c": ["a", None]})
    assert trends(*both(real, fake), [(0, 1)]).tolist() == [pytest.approx(0.25)]


def test_bins_of_their_own_hide_a_shift():
    real, fake = table(500, 3), table(500, 3).with_columns(pl.col("x") + 1000)
    pairs = [(0, 2)]
    assert trends(*both(real, fake), pairs)[0] < 0.3
    assert trends(*both(real, fake, own_bins=True), pairs)[0] == pytest.approx(1)


def test_large_tables_of_counts_are_the_same_as_small_ones(monkeypatch):
    a, b = both(table(300, 4), table(200, 5))
    usual = contingency(a, b, 0, 2)
    monkeypatch.setattr("rivals.modalities.tables.fidelity.MOST_CELLS", 4)
    assert contingency(a, b, 0, 2) == usual


def test_related_pairs_are_those_that_hang_together():
    rng = np.random.default_rng(6)
    x = rng.normal(size=2000)
    frame = pl.DataFrame({"x": x, "y": x + 0.2 * rng.normal(size=2000), "z": rng.normal(size=2000)})
    frame = frame.with_columns(c=pl.when(pl.col("x") > 0).then(pl.lit("+")).otherwise(pl.lit("-")))
    real, _ = both(frame, frame)
    pairs = some_pairs(4)
    told = {pair for pair, found in zip(pairs, related(real, pairs), strict=True) if found}
    assert told == {(0, 1), (0, 3), (1, 3)}


def test_some_pairs_are_all_or_as_many_as_asked_for_without_repetition():
    assert some_pairs(4) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    drawn = some_pairs(1000, most=50, seed=1)
    assert len(set(drawn)) == 50
    assert all(a < b < 1000 for a, b in drawn)
    assert some_pairs(1) == []


def test_shares_count_categories_within_a_tenth():
    real = pl.DataFrame({"c": ["a"] * 50 + ["b"] * 50})
    assert shares_met(*both(real, pl.DataFrame({"c": ["a"] * 54 + ["b"] * 46}))) == 100
    assert shares_met(*both(real, pl.DataFrame({"c": ["a"] * 60 + ["b"] * 40}))) == 0
    assert np.isnan(shares_met(*both(real.select(x=pl.lit(1.0)), real.select(x=pl.lit(1.0)))))


def test_percent_leaves_nan_aside():
    assert percent(np.array([0.5, np.nan])) == 50
    assert np.isnan(percent(np.array([np.nan])))


def test_mutual_information_is_scikit_learns():
    from sklearn.metrics import normalized_mutual_info_score

    rng = np.random.default_rng(7)
    a = rng.choice(list("abcd"), 500)
    b = np.where(rng.random(500) < 0.7, a, rng.choice(list("abcd"), 500))
    frame = pl.DataFrame({"a": a, "b": b, "k": ["same"] * 500})
    real, fake = information(*rows(frame, frame), [(0, 1), (0, 2)])
    assert real[0] == pytest.approx(normalized_mutual_info_score(a, b, average_method="geometric"))
    assert real.tolist() == fake.tolist()
    assert real[1] == 0


def test_associations_are_those_of_scipy_and_of_the_analysis_of_variance():
    rng = np.random.default_rng(8)
    a, b = rng.choice(list("abc"), 400), rng.choice(list("xy"), 400)
    value = rng.normal(size=400) + (a == "a")
    side, _ = both(pl.DataFrame({"v": value, "a": a, "b": b}), pl.DataFrame({"v": value, "a": a, "b": b}))
    counts = stats.contingency.crosstab(a, b).count
    found = associations(side)
    assert cramer(side, 1, 2) == pytest.approx(stats.contingency.association(counts, method="cramer"))
    groups = [value[a == name] for name in "abc"]
    within = sum(((group - group.mean()) ** 2).sum() for group in groups)
    assert found[0, 1] == pytest.approx((1 - within / ((value - value.mean()) ** 2).sum()) ** 0.5)
    assert np.allclose(found, found.T)
    assert np.isnan(ratio(np.ones(4), np.array([0, 1, 0, 1], dtype=np.int32)))
