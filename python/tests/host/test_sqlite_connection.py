"""A bucket over the user's own connection: what it keeps, and what it leaves as it found it."""

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from scupper.buckets import _sqlite_transaction

from host.connections import WEEK, bucket_over, connected, item
from support.packages import SCUPPER


@pytest.fixture
def connection() -> Any:
    opened = connected(":memory:")
    yield opened
    opened.close()


def rows(connection: sqlite3.Connection, table: str = "limits") -> list[Any]:
    return connection.execute(f'SELECT * FROM "{table}" ORDER BY total').fetchall()


class TestTable:
    def test_a_request_is_one_row_whatever_its_weight(self, connection: sqlite3.Connection) -> None:
        bucket = bucket_over(connection, (10**15, WEEK))
        assert bucket.put(item(10**14, 5)) and bucket.put(item(3, 9, "other"))
        assert rows(connection) == [(10**14, "a name", 5, 10**14), (10**14 + 3, "other", 9, 3)]
        shown = [(each.name, each.timestamp) for each in map(bucket.peek, (0, 2, 3, 10**14 + 2))]
        assert shown == [("other", 9), ("other", 9), ("a name", 5), ("a name", 5)]
        assert bucket.peek(10**14 + 3) is None and bucket.peek(-1) is None
        assert bucket.count() == 10**14 + 3

    def test_a_leak_drops_what_is_older_than_every_window(self, connection: sqlite3.Connection) -> None:
        bucket = bucket_over(connection, (9, 100), (20, 1000))
        assert bucket.put(item(4, 10)) and bucket.put(item(3, 20)) and bucket.put(item(1, 30))
        assert (bucket.leak(1020), bucket.count(), bucket.leak(1020)) == (4, 4, 0)
        assert bucket.peek(3).timestamp == 20 and bucket.peek(4) is None
        with pytest.raises(AssertionError, match="timestamp"):
            bucket.leak()
        bucket.flush()
        assert (bucket.count(), bucket.peek(0), rows(connection)) == (0, None, [])

    def test_old_rows_leave_by_themselves_and_no_thread_is_needed(self, connection: sqlite3.Connection) -> None:
        before = threading.active_count()
        limiter = SCUPPER.Limiter(bucket_over(connection, (1, 100)))
        for tick in range(1, 4):
            bucket = bucket_over(connection, (1, 100))  # as in a program that ran but once
            assert bucket.put(item(1, tick * 1000))
            assert bucket.count() == 1
        assert threading.active_count() == before
        limiter.close()

    def test_totals_begin_again_before_they_can_overflow(self, connection: sqlite3.Connection) -> None:
        bucket = bucket_over(connection, (3, 100))
        assert bucket.put(item(2, 5)) and bucket.put(item(1, 6))
        connection.execute("UPDATE limits SET total = total + 4611686018427387905")
        connection.commit()
        assert not bucket.put(item(1, 7)) and bucket.put(item(2, 106)) and not bucket.put(item(1, 106))
        assert [row[0] for row in rows(connection)] == [2, 3, 5]

    def test_a_weight_beyond_all_numbers_never_fits(self, connection: sqlite3.Connection) -> None:
        bucket = bucket_over(connection)
        assert not bucket.put(item(10**30)) and bucket.waiting(item(10**30)) == -1

    def test_a_table_that_the_users_query_made_is_used(self, connection: sqlite3.Connection) -> None:
        queries = SCUPPER.SQLiteQueries
        connection.execute(queries.CREATE_BUCKET_TABLE.format(table="limits"))
        connection.execute(queries.CREATE_INDEX_ON_TIMESTAMP.format(index_name="mine", table_name="limits"))
        assert bucket_over(connection).put(item())
        assert [row[1] for row in connection.execute("PRAGMA index_list(limits)")] == ["mine"]
        connection.execute(queries.DROP_INDEX.format(index="mine"))
        connection.execute(queries.DROP_TABLE.format(table="limits"))

    @pytest.mark.parametrize("table", ["a table", "it's", 'a "table"', "select"])
    def test_a_table_may_have_any_name(self, connection: sqlite3.Connection, table: str) -> None:
        assert bucket_over(connection, table=table).put(item())
        again = bucket_over(connection, table=table)
        assert (again.count(), again.table) == (1, table)

    def test_a_table_of_something_else_is_refused(self, connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE limits (id INTEGER, price REAL)")
        with pytest.raises(ValueError, match="'limits' is of something else, with columns id, price; name another"):
            bucket_over(connection)
        connection.execute("CREATE TABLE theirs (name VARCHAR, item_timestamp INTEGER)")
        with pytest.raises(ValueError, match=r"form of pyrate-limiter.*import_sqlite_table\(conn, 'theirs'"):
            bucket_over(connection, table="theirs")

    def test_a_file_of_native_buckets_is_refused(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA application_id = 0x53637570")
        with pytest.raises(ValueError, match="the file of native buckets.*init_from_file"):
            bucket_over(connection)
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


class Interrupted(sqlite3.Connection):
    """Has the user press Ctrl-C as its second transaction begins, which is seen once that has begun."""

    begun = 0

    def cursor(self, *_: Any) -> Any:
        return super().cursor(InterruptedCursor)


class InterruptedCursor(sqlite3.Cursor):
    def execute(self, statement: str, *values: Any) -> Any:
        done = super().execute(statement, *values)
        if statement == "BEGIN IMMEDIATE":
            connection: Any = self.connection
            connection.begun += 1
            if connection.begun == 2:
                raise KeyboardInterrupt
        return done


class TestTransactions:
    @pytest.mark.parametrize("level", [None, "", "DEFERRED", "IMMEDIATE", "EXCLUSIVE"])
    def test_each_decision_is_kept_at_once(self, level: Any, tmp_path: Path) -> None:
        ours, other = (connected(tmp_path / "limits.db", isolation_level=level) for _ in range(2))
        bucket = bucket_over(ours)
        assert bucket.put(item(2)) and not ours.in_transaction
        assert not bucket_over(other).put(item())
        assert not other.in_transaction
        ours.close(), other.close()

    def test_within_a_transaction_of_the_users_it_is_kept_or_undone_with_it(self, tmp_path: Path) -> None:
        ours, other = connected(tmp_path / "limits.db"), connected(tmp_path / "limits.db")
        bucket, seen = bucket_over(ours), bucket_over(other)
        ours.execute("CREATE TABLE mine (number INTEGER)")
        ours.execute("INSERT INTO mine VALUES (1)")
        assert bucket.put(item(2)) and not bucket.put(item())
        assert ours.in_transaction and seen.count() == 0
        ours.rollback()
        assert bucket.count() == 0 and ours.execute("SELECT count(*) FROM mine").fetchone() == (0,)
        ours.execute("INSERT INTO mine VALUES (2)")
        assert bucket.put(item(2))
        ours.commit()
        assert seen.count() == 2
        ours.close(), other.close()

    def test_what_fails_is_undone_and_leaves_the_users_transaction(self, connection: sqlite3.Connection) -> None:
        bucket = bucket_over(connection)
        with pytest.raises(sqlite3.Error):
            bucket.put(item(name=lambda: "no name"))
        assert not connection.in_transaction
        connection.execute("CREATE TABLE mine (number INTEGER)")
        connection.execute("INSERT INTO mine VALUES (1)")
        with pytest.raises(sqlite3.Error):
            bucket.put(item(name=lambda: "no name"))
        connection.commit()
        assert connection.execute("SELECT * FROM mine").fetchall() == [(1,)]
        assert bucket.count() == 0 and bucket.put(item(2))

    def test_an_interrupt_while_it_waits_to_begin_leaves_no_transaction_open(self, tmp_path: Path) -> None:
        connection = connected(tmp_path / "file", factory=Interrupted)
        other = connected(tmp_path / "file", timeout=0, isolation_level=None)
        bucket = bucket_over(connection, (1, WEEK))
        with pytest.raises(KeyboardInterrupt):
            bucket.put(item())
        assert not connection.in_transaction
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
        assert bucket.put(item()), "nothing was taken"
        assert len(rows(other)) == 1, "what is taken afterwards is kept"
        connection.close()
        other.close()

    def test_a_connection_that_commits_nothing_by_itself_is_refused(self) -> None:
        class Manual(sqlite3.Connection):
            autocommit = False

        connection = connected(":memory:", factory=Manual)
        with pytest.raises(ValueError, match="autocommit=False"):
            bucket_over(connection)
        connection.close()

    def test_factories_of_the_users_are_left_alone(self, connection: sqlite3.Connection) -> None:
        connection.row_factory = lambda cursor, row: {"row": row}
        bucket = bucket_over(connection)
        assert bucket.put(item(2)) and not bucket.put(item()) and bucket.count() == 2
        assert SCUPPER.SQLiteClock(bucket).now() > 10**12
        assert connection.execute("SELECT 1").fetchone() == {"row": (1,)}

    def test_a_statement_of_the_users_that_is_not_at_its_end_stays(self, connection: sqlite3.Connection) -> None:
        bucket = bucket_over(connection)
        connection.execute("CREATE TABLE mine (number INTEGER)")
        connection.executemany("INSERT INTO mine VALUES (?)", [(1,), (2,), (3,)])
        connection.commit()
        cursor = connection.execute("SELECT number FROM mine")
        assert cursor.fetchone() == (1,)
        assert bucket.put(item(2)) and not bucket.put(item())
        assert cursor.fetchall() == [(2,), (3,)]


def test_the_patience_with_a_locked_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sqlite_transaction, "_PATIENCE_SECONDS", 0.05)
    ours, other = connected(tmp_path / "limits.db", timeout=0), connected(tmp_path / "limits.db")
    bucket = bucket_over(ours)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        bucket.put(item())
    other.rollback()
    assert bucket.count() == 0 and bucket.put(item(2)), "what could not be decided was not counted"
    ours.close(), other.close()
