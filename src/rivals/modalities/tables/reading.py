"""Opening tables: files, databases and data frames, read in chunks."""

import hashlib
import io
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rivals.engine.errors import RequestError

if TYPE_CHECKING:
    import polars as pl

TEXTS = (".csv", ".tsv", ".tab", ".txt", ".data", ".dat", ".csv.gz", ".tsv.gz", ".csv.bz2", ".csv.xz")
SHEETS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
ARROWS = (".parquet", ".pq", ".arrow", ".feather", ".ipc", ".arrows")
DATABASES = (".sqlite", ".sqlite3", ".db")
SUFFIXES = (*TEXTS, *SHEETS, *ARROWS, *DATABASES)

_URL = re.compile(r"^[a-z][a-z0-9+_.-]*://", re.IGNORECASE)
_LITTER = ("Thumbs.db", "desktop.ini")
_CELLS = 3_000_000
_MOST_ROWS = 100_000


@dataclass(frozen=True)
class Table:
    """A table that is read in chunks, as often as one likes.

    Attributes:
        name: For people.
        names: Of the columns, all different.
        sha256: Of the content.
        read: Makes a new iterator over the rows; the columns of text files are all text.
        rows: None where they haven't been counted.
        notes: What was found out or left out, a line each.
        separator: Between the cells of a text file.
    """

    name: str
    names: tuple[str, ...]
    sha256: str
    read: Callable[[], "Iterator[pl.DataFrame]"] = field(repr=False)
    rows: int | None = None
    notes: tuple[str, ...] = ()
    separator: str = ","

    def chunks(self) -> "Iterator[pl.DataFrame]":
        """The rows in order, at most 100,000 at a time, fewer of wide tables."""
        return self.read()


def is_table(source: object) -> bool:
    """Whether something is a table, told by its name or type alone; Arrow files by their columns as well."""
    if _is_frame(source):
        return True
    if not isinstance(source, str | os.PathLike):
        return False
    if _URL.match(str(source)):
        return True
    path = Path(source).expanduser()
    if path.is_dir():
        return bool(_tables_in(path)) and all(_has(entry, SUFFIXES) for entry in _entries(path))
    return _has(path, SUFFIXES) and not (_has(path, ARROWS) and _holds_files(path))


def open_table(source: Any, *, query: str | None = None) -> Table:
    """Open any table.

    Args:
        source: A CSV, TSV, Parquet, Arrow, Feather or Excel file, a folder of parts of one table, an SQLite file, a
            database's URL as SQLAlchemy writes it, or a polars or pandas data frame.
        query: What to read from a database: SQL, or a table's name.

    Raises:
        RequestError: There is no such table, it has fewer than two rows, or it can't be read.
    """
    from . import reading_files, reading_sql

    if query is not None and _is_frame(source):
        raise RequestError("a query is for databases; filter the data frame before giving it")
    if _is_frame(source):
        return _of_frame(source)
    written = os.fspath(source)
    if _URL.match(written):
        return _checked(reading_sql.open_database(written, query))
    path = Path(written).expanduser()
    if not path.exists():
        raise RequestError(f"there is no {written!r}; give a table's file, or a database's URL such as sqlite:///my.db")
    if path.is_dir():
        return _checked(_of_folder(path))
    if _has(path, DATABASES):
        return _checked(reading_sql.open_database(f"sqlite:///{path}", query))
    if query is not None:
        raise RequestError(f"a query is for databases, and {written!r} is a file")
    return _checked(reading_files.open_file(path))


def slices(frame: "pl.DataFrame") -> "Iterator[pl.DataFrame]":
    """A table in memory in chunks."""
    rows = chunk_rows(frame.width)
    return (frame.slice(start, rows) for start in range(0, frame.height, rows))


