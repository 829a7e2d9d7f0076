"""Servers, pools and other transactions in the way: nobody is admitted or denied for it, and nothing is asked twice."""

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout

from postgres.shared import DAY, LOCK, bucket, id_of, items, limiter, rates, told, until_one_waits
from support.packages import SCUPPER
from support.programs import Program
from support.servers import Postgres
from support.threads import BOUND, Running


@contextmanager
def somebody_has(server: Postgres, table: str) -> Iterator[Any]:
    """A transaction that has the bucket, until it is left or commits."""
    with psycopg.connect(server.url) as connection:
        connection.execute(LOCK, (id_of(table),))
        yield connection


def test_a_bucket_that_somebody_has_is_waited_for(server: Postgres, pool: Any, table: str) -> None:
    # The reference denies at once there.
    limits = limiter(pool, table, (2, DAY))
    for change in (None, rates((3, DAY))):
        if change is not None:
            limits.bucket_factory.bucket.rates = change
        with somebody_has(server, table):
            asking = Running(lambda: limits.try_acquire("x", blocking=False))
            until_one_waits(server.url)
            assert not asking.ended
        assert asking.result() is True


def test_a_look_waits_for_nobody(server: Postgres, pool: Any, table: str) -> None:
    made = bucket(pool, table, (2, DAY))
    assert SCUPPER.Limiter(made).try_acquire("x")
    with somebody_has(server, table):
        assert (made.count(), made.peek(0).name) == (1, table)


def test_a_time_limit_of_the_users_connection_passes_through(server: Postgres, table: str) -> None:
    with ConnectionPool(server.url, kwargs={"options": "-c lock_timeout=50"}, min_size=1, max_size=1) as pool:
        limits = limiter(pool, table, (2, DAY))
        with somebody_has(server, table):
            with pytest.raises(psycopg.errors.LockNotAvailable):
                limits.try_acquire("x", blocking=False)
        assert [limits.try_acquire("x", blocking=False) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    "options",
    ["-c default_transaction_isolation=serializable", "-c default_transaction_read_only=on", "-c search_path="],
)
def test_what_a_session_has_by_default_is_no_matter(server: Postgres, table: str, options: str) -> None:
    with ConnectionPool(server.url, kwargs={"options": options}, min_size=1, max_size=2) as pool:
        made = bucket(pool, table, (3, DAY))
        limits = SCUPPER.Limiter(made)
        assert [limits.try_acquire("x", blocking=False) for _ in range(4)] == [True, True, True, False]
        made.rates = rates((4, DAY))
        assert [limits.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]


def configured(connection: Any) -> None:
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.prepare_threshold = 0
    connection.row_factory = psycopg.rows.dict_row


def test_a_connection_goes_back_as_it_came(server: Postgres, table: str) -> None:
    with ConnectionPool(server.url, configure=configured, min_size=1, max_size=1) as pool:
        made = bucket(pool, table, (2, DAY))
        limits = SCUPPER.Limiter(made)
        assert [limits.try_acquire("x", blocking=False) for _ in range(12)].count(True) == 2
        made.rates = rates((3, DAY))
        assert [limits.try_acquire("x", blocking=False) for _ in range(12)].count(True) == 1
        with pool.connection() as connection:
            assert connection.autocommit is False
            assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
            assert connection.execute("SELECT 1 AS one").fetchall() == [{"one": 1}]


def test_an_autocommitting_pool_stays_one(server: Postgres, table: str) -> None:
    with ConnectionPool(server.url, kwargs={"autocommit": True}, min_size=1, max_size=1) as pool:
        made = bucket(pool, table, (1, DAY))
        assert [made.put(item) for item in items(1, 2)] == [True, False]
        with pool.connection() as connection:
            assert connection.autocommit is True


def test_an_exhausted_pool_passes_through_and_nothing_is_taken(server: Postgres, table: str) -> None:
    with ConnectionPool(server.url, min_size=1, max_size=1, timeout=0.05) as pool:
        pool.wait(BOUND)
        limits = limiter(pool, table, (1, DAY))
        with pool.connection():
            with pytest.raises(PoolTimeout):
                limits.try_acquire("x", blocking=False)
        assert [limits.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]


def test_a_server_that_is_away_is_no_denial_and_what_it_counted_stays(table: str) -> None:
    with Postgres() as server, ConnectionPool(server.url, min_size=1, max_size=1, timeout=30) as pool:
        made = bucket(pool, table, (3, DAY))
        # Without leaks in the background, which may meet the broken connection first.
        limits = SCUPPER.Limiter(SCUPPER.SingleBucketFactory(made, schedule_leak=False))
        assert limits.try_acquire("x", weight=2)
        server.restart()
        with pytest.raises(psycopg.OperationalError):
            limits.try_acquire("x", blocking=False)
        answers = [limits.try_acquire("x", blocking=False) for _ in range(2)]
        assert answers == [True, False]
        server.kill()
        with pytest.raises(psycopg.OperationalError):
            limits.try_acquire("x", blocking=False)


def test_a_call_whose_answer_is_lost_is_not_made_again(server: Postgres, pool: Any, table: str) -> None:
    made = bucket(pool, table, (3, DAY))
    limits = SCUPPER.Limiter(made)
    with somebody_has(server, table):
        asking = Running(lambda: limits.try_acquire("x", blocking=False))
        until_one_waits(server.url)
        ended = told(
            server.url_as("postgres"),
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
        )
        assert ended == [(True,)]
        with pytest.raises(psycopg.OperationalError):
            asking.result()
    assert made.count() == 0, "it was not sent once more"
    assert limits.try_acquire("x", blocking=False) is True


