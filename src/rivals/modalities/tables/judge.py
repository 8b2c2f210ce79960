"""Verdicts on table models: quick ones during training, and the whole one at the end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from rivals.engine.model import Model

from .columns import CODED, NUMERIC, Column, Typed
from .fidelity import coded, shapes
from .rows import Rows
from .sampling import drawn, frames
from .two_sample import two_sample
from .verdict import LEAST, verdict_of

QUICK = 2_000  # rows of a quick verdict on either side
FEW = 200  # rows of a quick one at least, where there are as many: boosting tells nothing from fewer
FULL = 20_000  # rows of the whole one
SEED = 1


@dataclass(frozen=True)
class TableJudge:
    """Judges models against rows that no generator has learned from, but for what is counted on the whole table.

    Ranges, categories and their shares are: a run's shares are a little nearer to the held-out rows' than training rows
    alone would bring them.

    Args:
        columns: of the table.
        quick_rows: rows for quick verdicts, none of the held-out ones: quick verdicts choose the best state.
        train: makes some training rows as they stand in the table.
        held_out: held-out rows likewise.
        name, content: of the table, and the sha256 of its rows.
        tell: called with progress.
    """

    columns: tuple[Column, ...]
    quick_rows: Rows
    train: Callable[[], pl.DataFrame]
    held_out: pl.DataFrame
    name: str
    content: str
    tell: Callable[[Mapping[str, Any]], None] = lambda entry: None

    def quick(self, model: Model, seed: int, share: float) -> dict[str, float]:
        """`two_sample`, the area under the curve of a classifier that tells fakes from real rows, and `shapes`.

        The second is how alike the columns' distributions are, in percent, the mean over the columns.
        """
        count = max(min(max(round(share * QUICK), FEW), len(self.quick_rows)), 20)
        cells = drawn(model, count, seed=100 + seed)
        fake, real = rows_of(self.columns, cells, count), self.quick_rows.drawn(count, seed)
        alike = shapes(*coded(real, fake))
        value = two_sample(real, fake, folds=2, seed=seed).value
        return {"two_sample": round(value, 4), "shapes": round(100 * float(np.nanmean(alike)), 3)}

    def final(self, model: Model, folder: Path) -> dict[str, Any]:
        """The verdict; a table of too few rows has none."""
        if self.held_out.height < LEAST:
            told = f"not judged: {self.held_out.height} rows were held out, and a verdict needs {LEAST} or more"
            return {"scores": {}, "intervals": {}, "floor": {}, "notes": [told]}
        fake = pl.concat(frames(model, FULL, seed=SEED))
        found = verdict_of(fake, self.train(), self.held_out, self.columns, seed=SEED, tell=self.comparing)
        found["card"] |= {"fakes": str(folder), "data": self.name, "data_sha256": self.content}
        return found

    def comparing(self, words: str) -> None:
        """What the judge reckons now."""
        self.tell({"kind": "comparing", "what": words})


def rows_of(columns: Sequence[Column], cells: Mapping[str, Typed], count: int) -> Rows:
    """Typed cells as rows for judging."""
    numbers = {c.name: cells[c.name].numbers for c in columns if c.name in cells and c.kind in NUMERIC}
    coded_ = {c.name: c for c in columns if c.name in cells and c.kind in CODED and len(c.categories) > 1}
    codes = {name: cells[name].codes for name in coded_}
    levels = {name: column.categories for name, column in coded_.items()}
    return Rows(count, numbers, codes, levels)  # type: ignore[arg-type]  # each kind of column has its array
