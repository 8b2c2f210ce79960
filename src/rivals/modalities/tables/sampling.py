"""Rows drawn from a model as data frames, in the columns, order and format of the original."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import polars as pl
import torch

from rivals.engine.errors import RequestError
from rivals.engine.model import Model
from rivals.engine.names import named
from rivals.engine.parallel import seed_torch

from .cells import untyped
from .columns import CODED, Column, Typed
from .constraints import Check
from .constraints_built import cut
from .constraints_sieve import Sieve
from .ids import fresh_ids
from .modality import Tables
from .wishes import Demand, Wish, read_wish

BATCH = 4096
RAREST = 2e-4  # of the rows tried, that must be as they are asked for
PATIENCE = 100_000  # rows tried before that is said


def frames(
    model: Model,
    count: int,
    *,
    seed: int = 0,
    wish: str | Wish | None = None,
    sieve: Sieve | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[pl.DataFrame]:
    """`count` rows in parts; memory stays flat, but for what must be unique.

    What was wished for, and every rule of the table, holds in every row: others are thrown away.

    Args:
        model: of a table.
        count: of rows.
        seed: the same gives the same rows.
        wish: conditions.
        sieve: the table's rules with their predicates, or with what other rows were already made; new if not given.
        progress: called with rows (done, total).

    Raises:
        RequestError: the wish can't be read or contradicts a rule, or hardly a row is as it is asked for.
    """
    if count < 1:
        raise RequestError(f"at least one row can be drawn, not {count}")
    tables = model.modality
    assert isinstance(tables, Tables)
    wished = read_wish(wish, tables) if isinstance(wish, str) else wish
    sieve = sieve or Sieve(tables)
    done = number = tried = found = 0
    while done < count:
        cells = drawn(model, BATCH, seed=seed + 1_000_003 * number, wish=wished)
        number, tried = number + 1, tried + BATCH
        met = np.arange(BATCH) if wished is None else np.flatnonzero(wished.met(cells))
        frame = fitting(tables, cut(cells, met), len(met), sieve, count - done, seed=seed, start=done)
        found += frame.height
        if tried >= PATIENCE:
            if found < RAREST * tried:
                raise RequestError(hardly(tables, found, tried, done, wished is not None))
            tried = found = 0
        done += frame.height
        if frame.height:
            yield frame
        progress(done, count)


def fitting(
    tables: Tables, cells: Mapping[str, Typed], count: int, sieve: Sieve, most: int, *, seed: int, start: int
) -> pl.DataFrame:
    """At most so many of some rows, those that a sieve lets through; their ids are numbered from `start` on."""
    if sieve.open or not count:
        most = min(count, most)
        return frame_of(tables, cut(cells, np.arange(most)), most, seed=seed, start=start)
    frame = frame_of(tables, cells, count, seed=seed, start=start)
    frame = frame[sieve.kept(frame, most)]
    return frame.with_columns(
        ids_of(column, frame.height, seed, start) for column in tables.columns if column.kind == "id"
    )


def hardly(tables: Tables, found: int, tried: int, done: int, wished: bool) -> str:
    """What to say where hardly any row is as it should be."""
    told = f"only {found} of {tried:,} rows {f'after the first {done:,} ' if done else ''}"
    rules = ", ".join(repr(words) for words in tables.rules.words())
    if wished and not rules:
        return f"{told}fulfilled what was asked: the model hardly ever makes such rows; ask for less at a time"
    kept = f"kept {rules}" + (" and fulfilled what was asked" if wished else "")
    return f"{told}{kept}: the model hardly ever makes such rows; ask for fewer rows or for less, or train longer"


def balanced(
    model: Model,
    count: int,
    column: str,
    *,
    seed: int = 0,
    sieve: Sieve | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[pl.DataFrame]:
    """As many rows of every category of a column, `count` in all, category by category.

    Raises:
        RequestError: there is no such column, it has no categories, or hardly any row of one keeps the table's rules.
    """
    tables = model.modality
    assert isinstance(tables, Tables)
    known = named(column, {each.name: each for each in tables.columns}, "column")
    if known.kind not in CODED:
        raise RequestError(f"{column!r} can't be balanced: it is {known.kind}, not a category")
    kinds, done, sieve = len(known.categories), 0, sieve or Sieve(tables)
    for code in range(kinds):
        most = (code + 1) * count // kinds - done
        asked = Wish((Demand(column, (code,)),))
        for frame in frames(model, most, seed=seed + code, wish=asked, sieve=sieve) if most else ():
            done += frame.height
            progress(done, count)
            yield frame


def checked(tables: Tables, checks: Sequence[Check]) -> Sieve:
    """The sieve of a table's rules with their predicates.

    Raises:
        RequestError: a predicate that the model was fitted with is not given.
    """
    given = {check.name for check in checks}
    if left := [name for name in tables.rules.checks if name not in given]:
        raise RequestError(
            f"the model was fitted with the check {left[0]!r}, which no file can hold: give it again, as in "
            f"Tables.load(folder, checks=[{left[0]}])"
        )
    return Sieve(tables, checks)


def drawn(model: Model, count: int, *, seed: int, wish: Wish | None = None) -> dict[str, Typed]:
    """One batch of rows as cells, by column, from a seed of its own."""
    tables = model.modality
    assert isinstance(tables, Tables)
    with torch.random.fork_rng(devices=[]):
        seed_torch(seed)
        z = torch.randn(count, model.latent)
        cond: torch.Tensor | None = None
        if wish is not None:
            cond = wish.slots(tables, count)
        elif tables.mix:
            cond = tables.condition(None, count)
    later = torch.Generator().manual_seed(seed + 2)
    return model.taken(z, cond, lambda raw: tables.drawn(raw, later), seed=seed + 1)


def frame_of(tables: Tables, cells: Mapping[str, Typed], count: int, *, seed: int, start: int) -> pl.DataFrame:
    """Cells as a data frame: ids are made anew, text is left out, empty columns stay empty."""
    series = []
    for column in tables.columns:
        if column.name in cells:
            series.append(untyped(column, cells[column.name]))
        elif column.kind == "id":
            series.append(ids_of(column, count, seed, start))
        elif column.kind != "text":
            series.append(untyped(column, Typed(None, np.full(count, -1, np.int32))))
    return pl.DataFrame(series)


def ids_of(column: Column, count: int, seed: int, start: int) -> pl.Series:
    """Fresh ids in the column's type, numbered from `start` on."""
    return untyped(column, Typed(None, np.zeros(count, np.int32)), fresh_ids(column, count, seed, start))
