"""Polars' data types by short names, as a saved model keeps them."""

import re

import polars as pl

_PLAIN: dict[str, pl.DataType] = {
    "str": pl.String(), "bool": pl.Boolean(), "date": pl.Date(), "time": pl.Time(), "null": pl.Null(),
    "cat": pl.Categorical(), "enum": pl.Enum([]), "f32": pl.Float32(), "f64": pl.Float64(),
    "i8": pl.Int8(), "i16": pl.Int16(), "i32": pl.Int32(), "i64": pl.Int64(), "i128": pl.Int128(),
    "u8": pl.UInt8(), "u16": pl.UInt16(), "u32": pl.UInt32(), "u64": pl.UInt64(),
}  # fmt: skip
_NAMES = {type(dtype): name for name, dtype in _PLAIN.items()}


def name_of(dtype: pl.DataType) -> str:
    """The short name of a type.

    >>> name_of(pl.Int64()), name_of(pl.Datetime("us", "Europe/Berlin")), name_of(pl.Decimal(10, 2))
    ('i64', 'datetime[us, Europe/Berlin]', 'decimal[10, 2]')
    """
    if isinstance(dtype, pl.Datetime):
        return f"datetime[{dtype.time_unit}{f', {dtype.time_zone}' if dtype.time_zone else ''}]"
    if isinstance(dtype, pl.Duration):
        return f"duration[{dtype.time_unit}]"
    if isinstance(dtype, pl.Decimal):
        return f"decimal[{dtype.precision}, {dtype.scale}]"
    return _NAMES.get(type(dtype), str(dtype).lower())


def dtype_of(name: str, categories: tuple[str, ...] = ()) -> pl.DataType:
    """The type of a short name; categories are those of an "enum", in any order."""
    if name == "enum":
        return pl.Enum(sorted(categories))
    if name in _PLAIN:
        return _PLAIN[name]
    match = re.fullmatch(r"(\w+)\[(.*)\]", name)
    words = match.group(2).split(", ") if match else []
    kind = match.group(1) if match else name
    if kind == "datetime":
        return pl.Datetime(words[0], words[1] if len(words) > 1 else None)  # type: ignore[arg-type]
    if kind == "duration":
        return pl.Duration(words[0])  # type: ignore[arg-type]
    if kind == "decimal":
        return pl.Decimal(int(words[0]), int(words[1]))
    return pl.String()


def is_nested(dtype: pl.DataType) -> bool:
    """Whether cells of this type hold no single plain value."""
    return dtype.is_nested() or isinstance(dtype, pl.Object | pl.Binary)


def is_listable(dtype: pl.DataType) -> bool:
    """Whether cells of this type can be told by what they look like as text; moments are always measured."""
    return not is_nested(dtype) and not dtype.is_temporal()
