"""Rows drawn from a model as data frames, in the columns, order and format of the original."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import polars as pl
import torch

from rivals.engine.errors import RequestError
from rivals.engine.model import Model
from rivals.engine.names import named
from rivals.engine.types import leaves

from .cells import untyped
from .columns import CODED, Typed
from .ids import fresh_ids
from .modality import Tables
from .wishes import Demand, Wish, read_wish

BATCH = 4096
RAREST = 2e-4  # of the rows tried, that must fulfil a wish
PATIENCE = 100_000  # rows tried before that is said


def frames(
    model: Model,
    count: int,
    *,
    seed: int = 0,
    wish: str | Wish | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[pl.DataFrame]:
    """`count` rows in parts; memory stays flat. What was wished for holds in every row: others are thrown away.

    Raises:
        RequestError: the wish can't be read, or hardly a row fulfils it.
    """
    if count < 1:
        raise RequestError(f"at least one row can be drawn, not {count}")
    tables = model.modality
    assert isinstance(tables, Tables)
    wished = read_wish(wish, tables) if isinstance(wish, str) else wish
    done = tried = number = 0
    while done < count:
        cells = drawn(model, BATCH, seed=seed + 1_000_003 * number, wish=wished)
        kept = np.arange(BATCH) if wished is None else np.flatnonzero(wished.met(cells))
        tried, number = tried + BATCH, number + 1
        if tried >= PATIENCE and done + len(kept) < RAREST * tried:
            raise RequestError(
                f"only {done + len(kept)} of {tried} rows fulfilled what was asked: the model hardly ever makes such "
                "rows; ask for less at a time"
            )
        kept = kept[: count - done]
        if len(kept):
            yield frame_of(tables, taken(cells, kept), len(kept), seed=seed, start=done)
            done += len(kept)
            progress(done, count)


def balanced(
    model: Model,
    count: int,
    column: str,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[pl.DataFrame]:
    """As many rows of every category of a column, `count` in all, category by category.

    Raises:
        RequestError: there is no such column, or it has no categories.
    """
    tables = model.modality
    assert isinstance(tables, Tables)
    known = named(column, {each.name: each for each in tables.columns}, "column")
    if known.kind not in CODED:
        raise RequestError(f"{column!r} can't be balanced: it is {known.kind}, not a category")
    kinds, done = len(known.categories), 0
    for code in range(kinds):
        most = (code + 1) * count // kinds - done
        asked = Wish((Demand(column, (code,)),))
        for frame in frames(model, most, seed=seed + code, wish=asked) if most else ():
            done += frame.height
            progress(done, count)
            yield frame


def drawn(model: Model, count: int, *, seed: int, wish: Wish | None = None) -> dict[str, Typed]:
    """One batch of rows as cells, by column, from a seed of its own."""
    tables = model.modality
    assert isinstance(tables, Tables)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        z = torch.randn(count, model.latent)
        cond = tables.condition(None, count) if wish is None else wish.slots(tables, count)
    sample = leaves(model.from_noise(z, cond, seed=seed + 1))[0]
    return tables.encoders.decode(sample, torch.Generator().manual_seed(seed + 2))


def taken(cells: Mapping[str, Typed], which: np.ndarray) -> dict[str, Typed]:
    """Some of the rows."""
    return {name: Typed(*(None if part is None else part[which] for part in typed)) for name, typed in cells.items()}


def frame_of(tables: Tables, cells: Mapping[str, Typed], count: int, *, seed: int, start: int) -> pl.DataFrame:
    """Cells as a data frame: ids are made anew, text is left out, empty columns stay empty."""
    series = []
    for column in tables.columns:
        if column.name in cells:
            series.append(untyped(column, cells[column.name]))
        elif column.kind == "id":
            codes = Typed(None, np.zeros(count, np.int32))
            series.append(untyped(column, codes, fresh_ids(column, count, seed, start)))
        elif column.kind != "text":
            series.append(untyped(column, Typed(None, np.full(count, -1, np.int32))))
    return pl.DataFrame(series)
