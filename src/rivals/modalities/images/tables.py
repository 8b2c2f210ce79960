"""Pictures in Parquet and Arrow tables, as Hugging Face's `datasets` and others write them."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from rivals.engine.errors import RequestError

from .arrays import codes_of
from .sources import Listing, Numbers, stamp_of

_IMAGES = ("image", "images", "img", "picture", "jpg", "png", "x")
_LABELS = ("label", "labels", "class", "fine_label", "y")
_KEPT = 2  # groups of a Parquet file kept in memory: rows are read in order, a few threads apart


class _Table(NamedTuple):
    """A table opened: its schema, where each group of rows starts, and how to get one group of a column."""

    schema: Any
    starts: np.ndarray
    column: Callable[[int, str], Any]


def find(path: Path, source: str) -> Listing:
    """List the pictures of a table: a column of encoded files, and one of labels if there is one.

    Raises:
        RequestError: pyarrow is missing, or the table can't be read or has no such column.
    """
    arrow = _arrow(source)
    try:
        table = _parquet(path) if path.suffix.lower() == ".parquet" else _ipc(path, arrow)
    except (OSError, ValueError) as error:  # pyarrow's own errors are among these
        said = str(error).splitlines()[0]
        raise RequestError(f"The table {source!r} can't be read ({said}); fetch or write it anew.") from error
    name = _image_column(table.schema, arrow, source)
    labels, classes = _labels(table, source)
    count = int(table.starts[-1])
    return Listing(
        source, "arrow", Numbers(count), labels, classes, stamp_of([path], "arrow"),
        _reader(table, name, nested=arrow.types.is_struct(table.schema.field(name).type)), ordered=True,
    )  # fmt: skip


def _arrow(source: str) -> ModuleType:
    try:
        import pyarrow as arrow
    except ImportError as error:
        raise RequestError(f"Reading {source!r} takes pyarrow; install it with: pip install 'rivals[arrow]'") from error
    return arrow


def _parquet(path: Path) -> _Table:
    """A Parquet file, read group by group."""
    from pyarrow import parquet

    file = parquet.ParquetFile(path, memory_map=True)
    counts = [file.metadata.row_group(k).num_rows for k in range(file.metadata.num_row_groups)]
    lock = threading.Lock()  # a ParquetFile isn't for several threads at once
    kept: dict[tuple[int, str], Any] = {}

    def column(group: int, name: str) -> Any:
        with lock:
            if (group, name) not in kept:
                while len(kept) >= _KEPT:
                    kept.pop(next(iter(kept)))
                kept[group, name] = file.read_row_group(group, columns=[name]).column(0)
            return kept[group, name]

    return _Table(file.schema_arrow, np.cumsum([0, *counts]), column)


def _ipc(path: Path, arrow: ModuleType) -> _Table:
    """An Arrow file or stream, mapped rather than read."""
    try:
        whole = arrow.ipc.open_file(arrow.memory_map(str(path))).read_all()
    except arrow.ArrowInvalid:  # `datasets` keeps streams under the same ending
        whole = arrow.ipc.open_stream(arrow.memory_map(str(path))).read_all()
    return _Table(whole.schema, np.array([0, whole.num_rows]), lambda group, name: whole.column(name))


def _image_column(schema: Any, arrow: ModuleType, source: str) -> str:
    """The column that holds encoded pictures: by name, or else the only one it can be."""
    able = [field.name for field in schema if _holds_files(field.type, arrow.types)]
    found = next((name for name in _IMAGES if name in able), able[0] if len(able) == 1 else None)
    if found is None:
        raise RequestError(
            f"The table {source!r} has the columns {', '.join(schema.names)}; name the one with the pictures 'image'."
        )
    return str(found)


def _holds_files(kind: Any, types: ModuleType) -> bool:
    """Whether a column's type is bytes, or a struct with bytes in it."""
    if types.is_struct(kind):
        return any(kind.field(i).name == "bytes" for i in range(kind.num_fields))
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _labels(table: _Table, source: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """The labels as numbers, and the names of the classes: those that `datasets` noted, or the values themselves."""
    count = int(table.starts[-1])
    name = next((name for name in _LABELS if name in table.schema.names), None)
    if name is None:
        return codes_of(None, count, source)
    values = [value for group in range(len(table.starts) - 1) for value in table.column(group, name).to_pylist()]
    known = _noted(table.schema, name)
    whole = all(isinstance(value, int) and 0 <= value < len(known) for value in values)
    if known and whole:
        return np.array(values, np.int32), known
    missing = np.array([value is None for value in values], bool)
    codes, classes = codes_of(np.array([str(value) for value in values]), count, source)
    return np.where(missing, np.int32(-1), codes).astype(np.int32), classes


def _noted(schema: Any, name: str) -> tuple[str, ...]:
    """The class names in the metadata that `datasets` writes beside a table."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return tuple(map(str, features[name]["names"]))
    except (KeyError, ValueError, TypeError):
        return ()


def _reader(table: _Table, name: str, *, nested: bool) -> Callable[[int], bytes]:
    """A function from a row to the bytes of its picture; b"" where there are none."""

    def read(row: int) -> bytes:
        group = int(np.searchsorted(table.starts, row, side="right")) - 1
        value = table.column(group, name)[row - int(table.starts[group])].as_py()
        return (value["bytes"] if nested and value else value) or b""

    return read
