"""Fresh ids: of the form of a column's own, different from one another and from the column's own."""

import hashlib
import math
import re
import string
from collections.abc import Iterator
from itertools import count as counting
from typing import NamedTuple

import numpy as np
import polars as pl

from .columns import Column
from .series import least, mean, most

_HEX = string.digits + "abcdef"
_CLASSES = {
    "[0-9]": string.digits, "[1-9]": string.digits[1:], "[A-Z]": string.ascii_uppercase,
    "[a-z]": string.ascii_lowercase, "[0-9a-f]": _HEX, "[0-9A-F]": _HEX.upper(),
    "[0-9A-Z]": string.digits + string.ascii_uppercase, "[0-9a-z]": string.digits + string.ascii_lowercase,
    "[A-Za-z]": string.ascii_uppercase + string.ascii_lowercase,
    "[0-9A-Za-z]": string.digits + string.ascii_uppercase + string.ascii_lowercase,
}  # fmt: skip
"""Smallest first where one holds another; letters as they sort, so that the order of ids is that of their ranks."""

_PART = re.compile(r"\[[^]]*\]\{(\d+),\}|\[[^]]*\]|\\.|.", re.DOTALL)
_RUNNING = r"^(\D*)(\d+)(\D*)$"
_EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s.]+$"
_EMAILS = r"person[0-9]{9,}@example\.org"
_SAMPLE = 5_000
_DENSE = 1.5
_EXACT = 2**60
"""Ranks are counted over as many leading characters as have no more values than this."""
_UNLIKELY = 1e-12


class Ids(NamedTuple):
    """How ids look and which numbers fresh ones have.

    Attributes:
        pattern: A regular expression with one class a character, or with one number that may grow, "[0-9]{4,}".
        low, high: The first and the last rank of fresh ids; `high` None for numbers that grow.
    """

    pattern: str
    low: int
    high: int | None


def looks_like_emails(cells: pl.Series) -> bool:
    """Whether most of the cells are addresses of people."""
    return mean(cells.str.contains(_EMAIL)) >= 0.9


def find_ids(cells: pl.Series, *, whole: bool) -> Ids:
    """What ids have in common, and where there is room between them.

    Args:
        cells: (k,) different ids, text without nulls.
        whole: Whether these are all ids of the column, rather than a part with the first and the last one.
    """
    if looks_like_emails(cells):
        return Ids(_EMAILS, 10**8, None)
    running = _running(cells)
    if running is not None:
        return running
    shapes = cells.str.replace_all(r"[0-9]", "0").str.replace_all(r"[A-Z]", "A").str.replace_all(r"[a-z]", "a")
    lengths = cells.str.len_chars()
    same = lengths == lengths.mode().sort()[-1]
    own = cells.filter(same if same.mean() == 1 else shapes == shapes.mode().sort()[0])
    pattern = _template(own)
    alphabets = list(_alphabets(pattern))
    space = math.prod(len(alphabet) for alphabet in alphabets)
    leading = _leading(alphabets)
    last = math.prod(len(alphabet) for alphabet in leading) - 1
    if len(cells) ** 2 < _UNLIKELY * space:
        return Ids(pattern, 0, last)
    low, high = _room(np.unique(_ranks(own, leading)), last, whole=whole)
    return Ids(pattern, low, high) if high - low >= 2 * len(cells) else Ids(pattern, 0, last)


def room_of(pattern: str) -> int:
    """How many ranks the ids of a pattern without a growing number have."""
    return math.prod(len(alphabet) for alphabet in _leading(list(_alphabets(pattern))))


def fresh_ids(column: Column, count: int, seed: int, start: int = 0) -> list[str]:
    """Ids `start` to `start + count` of an endless list, none twice, made from the seed alone.

    They are never one of the column's own where its pattern leaves room, and else rarely, by chance. Where there are
    more of them than the pattern allows for, a number follows.
    """
    key = int.from_bytes(hashlib.sha256(f"{seed}:{column.name}".encode()).digest()[:8], "big")
    low, pattern = int(column.low or 0), column.format.pattern
    if column.high is None:
        return _numbered(pattern, range(low + start, low + start + count))
    room = int(column.high) - low + 1
    step = next(step for step in counting(key % room | 1, 2) if math.gcd(step, room) == 1)
    rows = range(start, start + count)
    ranks = np.array([low + (step * row + key) % room for row in rows], np.int64)
    between = "-" if column.format.dtype == "str" else ""
    rounds = (f"{between}{row // room}" if row >= room else "" for row in rows)
    return [own + more for own, more in zip(_spelled(pattern, ranks, key), rounds, strict=True)]


