"""What may be known of a table's columns under differential privacy: noisy counts, and all that follows from them.

Names, order and kinds of the columns, how their cells are written (decimals, units, patterns, the word for a missing
cell) and the number of rows count as public. What the cells are does not. Each column is looked at through histograms
with normal noise (`LOOKS`): values with enough rows are named, the others are not; numbers lie between powers of two,
and in bins as wide as noise makes them. From those alone come categories, ranges, special values, and rows of columns
that know nothing of each other (`Noisy.cells`), which encoders, modes and shares are fitted to: whatever is made of
noisy counts costs nothing more.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from rivals.engine.privacy_mechanisms import look_size, name_threshold, named_counts, noisy_counts
from rivals.engine.secret import random_of

from .columns import CODED, NUMERIC, Column, Typed
from .ids import room_of
from .special import special_values

LOOKS = {"values": 1.0, "octaves": 2.0, "bins": 1.0}
"""Histograms of a column of numbers, and the noise of each in units of that of a column of categories."""

MOST_ROWS = 100_000  # of the rows that encoders are fitted to
SURE = 3.5  # deviations of noise from which a bin counts as filled
FULL = 8.0  # the same, of rows that a bin is made for
EXPONENTS = 64  # numbers are sought between 2^-64 and 2^64
MOST_BINS = 512  # in a power of two


class Counted(NamedTuple):
    """The different cells of one column of numbers, exactly: values (k,) by size, words by name, missing ones."""

    values: np.ndarray
    counts: np.ndarray
    words: np.ndarray
    missing: int


@dataclass(frozen=True)
class Noisy:
    """A table's columns as they may be known.

    Attributes:
        columns: with nothing exact about their cells.
        cells: of some rows in which every column has its noisy shares, independently of the others.
        threshold: rows that a value must have to be named.
    """

    columns: tuple[Column, ...]
    cells: Mapping[str, Typed]
    threshold: int


def look_noise_of(columns: Sequence[Column], sigma: float) -> float:
    """The noise of all looks at a table in units of what one row may change of them (`Look.noise`)."""
    own = [sigma] * sum(column.kind in CODED for column in columns)
    for column in columns:
        own += [times * sigma for times in LOOKS.values()] if column.kind in NUMERIC else []
    return look_size(own) if own else np.inf


def noise_for(columns: Sequence[Column], size: float) -> float:
    """The standard deviation, in rows, with which all looks together are a look of this size."""
    return size / look_noise_of(columns, 1.0) if any(c.kind in (*CODED, *NUMERIC) for c in columns) else size


def noisy_columns(
    columns: Sequence[Column], chunks: Iterable[Mapping[str, Typed]], sigma: float, delta: float, secret: bytes
) -> Noisy:
    """Look at all columns. Memory grows with the different numbers of a table.

    Args:
        columns: as found, with exact counts.
        chunks: the rows, cells by column.
        sigma: the noise, in rows, as `noise_for` says.
        delta: of naming a value of one row, all columns together.
        secret: of the noise.
    """
    numbers = [column for column in columns if column.kind in NUMERIC]
    looked = [column for column in columns if column.kind in (*CODED, *NUMERIC)]
    each = delta / max(len(looked), 1)
    counted = count_numbers(numbers, chunks)
    made, cells = [], {}
    for place, column in enumerate(columns):
        random = random_of(secret, "column", place)
        known, drawn = unlooked(column), None
        if column.kind in CODED:
            known, drawn = noisy_categories(column, sigma, each, random)
        elif column.kind in NUMERIC:
            known, drawn = noisy_numbers(column, counted[column.name], sigma, each, random)
        made.append(known)
        if drawn is not None:
            cells[column.name] = drawn
    return Noisy(tuple(made), cells, name_threshold(sigma, each))


def unlooked(column: Column) -> Column:
    """A column of ids, text or nothing, without what its cells say: ids begin anew within their pattern."""
    plain = replace(column, why="not looked at", missing=0, distinct=0, low=None, high=None, words=(), special=())
    if column.kind != "id":
        return plain
    plain = replace(plain, distinct=column.rows)  # taken to be one a row
    if column.high is None:
        return replace(plain, low=1.0)
    return replace(plain, low=0.0, high=room_of(column.format.pattern) - 1.0)


def noisy_categories(
    column: Column, sigma: float, delta: float, random: np.random.Generator
) -> tuple[Column, Typed | None]:
    """A column of categories: those that may be named; the others count as missing, if they are more than noise."""
    order = np.argsort(np.array(column.categories, dtype=object), kind="stable")
    places, counts = named_counts(np.array(column.counts)[order], sigma, delta, random)
    names = [column.categories[order[place]] for place in places]
    ranked = sorted(range(len(names)), key=lambda place: (-counts[place], names[place]))
    categories, kept = tuple(names[place] for place in ranked), tuple(int(counts[place]) for place in ranked)
    rest = max(column.rows - sum(kept), 0)
    missing = rest if rest >= SURE * sigma * max(len(kept), 1) ** 0.5 else 0
    kind = column.kind
    if (kind == "constant" and missing) or (kind == "boolean" and len(kept) != 2):
        kind = "category"
    form = replace(column.format, true=column.format.true if column.format.true in categories else "")
    told = f"{len(kept)} values with {name_threshold(sigma, delta)} rows or more"
    column = replace(
        column, kind=kind if kept else "empty", why=told, missing=missing, format=form, distinct=len(kept),
        categories=categories, counts=kept,
    )  # fmt: skip
    if not kept:
        return column, None
    codes = spread_out(np.array([*kept, missing]), column.rows, random)
    return column, Typed(codes=np.where(codes == len(kept), -1, codes).astype(np.int32))


def noisy_numbers(
    column: Column, exact: Counted, sigma: float, delta: float, random: np.random.Generator
) -> tuple[Column, Typed | None]:
    """A column of numbers: values and words that may be named, and how the others lie in bins."""
    step = step_of_format(column)
    whole = np.concatenate([exact.counts, exact.words])
    places, counts = named_counts(whole, LOOKS["values"] * sigma, delta, random)
    worded = places >= len(exact.values)
    words = tuple(column.words[place - len(exact.values)] for place in places[worded])
    named, often = exact.values[places[~worded]], counts[~worded]
    missing = int(noisy_counts(np.array([exact.missing]), LOOKS["values"] * sigma, random)[0])
    missing = missing if missing >= SURE * sigma else 0  # beside the values, each row is in one place of them
    edges = bin_edges(exact, LOOKS["octaves"] * sigma, step, random)
    values, held = filled_bins(exact, edges, LOOKS["bins"] * sigma, named, often, step, random)
    values, held = merged(np.concatenate([named, values]), np.concatenate([often, held]))
    if not len(values):
        why = f"no value has {name_threshold(sigma, delta)} rows, and there are too few for a range"
        return replace(unlooked(column), kind="empty", why=why), None
    special = special_values(values, held)
    ordinary = values[~np.isin(values, special)]
    low, high = float(ordinary.min()), float(ordinary.max())
    column = replace(
        column, why=f"about {low:.6g} to {high:.6g}", missing=missing, distinct=len(values), low=low, high=high,
        special=special, words=words,
    )  # fmt: skip
    drawn = spread_out(np.concatenate([held, counts[worded], [missing]]), column.rows, random)
    cells = np.full(len(values) + len(words) + 1, np.nan)
    cells[: len(values)] = values
    codes = drawn - len(values)
    coded = np.where((codes >= 0) & (codes < len(words)), codes, -1).astype(np.int32) if words else None
    return column, Typed(cells[drawn], coded)


def count_numbers(columns: Sequence[Column], chunks: Iterable[Mapping[str, Typed]]) -> dict[str, Counted]:
    """Count the different cells of columns of numbers."""
    found = {
        column.name: Counted(np.zeros(0), np.zeros(0, np.int64), np.zeros(len(column.words), np.int64), 0)
        for column in columns
    }
    for chunk in chunks:
        for name, before in found.items():
            numbers, codes = chunk[name]
            assert numbers is not None
            there = numbers[np.isfinite(numbers)]
            values, counts = merged(*np.unique(there, return_counts=True), before.values, before.counts)
            spoken = np.zeros(0, np.int64) if codes is None else codes[codes >= 0]
            words = before.words + np.bincount(spoken, minlength=len(before.words))
            missing = before.missing + len(numbers) - len(there) - len(spoken)
            found[name] = Counted(values, counts, words, missing)
    return found


def merged(
    values: np.ndarray, counts: np.ndarray, more: np.ndarray | None = None, more_counts: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Values by size, each once, with the sum of its counts."""
    if more is not None and more_counts is not None:
        values, counts = np.concatenate([values, more]), np.concatenate([counts, more_counts])
    once, place = np.unique(values, return_inverse=True)
    return once, np.bincount(place, counts, len(once)).astype(np.int64)


