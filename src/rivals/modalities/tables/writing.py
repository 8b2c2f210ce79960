"""Writing tables: chunk by chunk, whole or not at all."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rivals.engine.errors import RequestError
from rivals.engine.files import full_disk_told, sync_folder

from .columns import Column
from .formulas import FORMULA
from .spool import Folder

if TYPE_CHECKING:
    import polars as pl

_SHEET_ROWS, _SHEET_COLUMNS = 1_048_576, 16_384
_EXACT = 2**53


def write_table(
    chunks: "Iterable[pl.DataFrame]", path: Path, *, like: Sequence[Column] = (), separator: str = ","
) -> int:
    """Write a table in chunks to a CSV, TSV, Parquet, Arrow or Excel file, by its suffix.

    In CSV and TSV files, text that a spreadsheet would take for a formula ("=cmd") gets an apostrophe before it, which
    `open_table` takes off again; in Excel files it is written as text, and in the others it can do no harm.

    Args:
        chunks: All with the same columns.
        path: Where to; nothing may be there.
        like: Columns in the order in which they are written; those of the first chunk if there are none.
        separator: Between cells of a CSV file.

    Returns:
        How many rows were written.

    Raises:
        RequestError: The file exists, its suffix is unknown, its disk is full, or an Excel sheet is too small.
    """
    writer = check_writable(path)
    names = [column.name for column in like]
    counted = _Counted(chunk.select(names) if names else chunk for chunk in chunks)
    beside = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with full_disk_told(path, 0):
            writer(counted, beside, "\t" if path.suffix.lower() in (".tsv", ".tab") else separator)
            with beside.open("rb") as file:
                os.fsync(file.fileno())
            os.link(beside, path)  # fails where something appeared meanwhile
        sync_folder(path.parent)
    except FileExistsError:
        raise _there(path) from None
    finally:
        beside.unlink(missing_ok=True)
    return counted.rows


def check_writable(path: Path) -> "Callable[[_Counted, Path, str], None]":
    """What writes such a file; to be asked before long work as well.

    Raises:
        RequestError: The file exists, or its suffix is unknown.
    """
    writers: dict[str, Callable[[_Counted, Path, str], None]] = {
        ".csv": _csv, ".tsv": _csv, ".tab": _csv, ".parquet": _parquet, ".pq": _parquet,
        ".arrow": _arrow, ".feather": _arrow, ".ipc": _arrow, ".xlsx": _sheet,
    }  # fmt: skip
    if path.exists():
        raise _there(path)
    if path.suffix.lower() not in writers:
        raise RequestError(f"a table can't be written as {path.name!r}; end it in {', '.join(writers)}")
    return writers[path.suffix.lower()]


def harmless(chunk: "pl.DataFrame") -> "pl.DataFrame":
    """Text that is a formula to spreadsheets, in cells and in names, with an apostrophe before it.

    >>> import polars as pl
    >>> harmless(pl.DataFrame({"a": ["=cmd()", "-5", "@SUM(1)"]}))["a"].to_list()
    ["'=cmd()", '-5', "'@SUM(1)"]
    """
    import polars as pl
    import polars.selectors as cs

    chunk = chunk.with_columns(cs.categorical().cast(pl.String), cs.enum().cast(pl.String))
    formula = f"^({FORMULA})"
    names = pl.Series(chunk.columns, dtype=pl.String).str.replace(formula, "'$1").to_list()
    found = chunk.select(cs.string().str.contains(formula).any())  # a fifth of the time that replacing takes
    chunk = chunk.with_columns(chunk[each.name].str.replace(formula, "'$1") for each in found if each.any())
    chunk.columns = names
    return chunk


class _Counted:
    """Chunks with a known schema, counted as they pass."""

    def __init__(self, chunks: "Iterator[pl.DataFrame]") -> None:
        first = next(chunks, None)
        if first is None:
            raise RequestError("there are no rows to write")
        self.schema = first.schema
        self.rows = 0
        self._chunks = chain([first], chunks)

    def __iter__(self) -> "Iterator[pl.DataFrame]":
        for chunk in self._chunks:
            self.rows += chunk.height
            yield chunk


def _there(path: Path) -> RequestError:
    return RequestError(f"{str(path)!r} is there already; give another name, or move it away first")


def _csv(chunks: _Counted, path: Path, separator: str) -> None:
    import polars.selectors as cs

    with path.open("wb") as file:
        for place, chunk in enumerate(chunks):
            plain = harmless(chunk).with_columns(cs.duration().dt.total_microseconds() / 1e6)  # CSV knows seconds only
            plain.write_csv(file, include_header=place == 0, separator=separator)


def _parquet(chunks: _Counted, path: Path, _: str) -> None:
    with _spooled(chunks) as rows:
        rows.sink_parquet(path)


def _arrow(chunks: _Counted, path: Path, _: str) -> None:
    with _spooled(chunks) as rows:
        rows.sink_ipc(path)


@contextlib.contextmanager
def _spooled(chunks: _Counted) -> "Iterator[pl.LazyFrame]":
    """The chunks in temporary files, which polars makes one file of without holding them all."""
    import polars as pl

    folder, files = Folder(), []
    for place, chunk in enumerate(chunks):
        files.append(folder.path / f"{place}.arrow")
        chunk.write_ipc(files[-1])
    yield pl.scan_ipc(files)
    shutil.rmtree(folder.path)


def _sheet(chunks: _Counted, path: Path, _: str) -> None:
    """An Excel sheet, with text as text."""
    import xlsxwriter

    if len(chunks.schema) > _SHEET_COLUMNS:
        raise RequestError(f"an Excel sheet has at most {_SHEET_COLUMNS:,} columns; write a .csv or .parquet file")
    options = {"constant_memory": True, "default_date_format": "yyyy-mm-dd", "remove_timezone": True}
    book = xlsxwriter.Workbook(path, options)
    try:
        sheet = book.add_worksheet()
        formats = [book.add_format({"num_format": _date_format(dtype)}) for dtype in chunks.schema.values()]
        for column, name in enumerate(chunks.schema):
            sheet.write_string(0, column, name)
        first = 1
        for chunk in chunks:
            if first + chunk.height > _SHEET_ROWS:
                raise RequestError(f"an Excel sheet has at most {_SHEET_ROWS:,} rows; write a .csv or .parquet file")
            for row, cells in enumerate(chunk.iter_rows(), first):
                for column, cell in enumerate(cells):
                    _write_cell(sheet, row, column, cell, formats[column])
            first += chunk.height
    finally:
        book.close()


def _date_format(dtype: Any) -> str:
    import polars as pl

    clock = "hh:mm:ss.000" if dtype == pl.Time or getattr(dtype, "time_unit", None) else ""
    return {pl.Date: "yyyy-mm-dd", pl.Datetime: "yyyy-mm-dd hh:mm:ss"}.get(dtype.base_type(), clock or "General")


def _write_cell(sheet: Any, row: int, column: int, cell: Any, form: Any) -> None:
    if cell is None or cell != cell:  # noqa: PLR0124  NaN
        return
    if isinstance(cell, str):
        sheet.write_string(row, column, cell)
    elif isinstance(cell, bool):
        sheet.write_boolean(row, column, cell)
    elif isinstance(cell, int | float) and (abs(cell) > _EXACT):
        sheet.write_string(row, column, str(cell))
    elif isinstance(cell, int | float):
        sheet.write_number(row, column, cell)
    elif hasattr(cell, "isoformat") or hasattr(cell, "total_seconds"):
        sheet.write_datetime(row, column, cell, form)
    else:  # decimals
        sheet.write_number(row, column, float(cell))
