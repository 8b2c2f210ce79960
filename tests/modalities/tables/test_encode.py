import json
from dataclasses import asdict

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rivals.engine.recipe import from_plain
from rivals.modalities.tables import encode
from rivals.modalities.tables.cells import typed
from rivals.modalities.tables.columns import Column, Typed
from rivals.modalities.tables.encode import Encoders, encoders_of
from rivals.modalities.tables.survey import infer


def frame(count=600, seed=0):
    rng = np.random.default_rng(seed)
    days = rng.integers(16_000, 18_000, count)
    return pl.DataFrame({
        "age": [None if rng.random() < 0.1 else int(age) for age in rng.normal(40, 12, count)],
        "gain": np.where(rng.random(count) < 0.7, 0, rng.integers(100, 90_000, count)).tolist(),
        "price": np.round(rng.lognormal(3, 1.5, count), 2).tolist(),
        "when": pl.Series(days).cast(pl.Int32).cast(pl.Date),
        "at": pl.Series(days * 86_400_000_000 + rng.integers(0, 86_400, count) * 1_000_000).cast(pl.Datetime("us")),
        "job": [None if draw < 0.2 else f"job {int(9 * draw)}" for draw in rng.random(count)],
        "good": (rng.random(count) < 0.3).tolist(),
        "same": ["x"] * count,
    })  # fmt: skip


def chunk_of(table, columns):
    return {column.name: typed(column, table[column.name]) for column in columns}


def pieces(chunk, size):
    count = len(
        next(iter(chunk.values())).codes if next(iter(chunk.values())).numbers is None else chunk["age"].numbers
    )
    for start in range(0, count, size):
        rows = slice(start, start + size)
        yield {name: Typed(*(None if part is None else part[rows] for part in cells)) for name, cells in chunk.items()}


@pytest.fixture(scope="module")
def made():
    table = frame()
    columns = infer(table)
    chunk = chunk_of(table, columns)
    return columns, chunk, encoders_of(columns, [chunk])


def assert_same(found, chunk):
    for name, cells in found.items():
        for mine, true in zip(cells, chunk[name], strict=True):
            if true is not None:
                np.testing.assert_array_equal(mine, true, err_msg=name)


def test_a_table_s_cells_survive_the_encoding(made):
    columns, chunk, encoders = made
    compact = encoders.compact(chunk)
    rows = encoders.rows(compact, torch.arange(600))
    assert rows.shape == (600, encoders.layout.width)
    found = encoders.decode(rows)
    assert set(found) == {column.name for column in columns if column.kind not in ("id", "text", "empty")}
    assert_same(found, chunk)


def test_rows_are_scalars_and_one_hots(made):
    _, chunk, encoders = made
    compact, which = encoders.compact(chunk), torch.tensor([5, 0, 5])
    rows = encoders.rows(compact, which)
    assert torch.equal(rows[0], rows[2])
    count = len(encoders.layout.scalars)
    assert torch.equal(rows[:, :count], compact.scalars[which])
    assert rows[:, :count].abs().max() <= 1
    for place, segment in enumerate(encoders.layout.softmaxes):
        part = rows[:, segment.start : segment.start + segment.width]
        assert torch.equal(part.argmax(1), compact.slots[which, place].long())
        assert part.sum(1).tolist() == [1, 1, 1]
    assert compact.slots.dtype == torch.uint8


def test_times_come_back_to_the_microsecond():
    moments = pl.Series("at", np.random.default_rng(0).integers(0, 2**50, 200)).cast(pl.Datetime("us"))
    columns = infer(moments.to_frame(), {"at": "datetime"})
    chunk = chunk_of(moments.to_frame(), columns)
    encoders = encoders_of(columns, [chunk])
    assert encoders.dates[0].time.step == 1e-6
    found = encoders.decode(encoders.rows(encoders.compact(chunk), torch.arange(200)))["at"].numbers
    np.testing.assert_allclose(found, chunk["at"].numbers, rtol=0, atol=0.01)  # of a day, a float32 knows so much


def test_encoders_survive_json(made):
    _, _, encoders = made
    assert from_plain(Encoders, json.loads(json.dumps(asdict(encoders))), "here") == encoders


def test_pieces_are_encoded_as_the_whole_is(made):
    columns, chunk, encoders = made
    assert encoders_of(columns, pieces(chunk, 77)) == encoders
    whole, parts, first = encoders.compact(chunk), [], 0
    for piece in pieces(chunk, 77):
        parts.append(encoders.compact(piece, first))
        first += len(parts[-1].slots)
    assert torch.equal(torch.cat([part.scalars for part in parts]), whole.scalars)
    assert torch.equal(torch.cat([part.slots for part in parts]), whole.slots)


def test_ranges_and_steps_are_of_all_rows_though_modes_are_of_a_sample(made, monkeypatch):
    columns, chunk, _ = made
    monkeypatch.setattr(encode, "SAMPLE", 100)
    encoders = encoders_of(columns, pieces(chunk, 50))
    assert {encoder.column: encoder.step for encoder in encoders.numbers} == {"age": 1, "gain": 1, "price": 0.01}
    found = encoders.decode(encoders.rows(encoders.compact(chunk), torch.arange(600)))
    for name in ("age", "gain", "price"):
        np.testing.assert_allclose(found[name].numbers, chunk[name].numbers, rtol=0.02, atol=1)


