import pytest

from rivals.engine.errors import RequestError
from rivals.modalities.tables.sniff import layout_of


def layout(tmp_path, content, encoding="utf-8"):
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return layout_of(path, path.read_bytes())


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " "])
def test_the_separator_is_what_parts_all_lines_alike(tmp_path, separator):
    found = layout(tmp_path, f"a{separator}b{separator}c\n1{separator}2{separator}3\n4{separator}5{separator}6\n")
    assert (found.separator, found.header, found.columns) == (separator, ("a", "b", "c"), 3)


def test_decimal_commas_part_no_cells(tmp_path):
    assert layout(tmp_path, "a;b\n1,5;2,5\n2,5;3,5\n").separator == ";"
    assert layout(tmp_path, "1,5;2,5\n2,5;3,5\n3,5;1,1\n").separator == ";"


def test_quoted_separators_and_line_ends_belong_to_cells(tmp_path):
    found = layout(tmp_path, 'name,"said\nwhat"\nAnn,"hello; you, there\nall"\nBob,"what; is, it"\n')
    assert (found.separator, found.columns) == (",", 2)
    assert found.header == ("name", "said\nwhat")
    assert found.first[0] == ("Ann", "hello; you, there\nall")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("age,name\n1,x\n2,y\n", True),
        ("39, Private\n50, Self\n38, Private\n", False),
        ("country,2019,2020\nDE,1,2\nFR,3,4\n", True),
        ("0,1,2\n5.5,6.5,1.5\n3.5,2.5,8.5\n", True),
        ("red,blue\nblue,red\nred,red\nblue,blue\n", False),
        ("colour,size\nred,big\nblue,small\n", True),
    ],
)
def test_a_header_is_told_from_a_row(tmp_path, text, named):
    assert bool(layout(tmp_path, text).header) == named


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        ("name,city\nJürgen,Köln\nAnna,Düsseldorf\n", "latin-1", "cp1252"),
        ("a,b\nü,2\n3,4\n", "utf-16", "utf-16"),
        ("a,b\nu,2\n3,4\n", "utf-16-le", "utf-16-le"),
        ("a,b\nü,2\n3,4\n", "utf-8-sig", "utf-8-sig"),
        ("имя,город\n" + "Анна Иванова,Москва\nИван Петров,Тверь\n" * 20, "cp1251", "cp1251"),
    ],
)
def test_the_encoding_is_found_and_said(tmp_path, text, encoding, found):
    own = layout(tmp_path, text, encoding)
    assert own.encoding == found
    assert own.header == tuple(text.split("\n")[0].split(","))
    assert any(found in note for note in own.notes()) == (not found.startswith("utf-8"))


def test_a_strange_byte_at_the_end_of_a_long_file_is_seen(tmp_path):
    assert layout(tmp_path, b"a,b\n" + b"1,2\n" * 300_000 + "ü,3\n".encode("cp1252")).encoding == "cp1252"


def test_lines_before_the_table_are_left_out_and_said(tmp_path):
    found = layout(tmp_path, "made by X\n\na,b,c\n1,2,3\n4,5,6\n7,8,9\n")
    assert (found.skipped, found.header) == (2, ("a", "b", "c"))
    assert found.notes() == ["1 line before the table left out"]


def test_what_is_no_text_is_refused(tmp_path):
    with pytest.raises(RequestError, match="no text has"):
        layout(tmp_path, bytes(range(256)) * 20)
    with pytest.raises(RequestError, match="is empty"):
        layout(tmp_path, "\n \n")
