"""A bucket over the user's own connection: its time, its threads, and its life."""

import pickle
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from scupper import clocks

from host.connections import WEEK, bucket_over, connected, in_fork, item
from support.packages import SCUPPER
from support.threads import Running, together


def set_wall(monkeypatch: pytest.MonkeyPatch, milliseconds: int) -> None:
    monkeypatch.setattr(clocks, "time_ns", lambda: int(milliseconds) * 1_000_000)


@pytest.fixture
def connection() -> Any:
    opened = connected(":memory:")
    yield opened
    opened.close()


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

    def test_without_one_there_is_none(self, connection: sqlite3.Connection) -> None:
        bucket = bucket_over(connection)
        assert bucket.limiter_lock() is None and not bucket.use_limiter_lock


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
