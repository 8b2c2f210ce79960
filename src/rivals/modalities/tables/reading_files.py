"""Reading tables from files."""

import bz2
import gzip
import lzma
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from rivals.engine.errors import RequestError
from rivals.engine.files import digest

from .formulas import FORMULA
from .reading import ARROWS, SHEETS, Table, chunk_rows, good_names, slices
from .sniff import SAMPLE, Layout, layout_of
from .spool import Folder

_PACKED: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_BLOCK = 2**20


def open_file(path: Path) -> Table:
    """The table in a file, whatever its suffix says.

    Raises:
        RequestError: The file is empty, or can't be read.
    """
    if not path.stat().st_size:
        raise RequestError(f"the table {path.name!r} is an empty file; give one with a header and at least two rows")
    try:
        return _open(path)
    except (OSError, EOFError, pl.exceptions.PolarsError) as error:
        raise RequestError(f"the table {path.name!r} can't be read: {_first_line(error)}") from error


def _open(path: Path) -> Table:
    with path.open("rb") as file:
        start = file.read(SAMPLE)
    if start.startswith(b"PAR1"):
        return _scanned(path, pl.scan_parquet(path), int(pl.scan_parquet(path).select(pl.len()).collect().item()))
    if start.startswith(b"ARROW1"):
        return _scanned(path, pl.scan_ipc(path), int(pl.scan_ipc(path).select(pl.len()).collect().item()))
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return _sheet(path)
    if path.suffix.lower() in ARROWS:
        frame = pl.read_ipc_stream(path)
        return Table(path.name, tuple(frame.columns), digest(path), lambda: slices(frame), frame.height)
    if path.suffix.lower() in SHEETS:
        raise RequestError(f"{path.name!r} is no Excel file, though it is called one; save it anew, or as CSV")
    return _text(path)


def _scanned(path: Path, frame: pl.LazyFrame, rows: int) -> Table:
    """A Parquet or Arrow file, read as it is asked for."""
    names = tuple(frame.collect_schema().names())
    return Table(path.name, names, digest(path), lambda: _batches(frame, len(names), path.name), rows)


def _sheet(path: Path) -> Table:
    """The first sheet of a workbook that has anything in it."""
    import fastexcel

    try:
        sheets = fastexcel.read_excel(path).sheet_names
        found = (
            (name, pl.read_excel(path, sheet_name=name, infer_schema_length=None, raise_if_empty=False))
            for name in sheets
        )
        name, frame = next(((name, frame) for name, frame in found if frame.height), (sheets[0], pl.DataFrame()))
    except fastexcel.FastExcelError as error:
        raise RequestError(f"the workbook {path.name!r} can't be read: {_first_line(error)}") from error
    others = [other for other in sheets if other != name]
    notes = [f"read the sheet {name!r}, left out {', '.join(map(repr, others))}"] if others else []
    names, said = good_names(frame.columns)
    frame.columns = list(names)
    return Table(path.name, names, digest(path), lambda: slices(frame), frame.height, (*notes, *said))


def _read_sheet(path: Path, name: str) -> pl.DataFrame:
    return pl.read_excel(path, sheet_name=name, infer_schema_length=None, raise_if_empty=False)


def _text(path: Path) -> Table:
    """A text file; one that isn't plain UTF-8 is copied as that to a temporary file first."""
    kept: Folder | None = None
    own = path
    if path.suffix.lower() in _PACKED:
        kept, own = _unpacked(path)
    with own.open("rb") as file:
        layout = layout_of(own, file.read(SAMPLE))
    if layout.encoding not in ("utf-8", "utf-8-sig"):
        kept, own = _as_utf8(own, layout.encoding)
    names, said = good_names(layout.header or [""] * layout.columns)
    notes = [*layout.notes(), *(said if layout.header else [])]
    if any(len(row) > layout.columns for row in layout.first):
        raise RequestError(
            f"the table {path.name!r} has rows with more cells than its {layout.columns} columns: "
            "check its header and its quotes"
        )

    if any(len(row) < layout.columns for row in layout.first):
        notes.append("some rows have fewer cells than there are columns: the others are missing")

    def read() -> Iterator[pl.DataFrame]:
        assert kept is None or kept.path  # the temporary folder lives as long as someone may read
        return map(_as_meant, _batches(_scan(own, layout, names), len(names), path.name))

    return Table(path.name, names, digest(path), read, None, tuple(notes), layout.separator)


def _scan(path: Path, layout: Layout, names: tuple[str, ...]) -> pl.LazyFrame:
    """The rows of a text file, all cells as text."""
    return pl.scan_csv(
        path, has_header=False, skip_rows=layout.skipped + bool(layout.header), separator=layout.separator,
        quote_char=layout.quote, eol_char=layout.newline, schema=dict.fromkeys(names, pl.String()),
        infer_schema=False, raise_if_empty=False, missing_columns="insert",
    )  # fmt: skip


def _as_meant(rows: pl.DataFrame) -> pl.DataFrame:
    """Without lines that have nothing on them, and without the apostrophe that `write_table` put before formulas."""
    empty = rows.to_series(0).is_null()
    for cells in rows.iter_columns() if rows.width > 1 else ():  # in a table of one column an empty line is a cell
        if not empty.any():
            break
        empty &= cells.is_null()
    if rows.width > 1 and empty.any():
        rows = rows.filter(~empty)
    marked = [cells.name for cells in rows if cells.str.starts_with("'").any()]
    return rows.with_columns(pl.col(marked).str.replace(f"^'({FORMULA})", "$1")) if marked else rows


def _batches(frame: pl.LazyFrame, columns: int, name: str) -> Iterator[pl.DataFrame]:
    try:
        for batch in frame.collect_batches(chunk_size=chunk_rows(columns), maintain_order=True):
            yield from slices(batch)
    except pl.exceptions.ComputeError as error:
        said = _first_line(error)
        if "more fields" in said:
            said = f"a row has more cells than there are columns ({columns}); check quotes, and separators within cells"
        raise RequestError(f"the table {name!r} can't be read to its end: {said}") from error


def _unpacked(path: Path) -> tuple[Folder, Path]:
    """A temporary copy of a compressed file."""
    folder = Folder()
    copy = folder.path / path.stem
    with _PACKED[path.suffix.lower()](path, "rb") as packed, copy.open("wb") as file:
        shutil.copyfileobj(packed, file, _BLOCK)
    return folder, copy


def _as_utf8(path: Path, encoding: str) -> tuple[Folder, Path]:
    """A temporary copy of a text file in UTF-8."""
    folder = Folder()
    copy = folder.path / path.name
    with (
        path.open(encoding=encoding, errors="replace", newline="") as old,
        copy.open("w", encoding="utf-8", newline="") as new,
    ):
        shutil.copyfileobj(old, new, _BLOCK)
    return folder, copy


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
