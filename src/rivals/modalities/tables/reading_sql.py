"""Reading tables from databases."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from rivals.engine.errors import RequestError
from rivals.engine.files import digest

from .reading import Table, chunk_rows, good_names
from .spool import Folder


def open_database(url: str, query: str | None) -> Table:
    """The answer to a query, kept in a temporary folder: it is read several times, and must not change between.

    Args:
        url: As SQLAlchemy writes it.
        query: SQL, or the name of a table; None for the only table of the database.

    Raises:
        RequestError: There is no such database or driver, there are several tables, or the query fails.
    """
    try:
        import sqlalchemy
    except ImportError as error:
        raise RequestError(
            "reading a database takes SQLAlchemy; install it with: pip install 'rivals[tables]'"
        ) from error
    try:
        shown = sqlalchemy.make_url(url).render_as_string(hide_password=True)
        file = url.removeprefix("sqlite:///").partition("?")[0]
        if file != url and not Path(file).is_file():
            raise RequestError(f"there is no database {shown}")
        engine = sqlalchemy.create_engine(url)
        with engine.connect() as connection:
            asked, notes = _query(sqlalchemy, connection, query, shown)
            return _spooled(connection.execution_options(stream_results=True).execute(asked), shown, notes)
    except sqlalchemy.exc.SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise RequestError(f"the database can't be read: {said}") from error
    except ImportError as error:
        raise RequestError(f"reading {shown} takes the Python package {error.name!r}; install it first") from error


def _query(sql: Any, connection: Any, query: str | None, shown: str) -> tuple[Any, list[str]]:
    """What to ask the database, and what to say about it."""
    inspector = sql.inspect(connection)
    tables = [*inspector.get_table_names(), *inspector.get_view_names()]
    if query is not None and query not in tables:
        return sql.text(query), []
    if query is None and len(tables) != 1:
        listed = ", ".join(map(repr, tables[:8])) + (", ..." if len(tables) > 8 else "")
        raise RequestError(f"{shown} has {len(tables)} tables ({listed}); name one of them, or give a query")
    name = query or tables[0]
    parents = sorted({key["referred_table"] for key in inspector.get_foreign_keys(name)})
    notes = (
        [f"{name!r} has keys into {', '.join(map(repr, parents))}: each table is learned for itself"] if parents else []
    )
    return sql.select(sql.text("*")).select_from(sql.table(name)), notes


def _spooled(result: Any, shown: str, notes: list[str]) -> Table:
    """The rows of an answer as Arrow files in a temporary folder."""
    names, said = good_names([str(name) for name in list(result.keys())])
    folder = Folder()
    files: list[Path] = []
    rows, content = 0, ""
    for part in result.yield_per(chunk_rows(len(names))).partitions():
        path = folder.path / f"{len(files)}.arrow"
        _frame([tuple(row) for row in part], names).write_ipc(path)
        files.append(path)
        rows, content = rows + len(part), content + digest(path)

    def read() -> Iterator[pl.DataFrame]:
        assert folder.path  # the temporary folder lives as long as someone may read
        return (pl.read_ipc(path) for path in files)

    return Table(shown, names, hashlib.sha256(content.encode()).hexdigest(), read, rows, (*notes, *said))


def _frame(rows: list[tuple[Any, ...]], names: tuple[str, ...]) -> pl.DataFrame:
    """Rows as columns, those of mixed types as text."""
    columns = []
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        try:
            columns.append(pl.Series(name, values, strict=True))
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
            columns.append(pl.Series(name, [None if value is None else str(value) for value in values]))
    return pl.DataFrame(columns)
