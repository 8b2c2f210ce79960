"""`rivals judge` for tables: a synthetic table, or a run's, against real rows."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .api import load
from .engine.errors import RequestError
from .modalities.tables.columns import Column
from .modalities.tables.modality import Tables
from .modalities.tables.reading import Table, is_table, open_table
from .modalities.tables.sampling import frames
from .modalities.tables.survey import Survey
from .modalities.tables.verdict import verdict_of
from .modalities.tables.verdict_page import write_table_page
from .table_jobs import parts, rows_at

if TYPE_CHECKING:
    import polars as pl

Tell = Callable[[Mapping[str, Any]], None]
FULL = 20_000  # rows of a side


def judge_tables(
    fake: Any,
    against: Any | None,
    *,
    target: str | None = None,
    held_out: Any | None = None,
    count: int | None = None,
    seed: int = 1,
    best: bool = False,
    page: Path | None = None,
    tell: Tell = lambda entry: None,
) -> dict[str, Any]:
    """The verdict on synthetic rows.

    A run is judged against the rows that it has not seen of the table it was trained on. A table of unknown origin is
    judged against all real rows, and without `held_out` its privacy can't be, since there is no control.

    Args:
        fake: a run's folder, or a table.
        against: the real table; a run's own if not given.
        target: the column that usefulness is measured on; the last if not given.
        held_out: real rows that the generator has not seen.
        count: the most rows of a side.
        seed: of samples and of every random choice.
        best: judge a run's best state instead of its last.
        page: where to write the verdict as an HTML page.
        tell: called with progress.

    Raises:
        RequestError: the request can't be served.
    """
    most = count or FULL
    if is_table(fake):
        if against is None:
            raise RequestError(f"{fake} can't be judged alone: give the real table with --against")
        real = open_table(against)
        columns = surveyed(real)
        train = some(real, most)
        made, name = some(open_table(fake), most), str(fake)
        control = None if held_out is None else some(open_table(held_out), most)
    else:
        model = load(fake, best=best)
        tables = model.modality
        assert isinstance(tables, Tables)
        columns, name = tables.columns, str(fake)
        real = open_table(against if against is not None else source_of(Path(fake)))
        made = all_frames(model, most, seed)
        split = parts(real.rows or counted(real))
        train, control = (rows_at(real, which, most) for which in (split.train, split.held_out))
        if (Path(fake) / "privacy.json").exists():  # it has learned from all rows
            train, control = some(real, most), None
        if held_out is not None:
            control = some(open_table(held_out), most)
    found = verdict_of(made, train, control, columns, target=target, seed=seed, tell=comparing(tell))
    found["card"] |= {"fakes": name, "data": real.name, "data_sha256": real.sha256}
    if page is not None:
        write_table_page(page, found)
    return found


def comparing(tell: Tell) -> Callable[[str], None]:
    """What is reckoned now, as an entry for a display."""
    return lambda words: tell({"kind": "comparing", "what": words})


def all_frames(model: Any, count: int, seed: int) -> "pl.DataFrame":
    """Samples of a model in one data frame."""
    import polars as pl

    return pl.concat(frames(model, count, seed=seed))


def surveyed(table: Table) -> tuple[Column, ...]:
    """What a table's columns are."""
    survey = Survey()
    for chunk in table.chunks():
        survey.feed(chunk)
    return survey.columns()


def some(table: Table, most: int) -> "pl.DataFrame":
    """At most so many rows of a table, evenly from first to last."""
    import torch

    return rows_at(table, torch.arange(counted(table)), most)


def counted(table: Table) -> int:
    """How many rows a table has."""
    return table.rows if table.rows is not None else sum(chunk.height for chunk in table.chunks())


def source_of(run: Path) -> str:
    """The table that a run was trained on."""
    card = run / "run.json"
    try:
        return str(json.loads(card.read_text(encoding="utf-8"))["source"])
    except (OSError, ValueError, KeyError, TypeError):
        raise RequestError(f"{card} doesn't say where the rows are: give the real table with --against") from None
