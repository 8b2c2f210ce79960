"""Constraints: their texts, what they refuse, and that they hold in whatever a generator makes."""

import datetime as dt
import json
from dataclasses import asdict

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rivals.engine.errors import RequestError
from rivals.engine.recipe import from_plain
from rivals.modalities.tables.cells import typed
from rivals.modalities.tables.constraints import Between, Check, Greater, Sum, Together, Unique, read_constraint
from rivals.modalities.tables.constraints_fit import fit_rules, learned_columns
from rivals.modalities.tables.constraints_rules import Rules
from rivals.modalities.tables.constraints_sieve import Sieve
from rivals.modalities.tables.encode import encoders_of
from rivals.modalities.tables.modality import Tables
from rivals.modalities.tables.sampling import checked, fitting, frame_of
from rivals.modalities.tables.survey import infer
from rivals.modalities.tables.wishes import read_wish, wish_of


def fitted(frame, *constraints, chunks=1, **kinds):
    """The modality of a table with rules, and the cells that are learned."""
    columns = infer(frame, kinds)
    rows = -(-frame.height // chunks)
    rules = fit_rules(constraints, columns, lambda: frame.iter_slices(rows))
    cells = {column.name: typed(column, frame[column.name]) for column in columns}
    learned = rules.forth(cells, columns)
    encoders = encoders_of(learned_columns(rules, columns, lambda: [cells]), [learned])
    return Tables(columns, encoders, rules=rules), learned


def made(tables, count=500, seed=0):
    """Rows of a generator that has learned nothing: any values of any slots."""
    random = torch.Generator().manual_seed(seed)
    rows = torch.rand(count, tables.encoders.layout.width, generator=random) * 2 - 1
    return frame_of(tables, tables.cells(rows, random), count, seed=0, start=0)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("end > start", Greater("end", "start")),
        ("a<=b", Greater("b", "a", equal=True)),
        ("'x > y' >= b", Greater("x > y", "b", equal=True)),
        ("total = a + b + 'c + d'", Sum("total", ("a", "b", "c + d"))),
        ("city with state", Together("city", "state")),
        ("born within with 'c with d'", Together("born within", "c with d")),
        ("unique a, 'b, c'", Unique("a", "b, c")),
        ("age = 0..120", Between("age", "0", "120")),
        ("day=2020-01-01..", Between("day", "2020-01-01")),
    ],
)
def test_texts_are_read(text, meant):
    assert read_constraint(text) == meant
    assert "'" in text or read_constraint(str(meant)) == meant


@pytest.mark.parametrize("text", ["", "end", "end >", "= a + b", "unique", "a with", "a + b", "end > start > x"])
def test_what_is_no_constraint_is_said(text):
    with pytest.raises(RequestError, match="does not read as a constraint"):
        read_constraint(text)


TIMES = {
    "integer": lambda rows: [round(row) for row in rows],
    "number": lambda rows: [round(row, 2) for row in rows],
    "date": lambda rows: [dt.date(2000, 1, 1) + dt.timedelta(round(row)) for row in rows],
    "datetime": lambda rows: [dt.datetime(2000, 1, 1, 8) + dt.timedelta(seconds=round(60 * row)) for row in rows],
    "text": lambda rows: [(dt.date(2000, 1, 1) + dt.timedelta(round(row))).strftime("%d.%m.%Y") for row in rows],
}


@settings(max_examples=25)
@example("date", False, 553, 3)  # the smallest end has no start
@given(st.sampled_from(sorted(TIMES)), st.booleans(), st.integers(0, 10**6), st.sampled_from([0, 3, 7]))
def test_differences_never_go_below_and_come_back_exactly(kind, equal, seed, gaps):
    random = np.random.default_rng(seed)
    start = random.uniform(-50, 900, 120)
    end = start + np.maximum(random.exponential(80, 120), 0 if equal else 2)
    first, second = TIMES[kind](start), TIMES[kind](end)
    if gaps:
        first = [None if row % gaps == 1 else value for row, value in enumerate(first)]
        second = [None if row % (gaps + 1) == 2 else value for row, value in enumerate(second)]
    frame = pl.DataFrame({"end": second, "other": random.integers(0, 99, 120), "start": first})
    tables, learned = fitted(frame, Greater("end", "start", equal))
    assert [type(rule).__name__ for rule in tables.rules.built] == ["Gap"]
    again = tables.rules.back(learned, tables.columns)
    for column in tables.columns:
        expected = typed(column, frame[column.name]).numbers
        np.testing.assert_allclose(again[column.name].numbers, expected, atol=2e-6)
    fake = made(tables)
    assert fake.schema == frame.schema
    assert (fake["end"].null_count() > 0) == bool(gaps)
    ends, starts = (typed(tables.columns[place], fake[name]).numbers for place, name in ((0, "end"), (2, "start")))
    broken = (ends < starts) | (not equal) & (ends == starts)
    assert not broken.any()


