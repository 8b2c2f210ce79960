"""Two columns at a time under differential privacy: noisy tables, and a term that holds the generator to them.

What a critic tells of through noised gradients it tells dearly; how two columns go together can be counted once. Every
pair of columns is a table of counts with normal noise, and the generator lowers the distance between these tables and
its own, which are sums of products of its softmaxes' shares: a network fitted to noisy answers (Liu, Vietri and Wu,
2021, Iterative Methods for Private Synthetic Data, GEM). It follows from the noisy tables alone, so it
costs nothing more, and no table of the generator's is below 0 or at odds with another, whatever the noisy ones are.

A column is its first softmax: categories, the modes of numbers, those of a date's day. Which mode a number counts for
is drawn, so these draws must be each row's own, from a secret: then one row more or less leaves the others as they are.
"""

from collections.abc import Sequence
from itertools import accumulate, combinations

import numpy as np
import torch
from torch import Tensor, nn

from rivals.engine.privacy_mechanisms import noisy_counts
from rivals.engine.types import Round

from .columns import CODED, NUMERIC, Column
from .layout import Layout, log_softmax_segments

MOST_COLUMNS = 48  # whose pairs are counted: 1,128 tables
MOST_BINS = 32  # of a column; what is past them shares the last


def paired(columns: Sequence[Column]) -> tuple[str, ...]:
    """The columns whose pairs are counted: the first and the last 24 where there are more than `MOST_COLUMNS`.

    It follows from the columns' kinds and order, which are public. What is predicted mostly stands last, or first.
    """
    names = [column.name for column in columns if column.kind in (*CODED, *NUMERIC) and column.kind != "constant"]
    half = MOST_COLUMNS // 2
    return tuple(names if len(names) <= MOST_COLUMNS else names[:half] + names[-half:])


def pairs_among(count: int) -> int:
    """How many pairs so many columns make.

    >>> pairs_among(15)
    105
    """
    return count * (count - 1) // 2


class Bins:
    """Bins of some columns beside each other.

    Args:
        layout: of an encoded row.
        names: of columns; those without a softmax are left out.

    Attributes:
        softmaxes: (columns,) int64, which softmax of a row each is.
        widths, starts: (columns,) int64, how many bins each has, and the first of them.
    """

    def __init__(self, layout: Layout, names: Sequence[str]) -> None:
        first = {segment.column: place for place, segment in reversed(list(enumerate(layout.softmaxes)))}
        found = [first[name] for name in names if name in first]
        widths = [min(layout.softmaxes[place].width, MOST_BINS) for place in found]
        self.layout = layout
        self.softmaxes = np.array(found, np.int64)
        self.widths = np.array(widths, np.int64)
        self.starts = np.array([0, *accumulate(widths)][:-1], np.int64) if widths else np.zeros(0, np.int64)

    @property
    def count(self) -> int:
        """Of all bins."""
        return int(self.widths.sum())

    def of_places(self) -> Tensor:
        """The bin of each of a row's softmax places, (places,) int64; `count` for those of other softmaxes."""
        first = len(self.layout.scalars)
        bins = torch.full((self.layout.width - first,), self.count)
        for softmax, width, start in zip(self.softmaxes, self.widths, self.starts, strict=True):
            segment = self.layout.softmaxes[softmax]
            own = torch.arange(segment.width).clamp(max=int(width) - 1) + int(start)
            bins[segment.start - first : segment.start - first + segment.width] = own
        return bins

    def tables(self, slots: Tensor, chunk: int = 50_000) -> list[np.ndarray]:
        """How many rows are in each bin of two columns: for each pair, in order, (bins, bins of the other) int64.

        One row more changes one count of each table by one.

        Args:
            slots: (n, softmaxes) integers.
            chunk: rows that are looked at at a time.
        """
        totals = [np.zeros(a * b, np.int64) for a, b in combinations(self.widths, 2)]
        for part in slots.split(chunk):
            own = np.minimum(part.numpy()[:, self.softmaxes].astype(np.int64), self.widths - 1)
            for place, (a, b) in enumerate(combinations(range(len(self.widths)), 2)):
                totals[place] += np.bincount(own[:, a] * self.widths[b] + own[:, b], minlength=len(totals[place]))
        shapes = combinations(self.widths, 2)
        return [total.reshape(shape) for total, shape in zip(totals, shapes, strict=True)]


def noisy_tables(tables: Sequence[np.ndarray], sigma: float, random: np.random.Generator) -> list[np.ndarray]:
    """Tables of counts with noise.

    Args:
        tables: of the same rows; any number.
        sigma: standard deviation of the noise, in rows: `sqrt(len(tables))` times that of a look (`Look.noise`).
        random: from a secret.
    """
    if not tables:
        return []
    noisy = noisy_counts(np.concatenate([table.ravel() for table in tables]), sigma, random)
    ends = np.cumsum([table.size for table in tables])[:-1]
    return [part.reshape(table.shape) for part, table in zip(np.split(noisy, ends), tables, strict=True)]


