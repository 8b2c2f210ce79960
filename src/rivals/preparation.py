"""Which kind of data a request is about, and so what looks at it before the first step."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from .engine.errors import RequestError
from .jobs import Job, Request, Tell, kept_recipe


def preparation(request: Request) -> Callable[[Request, Mapping[str, Any] | None, torch.device, Tell], Job]:
    """What looks at this kind of data and makes a job of it; only its own libraries are imported.

    Raises:
        RequestError: a table is asked to be edited, or its libraries are not installed.
    """
    from .modalities.tables.reading import is_table

    asked = {name: request.data.get(name) for name in ("task", "scale", "onto", "style", "start")}
    if "" in asked.values():  # such as an empty variable of a shell: not the same as nothing
        raise RequestError(
            f"{next(name for name, value in asked.items() if value == '')} is empty: give it or leave it out"
        )
    edits = [name for name, value in asked.items() if value]
    if is_table(request.source):
        if edits:
            raise RequestError(f"{edits[0]} is for pictures, and {request.source} is a table")
        try:
            from .table_jobs import prepare as prepare_table
        except ModuleNotFoundError as error:
            raise RequestError(f"tables need {error.name}: pip install 'rivals[tables]'") from None
        return prepare_table
    kept = kept_recipe(request)
    if edits or (kept is not None and kept.modality == "edits"):
        from .edit_jobs import prepare as prepare_edits
        from .translate_jobs import prepare as prepare_translation
        from .translate_jobs import translates

        if translates(request):
            return prepare_translation
        return prepare_edits
    from .picture_jobs import prepare

    return prepare
