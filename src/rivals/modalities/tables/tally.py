"""Counting the different cells of a column that may be larger than memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from .date_cells import find_dates
from .number_cells import find_numbers
from .series import mean, most

MOST_CELLS = 500_000
"""Different cells that are counted one by one."""

_MOST_NUMBERS = 50_000
_SAMPLE = 50_000
_FREQUENT = 10_000
_ENDS = 12
_HASHES = 2.0**64


@dataclass(frozen=True)
class Tally:
    """The different cells of a column and how often each is there.

    Of a column with more different cells than fit, it has the most frequent ones, the first and the last, those that
    are unlike the others (words between numbers), and a random sample: all cells whose hash is below `bound`, counted
    in full (a bottom-k sketch: Beyer et al., SIGMOD 2007).

    Attributes:
        values: (k,) different cells without missing ones.
        counts: (k,) int64.
        rows: Of the column, missing cells included.
        nulls: Missing cells.
        bound: All cells with a smaller hash are among `values`, 2^64 for all.
        rising: The rows of each chunk are in the order of their cells, as running numbers are.
    """

    values: pl.Series
    counts: np.ndarray
    rows: int = 0
    nulls: int = 0
    bound: float = _HASHES
    rising: bool = True

    @property
    def whole(self) -> bool:
        """Whether these are all cells."""
        return self.bound >= _HASHES

    @property
    def distinct(self) -> int:
        """Different cells, missing ones aside: counted, or estimated from the sample."""
        if self.whole:
            return len(self.values)
        return min(round(int(self._sampled().sum()) * _HASHES / self.bound), self.present)

    @property
    def present(self) -> int:
        """Rows whose cell isn't missing."""
        return self.rows - self.nulls

    @property
    def single(self) -> float:
        """Share of the different cells that are there once."""
        counts = self.counts if self.whole else self.counts[self._sampled()]
        return float((counts == 1).mean()) if len(counts) else 0.0

    def without(self, cells: list[object]) -> "Tally":
        """The same with these cells taken for missing."""
        gone = self.values.is_in(cells).to_numpy() if len(self.values) else np.zeros(0, bool)
        return replace(
            self,
            values=self.values.filter(pl.Series(~gone)),
            counts=self.counts[~gone],
            nulls=self.nulls + int(self.counts[gone].sum()),
        )

    def _sampled(self) -> np.ndarray:
        return self.values.hash().to_numpy().astype(float) < self.bound


def tally_of(cells: pl.Series) -> Tally:
    """The tally of some cells."""
    nulls = cells.null_count()
    if cells.dtype == pl.Null:
        return Tally(cells.clear(), np.zeros(0, np.int64), len(cells), len(cells))
    counted = cells.rename("cell").drop_nulls().value_counts(name="count")
    return Tally(counted["cell"], counted["count"].to_numpy().astype(np.int64), len(cells), nulls, rising=_rises(cells))


def _rises(cells: pl.Series) -> bool:
    if cells.dtype == pl.String:
        cells = cells.cast(pl.Float64, strict=False)
    return cells.dtype.is_numeric() and cells.is_sorted()


def merged(tallies: Sequence[Tally]) -> Tally:
    """All counted together, with as much left out as has to be."""
    alike = _alike(tallies)
    cells = pl.concat([tally.values for tally in alike])
    table = pl.DataFrame({"cell": cells, "count": np.concatenate([tally.counts for tally in alike])})
    summed = table.group_by("cell").agg(pl.col("count").sum())
    rows, nulls = sum(tally.rows for tally in alike), sum(tally.nulls for tally in alike)
    both = Tally(
        summed["cell"],
        summed["count"].to_numpy(),
        rows,
        nulls,
        min(tally.bound for tally in alike),
        all(tally.rising for tally in alike),
    )
    limit = _MOST_NUMBERS + _SAMPLE if _is_numeric(both) else MOST_CELLS
    return _cut(both) if len(both.values) > limit else both


def _alike(tallies: Sequence[Tally]) -> list[Tally]:
    """All with cells of one type, text at worst; chunks of a database may differ in theirs."""
    types = [tally.values.dtype for tally in tallies if tally.values.dtype != pl.Null] or [pl.Null()]
    if all(dtype == types[0] for dtype in types):
        own = types[0]
    elif all(dtype.is_numeric() for dtype in types):
        own = pl.Float64() if any(dtype.is_float() for dtype in types) else pl.Int64()
    else:
        own = pl.String()
    return [replace(tally, values=tally.values.cast(own)) for tally in tallies]


def in_order(tally: Tally) -> Tally:
    """The most frequent cells first and ties in their order."""
    table = pl.DataFrame({"cell": tally.values, "count": tally.counts})
    text = pl.col("cell").cast(pl.String) if tally.values.dtype in (pl.Categorical, pl.Enum) else pl.col("cell")
    table = table.sort(-pl.col("count"), text)
    return replace(tally, values=table["cell"], counts=table["count"].to_numpy())


def _is_numeric(tally: Tally) -> bool:
    """Whether most cells are plain numbers: few of those are worth counting one by one."""
    if tally.values.dtype == pl.String:
        return mean(tally.values.head(1_000).cast(pl.Float64, strict=False).is_not_null()) > 0.9
    return tally.values.dtype.is_numeric() or tally.values.dtype.is_temporal()


def _cut(tally: Tally) -> Tally:
    """The tally with its sample halved or more, and what `Tally` keeps beside it."""
    hashes = tally.values.hash().to_numpy().astype(float)
    bound = min(float(np.partition(hashes, _SAMPLE)[_SAMPLE]), tally.bound)
    kept = hashes < bound
    kept[np.argpartition(-tally.counts, _FREQUENT)[:_FREQUENT]] = True
    kept[_witnesses(tally)] = True
    return replace(tally, values=tally.values.filter(pl.Series(kept)), counts=tally.counts[kept], bound=bound)


def _witnesses(tally: Tally) -> np.ndarray:
    """Rows of the first and last cells, as text and as what they mean, and of those unlike the others."""
    values = tally.values
    if values.dtype != pl.String:
        return _ends(values.to_physical())
    numbers = values.cast(pl.Float64, strict=False)
    if mean(numbers.is_null()) > 0.1:  # no plain numbers
        found = find_dates(values, tally.counts) or find_numbers(values, tally.counts)
        numbers = found.values if found is not None and mean(found.values.is_not_null()) > 0.5 else numbers.clear()
    longest = values.set(values.str.len_chars() < most(values.str.len_chars()), None)
    odd = numbers.is_null().arg_true()[:_FREQUENT]
    return np.concatenate([_ends(values), _ends(numbers), odd.to_numpy(), [longest.arg_max()]]).astype(np.int64)


def _ends(values: pl.Series) -> np.ndarray:
    """Rows of the smallest and the largest values, as many as may be special and one more at least."""
    order = values.arg_sort(nulls_last=True).to_numpy()[: len(values) - values.null_count()]
    return np.concatenate([order[:_ENDS], order[-_ENDS:]])