def test_special_values_and_words_of_a_difference_stay_what_they_are():
    random = np.random.default_rng(0)
    start = random.integers(0, 300, 400)
    end = [str(value + more) for value, more in zip(start, random.integers(1, 40, 400), strict=True)]
    end = ["9999" if row % 9 == 0 else "open" if row % 11 == 0 else value for row, value in enumerate(end)]
    tables, learned = fitted(pl.DataFrame({"start": start, "end": end}), "end > start")
    column = tables.columns[1]
    assert column.special == (9999.0,)
    assert column.words == ("open",)
    back = tables.rules.back(learned, tables.columns)["end"]
    np.testing.assert_array_equal(back.numbers, typed(column, pl.Series(end)).numbers)
    np.testing.assert_array_equal(back.codes, typed(column, pl.Series(end)).codes)
    fake = made(tables)
    assert {"9999", "open"} < set(fake["end"])
    numbers = fake["end"].cast(pl.Int64, strict=False)
    assert ((numbers > fake["start"]) | numbers.is_null()).all()


def test_a_date_is_compared_with_a_date_and_time():
    days = [dt.date(2020, 1, 1) + dt.timedelta(day) for day in range(60)]
    seen = [dt.datetime(2020, 1, 1, 9, 30) + dt.timedelta(2 * day) for day in range(60)]
    tables, _ = fitted(pl.DataFrame({"born": days, "seen": seen}), "seen > born")
    fake = made(tables)
    assert (fake["seen"] > fake["born"].cast(pl.Datetime("us"))).all()


@settings(max_examples=15)
@given(st.integers(0, 3), st.integers(0, 10**6), st.booleans(), st.booleans())
def test_sums_add_up_to_the_last_decimal(decimals, seed, blanks, as_text):
    random = np.random.default_rng(seed)
    parts = np.round(random.gamma(2, 40, (3, 150)) - 20, decimals)
    parts[1, ::7] = np.nan
    total = np.round(np.nansum(parts, 0) if blanks else parts.sum(0), decimals)
    names = dict(zip(("a", "b", "c"), parts, strict=True))
    frame = pl.DataFrame({"all": total, **names}).fill_nan(None)
    if as_text:
        frame = frame.with_columns(pl.all().map_elements(lambda x: f"{x:.{decimals}f}", return_dtype=pl.String))
    tables, learned = fitted(frame, Sum("all", ("a", "b", "c")), all="number")
    assert tables.rules.sums[0].blanks is blanks
    back = tables.rules.back(learned, tables.columns)
    np.testing.assert_allclose(back["all"].numbers, typed(tables.columns[0], frame["all"]).numbers, atol=1e-9)
    fake = made(tables).cast(pl.Float64)
    assert fake["b"].null_count()
    if blanks:
        assert fake["all"].null_count() == 0
        fake = fake.fill_null(0)
    exact = fake.drop_nulls().select(gap=pl.col("all") - pl.col("a") - pl.col("b") - pl.col("c"))["gap"]
    assert exact.abs().max() < 1e-9


def test_only_combinations_of_the_data_are_made_in_one_pass_or_several():
    random = np.random.default_rng(0)
    place = random.integers(0, 30, 900)
    frame = pl.DataFrame(
        {
            "state": [f"S{each // 7}" for each in place],
            "city": [None if each == 3 else f"C{each}" for each in place],
            "height": place * 10.5 + 100,
            "x": random.normal(size=900),
        }
    )
    tables, learned = fitted(frame, Together("state", "city", "height"), chunks=4)
    assert tables == fitted(frame, Together("state", "city", "height"))[0]
    assert [encoder.column for encoder in tables.encoders.all] == ["x", "state"]
    assert (learned["state"].codes >= 0).all()
    fake = made(tables)
    names = ["state", "city", "height"]
    assert set(fake.select(names).iter_rows()) <= set(frame.select(names).iter_rows())
    assert fake.select(names).n_unique() > 25
    wish = wish_of({"state": "S1", "height": (200, 240)}, tables)
    torch.manual_seed(0)
    asked = wish.slots(tables, 50)[:, -1]
    joint = tables.rules.joints[0]
    assert {joint.cells["height"].numbers[slot] for slot in asked.tolist()} == {205.0, 215.5, 226.0, 236.5}
    with pytest.raises(RequestError, match="only combinations that the data has"):
        wish_of({"state": "S1", "height": (100, 120)}, tables).slots(tables, 5)


