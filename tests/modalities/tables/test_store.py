import numpy as np
import pytest
import torch

from rivals.modalities.tables.columns import Column, Typed
from rivals.modalities.tables.encode import Encoders, encoders_of
from rivals.modalities.tables.encode_numbers import NumberEncoder
from rivals.modalities.tables.store import kept

COUNT = 250


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    numbers, codes = rng.normal(size=COUNT), rng.integers(0, 300, COUNT).astype(np.int32)
    columns = (
        Column("x", "number", rows=COUNT, low=float(numbers.min()), high=float(numbers.max())),
        Column("c", "category", rows=COUNT, categories=tuple(map(str, range(300))), counts=(1,) * 300),
    )
    asked = []

    def chunks():
        asked.append(1)
        for start in range(0, COUNT, 100):
            rows = slice(start, start + 100)
            yield {"x": Typed(numbers[rows]), "c": Typed(None, codes[rows])}

    return columns, chunks, asked


@pytest.mark.parametrize("most_slots", [256, 512])
def test_what_is_mapped_is_what_was_encoded_and_it_is_made_once(table, tmp_path, most_slots):
    columns, chunks, asked = table
    encoders = encoders_of(columns, chunks(), most_slots=most_slots)
    seen = []
    first = kept(encoders, chunks, COUNT, "abc", cache=tmp_path, progress=lambda *now: seen.append(now))
    again = kept(encoders, chunks, COUNT, "abc", cache=tmp_path)
    assert len(asked) == 2
    assert seen == [(100, COUNT), (200, COUNT), (250, COUNT)]
    whole = encoders.compact({
        name: Typed(*(None if parts[0] is None else np.concatenate(parts) for parts in zip(*cells, strict=True)))
        for name, cells in {n: [chunk[n] for chunk in chunks()] for n in ("x", "c")}.items()
    })  # fmt: skip
    for mapped in (first, again):
        assert torch.equal(mapped.scalars, whole.scalars)
        assert torch.equal(mapped.slots, whole.slots)
    assert first.slots.dtype == (torch.uint8 if most_slots == 256 else torch.int16)


def test_draws_follow_from_the_first_rows_number_and_are_kept_apart_by_it(table, tmp_path):
    _, chunks, _ = table
    encoders = Encoders((NumberEncoder("x", -9, 9, 0, 0, 0, (-0.5, 0.5), (8.0, 8.0), (0.5, 0.5)),))
    plain, secret = (kept(encoders, chunks, COUNT, "a", first=first, cache=tmp_path) for first in (0, 2**62 - 5))
    assert 0.2 < (plain.slots != secret.slots).float().mean() < 0.8  # two modes reach each value
    parts = [encoders.compact(chunk, 2**62 - 5 + 100 * place) for place, chunk in enumerate(chunks())]
    assert torch.equal(secret.slots, torch.cat([part.slots for part in parts]))
    assert torch.equal(secret.scalars, torch.cat([part.scalars for part in parts]))


def test_another_table_or_other_encoders_are_kept_apart(table, tmp_path):
    columns, chunks, _ = table
    encoders, others = encoders_of(columns, chunks()), encoders_of(columns, chunks(), most_slots=16)
    for use, content in ((encoders, "a"), (encoders, "b"), (others, "a")):
        kept(use, chunks, COUNT, content, cache=tmp_path)
    assert len([path for path in (tmp_path / "tables").iterdir() if path.is_dir()]) == 3


def test_a_damaged_file_is_made_again(table, tmp_path):
    columns, chunks, _ = table
    encoders = encoders_of(columns, chunks())
    true = kept(encoders, chunks, COUNT, "a", cache=tmp_path).slots.clone()
    [file] = tmp_path.glob("tables/*/slots")
    file.write_bytes(b"short")
    assert torch.equal(kept(encoders, chunks, COUNT, "a", cache=tmp_path).slots, true)


def test_a_table_of_categories_only_has_no_scalars(tmp_path):
    column = Column("c", "category", rows=4, categories=("a", "b"), counts=(3, 1))
    chunk = {"c": Typed(None, np.array([0, 0, 1, 0], np.int32))}
    encoders = encoders_of([column], [chunk])
    compact = kept(encoders, lambda: [chunk], 4, "a", cache=tmp_path)
    assert compact.scalars.shape == (4, 0)
    assert encoders.rows(compact, torch.arange(4)).tolist() == [[1, 0], [1, 0], [0, 1], [1, 0]]
