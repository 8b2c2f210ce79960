"""The modality of tables: what travels inside every saved table model."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from rivals.engine.data import Dataset
from rivals.engine.errors import RequestError
from rivals.engine.terms import Measure
from rivals.engine.types import Batch, Sample, leaves

from .asking import Asking, Balanced, Mix, drawn_from
from .columns import Column, Typed
from .constraints_rules import Rules
from .encode import Compact, Encoders
from .layout import draw, relax
from .networks import CRITICS, GENERATORS, Row
from .terms import TERMS
from .values import readings


@dataclass(frozen=True)
class Tables:
    """Rows of a table as tensors (batch, width) float32: scalars in [-1, 1] and one-hots.

    Args:
        columns: of the table, in its order, also those that are not learned.
        encoders: of the columns that are.
        mix: of a model that was asked for something in every row: the true shares of each softmax's slots, none for
            those that were not asked for. Empty for a model that can be asked for nothing.
        rules: that every row keeps. Where they do by construction, something else is learned in a column's place.
        separator: between the cells of the table's text file.
    """

    columns: tuple[Column, ...]
    encoders: Encoders
    mix: Mix = ()
    rules: Rules = field(default_factory=Rules)
    separator: str = ","

    suffix: ClassVar[str] = ".csv"
    generators: ClassVar[Mapping[str, Callable[..., nn.Module]]] = GENERATORS
    critics: ClassVar[Mapping[str, Callable[..., nn.Module]]] = CRITICS
    terms: ClassVar[Mapping[str, Measure | type[nn.Module]]] = TERMS

    def common(self) -> Mapping[str, Any]:
        """What every network is told: the width of a row, where everything of it is, and what its numbers are."""
        layout = self.encoders.layout
        return {"shape": (layout.width,), "layout": layout, "readings": readings(self.encoders)}

    def show(self, raw: Any) -> Sample:
        """Logits as numbers near one-hots."""
        return relax(raw.values, raw.layout, raw.tau) if isinstance(raw, Row) else raw

    def operations(self, names: Sequence[str]) -> tuple[str, ...]:
        """There are none: a changed row is another row."""
        if names:
            raise RequestError(f"rows of a table are not augmented; leave {names[0]!r} out")
        return ()

    def augment(self, sample: Sample, operations: Sequence[str], strength: Tensor) -> Sample:
        """Nothing is done."""
        del operations, strength
        return sample

    def condition(self, wish: str | None, count: int) -> Tensor | None:
        """What is asked of each row, (count, softmaxes) int64 slots; -1 where nothing is.

        Without a wish that is nothing, or one value by its true frequency where the model knows no row without.

        Raises:
            RequestError: a column or a value that there is not.
        """
        if wish is None:
            return drawn_from(self.mix, count) if self.mix else self.nothing(count)
        from .wishes import read_wish

        return read_wish(wish, self).slots(self, count)

    def nothing(self, count: int) -> Tensor:
        """Nothing asked of any row, (count, softmaxes)."""
        return torch.full((count, len(self.encoders.layout.softmaxes)), -1)

    def cells(self, rows: Tensor, generator: torch.Generator) -> dict[str, Typed]:
        """The table's cells of rows (n, width), by column; the generator draws what is left open."""
        return self.finished(self.encoders.decode(rows, generator))

    def drawn(self, raw: Any, generator: torch.Generator) -> dict[str, Typed]:
        """The cells of rows as a generator returns them, by column: softmaxes are drawn from by torch's own numbers."""
        if not isinstance(raw, Row):
            return self.cells(raw, generator)
        scalars, slots = draw(raw.values.float(), raw.layout)
        return self.finished(self.encoders.cells(scalars.cpu(), slots.cpu(), generator))

    def finished(self, cells: dict[str, Typed]) -> dict[str, Typed]:
        """Decoded cells with times within their column's bounds, and with what the rules make of them."""
        timed = {encoder.column for encoder in self.encoders.dates if encoder.timed}
        for column in (column for column in self.columns if column.name in timed):
            values, words = cells[column.name]
            assert values is not None
            within = np.clip(values, column.low, column.high)  # day and time of day were decoded each for itself
            cells[column.name] = Typed(np.where(np.isin(values, column.special), values, within), words)
        return self.rules.back(cells, self.columns)

    def render(self, sample: Sample) -> Iterator[bytes]:
        """All rows as one CSV file."""
        from .sampling import frame_of
        from .writing import harmless

        rows = leaves(sample)[0]
        frame = frame_of(self, self.cells(rows, torch.Generator().manual_seed(0)), len(rows), seed=0, start=0)
        yield harmless(frame).write_csv().encode()


def dataset(
    modality: Tables, compact: Compact, train: Tensor, held_out: Tensor, asking: Asking | None = None
) -> Dataset:
    """Encoded rows as numbered items, each under a condition that it fulfils: some of its own slots.

    By default half of the rows are asked for nothing, most of the others for one column, a few for two or three. Where
    values are balanced, a training row stands for another that has the drawn value.
    """
    asking, layout = asking or Asking(), modality.encoders.layout
    places = asking.places(layout)
    by_slot = Balanced.of(compact.slots, train, layout) if asking.balanced and len(places) else None
    learned = torch.zeros(len(compact.slots), dtype=torch.bool).index_fill_(0, train, True)

    def cut(which: Tensor) -> Batch:
        asked, first = asking.columns(len(which), places)
        if by_slot is not None:
            which = torch.where(learned[which] & asked.any(1), by_slot.draw(first), which)
        slots = compact.slots[which].long()
        return Batch(modality.encoders.rows(compact, which), torch.where(asked, slots, -1))

    return Dataset(cut, train, held_out)
