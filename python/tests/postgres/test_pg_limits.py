"""Buckets in Postgres decide exactly, whoever asks, and at the server's time."""

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from postgres.shared import DAY, bucket, limiter, rates
from support.packages import SCUPPER
from support.programs import run
from support.servers import Postgres
from support.threads import BOUND, Late, in_a_window, together

ALGORITHMS = [None, SCUPPER.SlidingWindowLog(), SCUPPER.FixedWindow(), SCUPPER.GCRA(), SCUPPER.TokenBucket()]


def test_the_example_of_the_readme(server: Postgres, table: str) -> None:
    pool = ConnectionPool(server.url, open=True)
    made = SCUPPER.PostgresBucket(pool, table, [SCUPPER.Rate(3, 1000), SCUPPER.Rate(4, 1500)])
    limits = SCUPPER.Limiter(made)
    assert made.count() == 0
    began = time.monotonic()
    assert all(limits.try_acquire("item") for _ in range(5))
    assert time.monotonic() - began >= 1.5, "the fifth waits for the second rate"
    limits.close()


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda each: type(each).__name__)
def test_each_algorithm_admits_its_limit_and_no_more(pool: Any, table: str, algorithm: Any) -> None:
    made = bucket(pool, table, (5, DAY), algorithm=algorithm)
    limits = SCUPPER.Limiter(made)
    assert [limits.try_acquire("x", blocking=False) for _ in range(8)] == [True] * 5 + [False] * 3
    assert made.count() == 5
    assert limits.try_acquire("x", weight=6) is False, "a weight that never fits is refused at once"
    assert made.failing_rate is made.rates[0]


def test_threads_share_a_limit_exactly(pool: Any, table: str) -> None:
    limits = [limiter(pool, table, (50, DAY)) for _ in range(8)]
    admitted = together(8, lambda index: sum(limits[index].try_acquire("x", blocking=False) for _ in range(10)))
    assert sum(admitted) == 50


def test_processes_share_a_limit_exactly(server: Postgres, pool: Any, table: str, tmp_path: Path) -> None:
    text = f"""
        import multiprocessing
        from psycopg_pool import ConnectionPool
        from scupper import *

        def work(_):
            with ConnectionPool({server.url!r}, min_size=1, max_size=1) as pool:
                limiter = Limiter(PostgresBucket(pool, {table!r}, [Rate(50, Duration.DAY)]))
                return sum(limiter.try_acquire("x", blocking=False) for _ in range(20))

        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(4) as workers:
                print(sum(workers.map(work, range(4), 1)))
    """
    assert run(tmp_path, text) == ["50"]
    assert bucket(pool, table, (50, DAY)).count() == 50


def test_a_hundred_at_once_that_fit_are_all_admitted(pool: Any, table: str) -> None:
    # The reference denies who meets another: "a table that is locked is a denial".
    limits = [limiter(pool, table, (100, DAY)) for _ in range(10)]
    assert together(100, lambda index: limits[index % 10].try_acquire("x", blocking=False)) == [True] * 100
    assert limits[0].try_acquire("x", blocking=False) is False


def test_a_wait_ends_when_there_is_room_by_the_servers_time(pool: Any, table: str) -> None:
    limits = limiter(pool, table, (2, 300))
    began = time.monotonic()
    assert all(limits.try_acquire("x") for _ in range(5))
    assert time.monotonic() - began >= 0.6
    assert limits.try_acquire("x", timeout=0.001) in (True, False)


def test_tasks_share_an_async_pool_and_all_get_in(server: Postgres, table: str) -> None:
    async def main() -> None:
        async with AsyncConnectionPool(server.url, min_size=1, max_size=4) as pool:
            made = bucket(pool, table, (5, 400))
            limits = SCUPPER.Limiter(made, buffer_ms=0)
            began = time.monotonic()
            assert all(await asyncio.gather(*(limits.try_acquire_async("x") for _ in range(12))))
            assert time.monotonic() - began >= 0.8
            assert await limits.try_acquire("x", weight=6) is False
            await made.flush()
            assert (await made.count(), await made.peek(0), await made.leak(0)) == (0, None, 0)
            made.rates = rates((5, DAY))
            assert await limits.try_acquire_async("x", weight=5, blocking=False) is True
            assert await limits.try_acquire_async("x", blocking=False) is False
            assert isinstance(await made.now(), int)
            made.close()
            assert not pool.closed, "a pool to await is its owner's to close"

    asyncio.run(asyncio.wait_for(main(), BOUND))


