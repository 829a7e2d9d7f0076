"""Whose time counts: the server's, unless the caller brings another."""

from typing import Any
from unittest import mock

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from postgres.shared import DAY, bucket, items, limiter, told
from support.clocks import HandClock
from support.packages import SCUPPER
from support.servers import Postgres


@pytest.mark.parametrize("step", [-(10**6), 10**6])
def test_the_clock_of_this_machine_admits_nobody(pool: Any, table: str, step: int) -> None:
    limits = limiter(pool, table, (1, 60_000))
    assert limits.try_acquire("x", blocking=False)
    import scupper.buckets.postgres as times

    there = times.time_ns
    with mock.patch.object(times, "time_ns", lambda: there() + step * 10**9):
        assert limits.try_acquire("x", blocking=False) is False
    assert bucket(pool, table, (1, 60_000)).count() == 1


def test_an_item_of_the_buckets_own_time_is_counted_when_it_is_put(pool: Any, table: str) -> None:
    made = bucket(pool, table, (1, 60_000))
    item = SCUPPER.RateItem("x", made.now())
    assert isinstance(item.timestamp, int)
    assert made.put(item) and not made.put(item)
    assert 0 < made.waiting(item) <= 60_001


@pytest.mark.parametrize("clock", [SCUPPER.MonotonicClock(), SCUPPER.WallClock()], ids=lambda clock: type(clock).__name__)
def test_what_a_clock_of_this_machine_shows_means_now(pool: Any, table: str, clock: Any) -> None:
    made = bucket(pool, table, (2, 60_000))
    assert made.put(SCUPPER.RateItem("x", clock.now()))
    assert abs(made.peek(0).timestamp - made.now()) < 10_000
    made._clock = clock
    limits = SCUPPER.Limiter(made)
    assert [limits.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]
    assert made.count() == 2


def test_arithmetic_on_the_servers_time_makes_a_time_of_ones_own(pool: Any, table: str) -> None:
    made = bucket(pool, table, (1, 60_000))
    assert made.put(SCUPPER.RateItem("x", made.now() - 60_000))
    assert made.put(SCUPPER.RateItem("x", made.now() + 100))


def test_a_clock_that_is_assigned_decides(pool: Any, table: str) -> None:
    made = bucket(pool, table, (2, 1000))
    clock = made._clock = HandClock(5000)
    limits = SCUPPER.Limiter(made)
    assert [limits.try_acquire("x", blocking=False) for _ in range(3)] == [True, True, False]
    assert made._last_wait == (1, 6001)
    clock.time = 6000
    assert limits.try_acquire("x", blocking=False) is False, "windows are closed"
    clock.time = 6001
    assert limits.try_acquire("x", blocking=False) is True
    assert made.count() == 1
    assert made.peek(0).timestamp == 6001


def test_an_overridden_now_decides(pool: Any, table: str) -> None:
    class Mine(SCUPPER.PostgresBucket):
        time = 700

        def now(self) -> int:
            return self.time

    made = Mine(pool, table, [SCUPPER.Rate(1, 100)])
    limits = SCUPPER.Limiter(made)
    assert limits.try_acquire("x", blocking=False) and not limits.try_acquire("x", blocking=False)
    Mine.time = 801
    assert limits.try_acquire("x", blocking=False)


def test_a_timestamp_of_the_callers_decides(pool: Any, table: str) -> None:
    made = bucket(pool, table, (3, 1000))
    assert [made.put(item) for item in items(0, 500, 1000, 1000, 1001)] == [True, True, True, False, True]
    assert [made.peek(place).timestamp for place in range(made.count())] == [1001, 1000, 500]


def test_a_put_of_an_earlier_time_counts_from_the_latest(pool: Any, table: str) -> None:
    made = bucket(pool, table, (2, 1000))
    assert [made.put(item) for item in items(5000, 4000, 4500, 6001)] == [True, True, False, True]


def test_a_negative_time_is_refused(pool: Any, table: str) -> None:
    with pytest.raises(ValueError, match="timestamp is -5; it must be at least 0"):
        bucket(pool, table, (1, 1000)).put(items(-5)[0])


def test_the_clock_of_the_server_is_told(pool: Any, server: Postgres) -> None:
    before = told(server.url, "SELECT extract(epoch FROM clock_timestamp()) * 1000")[0][0]
    now = SCUPPER.PostgresClock(pool).now()
    after = told(server.url, "SELECT extract(epoch FROM clock_timestamp()) * 1000")[0][0]
    assert before - 1 < now <= after


def test_a_clock_that_cannot_be_asked_raises(server: Postgres) -> None:
    # The reference goes on with another clock, that counts from another moment.
    with ConnectionPool(server.url, min_size=1, max_size=1) as pool:
        clock = SCUPPER.PostgresClock(pool)
        assert clock.now() > 1_700_000_000_000
    with pytest.raises(psycopg.OperationalError):
        clock.now()


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/St_Johns"])
def test_a_time_zone_is_no_matter(server: Postgres, pool: Any, table: str, zone: str) -> None:
    assert limiter(pool, table, (2, DAY)).try_acquire("x", blocking=False)
    with ConnectionPool(server.url, kwargs={"options": f"-c TimeZone={zone}"}, min_size=1, max_size=1) as elsewhere:
        made = bucket(elsewhere, table, (2, DAY))
        assert abs(made.now() - SCUPPER.PostgresClock(pool).now()) < 60_000
        assert made.count() == 1
        limits = SCUPPER.Limiter(made)
        assert [limits.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]
