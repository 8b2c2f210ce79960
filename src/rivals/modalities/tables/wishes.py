"""What a person asks of rows: `income=">50K"`, `age=25..40`, `sex=Female, hours>=35`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import torch
from torch import Tensor

from rivals.engine.errors import RequestError
from rivals.engine.names import named

from .cells import typed
from .columns import CODED, NUMERIC, Column, Typed
from .encode_categories import CategoryEncoder
from .encode_dates import DateEncoder
from .encode_numbers import NumberEncoder, forth

if TYPE_CHECKING:
    from .modality import Tables

_SIGN = re.compile(r"\s*(<=|>=|=|<|>)\s*")
_PART = re.compile(r"""(?:[^,"']|"[^"]*"|'[^']*')+""")
_QUOTED = re.compile(r"""(["'])(.*)\1""", re.DOTALL)


@dataclass(frozen=True)
class Demand:
    """What one column has to be: one of some codes, or a number within bounds."""

    column: str
    codes: tuple[int, ...] = ()
    low: float = -np.inf
    high: float = np.inf
    open_low: bool = False
    open_high: bool = False

    def met(self, cells: Typed) -> np.ndarray:
        """Which cells (n,) are so."""
        if self.codes:
            assert cells.codes is not None
            return np.isin(cells.codes, self.codes)
        numbers = cells.numbers
        assert numbers is not None
        above = numbers > self.low if self.open_low else numbers >= self.low
        return above & (numbers < self.high if self.open_high else numbers <= self.high)


@dataclass(frozen=True)
class Wish:
    """Demands of several columns, all to be met."""

    demands: tuple[Demand, ...]

    def met(self, cells: Mapping[str, Typed]) -> np.ndarray:
        """Which rows (n,) meet all."""
        return np.logical_and.reduce([demand.met(cells[demand.column]) for demand in self.demands])

    def slots(self, tables: "Tables", count: int) -> Tensor:
        """What is asked of the generator, (count, softmaxes) int64; -1 where nothing is.

        Where a demand leaves several slots, each row is asked for one of them, as often as it is in the data.
        """
        layout = tables.encoders.layout
        asked = torch.full((count, len(layout.softmaxes)), -1)
        encoders = {encoder.column: encoder for encoder in tables.encoders.all}
        for demand in self.demands:
            chances = slot_chances(encoders[demand.column], demand, tables)
            place = place_of(layout.softmaxes, demand.column)
            if place is not None and chances.sum() > 0:
                asked[:, place] = torch.multinomial(chances, count, replacement=True)
        return asked


def place_of(softmaxes: Sequence[object], column: str) -> int | None:
    """Which softmax says most of a column."""
    own = [place for place, segment in enumerate(softmaxes) if segment.column == column]  # type: ignore[attr-defined]
    return own[0] if own else None


def slot_chances(encoder: NumberEncoder | DateEncoder | CategoryEncoder, demand: Demand, tables: "Tables") -> Tensor:
    """How often each slot of a column's first softmax should be asked for, (slots,) float64."""
    if isinstance(encoder, CategoryEncoder):
        column = next(column for column in tables.columns if column.name == encoder.column)
        return encoder_slots(encoder, demand.codes, column)
    numbers = encoder.days if isinstance(encoder, DateEncoder) else encoder
    day = 86400.0 if isinstance(encoder, DateEncoder) and encoder.timed else 1.0
    chances = torch.zeros(numbers.slots, dtype=torch.float64)
    for place, value in enumerate(numbers.special, len(numbers.means)):
        chances[place] = float(demand.low <= value <= demand.high)
    if demand.low / day > numbers.high or demand.high / day < numbers.low:
        return chances
    means, reaches = np.array(numbers.means), np.array(numbers.reaches)
    edges = np.clip(np.array([demand.low, demand.high]) / day, numbers.low, numbers.high)
    low, high = forth(edges, numbers.centre, numbers.scale)
    share = np.minimum(high, means + reaches / 2) - np.maximum(low, means - reaches / 2)  # of two deviations
    inside = np.clip(share / np.maximum(reaches, 1e-12), 0, 1) * np.maximum(np.array(numbers.weights), 1e-6)
    if not inside.any():
        inside[np.argmin(np.abs(means - np.clip(low, means.min(), means.max())))] = 1.0
    chances[: len(means)] = torch.from_numpy(inside)
    return chances


def encoder_slots(encoder: CategoryEncoder, codes: Sequence[int], column: Column) -> Tensor:
    """Of categories: the slots that hold the codes, each as often as its cells are in the data."""
    chances = torch.zeros(encoder.slots, dtype=torch.float64)
    slots = encoder.encode(Typed(None, np.array(codes, np.int32)), np.zeros(len(codes)))[0]
    for code, slot in zip(codes, slots, strict=True):
        chances[int(slot)] += max(column.counts[code], 1)
    return chances


def read_wish(text: str, tables: "Tables") -> Wish:
    """Read conditions by comma: `column=value`, `column=low..high`, `column>=value`.

    Values with a comma or a space at an end go into quotes. Several values of one column are joined by "|".

    Raises:
        RequestError: it doesn't read so, or there is no such column or value; the nearest known one is named.
    """
    known = {column.name: column for column in tables.columns}
    learned = {encoder.column for encoder in tables.encoders.all}
    demands = []
    for part in (found.strip() for found in _PART.findall(text)):
        name, sign, value = split(part)
        column = named(name, known, "column")
        if column.name not in learned:
            raise RequestError(f"{column.name!r} can't be asked for: it is {column.kind} and was not learned")
        demands.append(demand_of(column, sign, value, part))
    if not demands:
        raise RequestError(f"--wish {text!r} asks for nothing: write it like 'income=>50K' or 'age=25..40'")
    return Wish(tuple(demands))


def split(part: str) -> tuple[str, str, str]:
    """Name, sign and value of one condition."""
    found = _SIGN.search(part)
    if found is None or not part[: found.start()].strip() or not part[found.end() :].strip():
        raise RequestError(f"--wish {part!r} does not read as a condition: write it like income=>50K or age=25..40")
    return unquoted(part[: found.start()]), found[1], part[found.end() :].strip()


def unquoted(text: str) -> str:
    """Without quotes around it."""
    found = _QUOTED.fullmatch(text.strip())
    return found[2] if found else text.strip()


def demand_of(column: Column, sign: str, value: str, part: str) -> Demand:
    """What one condition demands."""
    if column.kind in CODED:
        if sign != "=":
            raise RequestError(f"--wish {part!r}: {column.name!r} is no number, so it can only be asked for with =")
        known = {name: code for code, name in enumerate(column.categories)}
        return Demand(column.name, tuple(named(each, known, f"value of {column.name!r}:") for each in values(value)))
    if column.kind not in NUMERIC:
        raise RequestError(f"{column.name!r} can't be asked for: it is {column.kind}")
    low, dots, high = unquoted(value).partition("..")
    if dots and sign == "=":
        ends = number(column, low, part) if low else -np.inf, number(column, high, part) if high else np.inf
        if ends[0] > ends[1]:
            raise RequestError(f"--wish {part!r}: the range ends before it begins")
        return Demand(column.name, (), *ends)
    edge = number(column, value, part)
    return {
        "=": Demand(column.name, (), edge, edge),
        ">": Demand(column.name, (), edge, open_low=True),
        ">=": Demand(column.name, (), edge),
        "<": Demand(column.name, (), high=edge, open_high=True),
        "<=": Demand(column.name, (), high=edge),
    }[sign]


def values(text: str) -> Iterator[str]:
    """The values joined by "|"; a whole text in quotes is one."""
    if _QUOTED.fullmatch(text):
        yield unquoted(text)
        return
    yield from (unquoted(each) for each in text.split("|"))


def number(column: Column, text: str, part: str) -> float:
    """A cell of the column as a number, in the column's own format or as a plain number."""
    text = unquoted(text)
    try:
        return float(text)
    except ValueError:
        pass
    found = typed(column, pl.Series([text])).numbers
    if found is None or np.isnan(found[0]):
        raise RequestError(f"--wish {part!r}: {text!r} does not read as a value of {column.name!r} ({column.kind})")
    return float(found[0])
