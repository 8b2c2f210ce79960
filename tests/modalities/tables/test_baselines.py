import numpy as np
import polars as pl
import pytest

from rivals.modalities.tables.baselines import BASELINES, gaussian_copula
from rivals.modalities.tables.rows import guessed


def table(count, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], count).T
    return pl.DataFrame(
        {
            "whole": np.round(x * 10).astype(int),
            "tail": np.exp(3 * y),
            "word": np.where(y > 1, "rare", "often"),
            "gaps": pl.Series(x).set(pl.Series(rng.random(count) < 0.2), None),
        }
    )


@pytest.mark.parametrize("name", BASELINES)
def test_cells_are_cells_of_the_real_table_and_seeds_repeat(name):
    train = table(400, 0)
    made = BASELINES[name](train, guessed(train), 1000, 3)
    assert made.schema == train.schema
    assert made.height == 1000
    for column in train.columns:
        assert set(made[column].to_list()) <= set(train[column].to_list())
    assert made.equals(BASELINES[name](train, guessed(train), 1000, 3))
    assert not made.equals(BASELINES[name](train, guessed(train), 1000, 4))
    assert made["gaps"].null_count() / 1000 == pytest.approx(train["gaps"].null_count() / 400, abs=0.05)


def test_the_copula_keeps_rank_correlations_and_independent_columns_lose_them():
    from scipy import stats

    train = table(4000, 1)
    real = stats.spearmanr(train["whole"], train["tail"]).statistic
    made = {name: maker(train, guessed(train), 4000, 0) for name, maker in BASELINES.items()}
    found = {name: stats.spearmanr(frame["whole"], frame["tail"]).statistic for name, frame in made.items()}
    assert found["gaussian_copula"] == pytest.approx(real, abs=0.03)
    assert abs(found["independent"]) < 0.06


def test_ties_dont_weaken_the_copula():
    train = table(6000, 2)
    coarse = train.select(a=pl.col("tail").log().round(0), b=pl.col("whole") // 10)
    made = gaussian_copula(coarse, guessed(coarse), 6000, 0)
    assert np.corrcoef(made["a"], made["b"])[0, 1] == pytest.approx(
        np.corrcoef(coarse["a"], coarse["b"])[0, 1], abs=0.05
    )


def test_constant_columns_and_a_single_one_can_be_made():
    frame = pl.DataFrame({"k": [1] * 30, "x": range(30)})
    made = gaussian_copula(frame, guessed(frame), 50, 0)
    assert set(made["k"]) == {1}
    assert gaussian_copula(frame.select("x"), {"x": "number"}, 5, 0).height == 5
