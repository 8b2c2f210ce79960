"""Samples as files: one PNG each, a sheet, or a walk between them as GIF or MP4; rows of a table as one file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .engine.errors import RequestError
from .engine.files import write_whole
from .engine.model import Model
from .engine.types import leaves
from .modalities.images.pages import gif, mp4


def write_samples(
    model: Model,
    run: Path,
    *,
    count: int,
    wish: str | None,
    seed: int,
    out: Path | None,
    grid: bool = False,
    interpolate: bool = False,
    balance: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Write samples of a model; nothing is overwritten.

    Returns:
        The folder or file written.

    Raises:
        RequestError: the place is taken, or `out` has an ending that does not fit.
    """
    if grid and interpolate:
        raise RequestError("--grid and --interpolate are two things: ask for one at a time")
    if model.name == "edits":
        model.modality.condition(wish, count)  # there is nothing to draw, whatever was asked for
    if model.name == "tables":
        if grid or interpolate:
            raise RequestError("--grid and --interpolate are for pictures, and this model makes rows of a table")
        return write_rows(model, run, count, wish, balance, seed, out, progress)
    if balance is not None:
        raise RequestError("--balance is for tables; pictures of several classes in turn: --wish cat,dog")
    if grid or interpolate:
        return write_one(model, run, count, wish, seed, out, interpolate)
    folder = out or run / f"samples-seed{seed}"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RequestError(f"{folder} is there already and not empty; give another --out")
    model.modality.condition(wish, 1)  # a wish that can't be served leaves no empty folder
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    digits = max(len(str(count - 1)), 4)
    for part in model.stream(count, seed=seed, wish=wish):
        for content in model.modality.render(part):
            (folder / f"{number:0{digits}d}{model.modality.suffix}").write_bytes(content)
            number += 1
        progress(number, count)
    return folder


def write_rows(
    model: Model,
    run: Path,
    count: int,
    wish: str | None,
    balance: str | None,
    seed: int,
    out: Path | None,
    progress: Callable[[int, int], None],
) -> Path:
    """Rows as one table, in the format that the name asks for."""
    from .modalities.tables.sampling import balanced, checked, frames
    from .modalities.tables.writing import check_writable, write_table

    if wish is not None and balance is not None:
        raise RequestError("--wish and --balance are two things: ask for one at a time")
    path = out or run / f"synthetic-seed{seed}.csv"
    check_writable(path)
    tables: Any = model.modality
    sieve = checked(tables, ())
    rows = (
        frames(model, count, seed=seed, wish=wish, sieve=sieve, progress=progress)
        if balance is None
        else balanced(model, count, balance, seed=seed, sieve=sieve, progress=progress)
    )
    write_table(rows, path, separator=tables.separator)
    return path


def write_one(
    model: Model, run: Path, count: int, wish: str | None, seed: int, out: Path | None, interpolate: bool
) -> Path:
    """A sheet or a walk, as one file."""
    path = out or run / ("interpolation.gif" if interpolate else f"sheet-seed{seed}.png")
    allowed = (".gif", ".mp4") if interpolate else (".png",)
    if path.suffix.lower() not in allowed:
        raise RequestError(f"{path} should end in {' or '.join(allowed)}")
    if path.exists():
        raise RequestError(f"{path} is there already; give another --out")
    path.parent.mkdir(parents=True, exist_ok=True)
    images: Any = model.modality
    if not interpolate:
        content = images.sheet(leaves(model.sample(count, seed=seed, wish=wish))[0])
    else:
        frames = leaves(model.interpolate(count, seed=seed, wish=wish))[0]
        content = mp4(frames) if path.suffix.lower() == ".mp4" else gif(frames, least=128)
    write_whole(path, content)
    return path
