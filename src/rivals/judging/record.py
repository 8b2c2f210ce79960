"""A run's folder, read with care: every file of it may be missing, cut or hostile."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Values = Mapping[str, Any]
LARGEST = 1e30  # what lies beyond can be drawn no more than infinity can


@dataclass(frozen=True)
class Record:
    """What a run's folder holds, as far as it could be read."""

    folder: Path
    run: Values
    recipe: Values
    modality: Values
    verdict: Values
    log: Mapping[str, Sequence[Values]]  # kind -> lines, in order of steps
    problems: tuple[str, ...]

    @property
    def step(self) -> float | None:
        """How far it came."""
        steps = [line["step"] for lines in self.log.values() for line in lines]
        told = value(self.verdict, "step")
        return max(steps, default=None) if told is None or not usable(told) else told

    @property
    def items(self) -> str:
        """What the data consist of, in the plural."""
        return str(inner(self.run, "found").get("items") or "pictures")


def read_record(folder: Path) -> Record:
    """Read all there is."""
    found, problems = {}, []
    for name in ("run", "recipe", "modality", "verdict"):
        found[name], problem = read_json(folder / f"{name}.json")
        problems += [problem] if problem and (name != "verdict" or "damaged" in problem) else []
    log, bad = read_log(folder / "log.jsonl")
    return Record(folder, **found, log=log, problems=(*problems, *bad))


def read_json(path: Path) -> tuple[dict[str, Any], str]:
    """Named values from a file, none if they can't be had, and why."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, f"{path.name} is missing."
    except (OSError, ValueError, RecursionError) as error:
        return {}, f"{path.name} is damaged and was left out: {error}."
    return (values, "") if isinstance(values, dict) else ({}, f"{path.name} is damaged and was left out.")


def read_log(path: Path) -> tuple[dict[str, list[Values]], list[str]]:
    """The log's lines by kind, and what is wrong with it."""
    kinds: dict[str, list[Values]] = {"round": [], "verdict": [], "event": []}
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return kinds, [f"{path.name} is missing."]
    bad = 0
    for line in filter(str.strip, lines):
        try:
            entry = json.loads(line)
            if entry["kind"] in kinds:
                kinds[entry["kind"]].append({**entry, "step": need_step(entry)})
        except (ValueError, KeyError, TypeError, RecursionError):
            bad += 1
    for entries in kinds.values():
        entries.sort(key=lambda entry: entry["step"])
    words = f"{bad} line{'s' * (bad > 1)} of {path.name} could not be read and {'were' if bad > 1 else 'was'} left out."
    return kinds, [words] if bad else []


def need_step(entry: Values) -> float:
    """A log line's step; a ValueError if it has none that can be drawn."""
    step = value(entry, "step")
    if step is None or not usable(step):
        raise ValueError("a line of the log needs a step")
    return step


def inner(values: Values, *way: str) -> Values:
    """Nested named values, none where there are none."""
    for name in way:
        part = values.get(name)
        values = part if isinstance(part, Mapping) else {}
    return values


def value(values: Values, *way: str) -> float | None:
    """A nested number, as it is in the file: it may be NaN or infinite."""
    return as_number(inner(values, *way[:-1]).get(way[-1]))


def as_number(found: object) -> float | None:
    """What a file gives as a number, None if it is something else."""
    if not isinstance(found, int | float) or isinstance(found, bool):
        return None
    try:
        return float(found)
    except OverflowError:  # JSON's whole numbers have no largest
        return math.inf


def usable(value: float | None) -> bool:
    """Whether this is a number that can be drawn: finite and not absurd."""
    return value is not None and abs(value) < LARGEST  # false for NaN too
