import numpy as np
import pytest
import torch

from rivals.engine.errors import RequestError
from rivals.modalities.tables.columns import Column, Typed
from rivals.modalities.tables.encode import Encoders
from rivals.modalities.tables.encode_categories import CategoryEncoder
from rivals.modalities.tables.encode_numbers import NumberEncoder
from rivals.modalities.tables.modality import Tables
from rivals.modalities.tables.wishes import read_wish

TABLES = Tables(
    (
        Column("age", "integer", low=0, high=100, special=(999.0,)),
        Column("income", "category", rows=10, categories=("<=50K", ">50K", "a,b"), counts=(6, 3, 1)),
        Column("born in", "category", rows=10, categories=("Paris", "Rome"), counts=(5, 5)),
        Column("name", "text"),
    ),
    Encoders(
        (NumberEncoder("age", 0.0, 100.0, 1.0, 0.0, 0.0, (20.0, 60.0), (20.0, 40.0), (0.3, 0.7), (999.0,)),),
        (),
        (CategoryEncoder("income", 3), CategoryEncoder("born in", 2)),
    ),
)


def met(text, **cells):
    typed = {
        name.replace("_", " "): Typed(np.array(values, float)) if name == "age" else Typed(None, np.array(values))
        for name, values in cells.items()
    }
    return read_wish(text, TABLES).met(typed).tolist()


@pytest.mark.parametrize(
    ("text", "which"),
    [
        ("age=25..40", [False, True, True, False, False]),
        ("age=..25", [True, True, False, False, False]),
        ("age>25", [False, False, True, True, True]),
        ("age>=25", [False, True, True, True, True]),
        ("age<40", [True, True, False, False, False]),
        ("age = 40", [False, False, True, False, False]),
        ('age="999"', [False, False, False, False, True]),
    ],
)
def test_ranges_hold_with_and_without_their_ends(text, which):
    assert met(text, age=[7, 25, 40, 60, 999]) == which


def test_a_missing_number_meets_no_range():
    assert met("age>=0", age=[np.nan, 1]) == [False, True]


def test_several_conditions_all_hold_and_quotes_keep_commas_and_signs():
    cells = {"income": [0, 1, 1, 2], "born_in": [0, 0, 1, 0], "age": [1, 2, 3, 4]}
    assert met('income=">50K", born in=Paris', **cells) == [False, True, False, False]
    assert met("income=>50K", **cells) == [False, True, True, False]
    assert met('income="a,b",age<=4', **cells) == [False, False, False, True]
    assert met("income=<=50K|>50K", **cells) == [True, True, True, False]


def test_the_generator_is_asked_for_slots_that_can_fulfil_the_wish():
    torch.manual_seed(0)
    asked = read_wish("income=>50K, age=15..25", TABLES).slots(TABLES, 50)
    age, income, born = asked.T
    assert set(income.tolist()) == {1}
    assert set(born.tolist()) == {-1}
    assert set(age.tolist()) == {0}
    both = read_wish("age=10..70", TABLES).slots(TABLES, 400)[:, 0]
    assert both.eq(1).float().mean().item() == pytest.approx(0.7 * 0.75 / (0.7 * 0.75 + 0.3 * 0.5 * 1), abs=0.2)
    assert set(read_wish("age=999", TABLES).slots(TABLES, 20)[:, 0].tolist()) == {2}
    kinds = read_wish('income=<=50K|"a,b"', TABLES).slots(TABLES, 700)[:, 1]
    assert set(kinds.tolist()) == {0, 2}
    assert kinds.eq(0).float().mean().item() == pytest.approx(6 / 7, abs=0.06)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wage=3", "no column 'wage': did you mean 'age'"),
        ("income=50K", "no value of 'income': '50K'"),
        ("income>50K", "can only be asked for with ="),
        ("age=old", "'old' does not read as a value of 'age'"),
        ("age=40..20", "ends before it begins"),
        ("name=Bob", "'name' can't be asked for: it is text"),
        ("income", "does not read as a condition"),
        ("=3", "does not read as a condition"),
        ("", "asks for nothing"),
    ],
)
def test_what_cannot_be_asked_for_is_said(text, words):
    with pytest.raises(RequestError) as told:
        read_wish(text, TABLES)
    assert words in str(told.value)
