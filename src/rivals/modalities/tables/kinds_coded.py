"""Columns whose cells are values of a list, or have no value to learn: categories, booleans, constants, ids, text."""

import re
from dataclasses import replace

import polars as pl

from .columns import Column
from .dtypes import is_listable
from .ids import find_ids, looks_like_emails
from .number_cells import common_space
from .series import as_text, mean
from .tally import Tally

BOOLEANS = (
    ("true", "false"), ("yes", "no"), ("y", "n"), ("t", "f"), ("1", "0"), ("on", "off"), ("1.0", "0.0"),
    ("ja", "nein"), ("j", "n"), ("wahr", "falsch"), ("oui", "non"), ("vrai", "faux"), ("sí", "no"), ("si", "no"),
    ("sì", "no"), ("s", "n"), ("verdadero", "falso"), ("vero", "falso"), ("sim", "não"), ("verdadeiro", "falso"),
    ("ja", "nee"), ("waar", "onwaar"), ("ja", "nej"), ("ja", "nei"), ("tak", "nie"), ("ano", "ne"), ("igen", "nem"),
    ("da", "nu"), ("evet", "hayır"), ("kyllä", "ei"), ("ναι", "όχι"), ("да", "нет"), ("так", "ні"), ("是", "否"),
    ("有", "无"), ("真", "假"), ("はい", "いいえ"), ("예", "아니오"), ("כן", "לא"), ("نعم", "لا"),
)  # fmt: skip
"""Words for yes and no, in small letters."""

_NAMES_AN_ID = re.compile(
    r"(?:^|[\W_])(?:id|ids|uuid|guid|key|pk|fk)$|[a-z](?:Id|ID|Key)$|^(?:ID|UUID|GUID|rownames|index)$"
)
_NAMES_A_CODE = re.compile(r"zip|post(?:al)?_?code|plz|phone|telefon|\bssn\b|iban|account_?n|code$|fips", re.IGNORECASE)
_FEW = 50
_LONG_WORDS, _LONG_CHARS = 6, 60
_ENTITIES = 1_000


def constant(base: Column, tally: Tally) -> Column | None:
    """One value in every row."""
    if len(tally.values) != 1 or base.missing:
        return None
    made = category(base, tally)
    return None if made is None else replace(made, kind="constant", why=f"{made.categories[0]!r} in every row")


def boolean(base: Column, tally: Tally) -> Column | None:
    """Two words that are known to mean yes and no."""
    if len(tally.values) != 2 or not is_listable(tally.values.dtype):
        return None
    words = {cell.strip().lower() for cell in tally.values.cast(pl.String).to_list()}
    return two(base, tally) if any(words == set(pair) for pair in BOOLEANS) else None


def two(base: Column, tally: Tally) -> Column | None:
    """Any two values; true is the one that is a word for yes, or else the last in order."""
    made = category(base, tally)
    if made is None or len(made.categories) != 2:
        return None
    words = {word.lower() for word in made.categories}
    yes = {pair[0] for pair in BOOLEANS if set(pair) == words}
    true = next((word for word in made.categories if word.lower() in yes), max(made.categories))
    why = f"{made.categories[0]!r} and {made.categories[1]!r}"
    return replace(made, kind="boolean", why=why, format=replace(made.format, true=true))


def category(base: Column, tally: Tally) -> Column | None:
    """A value for each different cell, unless there are too many to be known one by one."""
    if not tally.whole or not tally.present or not is_listable(tally.values.dtype):
        return None
    cells, before, after = _bare(tally)
    table = pl.DataFrame({"cell": cells, "count": tally.counts}).sort(-pl.col("count"), "cell")
    return replace(
        base, kind="category", why=f"{_values(len(cells))} in {tally.present:,} rows",
        categories=tuple(table["cell"].to_list()), counts=tuple(table["count"].to_list()),
        format=replace(base.format, prefix=before, suffix=after),
    )  # fmt: skip


def text(base: Column, tally: Tally) -> Column:
    """Cells that are neither learned nor made."""
    return replace(base, kind="text", why=f"{_values(tally.distinct)} in {tally.present:,} rows")


def ids(base: Column, tally: Tally) -> Column | None:
    """Names of things, with the form of fresh ones."""
    if not tally.present or not is_listable(tally.values.dtype):
        return None
    cells, before, after = _bare(tally)
    found = find_ids(cells, whole=tally.whole)
    form = replace(base.format, pattern=found.pattern, prefix=before, suffix=after)
    why = f"{_values(tally.distinct)} in {tally.present:,} rows, like {found.pattern}"
    return replace(base, kind="id", why=why, low=found.low, high=found.high, format=form)


def words(base: Column, tally: Tally) -> Column | None:
    """Text that is no number and no date: categories where values come again, ids where they look like codes."""
    cells = tally.values.cast(pl.String)
    repeats = tally.present / tally.distinct
    if looks_like_emails(cells) and tally.distinct > _FEW:
        return ids(base, tally)
    long = _mean_words(cells) >= _LONG_WORDS or mean(cells.str.len_chars()) > _LONG_CHARS
    if names_an_id(base.name) and (repeats < 10 or tally.distinct > _ENTITIES) and tally.distinct > _FEW:
        return ids(base, tally)
    again = repeats >= 2 or (tally.distinct <= min(_FEW, 0.9 * tally.present) and not long)
    if again and not (long and repeats < 20) and tally.whole:
        return category(base, tally)
    return ids(base, tally) if _are_codes(cells) else text(base, tally)


def names_an_id(name: str) -> bool:
    """Whether a column of this name has ids: "id", "user_id", "PassengerId"."""
    return _NAMES_AN_ID.search(name) is not None


def names_a_code(name: str) -> bool:
    """Whether numbers in a column of this name are no amounts: "zip", "phone", "country_code"."""
    return _NAMES_A_CODE.search(name) is not None


def numeric_names(base: Column, tally: Tally) -> Column | None:
    """Whole numbers of a column whose name says that they name something; None if it doesn't."""
    repeats = tally.present / max(tally.distinct, 1)
    if not names_an_id(base.name) and not names_a_code(base.name):
        return None
    if repeats >= 2 and (names_a_code(base.name) or (tally.distinct <= _ENTITIES and repeats >= 10)):
        return category(base, tally)
    return ids(base, tally) if tally.distinct > _FEW / 2 else None


def _bare(tally: Tally) -> tuple[pl.Series, str, str]:
    """The cells as text, without the blanks that all of them begin and end with; and those."""
    cells = as_text(tally.values)
    if tally.values.dtype != pl.String:
        return cells, "", ""
    before, after = common_space(cells)
    if (cells.str.strip_chars() == "").any():
        return cells, "", ""
    return cells.str.strip_prefix(before).str.strip_suffix(after), before, after


def _mean_words(cells: pl.Series) -> float:
    return mean(cells.str.count_matches(r"\S\s+\S") + 1)


def _are_codes(cells: pl.Series) -> bool:
    """Whether these look like numbers of things rather than names: digits in most, or one length and no blanks."""
    digits = mean(cells.str.contains(r"\d"))
    blanks = mean(cells.str.count_matches(" "))
    letters = mean(cells.str.contains(r"\pL"))
    alike = cells.str.len_chars().n_unique() == 1 and blanks == 0
    return (digits >= 0.9 and (blanks <= 1 or letters < 0.1)) or (alike and len(cells) >= 3)


def _values(count: int) -> str:
    return f"{count:,} {'value' if count == 1 else 'values'}"
