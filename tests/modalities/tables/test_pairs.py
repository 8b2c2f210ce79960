"""Noisy tables of two columns: counts, noise, and the distance that the generator lowers."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rivals.engine.errors import RequestError
from rivals.engine.types import Round
from rivals.modalities.tables.columns import Column
from rivals.modalities.tables.layout import Part, layout_of
from rivals.modalities.tables.networks import Row
from rivals.modalities.tables.pairs import (
    MOST_BINS,
    MOST_COLUMNS,
    Bins,
    Pairs,
    noisy_tables,
    paired,
    pairs_among,
    pairs_term,
    shrunk,
)
from rivals.modalities.tables.terms import pairs

WIDTHS = {"x": 3, "sex": 2, "city": 5, "day": 4}
LAYOUT = layout_of(
    [("x", Part("value")), ("x", Part("mode", 3)), ("sex", Part("category", 2)), ("day", Part("day mode", 4)),
     ("day", Part("month", 12)), ("city", Part("category", 5))]
)  # fmt: skip
NAMES = ("x", "id", "sex", "city", "day")  # an id has no softmax
OF_LAYOUT = [3, 2, 4, 12, 5]
ORDER = [0, 1, 4, 2]  # the first softmax of each of NAMES


def slots_of(rows, seed=0):
    draw = np.random.default_rng(seed)
    return torch.from_numpy(np.stack([draw.integers(0, width, rows) for width in OF_LAYOUT], 1).astype(np.uint8))


def contingency(slots, widths=(3, 2, 5, 4)):
    own = slots.numpy()[:, ORDER]
    return [
        np.histogram2d(own[:, a], own[:, b], bins=(np.arange(widths[a] + 1), np.arange(widths[b] + 1)))[0]
        for a, b in combinations(range(4), 2)
    ]


def logits_of(slots, sure=60.0):
    rows = torch.zeros(len(slots), LAYOUT.width)
    for place, segment in enumerate(LAYOUT.softmaxes):
        rows[torch.arange(len(slots)), segment.start + slots[:, place].long()] = sure
    return rows


def told(values, cond=None):
    return Round(None, None, None, cond, Row(values, LAYOUT), None)


def test_tables_are_the_contingency_tables_whatever_the_chunks():
    bins, slots = Bins(LAYOUT, NAMES), slots_of(1_000)
    assert bins.widths.tolist() == [3, 2, 5, 4]
    for chunk in (7, 50_000):
        for found, want in zip(bins.tables(slots, chunk), contingency(slots), strict=True):
            assert np.array_equal(found, want)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 200), st.integers(0, 10**6))
def test_one_row_more_moves_all_tables_together_by_the_root_of_their_number(rows, seed):
    bins, slots = Bins(LAYOUT, NAMES), slots_of(rows + 1, seed)
    less, more = (np.concatenate([t.ravel() for t in bins.tables(part)]) for part in (slots[:-1], slots))
    assert pairs_among(4) == 6
    assert np.linalg.norm(more - less) == math.sqrt(6)


def test_noise_is_whole_of_its_deviation_and_of_its_random_numbers_alone():
    empty = [np.zeros((200, 300), np.int64), np.zeros((50, 40), np.int64)]
    one, again, other = (noisy_tables(empty, 20.0, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert [table.shape for table in one] == [(200, 300), (50, 40)]
    assert one[0].dtype == np.int64
    assert one[0].std() == pytest.approx(20.0, rel=0.01)
    assert abs(one[0].mean()) < 0.4
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[0], other[0])
    assert noisy_tables([], 0.0, np.random.default_rng(0)) == []
    with pytest.raises(RequestError, match="needs noise above 0"):
        noisy_tables(empty, 0.0, np.random.default_rng(0))


def test_the_distance_of_one_hot_rows_is_that_of_their_contingency_tables():
    bins, slots = Bins(LAYOUT, NAMES), slots_of(60)
    own, wanted = ([table / 60 for table in contingency(slots_of(60, seed))] for seed in (0, 1))
    squares = sum(((a - b) ** 2).sum() for a, b in zip(own, wanted, strict=True))
    by_chance = (6 - sum((table**2).sum() for table in own)) / 59  # a row's table is one 1: six of length 1
    found = Pairs(bins, wanted)(told(logits_of(slots))).item()
    assert found == pytest.approx((squares - by_chance) / 6, abs=1e-6)


def test_the_distance_is_free_of_what_chance_adds():
    bins = Bins(LAYOUT, NAMES)
    wanted = [table / 60 for table in contingency(slots_of(60))]
    values = torch.randn(7, LAYOUT.width, generator=torch.Generator().manual_seed(0))
    shares = [values[:, s.start : s.start + s.width].softmax(1).numpy() for s in LAYOUT.softmaxes]
    off = []  # of each row alone
    for row in range(7):
        own = [shares[place][row] for place in ORDER]
        blocks = [np.outer(a, b) - table for (a, b), table in zip(combinations(own, 2), wanted, strict=True)]
        off.append(np.concatenate([block.ravel() for block in blocks]))
    others = [a @ b for a, b in combinations(off, 2)]  # two rows of independent noise: no square of chance
    assert Pairs(bins, wanted)(told(values)).item() == pytest.approx(np.mean(others) / 6, rel=1e-4)


def test_rows_that_are_asked_for_something_have_tables_of_their_own():
    term = Pairs(Bins(LAYOUT, NAMES), [table / 60 for table in contingency(slots_of(60))])
    values = torch.randn(10, LAYOUT.width, generator=torch.Generator().manual_seed(1))
    cond = torch.full((10, 5), -1)
    cond[:4, 2] = 1
    apart = 0.4 * term(told(values[:4])) + 0.6 * term(told(values[4:]))
    assert torch.allclose(term(told(values, cond)), apart)
    assert torch.isfinite(term(told(values, torch.zeros(10, 5, dtype=torch.long))))
    assert term(told(values[:1])) == 0


def test_gradients_reach_the_slots_of_paired_columns_and_lead_to_the_tables():
    slots = slots_of(400, seed=3)
    slots[:, 4] = slots[:, 0] + 2 * (slots[:, 1] > 0)  # the city follows from x and the sex
    wanted = [table / 400 for table in contingency(slots)]
    term = Pairs(Bins(LAYOUT, NAMES), wanted)
    torch.manual_seed(0)
    values = torch.randn(300, LAYOUT.width, requires_grad=True)
    optimizer = torch.optim.Adam([values], 0.1)
    first = term(told(values))
    first.backward()
    touched = values.grad.abs().sum(0) > 0
    months = next(s for s in LAYOUT.softmaxes if s.role == "month")
    assert touched[1 : months.start].all()
    assert not touched[0]
    assert not touched[months.start : months.start + 12].any()
    for _ in range(200):
        optimizer.zero_grad()
        term(told(values)).backward()
        optimizer.step()
    shares = [values.detach()[:, s.start : s.start + s.width].softmax(1).numpy() for s in LAYOUT.softmaxes]
    own = [shares[place] for place in ORDER]
    for (a, b), table in zip(combinations(own, 2), wanted, strict=True):
        assert np.abs(a.T @ b / 300 - table).max() < 0.015
    assert term(told(values)) < 0.02 * first


def test_what_noise_accounts_for_is_taken_for_independence():
    alone = np.outer([0.5, 0.5], [0.2, 0.3, 0.5])
    draw = np.random.default_rng(0)
    nothing = shrunk(alone + 0.01 * draw.standard_normal((2, 3)), alone, 0.01)
    assert np.abs(nothing - alone).max() < 0.01
    apart = np.array([[0.1, 0, -0.1], [-0.1, 0, 0.1]])
    kept = shrunk(alone + apart, alone, 0.01)
    assert np.allclose(kept, alone + (1 - 4 * 1e-4 / 0.04) * apart)  # six cells, sum of squares 0.04
    assert np.array_equal(shrunk(alone, alone, 0.01), alone)


def test_the_term_is_made_of_all_rows_and_with_little_noise_holds_their_tables():
    slots = slots_of(5_000)
    shares = torch.zeros(LAYOUT.width)
    for place, segment in enumerate(LAYOUT.softmaxes):
        shares[segment.start : segment.start + segment.width] = torch.bincount(slots[:, place], minlength=segment.width)
    term = pairs_term(Bins(LAYOUT, NAMES), slots, shares / 5_000, 0.4, np.random.default_rng(0))
    bins = Bins(LAYOUT, NAMES)
    for (a, b), table in zip(combinations(range(4), 2), contingency(slots), strict=True):
        block = term.wanted[bins.starts[a] :, bins.starts[b] :][: bins.widths[a], : bins.widths[b]]
        assert np.abs(block.numpy() - table / 5_000).max() < 0.01
    assert not term.state_dict()  # a checkpoint holds none of it


def test_wide_tables_and_wide_columns_are_capped_by_what_is_public():
    columns = [Column(f"c{number}", "category") for number in range(10_000)]
    columns[3] = Column("c3", "id")
    columns[4] = Column("c4", "constant")
    names = paired(columns)
    assert len(names) == MOST_COLUMNS
    assert names[:5] == ("c0", "c1", "c2", "c5", "c6")
    assert names[-1] == "c9999"
    assert paired(columns[:5]) == ("c0", "c1", "c2")
    layout = layout_of([("wide", Part("category", 100)), ("few", Part("category", 2))])
    bins = Bins(layout, ("wide", "few"))
    assert bins.count == MOST_BINS + 2
    slots = torch.tensor([[30, 0], [31, 0], [99, 1], [99, 1]])
    (table,) = bins.tables(slots)
    assert table[30].tolist() == [1, 0]
    assert table[31].tolist() == [1, 2]
    rows = torch.zeros(4, 102)
    rows[range(4), slots[:, 0]] = rows[range(4), 100 + slots[:, 1]] = 60.0
    found = Pairs(bins, [table / 4])(Round(None, None, None, None, Row(rows, layout), None))
    assert found.item() == pytest.approx(-(1 - ((table / 4) ** 2).sum()) / 3, abs=1e-6)


def test_without_pairs_there_is_no_distance_and_without_epsilon_no_term():
    values = torch.randn(6, LAYOUT.width)
    nothing = pairs_term(Bins(LAYOUT, ("sex",)), slots_of(6), torch.ones(LAYOUT.width), 0.0, np.random.default_rng(0))
    assert nothing(told(values)) == 0
    empty = pairs_term(Bins(LAYOUT, ()), slots_of(6), torch.ones(LAYOUT.width), 0.0, np.random.default_rng(0))
    assert empty(told(values, torch.full((6, 5), -1))) == 0
    with pytest.raises(RequestError, match="only --epsilon counts"):
        pairs(told(values))
