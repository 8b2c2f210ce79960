"""A table's encoders: from typed cells to rows that a network learns, and back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .clusters import Company, features_of
from .columns import CODED, NUMERIC, Column, Typed
from .draws import uniforms
from .encode_categories import CategoryEncoder, shares
from .encode_dates import DateEncoder, date_encoder, days_and_seconds
from .encode_numbers import CLOCK, STEPS, NumberEncoder, number_encoder, step_of
from .layout import Layout, layout_of, one_hots

SAMPLE = 200_000
"""Rows that modes are fitted to."""

ROWS_A_SLOT = 20


class Compact(NamedTuple):
    """Encoded rows without their zeros, kept in memory or on disk.

    Attributes:
        scalars: (n, scalars) float32 in [-1, 1].
        slots: (n, softmaxes) uint8, int16 or int32: which slot of each softmax is 1.
    """

    scalars: Tensor
    slots: Tensor


@dataclass(frozen=True)
class Encoders:
    """An encoder for each column that is learned: plain values that travel inside every saved model."""

    numbers: tuple[NumberEncoder, ...] = ()
    dates: tuple[DateEncoder, ...] = ()
    categories: tuple[CategoryEncoder, ...] = ()

    @property
    def all(self) -> tuple[NumberEncoder | DateEncoder | CategoryEncoder, ...]:
        """In the order of the encoded row."""
        return (*self.numbers, *self.dates, *self.categories)

    @cached_property
    def layout(self) -> Layout:
        """Where everything of an encoded row is."""
        return layout_of((encoder.column, part) for encoder in self.all for part in encoder.parts())

    @property
    def slot_dtype(self) -> torch.dtype:
        """The smallest integers that hold all slots."""
        widest = max((segment.width for segment in self.layout.softmaxes), default=0)
        return torch.uint8 if widest <= 2**8 else torch.int16 if widest <= 2**15 else torch.int32

    def compact(self, chunk: Mapping[str, Typed], first: int = 0) -> Compact:
        """Encode some rows of a table.

        Args:
            chunk: the cells, (n,) of each column.
            first: the number of the first row. Where several modes fit a value, the row's number chooses.
        """
        count = rows_of(chunk)
        scalars = np.empty((count, len(self.layout.scalars)), np.float32)
        slots = torch.empty(count, len(self.layout.softmaxes), dtype=self.slot_dtype).numpy()
        scalar = slot = 0
        for stream, encoder in enumerate(self.all, 1):
            arrays = encoder.encode(chunk[encoder.column], uniforms(first, count, stream))
            for part, array in zip(encoder.parts(), arrays, strict=True):
                if part.width:
                    slots[:, slot], slot = array, slot + 1
                else:
                    scalars[:, scalar], scalar = array, scalar + 1
        return Compact(torch.from_numpy(scalars), torch.from_numpy(slots))

    def rows(self, compact: Compact, which: Tensor) -> Tensor:
        """Some rows as the critic sees them: scalars and one-hots.

        Args:
            compact: where from.
            which: (n,) int64.

        Returns:
            (n, width) float32.
        """
        return one_hots(compact.scalars[which], compact.slots[which], self.layout)

    def decode(self, sample: Tensor, generator: torch.Generator | None = None) -> dict[str, Typed]:
        """The cells of rows, by column: of each softmax the largest slot.

        Args:
            sample: (n, width).
            generator: draws the members of clusters, on the CPU.
        """
        values = sample.detach().to("cpu", torch.float32)
        slots = [values[:, s.start : s.start + s.width].argmax(1) for s in self.layout.softmaxes]
        none = torch.zeros(len(values), 0, dtype=torch.long)
        return self.cells(values[:, : len(self.layout.scalars)], torch.stack(slots, 1) if slots else none, generator)

    def cells(self, scalars: Tensor, slots: Tensor, generator: torch.Generator | None = None) -> dict[str, Typed]:
        """The cells of rows, by column, from their scalars (n, scalars) and their slots (n, softmaxes), on the CPU."""
        count, still = len(scalars), np.zeros(len(scalars))
        numbers, chosen = iter(scalars.T.contiguous().numpy()), iter(slots.T.contiguous().numpy())
        cells = {}
        for encoder in self.all:
            arrays = [next(chosen if part.width else numbers) for part in encoder.parts()]
            drawn = isinstance(encoder, CategoryEncoder) and encoder.clusters
            draws = torch.rand(count, dtype=torch.float64, generator=generator).numpy() if drawn else still
            cells[encoder.column] = encoder.decode(arrays, draws)
        return cells


def rows_of(chunk: Mapping[str, Typed]) -> int:
    """How many rows a chunk has."""
    return max((len(array) for typed in chunk.values() for array in typed if array is not None), default=0)


def slots_for(rows: int) -> int:
    """The most slots of a column of categories in a table: one for every `ROWS_A_SLOT` rows, from 32 to 256.

    A softmax wider than a small table can fill is learned by heart rather than in general.

    >>> slots_for(500), slots_for(2_000), slots_for(1_000_000)
    (32, 100, 256)
    """
    return min(max(rows // ROWS_A_SLOT, 32), 256)


def encoders_of(
    columns: Sequence[Column], chunks: Iterable[Mapping[str, Typed]], *, most_modes: int = 10, most_slots: int = 256
) -> Encoders:
    """Fit encoders in one pass over a table, in memory that does not grow with it.

    Modes are fitted to `SAMPLE` rows drawn over the whole table; what must hold for every row (ranges, the steps that
    values are multiples of, the company of rare categories) is taken from all of them. Ids, texts and empty columns are
    not learned.

    Args:
        columns: of the table.
        chunks: its rows in order, the cells by column.
        most_modes: of a column of numbers.
        most_slots: of a column of categories; what the others share is in `CategoryEncoder`.
    """
    look = _Look(columns, most_slots)
    for chunk in chunks:
        look.feed(chunk)
    sample = look.sample.rows()
    numbers = [look.number(column, sample[column.name], most_modes) for column in look.numbers]
    dates = [look.date(column, sample[column.name], most_modes) for column in look.dates]
    categories = [_category(column, look.companies.get(column.name), most_slots) for column in look.categories]
    return Encoders(tuple(numbers), tuple(dates), tuple(categories))


class _Sample:
    """Up to `SAMPLE` rows of some columns of numbers, each row as likely as any other, in the order of the table."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.first = 0
        self.bound = 1.0
        self.kept = np.empty((0, 1 + len(names)))

    def feed(self, chunk: Mapping[str, Typed]) -> None:
        count = rows_of(chunk)
        priority = uniforms(self.first, count, 0)
        new = priority < self.bound
        columns = [np.asarray(chunk[name].numbers)[new] for name in self.names]
        self.kept = np.concatenate([self.kept, np.column_stack([priority[new], *columns])])
        self.first += count
        if len(self.kept) > 1.5 * SAMPLE:
            self._thin()

    def _thin(self) -> None:
        self.bound = np.partition(self.kept[:, 0], SAMPLE)[SAMPLE]
        self.kept = self.kept[self.kept[:, 0] < self.bound]

    def rows(self) -> dict[str, np.ndarray]:
        """The rows drawn, by column."""
        if len(self.kept) > SAMPLE:
            self._thin()
        return {name: self.kept[:, place] for place, name in enumerate(self.names, 1)}


