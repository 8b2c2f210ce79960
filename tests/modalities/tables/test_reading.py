import gzip

import pandas as pd
import polars as pl
import pytest

from rivals.engine.errors import RequestError
from rivals.modalities.tables.reading import is_table, open_table
from rivals.modalities.tables.writing import write_table

FRAME = pl.DataFrame({"n": [1, 2, None], "x": [1.5, -2.0, 0.25], "s": ["a", "b,c", 'say "d"\nnow']})


def rows(table):
    return pl.concat(list(table.chunks()))


def written(tmp_path, content, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_cells_of_text_files_are_text_as_it_stands(tmp_path):
    path = written(tmp_path, 'id,amount,note\r\n007, 1.50,"a\r\nb"\r\n010,NA,"c ""d"""\r\n,,\r\n\r\n1,2,x\r\n')
    assert rows(open_table(path)).rows() == [("007", " 1.50", "a\r\nb"), ("010", "NA", 'c "d"'), ("1", "2", "x")]


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "feather", "xlsx"])
def test_other_files_keep_their_types(tmp_path, suffix):
    path = tmp_path / f"t.{suffix}"
    write_table([FRAME], path)
    table = open_table(path)
    assert rows(table).rows() == FRAME.rows()
    assert (table.names, table.rows) == (("n", "x", "s"), 3)
    assert is_table(path)


def test_data_frames_are_tables_of_their_own_content():
    table, other = open_table(FRAME), open_table(FRAME.with_columns(n=pl.lit(5)))
    assert rows(table).equals(FRAME)
    assert table.sha256 != other.sha256
    assert table.sha256 == open_table(FRAME.clone()).sha256
    mixed = open_table(pd.DataFrame({"a": [1, "x", None], "b": [1.0, None, 2.0]}, index=[3, 1, 2]))
    assert rows(mixed).rows() == [("1", 1.0), ("x", None), (None, 2.0)]
    assert "index is left out" in mixed.notes[0]


def test_encodings_compression_and_wrong_suffixes_do_not_matter(tmp_path):
    text = "name,n\nJürgen,1\nZoë,2\n"
    for content, name in (
        (text.encode("cp1252"), "a.csv"), (text.encode("utf-16"), "b.csv"), (gzip.compress(text.encode()), "c.csv.gz"),
    ):  # fmt: skip
        assert rows(open_table(written(tmp_path, content, name))).rows() == [("Jürgen", "1"), ("Zoë", "2")]
    FRAME.write_parquet(tmp_path / "p.csv")
    assert rows(open_table(tmp_path / "p.csv")).equals(FRAME)


def test_names_are_made_different_and_that_is_said(tmp_path):
    table = open_table(written(tmp_path, "a,a,,a_2\n1,2,3,4\n1,2,3,4\n"))
    assert table.names == ("a", "a_3", "column_3", "a_2")
    assert table.notes == ("column 2 is another 'a': called 'a_3'", "column 3 has no name: called 'column_3'")
    assert open_table(written(tmp_path, "5,x\n6,y\n7,x\n")).names == ("column_1", "column_2")


def test_files_of_a_folder_are_parts_of_one_table_or_too_many(tmp_path):
    written(tmp_path, "a,b\n1,2\n", "1.csv")
    written(tmp_path, "a,b\n3,4\n", "2.csv")
    assert rows(open_table(tmp_path)).rows() == [("1", "2"), ("3", "4")]
    assert is_table(tmp_path)
    written(tmp_path, "a,c\n3,4\n5,6\n", "3.csv")
    with pytest.raises(RequestError, match="3 tables with different columns"):
        open_table(tmp_path)


def test_chunks_are_small_where_rows_are_wide(tmp_path):
    names = [f"c{number}" for number in range(3000)]
    path = written(tmp_path, ",".join(names) + "\n" + (",".join(["1"] * 3000) + "\n") * 2100)
    table = open_table(path)
    assert len(table.names) == 3000
    heights = [chunk.height for chunk in table.chunks()]
    assert sum(heights) == 2100
    assert max(heights) <= 1000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is an empty file"),
        ("\n\n", "is empty"),
        ("a,b\n", "a header but no rows"),
        ("a,b\n1,2\n", "only one row"),
        ("a,b\n1,2\n1,2,3\n1,2\n", "more cells than its 2 columns"),
        ("a,b\n" + "1,2\n" * 400 + "1,2,3\n", "more cells than there are columns"),
        (b"\x00\x01\x02\xff" * 400, "no text has"),
    ],
)
def test_bad_files_are_refused_in_a_line(tmp_path, content, said):
    with pytest.raises(RequestError, match=said) as refusal:
        list(open_table(written(tmp_path, content)).chunks())
    assert "\n" not in str(refusal.value)


def test_other_bad_sources_are_refused_in_a_line(tmp_path):
    for source, said in (("nothing.csv", "there is no"), (tmp_path, "holds no table"), (FRAME.head(1), "only one row")):
        with pytest.raises(RequestError, match=said):
            open_table(source)
    with pytest.raises(RequestError, match="no Excel file"):
        open_table(written(tmp_path, "a,b\n1,2\n", "t.xlsx"))
    with pytest.raises(RequestError, match="a query is for databases"):
        open_table(FRAME, query="select 1")


def test_tables_are_told_from_other_sources(tmp_path):
    pl.DataFrame({"image": [b"png"]}).write_parquet(tmp_path / "pictures.parquet")
    assert not is_table(tmp_path / "pictures.parquet")
    assert not is_table(tmp_path / "x.png")
    assert not is_table("digits")
    assert not is_table(3)
    assert is_table("patients.CSV")
    assert is_table("postgresql://localhost/db")
    assert is_table(FRAME)
    assert is_table(FRAME.to_pandas())
