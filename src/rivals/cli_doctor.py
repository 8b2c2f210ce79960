"""The verb `rivals doctor`, and what it says."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from .machine import Check

DOCTOR_EPILOG = (
    "Examples:\n\n"
    "  rivals doctor\n\n"
    "  rivals doctor runs/digits\n\n"
    "Exit codes: 0 healthy, 1 something is wrong, 2 there is no such run."
)


def doctor(
    run: Annotated[Path | None, typer.Argument(help="A run's folder.", show_default="look at this machine")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say what is wrong with a run, with the evidence and what to change; or, without one, with this machine."""
    healthy, lines = doctor_lines(run, as_json=as_json)
    for line in lines:
        typer.echo(line)
    raise typer.Exit(0 if healthy else 1)


def doctor_lines(run: Path | None, *, as_json: bool = False) -> tuple[bool, list[str]]:
    """Whether the run is healthy (or, without one, this machine), and what to say of it.

    Raises:
        RequestError: there is no run in the folder.
    """
    if run is None:
        from .machine import checks

        made = checks()
        healthy = not any(check.state == "wrong" for check in made)
        values = {"healthy": healthy, "checks": [asdict(check) for check in made]}
        return healthy, [json.dumps(values, indent=2)] if as_json else machine_lines(made)
    from .judging.doctor import examine, words

    found = examine(run)
    return found.healthy, [json.dumps(found.plain(), indent=2)] if as_json else list(words(found))


def machine_lines(checks: Sequence["Check"]) -> list[str]:
    """A line a check, and what to do about it below."""
    lines = []
    for check in checks:
        lines.append(f"{check.state:5}  {check.name:9}  {check.words}")
        if check.change:
            lines.append(f"{'':18}{check.change}")
    wrong = sum(check.state == "wrong" for check in checks)
    lines.append(f"{wrong} thing{'s' * (wrong > 1)} to put right" if wrong else "This machine is fit to train on.")
    return lines
