import re
import uuid

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rivals.modalities.tables.columns import Column, Format
from rivals.modalities.tables.ids import find_ids, fresh_ids


def column(cells, *, whole=True):
    found = find_ids(pl.Series(cells), whole=whole)
    return Column("key", "id", low=found.low, high=found.high, format=Format(pattern=found.pattern))


UUIDS = [str(uuid.UUID(int=seed * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128, version=4)) for seed in range(1, 300)]


@pytest.mark.parametrize(
    ("cells", "looks"),
    [
        ([str(number) for number in range(1, 100)], r"\d+"),
        ([f"INV-{number:06}" for number in range(100)], r"INV-\d{6}"),
        ([f"{number * 7919 % 10**8 + 10**8}" for number in range(200)], r"[1-9]\d{8}"),
        ([f"{chr(65 + n % 26)}{n:03}-{chr(97 + n % 7)}" for n in range(0, 900, 7)], r"[A-Z]\d{3}-[a-g]"),
        (UUIDS, r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"),
        ([f"a.b{number}@firm.com" for number in range(50)], r"person\d+@example\.org"),
        ([f"({n % 700 + 200}) {n % 800 + 100}-{n * 37 % 9000 + 1000}" for n in range(300)], r"\(\d{3}\) \d{3}-\d{4}"),
    ],
)
def test_fresh_ids_look_like_the_old_ones_and_are_all_new(cells, looks):
    fresh = fresh_ids(column(cells), 60, seed=1)
    assert all(re.fullmatch(looks, one) for one in fresh), fresh[:3]
    assert len(set(fresh)) == 60
    assert not set(fresh) & set(cells)


def test_parts_of_the_list_are_the_whole_list_and_seeds_differ():
    own = column(UUIDS)
    assert fresh_ids(own, 30, 5) == fresh_ids(own, 10, 5) + fresh_ids(own, 20, 5, start=10)
    assert not set(fresh_ids(own, 30, 5)) & set(fresh_ids(own, 30, 6))


def test_running_numbers_go_on():
    assert fresh_ids(column([f"c{number}" for number in range(8, 40)]), 3, 0) == ["c40", "c41", "c42"]
    assert fresh_ids(column([str(number) for number in range(5, 30)], whole=False), 2, 0) == ["30", "31"]


@settings(max_examples=25)
@given(st.sets(st.text("ABC", min_size=3, max_size=3), min_size=2, max_size=20), st.integers(0, 99))
def test_more_ids_than_the_pattern_allows_are_still_all_different(cells, seed):
    fresh = fresh_ids(column(sorted(cells)), 100, seed)
    assert len(set(fresh)) == 100
