"""Which limiters can do what, as the page on decisions has it in a table."""

from __future__ import annotations

import itertools
import multiprocessing
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
from psycopg_pool import ConnectionPool
from scupper import (
    Duration,
    FixedWindow,
    InMemoryBucket,
    Limiter,
    MultiprocessBucket,
    MultiprocessStateStore,
    PostgresBucket,
    Rate,
    RedisBucket,
    RedisStateStore,
    SQLiteBucket,
    StateBucket,
    limiter_factory,
)

from beyond import stores
from support.servers import Postgres
from support.threads import BOUND

_numbers = itertools.count()


class Makers:
    """A limiter of each kind, over a bucket that nobody else has."""

    def __init__(self, folder: Path, open_until_the_end: ExitStack) -> None:
        self._folder = folder
        self._open = open_until_the_end
        self._rates = [Rate(5, Duration.HOUR)]

    def in_memory(self) -> Any:
        return self._open.enter_context(Limiter(InMemoryBucket(self._rates)))

    def a_state(self) -> Any:
        return self._open.enter_context(Limiter(StateBucket(self._rates)))

    def a_shared_state(self) -> Any:
        return self._open.enter_context(Limiter(StateBucket(self._rates, store=MultiprocessStateStore.init())))

    def shared_memory(self) -> Any:
        return self._open.enter_context(Limiter(MultiprocessBucket.init(self._rates)))

    def a_file(self) -> Any:
        bucket = SQLiteBucket.init_from_file(self._rates, self._key(), str(self._folder / "file.db"))
        return self._open.enter_context(Limiter(bucket))

    def by_url(self) -> Any:
        url = stores.URLS["redis"]
        return self._open.enter_context(Limiter.open(url, self._rates, key=self._key(), call_timeout=BOUND))

    def by_name(self) -> Any:
        return self._open.enter_context(Limiter.per_key(self._rates))

    def a_redis_client(self) -> Any:
        return Limiter(RedisBucket.init(self._rates, self._client(), self._key()))

    def a_fixed_window_by_a_redis_client(self) -> Any:
        return Limiter(RedisBucket.init(self._rates, self._client(), self._key(), FixedWindow()))

    def a_state_by_a_redis_client(self) -> Any:
        return Limiter(StateBucket(self._rates, store=RedisStateStore(self._client(), self._key())))

    def a_pool(self) -> Any:
        server = self._open.enter_context(Postgres())
        pool = self._open.enter_context(ConnectionPool(server.url, open=True))
        return Limiter(PostgresBucket(pool, self._key(), self._rates))

    def a_connection(self) -> Any:
        bucket = SQLiteBucket(self._rates, sqlite3.connect(":memory:"), "limits")
        return self._open.enter_context(Limiter(bucket))

    def a_list_of_a_manager(self) -> Any:
        manager = self._open.enter_context(multiprocessing.get_context("spawn").Manager())
        return Limiter(MultiprocessBucket(self._rates, manager.list(), manager.RLock()))

    def _client(self) -> Any:
        return self._open.enter_context(redis.Redis.from_url(stores.URLS["redis"]))

    @staticmethod
    def _key() -> str:
        return f"who-can-what-{next(_numbers)}"


NATIVE = [
    Makers.in_memory,
    Makers.a_state,
    Makers.a_shared_state,
    Makers.shared_memory,
    Makers.a_file,
    Makers.by_url,
    Makers.by_name,
]
OTHERS = [
    Makers.a_redis_client,
    Makers.a_fixed_window_by_a_redis_client,
    Makers.a_state_by_a_redis_client,
    Makers.a_pool,
    Makers.a_connection,
    Makers.a_list_of_a_manager,
]


@pytest.fixture
def makers(tmp_path: Path) -> Iterator[Makers]:
    with ExitStack() as stack:
        yield Makers(tmp_path, stack)


@pytest.mark.parametrize("make", [*NATIVE, *OTHERS])
def test_all_decide_and_show_and_reset(make: Callable[[Makers], Any], makers: Makers) -> None:
    limiter = make(makers)
    assert limiter.decide("x", 2).remaining == 3
    assert limiter.peek("x").used == 2
    assert limiter.reset("x") is True
    assert limiter.peek("x").used == 0


@pytest.mark.parametrize("make", NATIVE)
def test_what_is_native_gives_back_and_reserves_and_penalizes_and_holds(
    make: Callable[[Makers], Any], makers: Makers
) -> None:
    limiter = make(makers)
    assert limiter.refund(limiter.decide("x")) == 1
    limiter.reserve("x").settle(0)
    limiter.penalize("x", 1)
    limiter.hold("x", 60)
    assert limiter.peek("x").held_for > 0


@pytest.mark.parametrize("make", OTHERS)
def test_what_is_not_native_says_what_can(make: Callable[[Makers], Any], makers: Makers) -> None:
    limiter = make(makers)
    verdict = limiter.decide("x")
    calls: list[Callable[[], Any]] = [
        lambda: limiter.refund(verdict),
        lambda: limiter.reserve("x"),
        lambda: limiter.penalize("x", 1),
        lambda: limiter.hold("x", 1),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"MultiprocessBucket\.init and SQLiteBucket\.init_from_file make.* Limiter\.open"):
            call()


@pytest.mark.parametrize("make", [Makers.a_fixed_window_by_a_redis_client, Makers.a_state_by_a_redis_client])
def test_without_a_log_nobody_says_when_nothing_counts(make: Callable[[Makers], Any], makers: Makers) -> None:
    limiter = make(makers)
    assert limiter.decide("x").reset_after is None
    assert limiter.peek("x").reset_after is None


def test_what_a_later_settlement_gives_back_is_not_foreseen() -> None:
    with Limiter(Rate(5, Duration.HOUR)) as limiter:
        with limiter.reserve("x", 5) as reservation:
            with pytest.raises(TimeoutError, match="a settle, refund or reset may give back until then is not foreseen"):
                limiter.reserve("x", 1, timeout=600)
            assert limiter.try_acquire("x", timeout=600) is False
            reservation.settle(4)
        assert limiter.try_acquire("x", timeout=600)


def test_calls_without_a_name_share_one_bucket() -> None:
    with Limiter.per_key(Rate(2, Duration.HOUR)) as limiter:
        assert [limiter.try_acquire(blocking=False), limiter.decide().allowed, limiter.decide().allowed] == [True, True, False]
        assert limiter.peek("pyrate").used == 2


def test_tables_that_are_not_named_differ_and_are_keys_of_the_store(tmp_path: Path) -> None:
    path, rates = str(tmp_path / "limits.db"), [Rate(5, Duration.HOUR)]
    with ExitStack() as stack:
        limiter = stack.enter_context(limiter_factory.create_sqlite_limiter(5, Duration.HOUR, path))
        bucket = stack.enter_context(Limiter(limiter_factory.create_sqlite_bucket(rates, path)))
        assert limiter.try_acquire("x")
        for key, used in (("rate_bucket", 1), ("pyrate_limiter", 0)):
            same = stack.enter_context(Limiter.open(f"sqlite:{path}", rates, key=key, call_timeout=BOUND))
            assert same.peek().used == used
        assert bucket.peek("x").used == 0