def test_the_loop_goes_on_while_an_async_pool_is_waited_for(server: Postgres, table: str) -> None:
    async def turns_in(window: int) -> int:
        async with AsyncConnectionPool(server.url, min_size=1, max_size=4) as pool:
            limits = SCUPPER.Limiter(bucket(pool, f"{table} {window}", (1, window)))
            assert await limits.try_acquire_async("x")
            waiting = asyncio.create_task(limits.try_acquire_async("x"))
            turns = 0
            while not waiting.done():
                turns += 1
                await asyncio.sleep(0.01)
            assert await waiting
            return turns

    def attempt(window: int) -> None:
        if asyncio.run(asyncio.wait_for(turns_in(window), BOUND)) < 10:
            raise Late("the loop hardly turned")

    in_a_window(attempt, 300, 3000, 20_000)


def test_a_wrapped_bucket_is_asked_in_a_loop(pool: Any, table: str) -> None:
    async def main() -> list[bool]:
        limits = SCUPPER.Limiter(SCUPPER.BucketAsyncWrapper(bucket(pool, table, (2, DAY))))
        return [await limits.try_acquire_async("x", blocking=False) for _ in range(3)]

    assert asyncio.run(main()) == [True, True, False]


class PerName(SCUPPER.BucketFactory):
    """A bucket, and so a key, for each name."""

    def __init__(self, pool: Any, prefix: str) -> None:
        self.pool, self.prefix, self.made = pool, prefix, dict[str, Any]()

    def wrap_item(self, name: str, weight: int = 1) -> Any:
        return SCUPPER.RateItem(name, self.bucket(name).now(), weight)

    def get(self, item: Any) -> Any:
        return self.bucket(item.name)

    def bucket(self, name: str) -> Any:
        if name not in self.made:
            self.made[name] = self.create(SCUPPER.PostgresBucket, self.pool, self.prefix + name, rates((2, DAY)))
        return self.made[name]


def test_a_factory_has_a_bucket_for_each_name_at_the_servers_time(pool: Any, table: str) -> None:
    factory = PerName(pool, table)
    limits = SCUPPER.Limiter(factory)
    answers = Counter(name for name in "aabbbac" if limits.try_acquire(name, blocking=False))
    assert answers == {"a": 2, "b": 2, "c": 1}
    assert len(limits.buckets()) == 3
    assert factory.bucket("a")._latest is None, "the time that the bucket told is the server's, and no caller's own"


def test_decisions_tell_what_is_left(pool: Any, table: str) -> None:
    limits = limiter(pool, table, (2, 60_000), (5, DAY))
    verdicts = [limits.decide("x") for _ in range(3)]
    assert [(verdict.allowed, verdict.remaining) for verdict in verdicts] == [(True, 1), (True, 0), (False, 0)]
    assert 50 < verdicts[2].retry_after <= 60.001 and verdicts[2].rate.interval == 60_000
    assert [rate.used for rate in limits.peek("x").rates] == [2, 2]
    limits.reset("x")
    assert limits.peek("x").used == 0


def test_a_decorated_function_is_limited(pool: Any, table: str) -> None:
    limits = limiter(pool, table, (2, 200))

    @limits.as_decorator(name="call")
    def call(number: int) -> int:
        return number

    began = time.monotonic()
    assert [call(number) for number in range(5)] == list(range(5))
    assert time.monotonic() - began >= 0.4


def test_rates_that_change_count_what_was_counted(pool: Any, table: str) -> None:
    made = bucket(pool, table, (3, DAY))
    limits = SCUPPER.Limiter(made)
    assert [limits.try_acquire("x", blocking=False) for _ in range(4)].count(True) == 3
    made.rates = rates((5, DAY))
    assert [limits.try_acquire("x", blocking=False) for _ in range(4)].count(True) == 2
    made.rates[0].limit = 6
    assert [limits.try_acquire("x", blocking=False) for _ in range(4)].count(True) == 1
    with pytest.raises(ValueError):
        made.rates = []


def test_two_programs_with_other_rates_share_the_bucket(pool: Any, table: str) -> None:
    one, other = limiter(pool, table, (3, DAY)), limiter(pool, table, (2, 3_600_000), (4, DAY))
    assert one.try_acquire("x", blocking=False) and other.try_acquire("x", blocking=False)
    assert other.try_acquire("x", blocking=False) is False
    assert one.try_acquire("x", blocking=False) is True
    assert one.try_acquire("x", blocking=False) is False


def test_a_log_longer_than_a_row_is_counted_exactly(pool: Any, table: str) -> None:
    made = bucket(pool, table, (250, DAY))
    item = SCUPPER.RateItem("x", made.now())
    assert [made.put(item) for _ in range(255)].count(True) == 250
    assert made.count() == 250
    ticks = [made.peek(place).timestamp for place in (0, 100, 249)]
    assert ticks == sorted(ticks, reverse=True) and made.peek(250) is None
