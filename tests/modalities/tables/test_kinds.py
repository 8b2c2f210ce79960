import numpy as np
import polars as pl
import pytest

from rivals.engine.errors import RequestError
from rivals.modalities.tables.survey import infer

DRAWS = np.random.default_rng(0)
ROWS = 400
AMOUNTS = DRAWS.lognormal(6, 1.5, ROWS)
WHOLE = DRAWS.integers(0, 1000, ROWS)


def drawn(*values):
    return [values[place] for place in DRAWS.integers(0, len(values), ROWS)]


def only(cells, **forced):
    return infer(pl.DataFrame({"x": cells}), forced)[0]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([f"{amount:.2f}" for amount in AMOUNTS], "number"),
        ([f"${amount:,.2f}" for amount in AMOUNTS], "number"),
        ([f"{amount:,.2f}".translate(str.maketrans(",.", ".,")) + " €" for amount in AMOUNTS], "number"),
        ([f"{amount:.1f}%" for amount in AMOUNTS], "number"),
        (AMOUNTS, "number"),
        (WHOLE, "integer"),
        ([f"{number}" for number in WHOLE], "integer"),
        ([f"{number}.0" for number in WHOLE], "integer"),
        ([None if number % 7 == 0 else float(number) for number in WHOLE], "integer"),
        (WHOLE % 80 + 1940, "integer"),
        (drawn("2019", "2020", "2021"), "category"),
        (drawn(1, 2, 3, 4, 5), "category"),
        (drawn("red", "green", None), "category"),
        (drawn("01234", "90210", "10115"), "category"),
        (drawn("0", "1"), "boolean"),
        (drawn(0, 1), "boolean"),
        (drawn("ja", "nein"), "boolean"),
        (drawn("Oui", "Non"), "boolean"),
        (drawn("да", "нет"), "boolean"),
        (drawn("Y", "N", None), "boolean"),
        (drawn(True, False), "boolean"),
        ([f"2024-01-{number % 28 + 1:02}" for number in WHOLE], "date"),
        ([20240100 + int(number) % 28 + 1 for number in WHOLE], "date"),
        ([f"2024-01-05T{number % 24:02}:00:00Z" for number in WHOLE], "datetime"),
        ([f"{number % 24}:{number % 60:02}" for number in WHOLE], "time"),
        (range(ROWS), "id"),
        (DRAWS.integers(10**17, 10**18, ROWS), "id"),
        ([f"{number}" for number in DRAWS.integers(10**17, 10**18, ROWS)], "id"),
        ([f"{number}000000000000" for number in DRAWS.integers(10**17, 10**18, ROWS)], "id"),
        ([f"+49 170 {number}" for number in DRAWS.integers(10**6, 10**7, ROWS)], "id"),
        ([f"user{row}@mail.com" for row in range(ROWS)], "id"),
        ([f"{number:05}" for number in DRAWS.permutation(10**5)[:ROWS]], "id"),
        ([" ".join(drawn("a", "dog", "cat", "runs")[:9]) for _ in range(ROWS)], "text"),
        ([[1, 2]] * ROWS, "text"),
        (["x"] * ROWS, "constant"),
        ([5] * ROWS, "constant"),
        (["x", None] * (ROWS // 2), "category"),
        ([None] * ROWS, "empty"),
        (["NA"] * ROWS, "empty"),
    ],
)
def test_kinds_are_told_by_the_cells(cells, kind):
    column = only(cells)
    assert column.kind == kind, column.why
    assert column.rows == ROWS


def test_names_tell_numbers_that_name_things_from_amounts():
    stores, places = drawn(*range(100, 115)), 10_000 + WHOLE // 4
    frame = pl.DataFrame({"store_id": stores, "customer_id": WHOLE, "zip": places, "n": WHOLE})
    assert [column.kind for column in infer(frame)] == ["category", "id", "category", "integer"]


def test_the_most_frequent_word_for_missing_is_missing_and_other_words_stay():
    ages = only([*["?"] * 30, *["unknown"] * 20, *["NA"] * 5, *map(str, WHOLE % 90)])
    assert (ages.kind, ages.missing, ages.format.missing, ages.words) == ("integer", 30, "?", ("unknown", "NA"))
    coats = only(drawn("none", "wool") + [""] * 9)
    assert (coats.missing, coats.format.missing, set(coats.categories)) == (9, "", {"none", "wool"})


def test_ranks_are_no_running_numbers():
    assert only(DRAWS.permutation(ROWS)).kind == "integer"
    assert only(range(5, ROWS + 5)).kind == "id"


def test_ranges_leave_special_values_out():
    column = only([*WHOLE, *[-999] * 30])
    assert (column.low, column.high, column.special) == (WHOLE.min(), WHOLE.max(), (-999,))


def test_infinities_are_words_and_nan_is_missing():
    column = only([*AMOUNTS, np.inf, -np.inf, np.nan])
    assert (column.kind, set(column.words)) == ("number", {"inf", "-inf"})
    assert (column.missing, column.format.missing) == (1, "nan")
    assert np.isfinite([column.low, column.high]).all()


def test_categories_are_in_order_of_frequency_then_name_without_the_blank_that_all_have():
    column = only([" b", " a", " c", " c"] * 50)
    assert (column.categories, column.counts, column.format.prefix) == (("c", "a", "b"), (100, 50, 50), " ")
    assert only([" b", "b"] * 50).categories == (" b", "b")


def test_a_kind_can_be_given():
    years = drawn("2019", "2020", "2021")
    assert only(years, x="integer").kind == "integer"
    assert only(years, x="text").kind == "text"
    assert only(range(ROWS), x="integer").high == ROWS - 1
    assert only([f"{number:04}" for number in WHOLE], x="integer").format.pad == 4
    assert only(["1.5", "2.5"] * 9, x="integer").format.decimals == 0
    assert only(drawn("m", "f"), x="boolean").format.true == "m"


def test_a_kind_that_cells_cannot_be_is_refused_with_some_of_them():
    with pytest.raises(
        RequestError, match=r"'x' can't be of kind integer: it has 2 different cells like 'blue', 'red'"
    ):
        only(["blue", "red", "blue"] * 3, x="integer")
    with pytest.raises(RequestError, match="did you mean 'x'"):
        infer(pl.DataFrame({"x": [1, 2]}), {"xx": "integer"})
    with pytest.raises(RequestError, match="did you mean 'integer'"):
        only([1, 2], x="integ")