def _running(cells: pl.Series) -> Ids | None:
    """One number between fixed words, with few gaps or of several lengths: numbering goes on after the last."""
    parts = cells.str.extract_groups(_RUNNING).struct.unnest()
    before, digits, after = (parts.to_series(place) for place in range(3))
    if digits.null_count() or before.n_unique() > 1 or after.n_unique() > 1 or most(digits.str.len_chars()) > 18:
        return None
    numbers = digits.cast(pl.Int64)
    spread = most(numbers) - least(numbers) + 1
    lengths = digits.str.len_chars()
    if spread > _DENSE * len(cells) and lengths.n_unique() == 1:
        return None
    padded = least(lengths) if digits.str.contains("^0.").any() else 1
    pattern = f"{re.escape(before[0])}[0-9]{{{padded},}}{re.escape(after[0])}"
    return Ids(pattern, most(numbers) + 1, None)


def _template(cells: pl.Series) -> str:
    """A class for each character of cells of one length: the character itself where it is always the same."""
    letters = np.array(cells.head(_SAMPLE).to_list()).astype(str)
    table = letters.view("U1").reshape(len(letters), -1)
    parts = []
    for place in range(table.shape[1]):
        seen = set(table[:, place].tolist()) - {""}
        name = next((name for name, letters in _CLASSES.items() if seen <= set(letters)), "[0-9A-Za-z]")
        if place == 0 and name == "[0-9]" and "0" not in seen:
            name = "[1-9]"
        parts.append(re.escape(next(iter(seen))) if len(seen) == 1 else name)
    return "".join(parts)


def _parts(pattern: str) -> Iterator[str]:
    return (match.group() for match in _PART.finditer(pattern))


def _alphabets(pattern: str) -> Iterator[str]:
    """The characters that each place of a pattern can have."""
    for part in _parts(pattern):
        yield _CLASSES[part] if part in _CLASSES else part[-1]


def _leading(alphabets: list[str]) -> list[str]:
    """The first places, as many as have no more than 2^60 values together."""
    values = 1
    for count, alphabet in enumerate(alphabets):
        values *= len(alphabet)
        if values > _EXACT:
            return alphabets[:count]
    return alphabets


def _ranks(cells: pl.Series, leading: list[str]) -> np.ndarray:
    """The number that the leading characters of each id are, (k,) int64."""
    ranks = np.zeros(len(cells), np.int64)
    for place, alphabet in enumerate(leading):
        if len(alphabet) > 1:
            letter = cells.str.slice(place, 1).replace_strict(list(alphabet), list(range(len(alphabet))), default=0)
            ranks = ranks * len(alphabet) + letter.to_numpy()
    return ranks


def _room(taken: np.ndarray, last: int, *, whole: bool) -> tuple[int, int]:
    """The widest stretch of ranks from 0 to `last` that has none of the sorted `taken` ones."""
    ends = np.concatenate([[-1], taken, [last + 1]])
    gaps = np.diff(ends)
    if not whole:
        gaps[1:-1] = 0
    widest = int(gaps.argmax())
    return int(ends[widest]) + 1, int(ends[widest + 1]) - 1


def _numbered(pattern: str, numbers: range) -> list[str]:
    """Ids with one number that grows."""
    before, after, width, seen = "", "", 1, False
    for part in _parts(pattern):
        grows = _PART.fullmatch(part)
        if grows and grows.group(1):
            width, seen = int(grows.group(1)), True
        elif seen:
            after += part[-1]
        else:
            before += part[-1]
    return [f"{before}{number:0{width}d}{after}" for number in numbers]


def _spelled(pattern: str, ranks: np.ndarray, key: int) -> list[str]:
    """Ids whose leading characters spell the ranks; the others follow from rank and key alone."""
    alphabets = list(_alphabets(pattern))
    leading = len(_leading(alphabets))
    letters = np.empty((len(ranks), len(alphabets)), "U1")
    rest = ranks.copy()
    for place in reversed(range(leading)):
        alphabet = np.array(list(alphabets[place]))
        letters[:, place] = alphabet[rest % len(alphabet)]
        rest //= len(alphabet)
    for place in range(leading, len(alphabets)):
        alphabet = np.array(list(alphabets[place]))
        letters[:, place] = alphabet[(_mixed(ranks, key + place) % np.uint64(len(alphabet))).astype(np.int64)]
    return ["".join(row) for row in letters.tolist()]


def _mixed(ranks: np.ndarray, key: int) -> np.ndarray:
    """A well mixed 64-bit number from each rank and the key (splitmix64: Steele, Lea and Flood, OOPSLA 2014)."""
    mixed = ranks.astype(np.uint64) + np.uint64(key * 0x9E3779B97F4A7C15 % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
