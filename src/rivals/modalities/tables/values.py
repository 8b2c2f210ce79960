"""Columns of numbers as the critic can read them off an encoded row: a mode and a place in it make one value."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .encode import Encoders
from .encode_numbers import REACH, NumberEncoder
from .layout import Layout


class Reading(NamedTuple):
    """How a column's value follows from its scalar and its modes, in deviations from the column's mean.

    Attributes:
        scalar: its place in the row.
        start: the first of its modes' places.
        means, reaches: of the modes.
    """

    scalar: int
    start: int
    means: tuple[float, ...]
    reaches: tuple[float, ...]


def readings(encoders: Encoders) -> tuple[Reading, ...]:
    """Of every number, day and time of day that has modes beside its scalar."""
    places = {(segment.column, segment.role): segment.start for segment in encoders.layout.segments}
    found = []
    for column, prefix, encoder in numbers_of(encoders):
        scalar = places.get((column, prefix or "value"))
        start = places.get((column, f"{prefix} mode" if prefix else "mode"))
        if scalar is not None and start is not None:
            found.append(Reading(scalar, start, *standard(encoder)))
    return tuple(found)


def numbers_of(encoders: Encoders) -> Iterator[tuple[str, str, NumberEncoder]]:
    """Column, what its parts' roles begin with, encoder."""
    yield from ((encoder.column, "", encoder) for encoder in encoders.numbers)
    for date in encoders.dates:
        yield date.column, "day", date.days
        if date.time:
            yield date.column, "time", date.time


def standard(encoder: NumberEncoder) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Means and reaches of the modes in deviations from the mean of the mixture."""
    means, reaches, weights = (np.array(each) for each in (encoder.means, encoder.reaches, encoder.weights))
    weights = weights / max(weights.sum(), 1e-12)
    mean = (weights * means).sum()
    deviation = max(np.sqrt((weights * ((means - mean) ** 2 + (reaches / REACH) ** 2)).sum()), 1e-12)
    return tuple(((means - mean) / deviation).tolist()), tuple((reaches / deviation).tolist())


class Values(nn.Module):
    """Rows to the values of their numbers: the modes' means, and their reaches times the scalar, as far as each is on.

    Nothing is learned. A perceptron sees from these at once how numbers depend on each other, where it would have to
    learn the product of every mode with its scalar; special values, words and missing cells are 0, the column's mean.
    """

    means: Tensor
    reaches: Tensor
    scalars: Tensor

    def __init__(self, layout: Layout, readings: Sequence[Reading]) -> None:
        super().__init__()
        means, reaches = torch.zeros(2, layout.width, len(readings))
        for number, (_, start, own_means, own_reaches) in enumerate(readings):
            means[start : start + len(own_means), number] = torch.tensor(own_means)
            reaches[start : start + len(own_reaches), number] = torch.tensor(own_reaches)
        self.register_buffer("means", means, persistent=False)
        self.register_buffer("reaches", reaches, persistent=False)
        self.register_buffer("scalars", torch.tensor([r.scalar for r in readings], dtype=torch.long), persistent=False)

    def forward(self, rows: Tensor) -> Tensor:
        """(..., width) -> (..., readings)."""
        return rows @ self.means + rows[..., self.scalars] * (rows @ self.reaches)
