"""The modality of tables: what travels inside every saved table model."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from rivals.engine.data import Dataset
from rivals.engine.errors import RequestError
from rivals.engine.parallel import own_rows
from rivals.engine.terms import Measure
from rivals.engine.types import Batch, Sample, leaves

from .columns import Column
from .encode import Compact, Encoders
from .layout import relax
from .networks import CRITICS, GENERATORS, Row
from .terms import TERMS

NOTHING, ONE = 0.5, 0.9  # how often nothing is asked for in training, and nothing or a single column


@dataclass(frozen=True)
class Tables:
    """Rows of a table as tensors (batch, width) float32: scalars in [-1, 1] and one-hots.

    Args:
        columns: of the table, in its order, also those that are not learned.
        encoders: of the columns that are.
    """

    columns: tuple[Column, ...]
    encoders: Encoders

    suffix: ClassVar[str] = ".csv"
    generators: ClassVar[Mapping[str, Callable[..., nn.Module]]] = GENERATORS
    critics: ClassVar[Mapping[str, Callable[..., nn.Module]]] = CRITICS
    terms: ClassVar[Mapping[str, Measure | type[nn.Module]]] = TERMS

    def common(self) -> Mapping[str, Any]:
        """What every network is told: the width of a row, and where everything of it is."""
        return {"shape": (self.encoders.layout.width,), "layout": self.encoders.layout}

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

        Raises:
            RequestError: a column or a value that there is not.
        """
        if wish is None:
            return torch.full((count, len(self.encoders.layout.softmaxes)), -1)
        from .wishes import read_wish

        return read_wish(wish, self).slots(self, count)

    def render(self, sample: Sample) -> Iterator[bytes]:
        """All rows as one CSV file."""
        from .sampling import frame_of
        from .writing import harmless

        rows = leaves(sample)[0]
        frame = frame_of(self, self.encoders.decode(rows, torch.Generator().manual_seed(0)), len(rows), seed=0, start=0)
        yield harmless(frame).write_csv().encode()


def dataset(modality: Tables, compact: Compact, train: Tensor, held_out: Tensor) -> Dataset:
    """Encoded rows as numbered items, each under a condition that it fulfils: some of its own slots.

    Half of the rows are asked for nothing, most of the others for one column, a few for two or three.
    """

    def cut(which: Tensor) -> Batch:
        slots = compact.slots[which].long()
        draws = own_rows(torch.rand, len(which), 1 + slots.shape[1])
        count = (draws[:, :1] >= NOTHING).int() + (draws[:, :1] >= ONE) + (draws[:, :1] >= (1 + ONE) / 2)
        asked = draws[:, 1:].argsort(1).argsort(1) < count  # so many columns, each as likely
        return Batch(modality.encoders.rows(compact, which), torch.where(asked, slots, -1))

    return Dataset(cut, train, held_out)
