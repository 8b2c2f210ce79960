"""Tables before their first step: look at the columns, choose a recipe, encode. Refuses what can't be done."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from .engine.data import spread
from .engine.errors import RequestError
from .engine.model import Model
from .engine.processes import Spread, check_processes
from .engine.recipe import Recipe, change, from_plain
from .jobs import Job, Request, Tell, ends, estimate, resumed, same_data, with_budget
from .modalities.tables.asking import asking_of, mix_of
from .modalities.tables.calibrate import MANY, calibrated, shares_of
from .modalities.tables.cells import typed
from .modalities.tables.columns import Column, Typed
from .modalities.tables.constraints_fit import fit_rules, learned_columns
from .modalities.tables.constraints_rules import Rules
from .modalities.tables.encode import encoders_of, slots_for
from .modalities.tables.judge import FULL, QUICK, TableJudge, rows_of
from .modalities.tables.modality import Tables, dataset
from .modalities.tables.reading import Table, open_table
from .modalities.tables.recipes import GAMMA, choose_recipe, needs
from .modalities.tables.sampling import frames
from .modalities.tables.store import kept
from .modalities.tables.survey import Survey, remarks
from .modalities.tables.writing import harmless

if TYPE_CHECKING:
    import polars as pl

HELD_OUT, MOST_HELD_OUT = 0.2, 50_000
VALIDATION = 0.1  # of the rows, at most as many as a quick verdict takes
ENOUGH = 200  # rows of validation without which no state is told from another
PREVIEW = 20  # rows


def prepare(request: Request, stored: Mapping[str, Any] | None, device: torch.device, tell: Tell) -> Job:
    """Look at the table, choose what is not given, and check that it can be done.

    `stored` is what `open_folder` found. Nothing is written but the cache of encoded rows.

    Raises:
        RequestError: the request can't be served.
    """
    from . import table_private

    if table_private.wanted(request, stored):
        if request.data.get("constraints"):
            raise RequestError("constraints are held against the rows, which is not charged: leave them out")
        return table_private.prepare(request, stored, device, tell)
    if request.features is not None:
        raise RequestError("a table is judged column by column, in no feature space: leave --features out")
    table = open_table(request.source, query=request.data.get("query"))
    same_data(stored, table.sha256, request, "rows")
    columns, rows = surveyed(table, request.data.get("columns") or {}, tell)
    tell({"kind": "columns", "name": table.name, "rows": rows, "columns": columns, "notes": notes(table, columns)})
    rules = rules_of(request, stored, table, columns)

    def learned() -> Iterator[Mapping[str, Typed]]:
        return (rules.forth(cells, columns) for cells in cells_of(table, columns))

    instead = learned_columns(rules, columns, lambda: cells_of(table, columns))
    encoders = encoders_of(instead, learned(), most_slots=slots_for(rows))
    if not encoders.all:
        raise RequestError("no column can be learned: all are ids, text or empty; --column NAME=KIND overrules that")
    tables = Tables(columns, encoders, rules=rules, separator=table.separator)
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
        learned,
        rows,
        table.sha256 if rules == Rules() else f"{table.sha256} {rules}",
        progress=lambda done, total: tell({"kind": "decoding", "done": done, "total": total, "items": "rows"}),
    )
    train, validation, held_out = split = parts(len(compact.slots))
    # Of all rows, as ranges and categories are: those of a part are far off where a category is rare.
    shares = cache(lambda: shares_of(compact.slots, encoders.layout))
    asking = asking_of(recipe)
    if not asking.nothing:
        tables = replace(tables, mix=mix_of(asking, shares(), encoders.layout))
    return Job(
        folder=request.folder,
        source=str(request.source) if is_file(request.source) else table.name,
        recipe=recipe,
        modality=tables,
        content=table.sha256,
        found={
            "items": "rows",
            "usual": {"r1": GAMMA, "r2": GAMMA},
            "rows": rows,
            "train": len(train),
            "validation": len(validation),
            "held_out": len(held_out),
            "notes": notes(table, columns),
        },
        features="table",
        scores=("two_sample", "shapes"),
        dataset=lambda _: dataset(tables, compact, train, validation, asking),
        judge=lambda tell: judge_of(table, columns, split, tell),
        sheet=lambda model: preview(model, recipe.seed),
        preview=".csv",
        finish=lambda model: calibrated(model, shares()),
        settle=lambda model: calibrated(model, shares(), count=MANY),
        spread=Spread.kept(stored or {}),
        takes_best=len(validation) >= ENOUGH,
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
        tell({"kind": "reading", "done": rows, "total": table.rows or rows, "items": "rows"})
    return survey.columns(kinds), rows


def notes(table: Table, columns: tuple[Column, ...]) -> list[str]:
    """What should be known of the table, a line each."""
    return [*table.notes, *remarks(columns)]


def cells_of(table: Table, columns: tuple[Column, ...]) -> Iterator[Mapping[str, Typed]]:
    """The rows chunk by chunk as typed cells, by column."""
    for chunk in table.chunks():
        yield {column.name: typed(column, chunk[column.name]) for column in columns}


def rules_of(request: Request, stored: Mapping[str, Any] | None, table: Table, columns: tuple[Column, ...]) -> Rules:
    """What every row keeps, found to hold in the table; a run that goes on keeps its own.

    Raises:
        RequestError: a constraint that can't be served, or other ones than those of the run that goes on.
    """
    given, path = request.data.get("constraints") or (), request.folder / "modality.json"
    first = Rules()
    if stored is not None and path.exists():
        values = json.loads(path.read_text(encoding="utf-8")).get("rules", {})
        first = from_plain(Rules, values, f"{path}: rules")
        if not given:
            return first
    rules = fit_rules(given, columns, table.chunks)
    if stored is not None and path.exists() and rules != first:
        raise RequestError(f"the constraints differ from those of the run in {request.folder}: they need a new --out")
    return rules


def chosen(request: Request, tables: Tables) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe of a run that begins, and why it is what it is."""
    recipe, reasons = request.recipe, tuple[str, ...]()
    if recipe is None:
        recipe, reasons = choose_recipe(tables, request.method or "r3gan", *ends(request), own=request.own)
    for path, value in request.changes.items():
        recipe = change(recipe, path, value)
    return with_budget(recipe, request.asked), reasons