class _Look:
    """What one pass over a table finds out for its encoders."""

    def __init__(self, columns: Sequence[Column], most_slots: int) -> None:
        self.numbers = [column for column in columns if column.kind in ("number", "integer", "time")]
        self.dates = [column for column in columns if column.kind in ("date", "datetime")]
        self.categories = [column for column in columns if column.kind in CODED]
        self.most_slots = most_slots
        self.sample = _Sample([column.name for column in columns if column.kind in NUMERIC])
        self.steps = {column.name: 0 for column in (*self.numbers, *self.dates)}
        self.clocks: dict[str, tuple[float, float]] = {}
        self.companies: dict[str, Company] = {}

    def feed(self, chunk: Mapping[str, Typed]) -> None:
        """Look at some more rows."""
        if not self.sample.first:
            wide = [column for column in self.categories if shares(*_size(column), self.most_slots)[1]]
            if wide:
                features = features_of([*self.numbers, *self.dates, *self.categories], chunk, self.most_slots)
                self.companies = {column.name: Company(column, features) for column in wide}
        self.sample.feed(chunk)
        for company in self.companies.values():
            company.feed(chunk)
        for column in (*self.numbers, *self.dates):
            self._step(column, ordinary(column, np.asarray(chunk[column.name].numbers)))

    def _step(self, column: Column, numbers: np.ndarray) -> None:
        """Hold on to the coarsest step and, of dates, to the earliest and latest time of day."""
        if not len(numbers) or column.kind == "date":
            return
        slack = 0.0
        if column.kind == "datetime":
            slack = 5e-7  # what is left of the digits of a float behind the seconds since 1970
            numbers = days_and_seconds(numbers, True)[1]
            low, high = self.clocks.get(column.name, (np.inf, -np.inf))
            self.clocks[column.name] = min(low, float(numbers.min())), max(high, float(numbers.max()))
        self.steps[column.name] = step_of(numbers, _steps(column), self.steps[column.name], slack)

    def number(self, column: Column, numbers: np.ndarray, most: int) -> NumberEncoder:
        """The encoder of a column of numbers."""
        low, high = column.low or 0.0, column.high or 0.0
        known = ordinary(column, numbers)
        return beside(column, number_encoder(column.name, known, low, high, step=self._of(column), most=most))

    def date(self, column: Column, numbers: np.ndarray, most: int) -> DateEncoder:
        """The encoder of a column of dates."""
        low, high, timed = column.low or 0.0, column.high or 0.0, column.kind == "datetime"
        encoder = date_encoder(
            column.name, ordinary(column, numbers), low, high, timed=timed, step=self._of(column),
            clock=self.clocks.get(column.name, (0.0, 0.0)), most=most,
        )  # fmt: skip
        return replace(encoder, days=beside(column, encoder.days))

    def _of(self, column: Column) -> float:
        return (*_steps(column), 0.0)[self.steps[column.name]]


def _steps(column: Column) -> Sequence[float]:
    return CLOCK if column.kind in ("time", "datetime") else STEPS


def _size(column: Column) -> tuple[int, bool]:
    return len(column.categories), column.missing > 0


def _category(column: Column, company: Company | None, most_slots: int) -> CategoryEncoder:
    """The encoder of a column of categories; `company` if it has more than it has slots."""
    categories, missing = _size(column)
    own, shared = shares(categories, missing, most_slots)
    if company is None:
        return CategoryEncoder(column.name, categories, missing=missing)
    clusters = tuple(company.groups(own, shared).tolist())
    return CategoryEncoder(column.name, categories, clusters, column.counts[own:], missing)


def ordinary(column: Column, numbers: np.ndarray) -> np.ndarray:
    """The numbers that are neither missing nor special."""
    return numbers[~(np.isnan(numbers) | np.isin(numbers, column.special))]


def beside(column: Column, encoder: NumberEncoder) -> NumberEncoder:
    """The encoder with slots for what stands beside ordinary numbers."""
    return replace(encoder, special=column.special, words=len(column.words), missing=column.missing > 0)
