"""The values of numbers, as the critic reads them off encoded rows."""

import numpy as np
import pytest
import torch

from rivals.modalities.tables.columns import Column, Typed
from rivals.modalities.tables.encode import encoders_of
from rivals.modalities.tables.values import Values, readings


def test_readings_are_the_numbers_themselves_in_deviations_from_their_mean():
    random = np.random.default_rng(0)
    numbers = np.concatenate([random.normal(0, 1, 600), random.normal(30, 4, 400)])
    days = np.floor(np.concatenate([random.normal(8_000, 20, 500), random.normal(9_000, 20, 500)]))
    columns = [
        Column("x", "number", low=numbers.min(), high=numbers.max()),
        Column("d", "date", low=days.min(), high=days.max()),
        Column("c", "category", categories=("a", "b"), counts=(500, 500)),
    ]
    cells = {"x": Typed(numbers), "d": Typed(days), "c": Typed(None, np.arange(1000, dtype=np.int32) % 2)}
    encoders = encoders_of(columns, [cells])
    rows = encoders.rows(encoders.compact(cells), torch.arange(1000))
    found = Values(encoders.layout, readings(encoders))(rows).numpy()
    assert found.shape == (1000, 2)
    for column, true in zip(found.T, (numbers, days), strict=True):
        assert np.corrcoef(column, true)[0, 1] > 0.9999
        assert column.mean() == pytest.approx(0, abs=0.1)
        assert column.std() == pytest.approx(1, abs=0.1)


def test_special_and_missing_cells_are_read_as_the_mean():
    numbers = np.array([0.0] * 500 + [np.nan] * 100 + list(np.random.default_rng(0).normal(50, 5, 400)))
    column = Column("x", "number", low=30.0, high=70.0, missing=100, special=(0.0,))
    cells = {"x": Typed(numbers)}
    encoders = encoders_of([column], [cells])
    rows = encoders.rows(encoders.compact(cells), torch.arange(1000))
    found = Values(encoders.layout, readings(encoders))(rows)
    assert (found[:600] == 0).all()
    assert found[600:].std() > 0.5
