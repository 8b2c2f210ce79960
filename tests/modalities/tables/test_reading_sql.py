import contextlib
import sqlite3

import polars as pl
import pytest

from rivals.engine.errors import RequestError
from rivals.modalities.tables.reading import open_table


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "shop.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("create table customers (id integer primary key, name text)")
        connection.execute("create table orders (id integer, customer integer references customers (id), price)")
        connection.executemany("insert into customers values (?, ?)", [(1, "Ann"), (2, None)])
        prices = [(row, 1 + row % 2, "free" if row == 7 else row / 2) for row in range(9)]
        connection.executemany("insert into orders values (?, ?, ?)", prices)
        connection.commit()
    return path


def rows(table):
    return pl.concat(list(table.chunks())).rows()


def test_a_table_or_a_query_is_read_and_keys_into_others_are_said(database):
    orders = open_table(f"sqlite:///{database}", query="orders")
    assert (orders.names, orders.rows) == (("id", "customer", "price"), 9)
    assert rows(orders)[6:8] == [(6, 1, "3.0"), (7, 2, "free")]
    assert "keys into 'customers'" in orders.notes[0]
    few = open_table(database, query="select name, id * 2 as double from customers")
    assert rows(few) == [("Ann", 2), (None, 4)]
    assert few.sha256 == open_table(database, query="select name, id * 2 as double from customers").sha256


def test_several_tables_unknown_ones_and_bad_queries_are_refused(database):
    for query, said in ((None, r"2 tables \('customers', 'orders'\)"), ("select foo", "no such column: foo")):
        with pytest.raises(RequestError, match=said):
            open_table(f"sqlite:///{database}", query=query)
    with pytest.raises(RequestError, match="there is no database"):
        open_table("sqlite:///nowhere.db")


def test_passwords_are_not_shown():
    with pytest.raises(RequestError) as refusal:
        open_table("mssql+nothere://me:secret@localhost/db", query="t")
    assert "secret" not in str(refusal.value)