def bin_edges(exact: Counted, sigma: float, step: float, random: np.random.Generator) -> np.ndarray:
    """The bins of a column, (bins, 2) lower and upper ends: in each power of two with rows, as many as noise allows.

    How wide they are follows from noisy counts alone.
    """
    ends = np.ldexp(1.0, np.arange(-EXPONENTS, EXPONENTS + 1))
    below = np.concatenate([-ends[::-1], ends])  # -2^64 ... -2^-64, 2^-64 ... 2^64
    inside = np.clip(exact.values, -ends[-1], np.nextafter(ends[-1], 0))
    octave = np.searchsorted(below, inside, side="right") - 1
    counts = np.bincount(octave, exact.counts, len(below) - 1).astype(np.int64)
    noisy = noisy_counts(counts, sigma, random)
    zero = len(ends) - 1  # the place between both signs
    edges = []
    for place in np.flatnonzero(noisy >= (SURE + 1) * sigma):  # there are 257 places, mostly empty
        low, high = below[place], below[place + 1]
        most = max(int((high - low) / step), 1) if step else MOST_BINS
        bins = int(np.clip(noisy[place] / (FULL * sigma / LOOKS["octaves"]), 1, min(most, MOST_BINS)))
        if place == zero:
            edges.append(np.array([[low, high]]))
            continue
        lines = np.linspace(low, high, bins + 1)
        lines = np.unique(np.ceil(lines / step) * step) if step and high - low >= step else lines
        edges.append(np.stack([lines[:-1], lines[1:]], 1))
    return np.concatenate(edges) if edges else np.zeros((0, 2))


