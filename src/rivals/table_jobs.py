"""Tables before their first step: look at the columns, choose a recipe, encode. Refuses what can't be done."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .engine.data import spread
from .engine.errors import RequestError
from .engine.model import Model
from .engine.processes import Spread, check_processes
from .engine.recipe import Recipe, change
from .jobs import Job, Request, Tell, ends, estimate, resumed, same_data, with_budget
from .modalities.tables.calibrate import calibrated, shares_of
from .modalities.tables.cells import typed
from .modalities.tables.columns import Column, Typed
from .modalities.tables.encode import encoders_of
from .modalities.tables.judge import FULL, TableJudge, rows_of
from .modalities.tables.modality import Tables, dataset
from .modalities.tables.reading import Table, open_table
from .modalities.tables.recipes import choose_recipe, needs
from .modalities.tables.sampling import frames
from .modalities.tables.store import kept
from .modalities.tables.survey import Survey, remarks
from .modalities.tables.writing import harmless

if TYPE_CHECKING:
    import polars as pl

HELD_OUT, MOST_HELD_OUT = 0.2, 50_000
PREVIEW = 20  # rows


def prepare(request: Request, stored: Mapping[str, Any] | None, device: torch.device, tell: Tell) -> Job:
    """Look at the table, choose what is not given, and check that it can be done.

    `stored` is what `open_folder` found. Nothing is written but the cache of encoded rows.

    Raises:
        RequestError: the request can't be served.
    """
    if request.features is not None:
        raise RequestError("a table is judged column by column, in no feature space: leave --features out")
    table = open_table(request.source, query=request.data.get("query"))
    same_data(stored, table.sha256, request, "rows")
    columns, rows = surveyed(table, request.data.get("columns") or {}, tell)
    tell({"kind": "columns", "name": table.name, "rows": rows, "columns": columns, "notes": notes(table, columns)})
    encoders = encoders_of(columns, cells_of(table, columns))
    if not encoders.all:
        raise RequestError("no column can be learned: all are ids, text or empty; --column NAME=KIND overrules that")
    tables = Tables(columns, encoders)
    recipe, reasons = resumed(request, stored) or chosen(request, tables)
    check_processes(recipe.batch, request.processes, device)
    told = estimate(recipe, needs(recipe, tables), device, "the networks' width (--set generator.options.width=128)")
    tell(
        {
            "kind": "plan",
            "folder": str(request.folder),
            "recipe": asdict(recipe),
            "reasons": reasons,
            **told,
            "items": "rows",
            "shape": f"rows of {len(encoders.all)} columns",
        }
    )
    compact = kept(
        encoders,
        lambda: cells_of(table, columns),
        rows,
        table.sha256,
        progress=lambda done, total: tell({"kind": "decoding", "done": done, "total": total}),
    )
    train, held_out = parts(len(compact.slots))
    shares = cache(lambda: shares_of(compact, train, encoders.layout))
    return Job(
        folder=request.folder,
        source=str(request.source) if is_file(request.source) else table.name,
        recipe=recipe,
        modality=tables,
        content=table.sha256,
        found={"rows": rows, "train": len(train), "held_out": len(held_out), "notes": notes(table, columns)},
        features="table",
        scores=("two_sample", "shapes"),
        dataset=lambda _: dataset(tables, compact, train, held_out),
        judge=lambda tell: judge_of(table, columns, train, held_out, tell),
        sheet=lambda model: preview(model, recipe.seed),
        preview=".csv",
        finish=lambda model: calibrated(model, shares()),
        spread=Spread.kept(stored or {}),
    )


def is_file(source: Any) -> bool:
    """Whether a source can be named: a database's URL may hold a password, and a data frame has no name."""
    return isinstance(source, str | Path) and "://" not in str(source)


def surveyed(table: Table, kinds: Mapping[str, Any], tell: Tell) -> tuple[tuple[Column, ...], int]:
    """What the columns are, and how many rows there are."""
    survey, rows = Survey(), 0
    for chunk in table.chunks():
        survey.feed(chunk)
        rows += chunk.height
        tell({"kind": "reading", "done": rows, "total": table.rows or rows})
    return survey.columns(kinds), rows


def notes(table: Table, columns: tuple[Column, ...]) -> list[str]:
    """What should be known of the table, a line each."""
    return [*table.notes, *remarks(columns)]


def cells_of(table: Table, columns: tuple[Column, ...]) -> Iterator[Mapping[str, Typed]]:
    """The rows chunk by chunk as typed cells, by column."""
    for chunk in table.chunks():
        yield {column.name: typed(column, chunk[column.name]) for column in columns}


def chosen(request: Request, tables: Tables) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe of a run that begins, and why it is what it is."""
    recipe, reasons = request.recipe, tuple[str, ...]()
    if recipe is None:
        recipe, reasons = choose_recipe(tables, request.method or "r3gan", *ends(request), own=request.own)
    for path, value in request.changes.items():
        recipe = change(recipe, path, value)
    return with_budget(recipe, request.asked), reasons


def parts(rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The numbers of the rows to learn from and of those kept for judging, drawn once and for all."""
    order = torch.from_numpy(np.random.default_rng(0).permutation(rows))
    most = min(round(HELD_OUT * rows), MOST_HELD_OUT)
    return order[most:].sort().values, order[:most].sort().values


def rows_at(table: Table, which: torch.Tensor, most: int = FULL) -> "pl.DataFrame":
    """At most so many of some rows, by number in rising order, as a data frame."""
    import polars as pl

    wanted, found, start = spread(which, most), [], 0
    for chunk in table.chunks():
        inside = wanted[(wanted >= start) & (wanted < start + chunk.height)] - start
        found.append(chunk[inside.numpy()])
        start += chunk.height
    return pl.concat(found)


def judge_of(
    table: Table, columns: tuple[Column, ...], train: torch.Tensor, held_out: torch.Tensor, tell: Tell
) -> TableJudge:
    """The judge of a run."""
    real = rows_at(table, held_out)
    cells = {column.name: typed(column, real[column.name]) for column in columns}
    known = rows_of(columns, cells, real.height)
    return TableJudge(columns, known, partial(rows_at, table, train), real, table.name, table.sha256, tell)


def preview(model: Model, seed: int) -> bytes:
    """Some rows as CSV."""
    import polars as pl

    return harmless(pl.concat(frames(model, PREVIEW, seed=seed))).write_csv().encode()
