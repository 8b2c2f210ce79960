"""Tables as arrays for judging: every column is numbers or codes, and a code means the same in every part."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rivals.engine.errors import RequestError

from .cells import typed
from .columns import NUMERIC, Column

Numbers = NDArray[np.float64]
Codes = NDArray[np.int32]
Kinds = Mapping[str, Literal["number", "category"]]


@dataclass(frozen=True)
class Rows:
    """Rows of a table as arrays.

    Args:
        count: of the rows.
        numbers: by column, (count,) float64, NaN for missing.
        codes: by column, (count,) int32 into `levels`, -1 for missing.
        levels: by column, the categories; most frequent in the first part first, those of other parts behind.
    """

    count: int
    numbers: Mapping[str, Numbers]
    codes: Mapping[str, Codes]
    levels: Mapping[str, tuple[str, ...]]

    def __len__(self) -> int:
        return self.count

    @property
    def names(self) -> tuple[str, ...]:
        """All columns, numbers first."""
        return (*self.numbers, *self.codes)

    def take(self, which: NDArray[np.integer]) -> "Rows":
        """Some of the rows, in the order asked for."""
        return replace(
            self,
            count=len(which),
            numbers={name: column[which] for name, column in self.numbers.items()},
            codes={name: column[which] for name, column in self.codes.items()},
        )

    def drawn(self, most: int, seed: int) -> "Rows":
        """At most `most` rows, drawn without repetition."""
        if self.count <= most:
            return self
        return self.take(np.random.default_rng(seed).permutation(self.count)[:most])

    def without(self, names: Iterable[str]) -> "Rows":
        """The same rows with fewer columns."""
        left = set(names)
        return replace(
            self,
            numbers={name: column for name, column in self.numbers.items() if name not in left},
            codes={name: column for name, column in self.codes.items() if name not in left},
            levels={name: levels for name, levels in self.levels.items() if name not in left},
        )


def kinds_of(columns: Sequence[Column]) -> Kinds:
    """Which columns are judged as numbers and which as categories; ids, free text and constants are not judged.

    The words that stand between the numbers of a mixed column are a category of their own.
    """
    found: dict[str, Literal["number", "category"]] = {}
    for column in columns:
        if column.kind in NUMERIC:
            found[column.name] = "number"
            if column.words:
                found[words_of(column)] = "category"
        elif column.kind in ("category", "boolean"):
            found[column.name] = "category"
    return found


def words_of(column: Column) -> str:
    """The name under which the words of a mixed column are judged."""
    return f"{column.name} (words)"


def plain(frame: pl.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
    """The judged columns of a table however it is written, as float64 and strings; new categories stay as they are.

    Raises a RequestError for a frame without one of the columns.
    """
    found: list[pl.Series] = []
    for column in columns:
        if column.kind not in (*NUMERIC, "category", "boolean"):
            continue
        if column.name not in frame.columns:
            raise RequestError(
                f"there is no column {column.name!r} (but {', '.join(frame.columns[:12])}); both tables need the same "
                "columns"
            )
        cells = frame[column.name]
        read = typed(column, cells)
        if column.kind in NUMERIC:
            found.append(pl.Series(column.name, read.numbers, pl.Float64).fill_nan(None))
            if column.words and read.codes is not None:
                found.append(named(words_of(column), ("a number or nothing", *column.words), read.codes + 1))
            continue
        assert read.codes is not None
        known = named(column.name, column.categories, read.codes)
        text = cells.cast(pl.String).str.strip_chars()
        new = text.set((text == "") | (text == (column.format.missing or "").strip()), None)
        found.append(known.zip_with(known.is_not_null(), new))
    return pl.DataFrame(found)


def named(name: str, words: Sequence[str], codes: Codes) -> pl.Series:
    """Codes as the words they stand for, null for -1."""
    drawn = pl.Series(name, words, dtype=pl.String).gather(pl.Series(np.maximum(codes, 0)))
    return drawn.set(pl.Series(codes < 0), None)


def guessed(frame: pl.DataFrame) -> Kinds:
    """The same by the dtypes of a frame: numbers and times are numbers, all else is a category."""
    return {
        name: "number" if dtype.is_numeric() or dtype.is_temporal() else "category"
        for name, dtype in frame.schema.items()
    }


def parts_of(frames: Mapping[str, pl.DataFrame], kinds: Kinds) -> dict[str, Rows]:
    """The same columns of several frames as arrays.

    Args:
        frames: by the part's name. The first orders the categories.
        kinds: the columns to take; the others are left out.

    Raises:
        RequestError: a part without rows or without one of the columns, no columns, or a number that is none.
    """
    if not kinds:
        raise RequestError("there is no column to judge: all are ids, free text, constant or empty")
    for part, frame in frames.items():
        if not frame.height:
            raise RequestError(f"the {part} rows are none; a table needs rows to be judged")
        missing = [name for name in kinds if name not in frame.columns]
        if missing:
            raise RequestError(
                f"the {part} rows have no column {missing[0]!r} (they have {', '.join(frame.columns[:12])}); "
                "both tables need the same columns"
            )
    coded = {name: codes_of([frame[name] for frame in frames.values()]) for name in kinds if kinds[name] == "category"}
    return {
        part: Rows(
            frame.height,
            {name: numbers_of(frame[name], part) for name in kinds if kinds[name] == "number"},
            {name: codes[place] for name, (codes, _) in coded.items()},
            {name: levels for name, (_, levels) in coded.items()},
        )
        for place, (part, frame) in enumerate(frames.items())
    }


def numbers_of(column: pl.Series, part: str = "given") -> Numbers:
    """A column as float64, times by their physical units; null, NaN and infinities are NaN.

    Raises a RequestError for text that is no number.
    """
    plain = column.to_physical() if column.dtype.is_temporal() else column
    if plain.dtype == pl.String:
        plain = plain.str.strip_chars()
        plain = plain.set(plain == "", None)
    try:
        values = plain.cast(pl.Float64).to_numpy().astype(np.float64)
    except pl.exceptions.PolarsError as error:
        raise RequestError(
            f"the column {column.name!r} of the {part} rows should hold numbers and does not: {str(error)[:120]}"
        ) from None
    return np.where(np.isfinite(values), values, np.nan)


def codes_of(columns: Sequence[pl.Series]) -> tuple[list[Codes], tuple[str, ...]]:
    """The same column of several parts as codes, and what they stand for: (n,) int32 each, -1 for missing."""
    words = [column.cast(pl.String) for column in columns]
    first, *others = words
    counts = first.drop_nulls().value_counts(name="count").sort(["count", first.name], descending=[True, False])
    levels = dict.fromkeys(counts[first.name].to_list())
    levels |= dict.fromkeys(level for other in others for level in other.drop_nulls().unique().sort().to_list())
    kind = pl.Enum(list(levels))
    codes = [column.cast(kind).to_physical().cast(pl.Int32).fill_null(-1).to_numpy() for column in words]
    return codes, tuple(levels)