@pytest.mark.parametrize("error", [psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure])
def test_what_the_server_has_undone_is_tried_again_a_few_times(
    pool: Any, table: str, monkeypatch: Any, error: Any
) -> None:
    made = bucket(pool, table, (2, DAY))
    execute, calls = psycopg.RawCursor.execute, list[str]()
    left = 2

    def failing(self: Any, query: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal left
        calls.append(query)
        if "decide" in query and left > 0:
            left -= 1
            raise error("undone")
        return execute(self, query, *arguments, **named)

    monkeypatch.setattr(psycopg.RawCursor, "execute", failing)
    assert made.put(SCUPPER.RateItem("x", made.now())) is True
    assert sum("decide" in query for query in calls) == 3
    left = 4
    with pytest.raises(error):
        made.put(SCUPPER.RateItem("x", made.now()))
    assert left == 0
    assert made.count() == 1


def test_an_interrupted_put_leaves_the_connection_good(server: Postgres, table: str) -> None:
    async def main() -> None:
        async with AsyncConnectionPool(server.url, min_size=1, max_size=1) as pool:
            made = bucket(pool, table, (2, DAY))
            limits = SCUPPER.Limiter(made)
            assert await limits.try_acquire_async("x")
            with somebody_has(server, table):
                task = asyncio.create_task(limits.try_acquire_async("x"))
                await asyncio.get_running_loop().run_in_executor(None, until_one_waits, server.url)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert await limits.try_acquire_async("x", blocking=False) is True
            assert await limits.try_acquire_async("x", blocking=False) is False

    asyncio.run(asyncio.wait_for(main(), BOUND))


class CancelledAgain(psycopg.AsyncConnection[Any]):
    """Has its task cancelled once more while it rolls back, the first time."""

    cancels = 0

    async def rollback(self) -> None:
        type(self).cancels += 1
        task = asyncio.current_task()
        if type(self).cancels == 1 and task is not None:
            task.cancel()
        await super().rollback()


def test_a_put_that_is_interrupted_twice_leaves_the_pool_as_it_was(server: Postgres, table: str) -> None:
    async def main() -> None:
        pool = AsyncConnectionPool(server.url, connection_class=CancelledAgain, min_size=1, max_size=1, open=False)
        async with pool:
            made = bucket(pool, table, (2, DAY))
            assert await made.put(SCUPPER.RateItem("x", 1000))
            with somebody_has(server, table):
                task = asyncio.create_task(made.put(SCUPPER.RateItem("x", 1000)))
                await asyncio.get_running_loop().run_in_executor(None, until_one_waits, server.url)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert CancelledAgain.cancels > 0
            async with pool.connection() as connection:
                assert connection.autocommit is False
                assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE

    asyncio.run(asyncio.wait_for(main(), BOUND))


def test_ctrl_c_ends_a_wait_for_a_bucket_and_nothing_is_taken(
    server: Postgres, pool: Any, table: str, tmp_path: Path
) -> None:
    made = bucket(pool, table, (1, DAY))
    text = f"""
        from psycopg_pool import ConnectionPool
        from scupper import *

        with ConnectionPool({server.url!r}, min_size=1, max_size=1) as pool:
            bucket = PostgresBucket(pool, {table!r}, [Rate(1, Duration.DAY)])
            limiter = Limiter(SingleBucketFactory(bucket, schedule_leak=False))
            try:
                limiter.try_acquire("x", blocking=False)
            except KeyboardInterrupt:
                print("interrupted")
            print(limiter.try_acquire("x", blocking=False))
    """
    with somebody_has(server, table):
        program = Program(tmp_path, text)
        until_one_waits(server.url)
        program.signal(signal.SIGINT)
        assert program.line() == "interrupted"
        assert made.count() == 0
    assert program.end() == "True\n"


def test_a_damaged_row_is_an_error_and_is_left_as_it_is(server: Postgres, pool: Any, table: str) -> None:
    made = bucket(pool, table, (2, DAY))
    limits = SCUPPER.Limiter(made)
    assert limits.try_acquire("x")
    told(server.url, "UPDATE scupper.bucket SET head = '{1,2}' WHERE id = %s::uuid", id_of(table))
    for ask in (lambda: limits.try_acquire("x", blocking=False), made.count, made.flush):
        with pytest.raises(ValueError, match="the stored bucket cannot be read"):
            ask()
    assert told(server.url, "SELECT head FROM scupper.bucket WHERE id = %s::uuid", id_of(table)) == [([1, 2],)]


def test_a_hold_of_another_program_denies(server: Postgres, pool: Any, table: str) -> None:
    made = bucket(pool, table, (9, DAY))
    limits = SCUPPER.Limiter(made)
    assert limits.try_acquire("x")
    until = int(time.time() * 10**6) + 60 * 10**6
    told(server.url, "UPDATE scupper.bucket SET head[4] = %s WHERE id = %s::uuid", until, id_of(table))
    assert limits.try_acquire("x", blocking=False) is False
    assert made.failing_rate is made.rates[0]
    assert 50_000 < made.waiting(SCUPPER.RateItem("x", made.now())) <= 60_000
