import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rivals.engine.data import Dataset, batch_rows, batches
from rivals.engine.types import Batch


@given(count=st.integers(1, 40), batch=st.integers(1, 50), seed=st.integers(0, 5), epochs=st.integers(1, 4))
def test_every_item_comes_once_an_epoch_though_batches_run_across(count, batch, seed, epochs):
    need = -(-count * epochs // batch)
    rows = torch.cat([batch_rows(count, batch, number, seed) for number in range(need)]).numpy()
    for epoch in range(epochs):
        np.testing.assert_array_equal(np.sort(rows[epoch * count : (epoch + 1) * count]), np.arange(count))


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 100), st.integers(0, 5))
def test_a_batch_is_a_pure_function_of_its_number(count, batch, number, seed):
    first = batch_rows(count, batch, number, seed)
    batch_rows(count + 1, batch, number + 7, seed + 1)
    np.random.default_rng().random()
    assert first.dtype == torch.int64
    assert first.shape == (batch,)
    assert torch.equal(first, batch_rows(count, batch, number, seed))


def test_orders_differ_from_epoch_to_epoch_and_from_seed_to_seed():
    epochs = [tuple(batch_rows(50, 50, number, 0).tolist()) for number in range(4)]
    assert len({*epochs, tuple(batch_rows(50, 50, 0, 1).tolist())}) == 5


def test_batches_start_anywhere_and_carry_their_conditions():
    items, labels = torch.arange(30.0)[:, None], torch.arange(30)
    data = Dataset(lambda rows: Batch(items[rows], labels[rows]), torch.arange(5, 30), torch.arange(5))
    whole = batches(data, 4, 3, torch.device("cpu"))
    expected = [next(whole) for _ in range(20)]
    late = batches(data, 4, 3, torch.device("cpu"), start=15)
    for batch in expected[15:]:
        real, cond = next(late)
        assert torch.equal(real, batch.real)
        assert torch.equal(cond, batch.cond)
        assert torch.equal(real[:, 0].long(), cond)
    assert min(int(batch.cond.min()) for batch in expected) >= 5, "held-out items are never trained on"


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_processes_share_a_batch_without_overlap(rank, monkeypatch):
    from rivals.engine import data as module

    items = torch.arange(40.0)[:, None]
    data = Dataset(lambda rows: Batch(items[rows]), torch.arange(40), torch.arange(0))
    whole = next(batches(data, 12, 0, torch.device("cpu"))).real
    monkeypatch.setattr(module, "processes", lambda: (rank, 3))
    assert torch.equal(next(batches(data, 12, 0, torch.device("cpu"))).real, whole[4 * rank : 4 * rank + 4])