def shrunk(table: np.ndarray, alone: np.ndarray, deviation: float) -> np.ndarray:
    """A noisy table moved towards the one of independent columns, by as much as its noise may account for.

    The estimator of James and Stein (1961), its positive part: a table that is nothing but noise becomes that of
    independent columns, and one far above its noise stays as it is.

    Args:
        table: shares with noise, (a, b).
        alone: shares as if both columns knew nothing of each other, (a, b).
        deviation: of the noise, in shares.
    """
    apart = table - alone
    return alone + max(0.0, 1 - (table.size - 2) * deviation**2 / max(float((apart**2).sum()), 1e-300)) * apart


class Pairs(nn.Module):
    """A generator's term: the squared distance of its tables from noisy ones, summed over cells, the mean over pairs.

    Its tables are what sampled rows have on average under the batch's noise, and the mean of a batch is off by chance,
    by more where shares are sharp; this is taken off again (a U-statistic), or the generator would learn to blur. So a
    distance can come out below 0. Rows that are asked for nothing and those that are asked for something have tables
    of their own, each of which must fit.

    Args:
        bins: of the columns.
        tables: for each pair, in order, shares, (bins, bins of the other).
    """

    wanted: Tensor
    counted: Tensor
    member: Tensor
    places: Tensor

    def __init__(self, bins: Bins, tables: Sequence[np.ndarray]) -> None:
        super().__init__()
        self.pairs = len(tables)
        wanted, counted = torch.zeros(2, bins.count, bins.count)
        ends = bins.starts + bins.widths
        for (a, b), table in zip(combinations(range(len(bins.widths)), 2), tables, strict=True):
            block = slice(bins.starts[a], ends[a]), slice(bins.starts[b], ends[b])
            wanted[block], counted[block] = torch.from_numpy(table).float(), 1.0
        member = torch.arange(len(bins.widths)).repeat_interleave(torch.from_numpy(bins.widths))
        self.register_buffer("wanted", wanted, persistent=False)  # found anew from the secret, where a run goes on
        self.register_buffer("counted", counted, persistent=False)
        self.register_buffer("member", (member[:, None] == torch.arange(len(bins.widths))).float(), persistent=False)
        self.register_buffer("places", bins.of_places(), persistent=False)

    def forward(self, r: Round) -> Tensor:
        """The distance, a scalar."""
        told = log_softmax_segments(r.raw.values, r.raw.layout)[:, len(r.raw.layout.scalars) :].exp()
        shares = told.new_zeros(len(told), len(self.wanted) + 1).index_add(1, self.places, told)[:, :-1]
        if r.cond is None or not self.pairs:
            return self.distance(shares)
        asked = (r.cond >= 0).any(1)
        parts = (shares[~asked], shares[asked])
        return torch.stack([len(part) / len(shares) * self.distance(part) for part in parts]).sum()

    def distance(self, shares: Tensor) -> Tensor:
        """That of some rows' bins, (n, bins), freed of what chance adds; 0 for fewer than two."""
        count = len(shares)
        if count < 2 or not self.pairs:
            return 0 * shares.sum()
        found = shares.T @ shares / count
        own = shares.square() @ self.member
        alone = (own.sum(1).square() - own.square().sum(1)).mean() / 2  # squared length of one row's tables
        excess = (alone - (self.counted * found.square()).sum()) / (count - 1)
        return ((self.counted * (found - self.wanted).square()).sum() - excess) / self.pairs


def pairs_term(bins: Bins, slots: Tensor, shares: Tensor, sigma: float, random: np.random.Generator) -> Pairs:
    """Count the pairs of columns through noise, and make the term of them.

    Args:
        bins: of the columns.
        slots: (rows, softmaxes) integers, all rows; how many there are is public.
        shares: (width,) of a row's slots, noisy: what is known of each column alone.
        sigma: standard deviation of the noise, in rows.
        random: from a secret.
    """
    first, rows = len(bins.layout.scalars), max(len(slots), 1)
    each = torch.zeros(bins.count + 1).index_add(0, bins.of_places(), shares[first:].float())[:-1].double().numpy()
    alone = [each[start : start + width] for start, width in zip(bins.starts, bins.widths, strict=True)]
    alone = [part / max(part.sum(), 1e-9) for part in alone]
    noisy = noisy_tables(bins.tables(slots), sigma, random)
    known = [
        shrunk(table / rows, np.outer(a, b), sigma / rows)
        for table, (a, b) in zip(noisy, combinations(alone, 2), strict=True)
    ]
    return Pairs(bins, known)