def test_chains_are_made_in_their_order_and_what_would_be_made_twice_is_sieved():
    random = np.random.default_rng(1)
    a, b = random.integers(0, 50, (2, 300))
    frame = pl.DataFrame({"late": a + b + 9, "middle": a + b, "a": a, "b": b, "low": a - 1})
    tables, learned = fitted(frame, "late > middle", "middle = a + b", "a > low", "late > low", late="integer")
    built = [rule.targets[0] for rule in tables.rules.built]
    assert sorted(built) == ["a", "late", "middle"]
    assert built.index("a") < built.index("middle") < built.index("late")
    back = tables.rules.back(learned, tables.columns)
    assert all((back[name].numbers == frame[name].to_numpy()).all() for name in frame.columns)
    fake = made(tables)
    kept = Sieve(tables).kept(fake, 10**6)
    assert len(kept) > 100
    assert fake[kept].filter(
        (pl.col("late") <= pl.col("middle")) | (pl.col("middle") != pl.col("a") + pl.col("b"))
        | (pl.col("a") <= pl.col("low")) | (pl.col("late") <= pl.col("low"))
    ).is_empty()  # fmt: skip


def test_unique_rows_stay_so_over_several_frames_and_missing_ones_are_like_none():
    frame = pl.DataFrame({"id": [f"P{i:05}" for i in range(60)], "a": [*range(59), None], "c": ["x", "y", "z"] * 20})
    tables, _ = fitted(frame, Unique("a", "c"), Unique("id"), a="integer")
    sieve = Sieve(tables)
    parts, found = [], 0
    for seed in range(8):
        random = torch.Generator().manual_seed(seed)
        cells = tables.cells(torch.rand(100, tables.encoders.layout.width, generator=random) * 2 - 1, random)
        parts.append(fitting(tables, cells, 100, sieve, 60, seed=0, start=found))
        found += parts[-1].height
    fake = pl.concat(parts)
    assert 100 < fake.height < 8 * 60
    assert fake.drop_nulls().select("a", "c").is_duplicated().sum() == 0
    assert fake["a"].null_count() > 3
    assert fake["id"].is_unique().all()
    assert fake["id"].to_list() == [f"P{i:05}" for i in range(60, 60 + fake.height)]


def test_predicates_see_numbers_and_dates_of_texts_and_no_ids():
    seen = []

    def even(rows):
        seen.append(rows.schema)
        return (pl.col("n") % 2 == 0) & (pl.col("day") < dt.date(2021, 1, 1))

    frame = pl.DataFrame({
        "id": [f"P{i:05}" for i in range(80)], "n": [f"{2 * i:,}" for i in range(980, 1060)],
        "day": [f"2020-03-{1 + i % 28:02}" for i in range(80)],
    })  # fmt: skip
    tables, _ = fitted(frame, even)
    assert dict(seen[0]) == {"n": pl.Int64(), "day": pl.Date()}
    fake = made(tables)
    kept = fake[Sieve(tables, [Check(even)]).kept(fake, 10**6)]
    assert kept.height
    assert (kept["n"].str.replace(",", "").cast(int) % 2 == 0).all()
    with pytest.raises(RequestError, match="was fitted with the check 'even'"):
        checked(tables, [])
    assert checked(tables, [Check(even)]).checks
    for bad, words in ((lambda rows: rows["id"] == "", "ColumnNotFound"), (lambda rows: rows["n"], "a truth for each")):
        with pytest.raises(RequestError, match=words):
            fit_rules([bad], tables.columns, lambda: [frame])


def test_rules_come_back_from_json():
    frame = pl.DataFrame({"a": [1, 2, 3] * 9, "b": [2, 3, 5] * 9, "k": ["x", None, "z"] * 9, "i": list(range(27))})
    kinds = dict.fromkeys(("a", "b", "i"), "integer")
    given = ("b > a", Together("k", "a"), Unique("i"), Between("i", 0, None), lambda rows: rows["a"] > 0)
    rules = fitted(frame, *given, **kinds)[0].rules
    assert from_plain(Rules, json.loads(json.dumps(asdict(rules))), "rules") == rules
    assert rules.words() == ("k with a", "b > a", "the range of i", "unique i", "check <lambda>")