def chunk_rows(columns: int) -> int:
    """Rows of a chunk of so many columns."""
    return max(min(_CELLS // max(columns, 1), _MOST_ROWS), 100)


def good_names(names: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """Names that are all different and not empty, and what was changed, in words."""
    said, good = [], []
    taken = Counter(name.strip() for name in names)
    for place, name in enumerate(names, 1):
        own = name.strip() or f"column_{place}"
        repeated = own in good
        number = 2
        while own in good or (repeated and own in taken):
            own, number = f"{name.strip()}_{number}", number + 1
        if own != name.strip():
            why = "has no name" if not name.strip() else f"is another {name.strip()!r}"
            said.append(f"column {place} {why}: called {own!r}")
        good.append(own)
    return tuple(good), said if len(said) <= 5 else [*said[:4], f"... and {len(said) - 4} more columns were named anew"]


def _of_frame(source: Any) -> Table:
    """A polars or pandas data frame."""
    import polars as pl

    notes: list[str] = []
    if isinstance(source, pl.LazyFrame):
        source = source.collect()
    if not isinstance(source, pl.DataFrame):
        if type(source.index).__name__ != "RangeIndex":
            notes.append("the data frame's index is left out; reset_index() makes it a column")
        source = _from_pandas(source)
    content = hashlib.sha256(repr(source.schema).encode())
    for part in slices(source):
        buffer = io.BytesIO()
        part.write_ipc_stream(buffer)
        content.update(buffer.getbuffer())
    table = Table(
        "data frame", tuple(source.columns), content.hexdigest(), lambda: slices(source), source.height, tuple(notes)
    )
    return _checked(table)


def _from_pandas(frame: Any) -> "pl.DataFrame":
    """A pandas data frame as a polars one; columns of mixed types as text."""
    import polars as pl

    names, _ = good_names([str(name) for name in frame.columns])
    columns = []
    for place, name in enumerate(names):
        values = frame.iloc[:, place]
        try:
            columns.append(pl.Series(name, pl.from_pandas(values)))
        except (TypeError, ValueError, pl.exceptions.PolarsError, OverflowError):
            there = values.notna()
            texts = [str(value) if known else None for value, known in zip(values, there, strict=True)]
            columns.append(pl.Series(name, texts, dtype=pl.String))
    return pl.DataFrame(columns)


def _of_folder(path: Path) -> Table:
    """A folder of parts: files of one suffix with the same columns."""
    from . import reading_files

    files = _tables_in(path)
    if not files:
        raise RequestError(f"the folder {str(path)!r} holds no table; give one with CSV, Parquet, Arrow or Excel files")
    parts = [reading_files.open_file(file) for file in files]
    if len({part.names for part in parts}) > 1:
        names = ", ".join(file.name for file in files[:5]) + (", ..." if len(files) > 5 else "")
        raise RequestError(
            f"the folder {str(path)!r} holds {len(files)} tables with different columns ({names}): several tables at "
            "once can't be learned; give one of them, or join them first"
        )
    content = hashlib.sha256("".join(part.sha256 for part in parts).encode()).hexdigest()
    rows = None if any(part.rows is None for part in parts) else sum(part.rows or 0 for part in parts)
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    if len(parts) > 1:
        notes = {f"read {len(parts)} files as parts of one table": None, **notes}
    return Table(
        path.name,
        parts[0].names,
        content,
        lambda: (rows for part in parts for rows in part.chunks()),
        rows,
        tuple(notes),
    )


def _checked(table: Table) -> Table:
    """The table, if it has columns and at least two rows."""
    seen = table.rows
    if seen is None:
        seen = 0
        for chunk in table.chunks():
            seen += chunk.height
            if seen >= 2:
                break
    if not table.names:
        raise RequestError(f"the table {table.name!r} has no columns")
    if seen < 2:
        what = "a header but no rows" if seen == 0 else "only one row"
        raise RequestError(
            f"the table {table.name!r} has {what}; learning takes at least two, and hundreds to be of use"
        )
    return table


def _is_frame(source: object) -> bool:
    """Whether this is a data frame of polars or pandas, without importing either."""
    kind = type(source)
    return kind.__name__ in ("DataFrame", "LazyFrame") and kind.__module__.split(".")[0] in ("polars", "pandas")


def _holds_files(path: Path) -> bool:
    """Whether a column holds encoded files, such as pictures, rather than plain values; so it seems without polars."""
    try:
        import polars as pl
    except ImportError:
        return True
    try:
        schema = pl.read_parquet_schema(path) if _has(path, (".parquet", ".pq")) else pl.read_ipc_schema(path)
    except (OSError, pl.exceptions.PolarsError):
        return False

    def holds(dtype: Any) -> bool:
        return dtype == pl.Binary or (dtype == pl.Struct and any(part.dtype == pl.Binary for part in dtype.fields))

    return any(map(holds, schema.values()))


def _entries(path: Path) -> list[Path]:
    found = sorted(entry for entry in path.iterdir() if not entry.name.startswith((".", "_")))
    return [entry for entry in found if entry.name not in _LITTER]


def _tables_in(path: Path) -> list[Path]:
    return [entry for entry in _entries(path) if entry.is_file() and _has(entry, SUFFIXES)]


def _has(path: Path, suffixes: tuple[str, ...]) -> bool:
    return path.name.lower().endswith(suffixes)
