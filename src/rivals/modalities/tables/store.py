"""Encoded tables on disk: made once for a table and its encoders, then mapped."""

import hashlib
import json
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rivals.engine import store

from .columns import Typed
from .encode import Compact, Encoders

_FORMAT = 1  # of what is kept on disk; a higher number leaves the old aside
_FILES = ("scalars", "slots")


def kept(
    encoders: Encoders,
    chunks: Callable[[], Iterable[Mapping[str, Typed]]],
    rows: int,
    content: str,
    *,
    first: int = 0,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Compact:
    """A table's encoded rows, mapped from the disk and not to be written; they are made first unless they are there.

    Args:
        encoders: of the table.
        chunks: starts over and gives the table's rows in order, the cells by column.
        rows: how many there are, about: for the room that they need and for `progress`.
        content: the digest of the table's content.
        first: number of the first row, which its draws follow from; secret in a private training, or all draws would
            tell of a row that is gone from among those before.
        cache: where everything kept between runs is; RIVALS_CACHE or ~/.cache/rivals if not given.
        progress: called with (done, total) rows.

    Raises:
        RequestError: the disk is full or can't be written.
    """
    values = json.dumps(asdict(encoders), sort_keys=True)
    name = hashlib.sha256(f"{_FORMAT} {content} {values}{first or ''}".encode()).hexdigest()
    folder = store.home(cache) / "tables" / name
    widths, dtypes = _shape(encoders)
    size = rows * sum(width * dtype.itemsize for width, dtype in zip(widths, dtypes, strict=True))

    def write(making: Path) -> dict[str, Any]:
        return {"rows": _write(encoders, chunks(), rows, making, first, progress)}

    facts = store.opened(folder) or store.built(folder, size, write)
    scalars, slots = (
        _mapped(folder / file, (facts["rows"], width), dtype)
        for file, width, dtype in zip(_FILES, widths, dtypes, strict=True)
    )
    return Compact(scalars, slots)


def _shape(encoders: Encoders) -> tuple[tuple[int, int], tuple[np.dtype, np.dtype]]:
    """Numbers a row in each file, and their types."""
    layout = encoders.layout
    slot = torch.empty(0, dtype=encoders.slot_dtype).numpy().dtype
    return (len(layout.scalars), len(layout.softmaxes)), (np.dtype(np.float32), slot)


def _write(
    encoders: Encoders,
    chunks: Iterable[Mapping[str, Typed]],
    rows: int,
    making: Path,
    first: int,
    progress: Callable[[int, int], None] | None,
) -> int:
    """Encode everything into an empty folder, and count the rows.

    The files are written and not mapped: a full disk is an error then, and not a signal that kills the process.
    """
    done = 0
    with open(making / _FILES[0], "wb") as scalars, open(making / _FILES[1], "wb") as slots:
        for chunk in chunks:
            compact = encoders.compact(chunk, first + done)
            scalars.write(compact.scalars.numpy().data)
            slots.write(compact.slots.numpy().data)
            done += len(compact.slots)
            if progress:
                progress(done, rows)
        for file in (scalars, slots):
            file.flush()
            store.flush(file.fileno())
    return done


def _mapped(path: Path, shape: tuple[int, int], dtype: np.dtype) -> torch.Tensor:
    """A file as a tensor; one without numbers can't be mapped."""
    if not all(shape):
        return torch.from_numpy(np.empty(shape, dtype))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns of memory that can't be written; nobody here writes
        return torch.from_numpy(np.memmap(path, dtype, "r", shape=shape))