def filled_bins(
    exact: Counted, edges: np.ndarray, sigma: float, named: np.ndarray, often: np.ndarray, step: float,
    random: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Values spread evenly over each bin that has more rows than those of its named values, and their counts."""
    if not len(edges):
        return np.zeros(0), np.zeros(0, np.int64)
    counts = noisy_counts(in_bins(exact.values, exact.counts, edges), sigma, random)
    rest = counts - in_bins(named, often, edges)
    noise = sigma * np.sqrt(1 + in_bins(named, np.ones_like(often), edges))
    values = []
    for (low, high), count in zip(edges[rest >= SURE * noise], rest[rest >= SURE * noise], strict=True):
        spots = low + (np.arange(count) + 0.5) / count * (high - low)
        values.append(np.floor(spots / step + 1e-9) * step if step else spots)
    found = np.concatenate(values) if values else np.zeros(0)
    if step and step < 1:
        found = np.rint(found / step) / np.rint(1 / step)  # decimal fractions as they are written
    found = np.where(np.abs(found) <= 2.0**-EXPONENTS, 0.0, found)
    return merged(found, np.ones(len(found), np.int64))


def in_bins(values: np.ndarray, counts: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """How many rows lie in each bin, (bins,); bins by size, without overlap."""
    place = np.searchsorted(edges[:, 0], values, side="right") - 1
    inside = (place >= 0) & (values < edges[np.maximum(place, 0), 1])
    return np.bincount(place[inside], counts[inside], len(edges)).astype(np.int64)


def step_of_format(column: Column) -> float:
    """What all values are multiples of by how they are written; 0 for nothing."""
    if column.kind in ("date", "time", "datetime"):
        return 1.0
    decimals = 0 if column.kind == "integer" else column.format.decimals
    return 0.0 if decimals is None else float(f"1e{-decimals}")


def spread_out(counts: np.ndarray, rows: int, random: np.random.Generator) -> np.ndarray:
    """Places of the counts, each as often as its share, in random order: (rows,), at most `MOST_ROWS`."""
    rows = min(rows, MOST_ROWS)
    summed = np.cumsum(np.maximum(counts, 0))
    places = np.searchsorted(summed, (np.arange(rows) + 0.5) / rows * summed[-1], side="right")
    return random.permutation(places)
