"""What the reference's README shows of SQLite and of processes, with shorter windows."""

import asyncio
import multiprocessing
import sqlite3
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from scupper import (
    BucketAsyncWrapper,
    Duration,
    Limiter,
    MultiprocessBucket,
    Rate,
    RateItem,
    SQLiteBucket,
    SQLiteClock,
    SQLiteQueries,
    dedicated_sqlite_clock_connection,
    limiter_factory,
)

TENTH = Duration.SECOND * 0.1


def test_a_bucket_in_sqlite() -> None:
    bucket = SQLiteBucket.init_from_file([Rate(5, Duration.MINUTE)], use_file_lock=False)
    limiter = Limiter(bucket)
    assert [limiter.try_acquire("item", blocking=False) for _ in range(6)] == [True] * 5 + [False]
    limiter.close()


def test_the_arguments_of_init_from_file_by_name(tmp_path: Path) -> None:
    path = str(tmp_path / "rates.sqlite")
    rates = [Rate(1, Duration.MINUTE)]
    bucket = SQLiteBucket.init_from_file(
        rates, table="rate_bucket", db_path=path, create_new_table=True, use_file_lock=True
    )
    assert Limiter(bucket).try_acquire("item", blocking=False)
    again = SQLiteBucket.init_from_file(rates, db_path=path, create_new_table=False)
    assert not Limiter(again).try_acquire("item", blocking=False)


def test_a_bucket_over_a_connection_of_ones_own() -> None:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute(SQLiteQueries.CREATE_BUCKET_TABLE.format(table="mine"))
    connection.execute(SQLiteQueries.CREATE_INDEX_ON_TIMESTAMP.format(index_name="by_time", table_name="mine"))
    bucket = SQLiteBucket([Rate(2, TENTH)], connection, "mine")
    with Limiter(bucket, buffer_ms=0) as limiter:
        began = time.time()
        for _ in range(3):
            assert limiter.try_acquire("item")
        assert time.time() - began >= 0.1, "the third waits for the first to leave"


def test_a_limiter_from_the_factory(tmp_path: Path) -> None:
    limiter = limiter_factory.create_sqlite_limiter(
        rate_per_duration=3, duration=Duration.MINUTE, db_path=str(tmp_path / "rates.sqlite"), use_file_lock=True
    )
    assert [limiter.try_acquire("item", blocking=False) for _ in range(4)] == [True, True, True, False]
    limiter.close()


def work(number: int) -> Any:
    assert limiter_factory.LIMITER is not None
    return limiter_factory.LIMITER.try_acquire("item", blocking=False)


def test_a_bucket_for_a_pool() -> None:
    bucket = MultiprocessBucket.init([Rate(4, Duration.HOUR)])
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, context, limiter_factory.init_global_limiter, (bucket,)) as pool:
        assert sum(pool.map(work, range(8), timeout=40)) == 4
    bucket.close()


async def acquired_twice(bucket: Any) -> list[bool]:
    limiter = Limiter(BucketAsyncWrapper(bucket))
    return [await limiter.try_acquire_async("item", timeout=5), await limiter.try_acquire_async("item", blocking=False)]


def test_an_async_wrapper_around_a_bucket_of_processes() -> None:
    bucket = MultiprocessBucket.init([Rate(1, Duration.HOUR)])
    assert asyncio.run(acquired_twice(bucket)) == [True, False]
    bucket.close()


def test_the_clock_of_sqlite() -> None:
    connection = dedicated_sqlite_clock_connection()
    clock = SQLiteClock(connection)
    bucket = SQLiteBucket.init_from_file([Rate(1, Duration.MINUTE)])
    bucket._clock = clock
    assert bucket.put(RateItem("item", bucket.now())) and abs(clock.now() - time.time() * 1000) < 5000
    bucket.close()
    connection.close()
