"""A bucket over the user's own connection: what it keeps, and what it leaves as it found it."""

import pickle
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from host.connections import WEEK, bucket_over, connected, in_fork, item
from support.packages import SCUPPER
from support.threads import Running, together

from scupper import clocks
from scupper.buckets import _sqlite_transaction


def set_wall(monkeypatch: pytest.MonkeyPatch, milliseconds: int) -> None:
    monkeypatch.setattr(clocks, "time_ns", lambda: int(milliseconds) * 1_000_000)


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


class TestTime:
    def test_a_clock_that_is_assigned_is_read(self, connection: sqlite3.Connection) -> None:
        bucket = bucket_over(connection, (1, 1000))
        assert abs(bucket.now() - SCUPPER.WallClock().now()) < 5000
        bucket._clock = clock = SCUPPER.SQLiteClock.default()
        clock.now = lambda: 77  # type: ignore[method-assign]
        limiter = SCUPPER.Limiter(bucket)
        assert limiter.try_acquire("x") and bucket.peek(0).timestamp == 77
        limiter.close()

    def test_who_waited_for_the_lock_is_counted_when_it_had_it(
        self, connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bucket = bucket_over(connection, (5, 1000))
        early = bucket.now()
        set_wall(monkeypatch, early + 700)
        assert bucket.put(item(tick=early)) and bucket.peek(0).timestamp == early + 700
        assert bucket.put(item(tick=int(early) + 800)) and bucket.peek(0).timestamp == early + 800, "a time of choice"

    def test_a_wall_clock_that_was_wrong_and_is_set_back_stops_nobody(
        self, connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bucket = bucket_over(connection, (2, 1000))
        set_wall(monkeypatch, 10**13)
        assert bucket.put(item(2, bucket.now()))
        set_wall(monkeypatch, 10**12)
        assert not bucket.put(item(1, bucket.now())), "what was taken still counts"
        assert bucket.waiting(item(1, 10**12)) == 1001
        set_wall(monkeypatch, 10**12 + 1001)
        assert bucket.put(item(2, bucket.now()))

    def test_a_small_step_back_frees_nothing(
        self, connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bucket = bucket_over(connection, (1, 1000))
        set_wall(monkeypatch, 10**12)
        assert bucket.put(item(1, bucket.now()))
        set_wall(monkeypatch, 10**12 - 400)
        denied = item(1, bucket.now())
        assert not bucket.put(denied) and bucket.waiting(denied) == 1401

    def test_sqlites_clock_is_the_walls(self, connection: sqlite3.Connection) -> None:
        wall = SCUPPER.WallClock()
        for clock in (SCUPPER.SQLiteClock(connection), SCUPPER.SQLiteClock.default()):
            before = wall.now()
            assert before - 1 <= clock.now() <= wall.now()
        assert isinstance(clock.now(), int)


class TestThreads:
    def test_buckets_over_one_connection_take_turns(self, connection: sqlite3.Connection) -> None:
        buckets = [bucket_over(connection, (50, WEEK), table=name) for name in ("one", "other")]

        def work(index: int) -> int:
            return sum(buckets[index % 2].put(item()) for _ in range(30))

        assert sum(together(4, work)) == 100
        assert [bucket.count() for bucket in buckets] == [50, 50]

    def test_a_connection_of_another_thread_says_so(self) -> None:
        connection = sqlite3.connect(":memory:")
        limiter = SCUPPER.Limiter(bucket_over(connection))
        with pytest.raises(sqlite3.ProgrammingError, match="thread"):
            Running(lambda: limiter.try_acquire("x")).result()
        assert limiter.try_acquire("x", weight=2), "the line is free"
        limiter.close()

    def test_a_lock_of_the_users_is_held_around_the_calls_of_limiters(self, connection: sqlite3.Connection) -> None:
        lock = threading.Lock()
        bucket = bucket_over(connection, lock=lock)
        assert (bucket.lock, bucket.limiter_lock(), bucket.use_limiter_lock) == (lock, lock, True)
        limiter = SCUPPER.Limiter(bucket)
        with lock:
            blocked = Running(lambda: limiter.try_acquire("x", blocking=False)).until_asleep()
        assert blocked.result() is True, "a busy lock is waited for"
        limiter.close()
        assert bucket_over(connected(":memory:")).limiter_lock() is None


class TestLife:
    def test_close_closes_the_connection(self, connection: sqlite3.Connection) -> None:
        bucket = bucket_over(connection)
        assert bucket.conn is connection
        with SCUPPER.Limiter(bucket):
            pass
        assert bucket.conn is None
        bucket.close()
        with pytest.raises(RuntimeError, match="bucket is closed"):
            bucket.put(item())
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")

    def test_it_cannot_be_pickled_and_says_what_can(self, connection: sqlite3.Connection) -> None:
        with pytest.raises(TypeError, match="init_from_file"):
            pickle.dumps(bucket_over(connection))

    def test_a_forked_child_is_told_that_the_connection_is_not_its_own(self, tmp_path: Path) -> None:
        connection = connected(tmp_path / "limits.db")
        bucket = bucket_over(connection)
        assert bucket.put(item())
        assert "opened before the process was forked" in in_fork(lambda: str(bucket.put(item())))
        assert in_fork(lambda: str(bucket.close())) == "None"
        assert bucket.put(item()) and bucket.count() == 2
        connection.close()

    def test_a_forked_child_has_a_copy_of_what_is_in_memory(self, connection: sqlite3.Connection) -> None:
        bucket = bucket_over(connection)
        assert bucket.put(item())
        assert in_fork(lambda: f"{bucket.put(item())} {bucket.put(item())}") == "True False"
        assert bucket.put(item())

    def test_a_forked_child_finds_the_connections_lock_free(self, connection: sqlite3.Connection) -> None:
        bucket = bucket_over(connection)
        held, leave = threading.Event(), threading.Event()

        def hold() -> None:
            with bucket.lock:
                held.set()
                leave.wait(20)

        holder = Running(hold)
        assert held.wait(20)
        assert in_fork(lambda: str(bucket.put(item()))) == "True"
        leave.set()
        holder.result()

    def test_another_algorithm_decides_from_the_same_rows(self, connection: sqlite3.Connection) -> None:
        class Half(SCUPPER.SlidingWindowLog):
            def admit(self, rates: Any, counts: Any, weight: int) -> Any:
                return super().admit(rates, [2 * count for count in counts], 2 * weight)

        bucket = bucket_over(connection, (4, 1000), algorithm=Half())
        assert bucket.put(item(2, 10)) and not bucket.put(item(1, 20))
        bucket._algorithm = SCUPPER.SlidingWindowLog()
        assert bucket.put(item(2, 20)) and not bucket.put(item(1, 30))
        with pytest.raises(TypeError, match="decide from a log"):
            bucket_over(connection, algorithm=SCUPPER.GCRA())

    def test_a_limiter_waits_for_room(self, connection: sqlite3.Connection) -> None:
        limiter = SCUPPER.Limiter(bucket_over(connection, (1, 60)), buffer_ms=0)
        wall = SCUPPER.WallClock()
        assert limiter.try_acquire("x")
        first = limiter.bucket_factory.bucket.peek(0).timestamp
        assert limiter.try_acquire("x") and wall.now() > first + 60
        limiter.close()

    def test_rates_may_be_changed(self, connection: sqlite3.Connection) -> None:
        bucket = bucket_over(connection, (1, 1000))
        assert bucket.put(item(1, 10)) and not bucket.put(item(1, 10))
        bucket.rates = [SCUPPER.Rate(2, 1000)]
        assert bucket.put(item(1, 10)) and not bucket.put(item(1, 10))
        bucket.rates[0].limit = 3
        assert bucket.put(item(1, 10))


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
