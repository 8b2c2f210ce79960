"""Categories that look like people are told of."""

import string

import pytest

from rivals.modalities.tables.columns import Column
from rivals.modalities.tables.identifiers import identifying
from rivals.modalities.tables.survey import remarks

LETTERS = string.ascii_lowercase


def column(name, cells):
    return Column(name, "category", categories=tuple(cells))


@pytest.mark.parametrize(
    ("name", "cells", "words"),
    [
        ("first", [f"ann{letter}" for letter in LETTERS], "names of people"),
        ("Patient Name", [f"ann{letter} smith" for letter in LETTERS], "names of people"),
        ("who", [f"Braund, Mr. Owen {letter}" for letter in LETTERS], "names of people"),
        ("contact", [f"{letter}@example.org" for letter in LETTERS], "e-mail addresses"),
        ("call", [f"+49 30 1234{number}" for number in range(10, 40)], "phone numbers"),
        ("nr", [f"123-45-67{number}" for number in range(10, 40)], "social security numbers"),
        ("account", [f"DE89 3704 0044 0532 0130 {number}" for number in range(10, 40)], "bank accounts"),
        ("city", [f"Paris{letter}, France" for letter in LETTERS], None),
        ("product name", [f"thing {letter}" for letter in LETTERS], None),
        ("zip", [str(number) for number in range(10_000, 10_040)], None),
        ("day", [f"2020-01-{number}" for number in range(10, 31)], None),
        ("name", ["a", "b", "c"], None),
        ("last", [str(number) for number in range(40)], None),
    ],
)
def test_people_are_seen_by_their_cells_or_the_name_of_the_column(name, cells, words):
    assert identifying(column(name, cells)) == words


def test_the_line_says_how_to_leave_the_column_out():
    (line,) = remarks([column("first name", [f"ann{letter}" for letter in LETTERS])])
    assert "26 values" in line
    assert "--column 'first name'=text" in line
