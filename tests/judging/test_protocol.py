from dataclasses import fields, replace

import pytest

from rivals.judging.protocol import DECIDING, Card, card_of, differences, varying

CARD = Card(
    fakes="runs/a", fakes_sha256="aa", fake_count=10_000, weights="running average", state="last", conditions="none",
    data="photos/", data_sha256="d" * 64, split="held-out part", real_count=1_000, train_count=4_000,
    size="28x28, 1 channel", extractor="digits-cnn64", extractor_sha256="e" * 64, resizer="none", seed=1,
    interval="bootstrap", version="0.1.0",
)  # fmt: skip


def test_equal_cards_differ_in_nothing_and_names_and_seeds_decide_nothing():
    assert differences(CARD, CARD) == []
    assert differences(CARD, replace(CARD, fakes="runs/b", fakes_sha256="bb", seed=2, version="0.2.0", data="p/")) == []


@pytest.mark.parametrize("name", list(DECIDING))
def test_every_deciding_part_is_named_alone(name):
    other = replace(CARD, **{name: 7 if isinstance(getattr(CARD, name), int) else "other"})
    (told,) = differences(CARD, other)
    assert told.startswith(f"{DECIDING[name]} differs: ")


def test_hashes_are_told_by_their_first_digits():
    (told,) = differences(CARD, replace(CARD, data_sha256="0" * 64))
    assert told.endswith("dddddddddddd and 000000000000")


def test_a_verdict_without_a_card_is_read_from_its_protocol():
    protocol = {"samples": 5, "held_out": 6, "train": 7, "extractor": "x", "weights": "running average, last state"}
    card = card_of({"protocol": protocol})
    assert card == {
        "fake_count": 5, "real_count": 6, "train_count": 7, "extractor": "x", "weights": "running average",
        "state": "last",
    }  # fmt: skip
    assert "the part of the real pictures differs: held-out part and not known" in differences(CARD, card)


@pytest.mark.parametrize("verdict", [{}, {"card": 3}, {"protocol": [1]}, {"card": {"other": 1}}])
def test_a_card_that_is_missing_or_hostile_is_empty(verdict):
    assert card_of(verdict) == {}


def test_deciding_parts_are_parts_of_the_card():
    assert set(DECIDING) <= {field.name for field in fields(Card)}


def test_what_varies_is_told_with_the_values_found():
    cards = [{"a": 1, "b": [2]}, {"a": 1, "b": [3]}, {"a": 1}]
    assert varying(cards) == {"b": ["[2]", "[3]", "null"]}
