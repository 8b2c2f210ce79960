"""What a run or a model makes, by what its folder says."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from .modalities.tables.reading import is_table


def modality_of(source: Any) -> str | None:
    """The name of the modality of a run's or a model's folder; None of anything else."""
    for name in ("modality.json", "model.json"):
        with suppress(OSError, ValueError, AttributeError, TypeError):
            values = json.loads((Path(source) / name).read_text(encoding="utf-8"))
            return str((values.get("modality") or values).get("name"))
    return None


def makes_rows(fake: Any) -> bool:
    """Whether this is a table, or a run or a model that makes rows of one."""
    return is_table(fake) or modality_of(fake) == "tables"
