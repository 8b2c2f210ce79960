"""How a text file holds its table: encoding, what parts the cells, quotes, header. Found out and said."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from rivals.engine.errors import RequestError

SAMPLE = 2**20
"""Bytes from the beginning that are looked at."""

_BLOCK = 2**20
_BOMS = (  # the longer one first where one begins with the other
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_SEPARATORS = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas", " ": "blanks"}
"""The earlier one where two part all lines alike: in 1,5;2,5 the comma is a decimal sign."""

_NUMBER = re.compile(r"\s*[-+(]?[^\w\s.,]?\s?\d[\d.,' ]*(?:[eE][-+]?\d+)?\s?[%€$£)]?\s*")
_LINES = 200
_WESTERN = set("àáâãäåæçèéêëìíîïñòóôõöøœùúûüýÿßÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØŒÙÚÛÜÝ€£§°²³µ½¼¾–—’‘“”„…«»·´©®×±¿¡ºª\u00a0")


class Layout(NamedTuple):
    """How a text file holds a table.

    Attributes:
        encoding: As Python names it.
        separator: Between cells.
        quote: Around cells, None for none.
        newline: What ends a line, or the last character of it.
        skipped: Lines before the table, empty ones included, its header not.
        preamble: Those of them that have something on them.
        header: The names in the first line, empty if that is a row already.
        columns: Cells in a row.
        first: Cells of the first rows, at most 200 of them.
    """

    encoding: str
    separator: str
    quote: str | None
    newline: str
    skipped: int
    preamble: int
    header: tuple[str, ...]
    columns: int
    first: tuple[tuple[str, ...], ...]

    def notes(self) -> list[str]:
        """What a person should know of it, beyond the usual."""
        said = []
        if self.encoding not in ("utf-8", "utf-8-sig"):
            said.append(f"the file isn't UTF-8; read as {self.encoding}")
        if self.separator != "," and self.columns > 1:
            said.append(f"cells are parted by {_SEPARATORS[self.separator]}")
        if self.quote == "'":
            said.append("cells are quoted by apostrophes")
        if self.preamble:
            said.append(f"{self.preamble} {'line' if self.preamble == 1 else 'lines'} before the table left out")
        if not self.header:
            said.append("the first line is a row, not a header: columns are called column_1, column_2, ...")
        return said


def layout_of(path: Path, start: bytes) -> Layout:
    """How the text file that begins with `start` holds its table.

    Raises:
        RequestError: It is empty, or no text.
    """
    encoding = encoding_of(path, start)
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(start)
    newline = "\r" if "\n" not in text and "\r" in text else "\n"
    if re.search(r"[\x00-\x08\x0e-\x1a]", text):
        raise RequestError(
            f"{path.name!r} is no table: it has bytes that no text has; give a CSV, Parquet or Excel file"
        )
    if not text.strip():
        raise RequestError(f"the table {path.name!r} is empty; give one with a header and at least two rows")
    if len(start) >= SAMPLE:
        text = text[: text.rfind(newline) + 1] or text
    quote = _quote(text)
    split = {separator: _split(text, separator, quote, newline) for separator in _SEPARATORS}
    separator = max(split, key=lambda one: _fit(split[one]))  # the first of equals
    if _fit(split[separator])[0] == 0:  # nothing parts the lines: a table of one column
        separator = ","
    rows = split[separator]
    columns = _width(rows)
    skipped = next(place for place, row in enumerate(rows) if len(row) == columns)
    body = [row for row in rows[skipped:] if row]
    header = tuple(body[0]) if _is_header(body) else ()
    first = tuple(tuple(row) for row in body[1 if header else 0 :])
    preamble = sum(map(bool, rows[:skipped]))
    return Layout(encoding, separator, quote, newline, skipped, preamble, header, columns, first)


def encoding_of(path: Path, start: bytes) -> str:
    """The encoding of a text file, of all of it.

    Raises:
        RequestError: The file is no text.
    """
    for mark, name in _BOMS:
        if start.startswith(mark):
            return name
    if b"\0" in start[:4096]:
        even, odd = start[:4096:2].count(0), start[1:4096:2].count(0)
        if max(even, odd) < 0.3 * min(len(start), 4096) / 2:
            raise RequestError(
                f"{path.name!r} is no table: it has bytes that no text has; give a CSV, Parquet or Excel file"
            )
        return "utf-16-le" if odd > even else "utf-16-be"
    strange = _not_utf8(path)
    if strange is None:
        return "utf-8"
    western = strange.decode("cp1252", errors="replace")
    beyond = [letter for letter in western if letter > "\x7f"]
    letters = sum(letter.isalpha() for letter in western)
    if all(letter in _WESTERN for letter in beyond) and (len(beyond) < 0.3 * letters or len(beyond) < 4):
        return "cp1252"
    from charset_normalizer import from_bytes

    best = from_bytes(strange).best()
    return best.encoding if best is not None else "latin-1"


def _not_utf8(path: Path) -> bytes | None:
    """What lies around the first place of the file that isn't UTF-8, None if all of it is."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        while True:
            block = file.read(_BLOCK)
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError:
                lines = [line for line in block.splitlines() if not line.isascii()]
                return b"\n".join(lines)[: _BLOCK // 16] or block[-100:]
            if not block:
                return None


def _quote(text: str) -> str | None:
    """What cells are quoted by."""
    double = len(re.findall(r'(?:^|[,;\t|])\s?"', text[:65536], re.MULTILINE))
    single = len(re.findall(r"(?:^|[,;\t|])'[^'\n]*'(?=[,;\t|\r\n])", text[:65536], re.MULTILINE))
    return "'" if single > 3 and not double else '"'


def _split(text: str, separator: str, quote: str | None, newline: str) -> list[list[str]]:
    """The first lines as cells, none for an empty line; an open quote goes on over lines."""
    lines = io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n") if newline == "\r" else text, newline="")
    reader = csv.reader(lines, delimiter=separator, quotechar=quote, skipinitialspace=False)
    rows: list[list[str]] = []
    try:
        for row in reader:
            rows.append(row)
            if len(rows) > _LINES:
                break
    except csv.Error:  # a cell of more than 128 kB: as far as it went
        pass
    return rows


def _width(rows: Sequence[Sequence[str]]) -> int:
    """Cells in most rows."""
    widths = Counter(len(row) for row in rows if row)
    return max(widths, key=lambda width: (widths[width], width))


def _fit(rows: Sequence[Sequence[str]]) -> tuple[float, float]:
    """How well a separator parts the lines: the share of lines with as many cells as most, whether the first has."""
    width = _width(rows)
    if width < 2:
        return 0.0, 0.0
    rows = [row for row in rows if row]
    return round(sum(len(row) == width for row in rows) / len(rows), 2), float(len(rows[0]) == width)


def _is_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first line names the columns: no numbers over numbers, and no words that come again below."""
    first, rest = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    if not rest:
        return not any(_NUMBER.fullmatch(cell) for cell in first)
    numbers = [cell for cell in first if _NUMBER.fullmatch(cell)]
    if numbers and _count_on(numbers):
        return True
    votes = 0
    for place, cell in enumerate(first):
        below = [row[place].strip() for row in rest if row[place].strip()]
        numeric = sum(_NUMBER.fullmatch(other) is not None for other in below) > 0.5 * len(below)
        if not cell.strip() or not below:
            continue
        if _NUMBER.fullmatch(cell):
            votes -= 1
        elif numeric:
            votes += 1
        elif cell.strip() in below:
            votes -= 1
    return votes >= 0


def _count_on(cells: Sequence[str]) -> bool:
    """Whether numbers in a first line are names: 0, 1, 2 or 2019, 2020, 2021."""
    values = [int(cell) for cell in cells if cell.strip().isdigit()]
    return len(values) == len(cells) >= 2 and all(after == before + 1 for before, after in pairwise(values))