def test_a_sample_takes_every_row_as_likely(monkeypatch):
    monkeypatch.setattr(encode, "SAMPLE", 500)
    sample = encode._Sample(["x"])
    for start in range(0, 20_000, 700):
        sample.feed({"x": Typed(np.arange(start, min(start + 700, 20_000)).astype(float))})
        assert len(sample.kept) <= 1500
    drawn = sample.rows()["x"]
    assert len(set(drawn)) == 500
    assert np.histogram(drawn, 4, (0, 20_000))[0] == pytest.approx(np.full(4, 125), abs=45)


def wide(count=20_000, categories=3000, seed=0):
    """Very many categories in two kinds, each of which has its own range of numbers."""
    rng = np.random.default_rng(seed)
    codes = rng.choice(categories, count, p=(weights := 1 / (np.arange(categories) + 5)) / weights.sum())
    seen = np.bincount(codes, minlength=categories)
    ranks = np.empty(categories, int)
    ranks[np.argsort(-seen, kind="stable")] = np.arange(categories)
    known = int((seen > 0).sum())
    counts = tuple(np.sort(seen)[::-1][:known].tolist())
    kinds = np.empty(known, int)
    kinds[ranks[seen > 0]] = np.flatnonzero(seen) % 2
    codes = ranks[codes].astype(np.int32)
    numbers = rng.normal(4.0 * kinds[codes], 1)
    columns = (
        Column("zip", "category", rows=count, categories=tuple(map(str, range(known))), counts=counts),
        Column("x", "number", rows=count, low=float(numbers.min()), high=float(numbers.max())),
    )
    return columns, {"zip": Typed(None, codes), "x": Typed(numbers)}, kinds


def test_very_many_categories_share_slots_with_their_like_and_keep_their_shares():
    columns, chunk, kinds = wide()
    encoders = encoders_of(columns, [chunk], most_slots=64)
    encoder, codes = encoders.categories[0], chunk["zip"].codes
    assert encoder.slots == 64
    rows = encoders.rows(encoders.compact(chunk), torch.arange(len(codes)))
    found = encoders.decode(rows, torch.Generator().manual_seed(0))["zip"].codes
    assert np.array_equal(encoder.slot_of(found), encoder.slot_of(codes))
    assert np.array_equal(found[codes < 48], codes[codes < 48])
    shared = codes >= 48
    assert (kinds[found[shared]] == kinds[codes[shared]]).mean() > 0.9  # 0.5 if clusters were drawn by lot
    true, mine = np.bincount(codes, minlength=200)[48:200], np.bincount(found, minlength=200)[48:200]
    assert mine == pytest.approx(true, abs=5 * np.sqrt(true.max()))


def test_the_generator_decides_which_members_are_drawn():
    columns, chunk, _ = wide(2000, 500)
    encoders = encoders_of(columns, [chunk], most_slots=16)
    rows = encoders.rows(encoders.compact(chunk), torch.arange(2000))
    one, same, other = (encoders.decode(rows, torch.Generator().manual_seed(seed))["zip"].codes for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@given(
    numbers=st.lists(st.none() | st.floats(-1e9, 1e9, width=32), min_size=3, max_size=40),
    words=st.lists(st.none() | st.sampled_from(["a", "b", " c", "ä"]), min_size=3, max_size=40),
)
@settings(max_examples=40, deadline=None)
def test_any_frame_keeps_missing_values_and_ranges(numbers, words):
    count = min(len(numbers), len(words))
    table = pl.DataFrame(
        {"n": pl.Series(numbers[:count], dtype=pl.Float64), "w": pl.Series(words[:count], dtype=pl.String)}
    )
    columns = infer(table, {"n": "number"} if any(number is not None for number in numbers[:count]) else None)
    chunk = chunk_of(table, columns)
    encoders = encoders_of(columns, [chunk])
    found = encoders.decode(encoders.rows(encoders.compact(chunk), torch.arange(count)))
    if "w" in found:
        assert np.array_equal(found["w"].codes, chunk["w"].codes)
    if "n" in found and found["n"].numbers is not None:
        true, mine = chunk["n"].numbers, found["n"].numbers
        assert np.array_equal(np.isnan(true), np.isnan(mine))
        known = true[~np.isnan(true)]
        np.testing.assert_allclose(mine[~np.isnan(true)], known, atol=1e-6 * np.ptp(known), rtol=1e-6)


def test_a_table_without_anything_to_learn_has_rows_of_no_width():
    column = Column("id", "id", rows=3)
    chunk = {"id": Typed(None, np.zeros(3, np.int32))}
    encoders = encoders_of([column], [chunk])
    compact = encoders.compact(chunk)
    assert encoders.rows(compact, torch.arange(3)).shape == (3, 0)
    assert encoders.decode(torch.empty(3, 0)) == {}