@pytest.mark.parametrize(
    ("constraints", "words"),
    [
        (["ends > start"], "no column for 'ends > start': 'ends': did you mean 'end'"),
        (["start > end"], "40 of 40 rows break 'start > end', row 1 first"),
        (["name > start"], "'name' is category"),
        (["when > start"], "compares date and integer"),
        (["end > end"], "names a column twice"),
        (["end > start", "start > end"], "contradict each other: 'end > start', 'start > end'"),
        (["end = start + start2"], "no column"),
        (["end = start + odd"], "39 of 40 rows break 'end = start + odd', row 2 first"),
        (["start = 0..10"], "29 of 40 rows break 'the range of start', row 12 first"),
        (["start = 9..1"], "the range ends before it begins"),
        (["start = 0..40", "start = 50..60"], "have nothing in common"),
        (["start = zero..9"], "'zero' does not read as a value of 'start'"),
        (["when = 1990-01-01..2000-01-01"], "39 of 40 rows break"),
        (["unique name"], "38 of 40 rows break 'unique name', row 3 first"),
        ([lambda rows: rows["start"] != 5], "1 of 40 rows break 'check <lambda>', row 6 first"),
        ([3], "3 is no constraint"),
    ],
)
def test_what_the_data_or_another_constraint_breaks_is_said(constraints, words):
    start = list(range(40))
    frame = pl.DataFrame(
        {
            "start": start,
            "end": [value + 3 for value in start],
            "odd": [3] + [4 + value % 17 for value in start[1:]],
            "name": ["a", "b"] * 20,
            "when": [dt.date(2000, 1, 1) + dt.timedelta(value) for value in start],
        }
    )
    kinds = dict.fromkeys(("start", "end", "odd"), "integer")
    with pytest.raises(RequestError) as told:
        fit_rules(constraints, infer(frame, kinds), lambda: frame.iter_slices(7))
    assert words in str(told.value)


def test_wishes_that_contradict_a_rule_or_the_data_are_refused():
    start = np.arange(200)
    frame = pl.DataFrame({"start": start, "end": start + 5, "a": start * 1.5, "b": start[::-1] * 0.5})
    frame = frame.with_columns(total=pl.col("a") + pl.col("b"))
    kinds = dict.fromkeys(("start", "end"), "integer")
    tables, _ = fitted(frame, "end > start", "total = a + b", "start = 0..300", **kinds)
    for text, words in (
        ("end<=50,start>=50", "'end' and 'start' contradicts 'end > start'"),
        ("total=100..110,a>=90,b>=60", "contradicts 'total = a + b'"),
        ("start>=10,start<=5", "contradicts itself"),
        ("start=250", "'start' reaches from 0 to 199"),
    ):
        with pytest.raises(RequestError) as told:
            read_wish(text, tables).slots(tables, 3)
        assert words in str(told.value)
    asked = read_wish("end=50..60,start<=55", tables).slots(tables, 20)
    assert (asked >= 0).any()


def test_conditions_by_column_are_what_their_texts_are():
    frame = pl.DataFrame(
        {
            "age": list(range(20, 70)),
            "job": ["cook", "nurse"] * 25,
            "ok": [True, False] * 25,
            "day": [dt.date(2020, 1, 1) + dt.timedelta(k) for k in range(50)],
        }
    )
    tables, _ = fitted(frame, age="integer")
    same = [
        ({"age": (25, 40), "job": "cook"}, "age=25..40, job=cook"),
        ({"age": 30}, "age=30"),
        ({"age": (None, 40)}, "age=..40"),
        ({"age": ">=35"}, "age>=35"),
        ({"age": "25..40"}, "age=25..40"),
        ({"job": ["cook", "nurse"]}, "job=cook|nurse"),
        ({"ok": True}, "ok=true"),
        ({"day": (dt.date(2020, 1, 5), dt.date(2020, 1, 9))}, "day=2020-01-05..2020-01-09"),
    ]
    for conditions, text in same:
        assert wish_of(conditions, tables) == read_wish(text, tables)
    for conditions, words in (
        ({"ages": 3}, "did you mean 'age'"),
        ({"job": "cok"}, "did you mean 'cook'"),
        ({"age": (1, 2, 3)}, "give a value, or"),
        ({"age": (40, 30)}, "ends before it begins"),
        ({"job": []}, "leave it out for any"),
    ):
        with pytest.raises(RequestError) as told:
            wish_of(conditions, tables)
        assert words in str(told.value)
    assert wish_of({}, tables) is None
