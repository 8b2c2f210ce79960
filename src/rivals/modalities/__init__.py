"""Kinds of data, by name; imported when used. Any other "module:Name" a user writes works the same way."""

from importlib import import_module
from typing import Any

from rivals.engine.names import named

MODALITIES = {"images": "rivals.modalities.images:Images", "tables": "rivals.modalities.tables:Tables"}


def modality(name: str) -> Any:
    """The class of a modality by its name.

    Raises:
        RequestError: there is none of that name.
    """
    module, kind = named(name, MODALITIES, "modality").split(":")
    return getattr(import_module(module), kind)