class Parts(NamedTuple):
    """Which rows are learned from, which choose the best state and the end, and which the verdict is taken on.

    The numbers of the rows, rising, int64.
    """

    train: torch.Tensor
    validation: torch.Tensor
    held_out: torch.Tensor


def parts(rows: int) -> Parts:
    """The parts of a table, drawn once and for all."""
    order = torch.from_numpy(np.random.default_rng(0).permutation(rows))
    most = min(round(HELD_OUT * rows), MOST_HELD_OUT)
    chosen = most + min(round(VALIDATION * rows), QUICK)
    return Parts(order[chosen:].sort().values, order[most:chosen].sort().values, order[:most].sort().values)


def rows_at(table: Table, which: torch.Tensor, most: int = FULL) -> "pl.DataFrame":
    """At most so many of some rows, by number in rising order, as a data frame."""
    import polars as pl

    wanted, found, start = spread(which, most), [], 0
    for chunk in table.chunks():
        inside = wanted[(wanted >= start) & (wanted < start + chunk.height)] - start
        found.append(chunk[inside.numpy()])
        start += chunk.height
    return pl.concat(found)


def judge_of(table: Table, columns: tuple[Column, ...], split: Parts, tell: Tell) -> TableJudge:
    """The judge of a run: quick verdicts on rows of their own, or what was chosen by them would be flattered."""
    some = rows_at(table, split.validation)
    known = rows_of(columns, {column.name: typed(column, some[column.name]) for column in columns}, some.height)
    train, held_out = partial(rows_at, table, split.train), rows_at(table, split.held_out)
    return TableJudge(columns, known, train, held_out, table.name, table.sha256, tell)


def preview(model: Model, seed: int) -> bytes:
    """Some rows as CSV."""
    import polars as pl

    return harmless(pl.concat(frames(model, PREVIEW, seed=seed))).write_csv().encode()
