"""Kinds of data, by name; imported when used. Any other "module:Name" a user writes works the same way."""

from importlib import import_module
from pathlib import Path
from typing import Any

from rivals.engine.names import named

MODALITIES = {
    "edits": "rivals.modalities.images.edits.modality:Edits",
    "images": "rivals.modalities.images:Images",
    "tables": "rivals.modalities.tables.modality:Tables",
}


REPORTS = {
    "edits": "rivals.modalities.images.edits.report",
    "images": "rivals.modalities.images.report",
    "tables": "rivals.modalities.tables.report",
}


def write_report(folder: Path) -> Path:
    """Write a run's page, `report.html`, from what its folder holds, and return its path."""
    from rivals.judging.record import read_json

    name = str(read_json(folder / "recipe.json")[0].get("modality"))  # pictures, where it is missing or damaged
    written: Path = import_module(REPORTS.get(name, REPORTS["images"])).write_report(folder)
    return written


def modality(name: str) -> Any:
    """The class of a modality by its name.

    Raises:
        RequestError: there is none of that name.
    """
    module, kind = named(name, MODALITIES, "modality").split(":")
    return getattr(import_module(module), kind)
