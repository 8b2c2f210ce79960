import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from rivals.modalities.tables.learners import chances, design
from rivals.modalities.tables.rows import guessed, parts_of
from rivals.modalities.tables.two_sample import two_sample
from rivals.modalities.tables.usefulness import (
    Task,
    augmentation,
    average_precision,
    gain,
    rarest,
    scores_of,
    smote,
    task_of,
    usefulness,
)


def table(count, seed, rare=0.5, signal=2.0):
    rng = np.random.default_rng(seed)
    y = rng.random(count) < rare
    return pl.DataFrame(
        {
            "x": rng.normal(size=count) + signal * y,
            "c": rng.choice(["a", "b", ""], count, p=[0.4, 0.4, 0.2]),
            "y": np.where(y, "yes", "no"),
        }
    ).with_columns(pl.col("c").replace("", None))


def parts(**frames):
    return parts_of(frames, guessed(next(iter(frames.values()))))


def test_the_two_sample_test_sees_no_difference_where_there_is_none_and_all_where_all_differs():
    same = parts(real=table(600, 0), fake=table(700, 1))
    found = two_sample(same["real"], same["fake"])
    assert abs(found.value - 0.5) < 0.06
    other = parts(real=table(300, 0), fake=table(300, 1).with_columns(pl.col("x") + 50))
    assert two_sample(other["real"], other["fake"]).value > 0.99
    with pytest.raises(ValueError, match="needs 10 rows"):
        two_sample(same["real"].take(np.arange(4)), same["fake"])


def test_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(2)
    true = rng.integers(0, 3, 200)
    said = rng.dirichlet([1, 1, 1], 200).round(2)
    scores = scores_of(Task("y", ("a", "b", "c")))
    assert scores["auc"](true, said) == pytest.approx(np.mean([roc_auc_score(true == k, said[:, k]) for k in range(3)]))
    expected = np.mean([average_precision_score(true == k, said[:, k]) for k in range(3)])
    assert scores["average_precision"](true, said) == pytest.approx(expected)
    assert scores["f1"](true, said) == pytest.approx(f1_score(true, said.argmax(1), average="macro"))
    two = scores_of(Task("y", ("often", "seldom")))
    assert two["f1"](np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])) == pytest.approx(2 / 3)
    r2 = scores_of(Task("y"))["r2"]
    assert r2(np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0])) == 0


def test_average_precision_takes_ties_together():
    assert average_precision(np.array([True, False]), np.array([0.5, 0.5])) == 0.5


def test_fresh_rows_teach_as_much_as_real_ones_and_shuffled_ones_nothing():
    found = parts(train=table(800, 0), test=table(600, 1), fresh=table(800, 2))
    task = task_of(found["train"], "y")
    good = usefulness(found["fresh"], found["train"], found["test"], task)
    assert good["taught"] == 800
    assert good["gap"]["auc"][1] <= 0.02
    assert abs(good["gap"]["auc"][0]) < 0.03
    assert good["intervals"]["auc"][0] < good["synthetic"]["auc"] < good["intervals"]["auc"][1]
    shuffled = table(800, 2).with_columns(pl.col("y").shuffle(seed=1))
    found = parts(train=table(800, 0), test=table(600, 1), fake=shuffled)
    bad = usefulness(found["fake"], found["train"], found["test"], task)
    assert bad["gap"]["auc"][2] < -0.2


def test_a_number_is_learned_by_its_variance():
    found = parts(train=table(500, 0), test=table(500, 1), fake=table(500, 2))
    scores = usefulness(found["fake"], found["train"], found["test"], task_of(found["train"], "x"))
    assert set(scores["synthetic"]) == {"r2"}
    assert abs(scores["gap"]["r2"][0]) < 0.15


