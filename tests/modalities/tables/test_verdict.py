import json

import numpy as np
import polars as pl
import pytest

from rivals.engine.errors import RequestError
from rivals.modalities.tables import learners
from rivals.modalities.tables.survey import infer
from rivals.modalities.tables.verdict import verdict_of
from rivals.modalities.tables.verdict_page import write_table_page
from rivals.modalities.tables.verdict_words import better_baselines, verdict_sentences


def table(count, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=count)
    return pl.DataFrame(
        {
            "id": [f"{seed}-{number:06d}" for number in range(count)],
            "x": np.round(x, 3),
            "z": np.round(2 * x + rng.normal(size=count), 2),
            "c": rng.choice(["a", "b", "<i>d</i>"], count, p=[0.6, 0.3, 0.1]),
            "y": np.where(x + 0.5 * rng.normal(size=count) > 1, "yes", "no"),
        }
    ).with_columns(pl.when(pl.Series(rng.random(count) < 0.1)).then(None).otherwise("z").alias("z"))


@pytest.fixture(scope="module")
def verdicts():
    train, held_out = table(900, 0), table(600, 1)
    columns = infer(train)
    made = {"fresh": table(900, 2), "copies": train.sample(fraction=1.0, shuffle=True, seed=1)}
    made["shuffled"] = train.with_columns(pl.col(name).shuffle(seed=k) for k, name in enumerate(("x", "z", "c", "y")))
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learners, "ROUNDS", 25)  # enough for tables like these, and faster
        found = {
            name: verdict_of(frame, train, held_out, columns, baselines=name == "shuffled", tell=told.append)
            for name, frame in made.items()
        }
    assert told
    return found


def test_a_verdict_is_plain_json(verdicts):
    for found in verdicts.values():
        assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_fresh_rows_are_judged_like_real_ones(verdicts):
    found = verdicts["fresh"]
    for name in ("shapes", "trends", "related_trends", "information"):
        assert found["scores"][name] == pytest.approx(found["floor"][name], abs=3), name
    assert abs(found["scores"]["two_sample"] - 0.5) < 0.07
    assert abs(found["usefulness"]["gap"]["auc"][0]) < 0.05
    assert found["privacy"]["flagged"] == []


def test_shuffled_columns_keep_their_shapes_and_lose_all_else(verdicts):
    found = verdicts["shuffled"]
    assert found["scores"]["shapes"] > 95
    assert found["scores"]["related_trends"] < found["floor"]["related_trends"] - 10
    assert found["scores"]["two_sample"] > 0.75
    assert found["usefulness"]["gap"]["auc"][2] < -0.2


def test_copies_look_perfect_and_are_flagged(verdicts):
    found = verdicts["copies"]
    assert found["scores"]["two_sample"] < 0.57
    assert "copies" in found["privacy"]["flagged"]
    assert found["scores"]["advantage"] > 0.8


def test_every_score_with_an_interval_lies_in_it(verdicts):
    for found in verdicts.values():
        for name, (low, high) in found["intervals"].items():
            assert low <= found["scores"][name] <= high, name


def test_ids_are_not_judged_and_that_is_said(verdicts):
    found = verdicts["fresh"]
    assert set(found["columns"]) == {"x", "z", "c", "y"}
    assert any("id" in note for note in found["notes"])
    assert found["card"]["target"] == "y"


def test_a_copula_is_better_than_shuffled_columns_and_a_line_says_so(verdicts):
    found = verdicts["shuffled"]
    won = dict(better_baselines(found))
    assert "two-sample test" in won["gaussian_copula"]
    assert any("Gaussian copula" in line and "better" in line for line in verdict_sentences(found))


def test_the_words_say_what_the_numbers_say(verdicts):
    words = {name: " ".join(verdict_sentences(found)) for name, found in verdicts.items()}
    assert "can't tell synthetic from real" in words["fresh"]
    assert "No attack tells members" in words["fresh"]
    assert "The training rows leak" in words["copies"]
    assert "The training rows leak" not in words["shuffled"]


def test_the_page_draws_every_column_and_escapes_what_is_in_the_table(verdicts, tmp_path):
    page = write_table_page(tmp_path / "page.html", verdicts["shuffled"], "<b>x</b>").read_text()
    assert page.count('<figure class="chart">') == len(verdicts["shuffled"]["columns"]) + 3
    assert "<i>d</i>" not in page
    assert "&lt;i&gt;d&lt;/i&gt;" in page
    assert "<b>x</b>" not in page
    assert "DCR Delusion" in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_page_can_be_made_of_anything(verdicts, tmp_path):
    hostile = {
        "scores": {"shapes": "many", "trends": float("nan"), "auc": 1e400},
        "intervals": {"shapes": [1]},
        "columns": {"a": 3, "b": {"kind": "number", "edges": [0, 1], "real": ["x"]}, "c": {"kind": "category"}},
        "pairs": {"names": ["a", "b"], "real": [[1]], "fake": None, "worst": [1, ["a"]]},
        "privacy": {"attacks": {"distance": 5}, "copies": [], "nearest": {"fake": [None, "x"], "held_out": [1, 2]}},
        "augmentation": {"gain": "much"},
        "baselines": {"gaussian_copula": 3},
        "notes": 7,
    }  # fmt: skip
    assert write_table_page(tmp_path / "a.html", hostile).stat().st_size > 1000
    assert "There are no scores" in write_table_page(tmp_path / "b.html", {}).read_text()
    for part in verdicts["copies"]:
        rest = {name: value for name, value in verdicts["copies"].items() if name != part}
        assert write_table_page(tmp_path / "c.html", rest).stat().st_size > 1000


def test_without_held_out_rows_privacy_is_not_told_and_why():
    found = verdict_of(table(200, 2), table(200, 0), baselines=False)
    assert "held-out" in found["privacy"]["refused"]
    assert any("held-out" in note for note in found["notes"])
    assert "advantage" not in found["scores"]
    assert 0 < found["floor"]["shapes"] <= 100


@pytest.mark.parametrize(
    ("fake", "target", "words"),
    [
        (table(10, 1), None, "10 synthetic rows"),
        (table(50, 1).drop("c"), None, "no column 'c'"),
        (table(50, 1), "w", "target 'w'"),
    ],
)
def test_requests_that_cant_be_served_are_said(fake, target, words):
    with pytest.raises(RequestError, match=words):
        verdict_of(fake, table(50, 0), target=target)


def test_one_column_alone_is_judged_by_its_shape():
    frames = [pl.DataFrame({"x": np.random.default_rng(seed).normal(size=150)}) for seed in range(2)]
    found = verdict_of(*frames, baselines=False)
    assert set(found["scores"]) >= {"shapes", "two_sample"}
    assert "trends" not in found["scores"]
    json.dumps(found, allow_nan=False)
