"""Rivals: generative adversarial networks for any kind of data.

>>> import rivals
>>> model = rivals.train("photos/", minutes=10)  # doctest: +SKIP
>>> model.sample(64, seed=0)  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .api import load, train
    from .comparison import compare
    from .editing import edit
    from .engine.errors import RequestError
    from .engine.model import Model
    from .engine.recipe import Recipe
    from .judge_verb import judge
    from .tabular import Tables

_LAZY = {
    "Model": "rivals.engine.model",
    "Recipe": "rivals.engine.recipe",
    "RequestError": "rivals.engine.errors",
    "Tables": "rivals.tabular",
    "compare": "rivals.comparison",
    "edit": "rivals.editing",
    "judge": "rivals.judge_verb",
    "load": "rivals.api",
    "train": "rivals.api",
}

__all__ = ["Model", "Recipe", "RequestError", "Tables", "__version__", "compare", "edit", "judge", "load", "train"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: `rivals --help` needs no torch."""
    if name not in _LAZY:
        raise AttributeError(f"module 'rivals' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)
