"""Tables of the reference are refused, and can be imported."""

import sqlite3
from typing import Any

import pytest
from scupper.migration import import_sqlite_table

from host.connections import bucket_over, connected, item
from support.packages import ORACLE


@pytest.fixture
def connection() -> Any:
    opened = connected(":memory:")
    queries = ORACLE.SQLiteQueries
    opened.execute(queries.CREATE_BUCKET_TABLE.format(table="theirs"))
    yield opened
    opened.close()


def counted_there(connection: sqlite3.Connection, *items: Any) -> None:
    bucket = ORACLE.SQLiteBucket([ORACLE.Rate(10, 1000)], connection, "theirs")
    for each in items:
        assert bucket.put(each)


def test_what_the_reference_counted_counts_on(connection: sqlite3.Connection) -> None:
    counted_there(connection, item(2, 500, "late"), item(3, 100, "early"), item(1, 900, "last"))
    assert import_sqlite_table(connection, "theirs", "ours") == 6
    assert not connection.in_transaction
    bucket = bucket_over(connection, (7, 1000), table="ours")
    assert [(each.name, each.timestamp) for each in map(bucket.peek, range(6))] == [
        ("last", 900),
        *[("late", 500)] * 2,
        *[("early", 100)] * 3,
    ]
    assert bucket.put(item(1, 1000)) and not bucket.put(item(1, 1100)) and bucket.put(item(3, 1101))
    assert connection.execute("SELECT count(*) FROM theirs").fetchone() == (6,)


def test_an_empty_table_is_imported_too(connection: sqlite3.Connection) -> None:
    assert import_sqlite_table(connection, "theirs", "ours") == 0


def test_only_a_table_of_the_reference_is_imported_and_only_once(connection: sqlite3.Connection) -> None:
    with pytest.raises(ValueError, match="'missing' is not there"):
        import_sqlite_table(connection, "missing", "ours")
    with pytest.raises(ValueError, match="'ours' has columns total, name, tick, weight"):
        import_sqlite_table(connection, "ours", "other")
    with pytest.raises(ValueError, match="name another table"):
        import_sqlite_table(connection, "theirs", "theirs")
    counted_there(connection, item(1, 500))
    assert import_sqlite_table(connection, "theirs", "ours") == 1
    with pytest.raises(ValueError, match="'ours' has counted something already"):
        import_sqlite_table(connection, "theirs", "ours")
    assert bucket_over(connection, table="ours").count() == 1