def test_a_class_that_fakes_lost_counts_as_never_found():
    found = parts(train=table(300, 0), test=table(300, 1), fake=table(300, 2).filter(pl.col("y") == "no"))
    scores = usefulness(found["fake"], found["train"], found["test"], task_of(found["train"], "y"))
    assert scores["synthetic"]["auc"] == 0.5


def test_too_few_rows_or_classes_give_no_scores():
    found = parts(train=table(8, 0), test=table(300, 1), fake=table(300, 2))
    assert usefulness(found["fake"], found["train"], found["test"], Task("y", ("no", "yes"))) == {}
    found = parts(train=table(100, 0).with_columns(y=pl.lit("no")), test=table(300, 1), fake=table(300, 2))
    assert usefulness(found["fake"], found["train"], found["test"], task_of(found["train"], "y")) == {}
    alone = parts(train=table(100, 0).select("y"))["train"]
    assert usefulness(alone, alone, alone, Task("y", ("no", "yes"))) == {}
    assert augmentation(alone, alone, alone, Task("y", ("no", "yes"))) == {}


def test_only_classes_of_ten_rows_or_more_are_learned():
    frame = table(200, 0).with_columns(y=pl.Series(["a"] * 150 + ["b"] * 45 + ["c"] * 5))
    assert task_of(parts(train=frame)["train"], "y").classes == ("a", "b")


def test_the_rare_class_is_the_rarest_that_both_sides_have():
    task = Task("y", ("no", "yes"))
    found = parts(train=table(400, 0, rare=0.2), test=table(400, 1, rare=0.2))
    assert rarest(found["train"], found["test"], task) == 1
    even = parts(train=table(400, 0), test=table(400, 1))
    assert rarest(even["train"], even["test"], task) is None
    assert augmentation(even["train"], even["train"], even["test"], task) == {}


def test_rows_that_know_more_than_the_real_ones_help_and_wrong_ones_harm():
    train, test = table(150, 0, rare=0.2, signal=1.5), table(600, 1, rare=0.2, signal=1.5)
    good = table(3000, 2, rare=0.5, signal=1.5)
    wrong = good.with_columns(pl.col("x") - 5)
    task = Task("y", ("no", "yes"))
    found = parts(train=train, test=test, good=good, wrong=wrong)
    helped = augmentation(found["good"], found["train"], found["test"], task)
    harmed = augmentation(found["wrong"], found["train"], found["test"], task)
    assert helped["class"] == "yes"
    assert helped["added"] > 40
    assert helped["synthetic"] > harmed["synthetic"]
    assert harmed["gain"][2] < 0.02


def test_gain_is_students_interval():
    from scipy import stats

    ours, theirs = [0.5, 0.6, 0.7, 0.6, 0.55], [0.4, 0.55, 0.6, 0.52, 0.5]
    found = gain(ours, theirs)
    apart = np.subtract(ours, theirs)
    expected = stats.t.interval(0.95, 4, apart.mean(), stats.sem(apart))
    assert found == pytest.approx([apart.mean(), *expected], abs=1e-4)


def test_smote_makes_rows_of_the_kinds_that_there_are():
    pytest.importorskip("imblearn")
    frame = table(200, 0, rare=0.2)
    rows = parts(train=frame)["train"]
    labels = rows.codes["y"].astype(np.int64)
    made = smote(design(rows.without(["y"])), labels, 30, seed=0)
    assert made.shape == (30, 2)
    assert set(np.unique(made[:, 1][~np.isnan(made[:, 1])])) <= {0.0, 1.0}


def test_many_categories_still_teach():
    names = [f"c{number}" for number in range(600)]
    frame = pl.DataFrame({"c": names, "y": ["a" if number % 2 else "b" for number in range(600)]})
    rows = parts(train=frame)["train"]
    features = design(rows.without(["y"]))
    assert features.matrix.max() == 250
    said = chances(features, rows.codes["y"].astype(np.int64), features.matrix, 3, 0)
    assert said.shape == (600, 3)
    assert (said[:, 2] == 0).all()
