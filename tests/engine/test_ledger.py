import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivals.engine.errors import RequestError
from rivals.engine.ledger import Charge, Ledger, Privacy
from rivals.engine.recipe import Recipe, Use, change, from_json, to_json

EMPTY = Ledger(2.0, 1e-6, 1000)


@given(st.lists(st.floats(1e-3, 1.0), max_size=12), st.lists(st.floats(1e-12, 1e-6), max_size=12))
def test_what_is_spent_and_what_is_left_make_up_the_budget(epsilons, deltas):
    ledger = Ledger(20.0, 1e-4, 1000)
    ledger = ledger.charge(*(Charge("a", "b", epsilon) for epsilon in epsilons))
    ledger = ledger.charge(*(Charge("a", "b", 0.0, delta) for delta in deltas))
    assert ledger.spent == pytest.approx((math.fsum(epsilons), math.fsum(deltas)))
    assert [a + b for a, b in zip(ledger.spent, ledger.left, strict=True)] == pytest.approx([20.0, 1e-4])
    assert Ledger.from_json(ledger.to_json()) == ledger


@pytest.mark.parametrize("charge", [Charge("the range of age", "x", 1.6), Charge("the range of age", "x", 0.1, 2e-6)])
def test_a_budget_is_not_overdrawn(charge):
    ledger = EMPTY.charge(Charge("categories", "x", 0.5))
    with pytest.raises(RequestError, match="overdrawn by the range of age"):
        ledger.charge(charge)
    assert ledger.left == (1.5, 1e-6)


def test_all_that_is_left_can_be_charged_in_thirds():
    ledger = Ledger(1.0, 1e-6, 1000).charge(*(Charge("x", "y", 1 / 3),) * 3)
    assert ledger.left[0] == pytest.approx(0, abs=1e-12)
    ledger = EMPTY.charge(Charge("x", "y", 0.7)).charge(Charge("x", "y", 0.1))
    assert ledger.charge(Charge("rest", "y", *ledger.left)).left == pytest.approx((0, 0))


def test_a_ledger_that_was_changed_beyond_its_budget_is_not_read():
    values = json.loads(EMPTY.charge(Charge("x", "y", 1.0)).to_json())
    values["charges"][0]["epsilon"] = 3.0
    with pytest.raises(RequestError, match="overdrawn"):
        Ledger.from_json(json.dumps(values))
    with pytest.raises(RequestError, match=r"privacy\.json: no setting 'epsilom'"):
        Ledger.from_json('{"epsilom": 1}', "privacy.json")
    with pytest.raises(RequestError, match="is not JSON"):
        Ledger.from_json("{")


def test_delta_is_a_power_of_ten_unless_given_and_below_one_row():
    assert Ledger.of(Privacy(1.0), 26_048).delta == 1e-6
    assert Ledger.of(Privacy(1.0, delta=1e-7), 26_048).delta == 1e-7
    with pytest.raises(RequestError, match="allow to publish a row"):
        Ledger.of(Privacy(1.0, delta=1e-3), 26_048)
    with pytest.raises(RequestError, match="at least two rows"):
        Ledger.of(Privacy(1.0), 1)


def test_the_lines_name_every_charge_and_the_sum():
    lines = EMPTY.charge(Charge("age", "noisy histogram", 0.25), Charge("training", "steps", 1.5, 1e-7)).lines()
    assert lines == [
        "age: noisy histogram, epsilon 0.25",
        "training: steps, epsilon 1.5, delta 1e-07",
        "in all epsilon 1.75 of 2, delta 1e-07 of 1e-06, per row of 1000",
    ]


@pytest.mark.parametrize(
    "values",
    [{"epsilon": 0.0}, {"epsilon": -1.0}, {"epsilon": math.inf}, {"epsilon": 1.0, "delta": 1.0}]
    + [{"epsilon": 1.0, name: 0.0} for name in ("delta", "clip", "sigma")],
)
def test_a_privacy_that_is_none_is_refused(values):
    with pytest.raises(RequestError, match=r"privacy\."):
        Privacy(**values)


def test_a_recipe_holds_its_privacy_in_json_and_by_change():
    recipe = Recipe(modality="m", generator=Use("g"), critic=Use("c"))
    assert recipe.privacy is None
    assert from_json(to_json(recipe)) == recipe
    asked = change(change(recipe, "privacy", "3"), "privacy.clip", "0.5")
    assert asked.privacy == Privacy(3.0, clip=0.5)
    assert from_json(to_json(asked)) == asked
