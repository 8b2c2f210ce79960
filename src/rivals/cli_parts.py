"""What the verbs of the command line share."""

import atexit
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .engine.errors import RequestError

if TYPE_CHECKING:
    from .display import Display


class Device(StrEnum):
    """Where to train."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


@contextmanager
def shown(
    display: "Display", saved: str = "the same command with --resume goes on from what was saved"
) -> Iterator[None]:
    """Around work that a display shows and that Ctrl-C saves."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        display.clear()
        say(f"interrupted: {str(stopped) or saved}")
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)  # an impatient second one finds all put away
        raise typer.Exit(130) from None
    finally:
        display.clear()


def split_setting(text: str, option: str = "--set") -> tuple[str, str]:
    """`optimizer.lr=1e-4` in two."""
    path, sign, value = text.partition("=")
    if not sign or not path.strip():
        example = {"--set": "optimizer.lr=1e-4"}.get(option, "age=integer")
        raise RequestError(f"{option} {text!r} does not read as NAME=VALUE, such as {example}")
    return path.strip(), value.strip()


def say(words: str) -> None:
    """One line to the error stream."""
    print(f"rivals: {' '.join(words.split())}", file=sys.stderr)


def report_on(runs: Sequence[Path], out: Path | None) -> None:
    """One run's page again, or several runs side by side: a table here, and a page."""
    from .judging.reports import score_rows, side_by_side, told
    from .judging.reports_page import write_reports
    from .modalities import write_report

    compared = side_by_side(runs)
    if len(runs) == 1:
        if out is not None:
            raise RequestError("--out is for several runs; the page of one goes to its own folder")
        typer.echo(write_report(runs[0]))
        return
    show_table(*score_rows(compared), told(compared))
    typer.echo(write_reports(compared, out))


def show_table(heads: Sequence[str], rows: Sequence[Sequence[str]], words: Sequence[str]) -> None:
    """A table on the terminal, and sentences below it; in a pipe, one line a row with tabs between."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, stderr=False)
    if not console.is_terminal:
        for row in (heads, *rows):
            print("\t".join(row))
    else:
        table = Table(*heads, box=None, header_style="dim")
        for row in rows:
            table.add_row(*row)
        console.print(table, markup=False)
    for each in words:
        console.print(each, markup=False, soft_wrap=True)
