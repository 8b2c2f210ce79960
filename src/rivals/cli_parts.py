"""What the verbs of the command line share."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from .engine.errors import RequestError

if TYPE_CHECKING:
    from .display import Display


@contextmanager
def shown(display: "Display") -> Iterator[None]:
    """Around work that a display shows and that Ctrl-C saves."""
    try:
        yield
    except KeyboardInterrupt:
        display.clear()
        say("interrupted: the same command with --resume goes on from what was saved")
        raise typer.Exit(130) from None
    finally:
        display.clear()


def split_setting(text: str) -> tuple[str, str]:
    """`optimizer.lr=1e-4` in two."""
    path, sign, value = text.partition("=")
    if not sign or not path.strip():
        raise RequestError(f"--set {text!r} does not read as NAME=VALUE, such as optimizer.lr=1e-4")
    return path.strip(), value.strip()


def say(words: str) -> None:
    """One line to the error stream."""
    print(f"rivals: {' '.join(words.split())}", file=sys.stderr)
