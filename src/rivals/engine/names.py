"""Looking things up by the names that people type."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TypeVar

from .errors import RequestError

T = TypeVar("T")


def named(name: str, known: Mapping[str, T], what: str) -> T:
    """The object of that name; an unknown name is an error that lists the known ones and the nearest."""
    if name in known:
        return known[name]
    longer = [key for key in known if key.startswith(name)]
    near = longer[:1] or get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise RequestError(f"no {what} {name!r}: {hint}there are {', '.join(sorted(known))}")
