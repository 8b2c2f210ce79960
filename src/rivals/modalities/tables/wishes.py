"""What a person asks of rows: `income=">50K"`, `age=25..40`, `sex=Female, hours>=35`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from rivals.engine.errors import RequestError
from rivals.engine.names import named

from .cells import typed, untyped
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

        Where a demand leaves several slots, each row is asked for one of them, as often as it is in the data. A model
        that was never asked for a column is not asked for it now.
        """
        layout = tables.encoders.layout
        asked = tables.nothing(count)
        encoders = {encoder.column: encoder for encoder in tables.encoders.all}
        for demand in tables.rules.asked(self.demands, tables.columns):
            chances = slot_chances(encoders[demand.column], demand, tables)
            place = place_of(layout.softmaxes, demand.column)
            if place is not None and chances.sum() > 0 and (not tables.mix or tables.mix[place]):
                asked[:, place] = torch.multinomial(chances, count, replacement=True)
        known = tables.condition(None, count) if tables.mix and (asked < 0).all() else None
        return asked if known is None else known


def place_of(softmaxes: Sequence[object], column: str) -> int | None:
    """Which softmax says most of a column."""
    own = [place for place, segment in enumerate(softmaxes) if segment.column == column]  # type: ignore[attr-defined]
    return own[0] if own else None


def slot_chances(encoder: NumberEncoder | DateEncoder | CategoryEncoder, demand: Demand, tables: "Tables") -> Tensor:
    """How often each slot of a column's first softmax should be asked for, (slots,) float64."""
    if isinstance(encoder, CategoryEncoder):
        column = next(column for column in tables.columns if column.name == encoder.column)
        return encoder_slots(encoder, demand.codes, tables.rules.counts(column))
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


def encoder_slots(encoder: CategoryEncoder, codes: Sequence[int], counts: Sequence[int]) -> Tensor:
    """Of categories: the slots that hold the codes, each as often as its cells are in the data."""
    chances = torch.zeros(encoder.slots, dtype=torch.float64)
    slots = encoder.encode(Typed(None, np.array(codes, np.int32)), np.zeros(len(codes)))[0]
    for code, slot in zip(codes, slots, strict=True):
        chances[int(slot)] += max(counts[code], 1)
    return chances


def read_wish(text: str, tables: "Tables") -> Wish:
    """Read conditions by comma: `column=value`, `column=low..high`, `column>=value`.

    Values with a comma or a space at an end go into quotes. Several values of one column are joined by "|".

    Raises:
        RequestError: it doesn't read so, or there is no such column or value; the nearest known one is named.
    """
    known = {column.name: column for column in tables.columns}
    demands = []
    for part in (found.strip() for found in _PART.findall(text)):
        name, sign, value = split(part)
        column = named(name, known, "column")
        demands.append(within(column, demand_of(column, sign, value, part)))
    if not demands:
        raise RequestError(f"--wish {text!r} asks for nothing: write it like 'income=>50K' or 'age=25..40'")
    return Wish(tuple(demands))


def wish_of(conditions: str | Mapping[str, Any], tables: "Tables") -> Wish | None:
    """Conditions as a text, or by column: a value, several of a category, or (low, high) of a number; None for none.

    Raises:
        RequestError: there is no such column or value; the nearest known one is named.
    """
    if isinstance(conditions, str):
        return read_wish(conditions, tables)
    known = {column.name: column for column in tables.columns}
    demands = []
    for name, value in conditions.items():
        column = named(str(name), known, "column")
        demands.append(within(column, (coded if column.kind in CODED else measured)(column, value)))
    return Wish(tuple(demands)) if demands else None


def coded(column: Column, value: Any) -> Demand:
    """One of some categories."""
    known = {name: code for code, name in enumerate(column.categories)}
    several = value if isinstance(value, list | tuple | set | frozenset) else [value]
    codes = []
    for each in several:
        if column.kind == "boolean" and isinstance(each, bool | np.bool_):
            codes.append(next(code for name, code in known.items() if (name == column.format.true) == each))
            continue
        found = typed(column, pl.Series([each.item() if isinstance(each, np.generic) else each])).codes
        assert found is not None
        codes.append(int(found[0]) if found[0] >= 0 else named(str(each), known, f"value of {column.name!r}:"))
    if not codes:
        raise RequestError(f"no value of {column.name!r} is asked for: leave it out for any")
    return Demand(column.name, tuple(codes))


def measured(column: Column, value: Any) -> Demand:
    """A number, or one within (low, high), each of which may be None; or a text as in `read_wish`: ">=35", "25..40"."""
    if column.kind not in NUMERIC:
        raise RequestError(f"{column.name!r} can't be asked for: it is {column.kind}")
    if isinstance(value, str):
        sign = _SIGN.match(value)
        return demand_of(column, sign[1], value[sign.end() :], value) if sign else demand_of(column, "=", value, value)
    if isinstance(value, tuple | list) and len(value) != 2:
        raise RequestError(f"{value!r} is no condition on {column.name!r}: give a value, or (low, high)")
    ends = value if isinstance(value, tuple | list) else (value, value)
    low, high = (None if end is None else number(column, end, f"{column.name}={value}") for end in ends)
    if low is not None and high is not None and low > high:
        raise RequestError(f"--wish {column.name}={value}: the range ends before it begins")
    return Demand(column.name, (), -np.inf if low is None else low, np.inf if high is None else high)


def within(column: Column, demand: Demand) -> Demand:
    """The demand, if the data reaches there.

    Raises:
        RequestError: it doesn't.
    """
    if demand.codes or column.low is None or column.high is None:
        return demand
    if demand.met(Typed(np.array(column.special))).any() if column.special else False:
        return demand
    if demand.low > column.high or demand.high < column.low:
        low, high = untyped(column, Typed(np.array([column.low, column.high]), _no_words(column))).to_list()
        raise RequestError(f"{column.name!r} reaches from {low} to {high}: no row is made outside")
    return demand


def _no_words(column: Column) -> np.ndarray | None:
    return np.full(2, -1, np.int32) if column.words else None


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


def number(column: Column, value: Any, part: str) -> float:
    """A value of the column as a number: text in the column's own format, a plain number, a date."""
    value = unquoted(value) if isinstance(value, str) else value
    try:
        return float(value)
    except (TypeError, ValueError):
        found = typed(column, pl.Series([value])).numbers
    if found is None or np.isnan(found[0]):
        raise RequestError(f"--wish {part!r}: {value!r} does not read as a value of {column.name!r} ({column.kind})")
    return float(found[0])
