"""Categories that look like people: names, addresses, numbers under which someone is known."""

import re
from collections.abc import Callable, Sequence

import numpy as np

from .columns import Column

MANY = 20  # categories from which on a column may be one of people
MOST = 0.8  # of the categories must look so
SEEN = 2_000  # categories that are looked at

_NAMED = re.compile(
    r"^(?:name|first|last|surname|forename|vorname|nachname|nombre|apellidos?|pr[eé]nom|nom)$"
    r"|(?:^|[\W_])(?:first|last|full|given|family|middle|maiden|user|nick|patient|customer|employee|person)[\W_]*names?$"
    r"|(?:First|Last|Full|Given|Family|Middle|Maiden|User|Patient|Customer|Employee)Name$",
    re.IGNORECASE,
)
_LOOKS: dict[str, Callable[[str], object]] = {
    "e-mail addresses": re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+").fullmatch,
    "phone numbers": re.compile(
        r"\+\d[\d\s()./-]{6,}\d|\(?0\d{2,4}[\s)/-]+[\d\s-]{4,}\d|\(?\d{3}\)?[\s-]\d{3}-\d{4}"
    ).fullmatch,
    "social security numbers": re.compile(r"\d{3}-\d{2}-\d{4}").fullmatch,
    "bank accounts": re.compile(r"[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){3,7}\s?[A-Z0-9]{0,4}").fullmatch,
    "names of people": re.compile(
        r"(?:[^\W\d_][\w'’ -]*,\s+)?(?:Mr|Mrs|Ms|Miss|Master|Dr|Prof|Herr|Frau)\.?\s+\S"
    ).match,
}


def identifying(column: Column) -> str | None:
    """What kind of direct identifiers a column's categories seem to be; None where they don't.

    By what the cells look like, or, of names, by what the column is called: there is no telling a first name from any
    other word. Few categories, or numbers, are no names.
    """
    if column.kind != "category" or len(column.categories) < MANY:
        return None
    cells = column.categories[:SEEN]
    for words, fits in _LOOKS.items():
        if np.mean([fits(cell) is not None for cell in cells]) >= MOST:
            return words
    lettered = np.mean([cell[:1].isalpha() for cell in cells]) >= MOST
    return "names of people" if lettered and _NAMED.search(column.name.strip()) else None


def warnings(columns: Sequence[Column]) -> list[str]:
    """A line for each column of that kind: its cells come again, so they are learned and written as they are."""
    return [
        f"column {column.name!r} may hold {words}: its {len(column.categories):,} values are categories, and synthetic "
        f"rows name the same ones; --column {quoted(column.name)}=text leaves them out, =id makes others"
        for column in columns
        if (words := identifying(column)) is not None
    ]


def quoted(name: str) -> str:
    """A name as a shell takes it.

    >>> quoted("first name"), quoted("first")
    ("'first name'", 'first')
    """
    return name if re.fullmatch(r"[\w-]+", name) else f"'{name}'"
