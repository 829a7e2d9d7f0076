"""Whose time counts: the server's, unless a caller brings another."""

from collections.abc import Callable
from typing import Any

import pytest
from scupper import (
    BucketFactory,
    Duration,
    Limiter,
    MonotonicClock,
    Rate,
    RateItem,
    RedisBucket,
    RedisStateStore,
    StateBucket,
    WallClock,
)

from support.clocks import HandClock
from support.redis_ways import Way
from support.servers import Redis

HOUR_NS = 3600 * 10**9


def off_by(hours: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has this host's clocks be wrong."""
    from time import monotonic_ns, time_ns

    monkeypatch.setattr("scupper.clocks.time_ns", lambda: time_ns() + hours * HOUR_NS)
    monkeypatch.setattr("scupper.clocks.monotonic_ns", lambda: monotonic_ns() + hours * HOUR_NS)


class UsersFactory(BucketFactory):
    """Asks a clock of the package for the time, as the reference's README does."""

    def __init__(self, bucket: Any) -> None:
        self.clock = MonotonicClock()
        self.bucket = bucket

    def wrap_item(self, name: str, weight: int = 1) -> RateItem:
        return RateItem(name, self.clock.now(), weight)

    def get(self, item: RateItem) -> Any:
        return self.bucket


def log(way: Way, port: int, key: str) -> Any:
    return way.bucket(port, [Rate(5, Duration.MINUTE)], key)


def tokens(way: Way, port: int, key: str) -> Any:
    return StateBucket([Rate(5, Duration.HOUR)], store=RedisStateStore(way.client(port), key))


ASK: dict[str, Callable[[Way, Any], bool]] = {
    "limiter": lambda way, bucket: bool(way.acquire(Limiter(bucket), "x", blocking=False)),
    "factory": lambda way, bucket: bool(way.acquire(Limiter(UsersFactory(bucket)), "x", blocking=False)),
    "put now": lambda way, bucket: bool(way(bucket.put(RateItem("x", bucket.now())))),
}


@pytest.mark.parametrize("make", [log, tokens])
@pytest.mark.parametrize("ask", ASK)
def test_hosts_whose_clocks_disagree_by_hours_share_one_limit(
    server: Redis, plain_way: Way, key: str, monkeypatch: pytest.MonkeyPatch, make: Any, ask: str
) -> None:
    bucket = make(plain_way, server.port, key)
    admitted = 0
    for hours in (0, 3, -3, 1000, 0, -1, 1, 7, 0, 400):
        with monkeypatch.context() as patched:
            off_by(hours, patched)
            admitted += ASK[ask](plain_way, bucket)
    assert admitted == 5


@pytest.mark.parametrize("make", [log, tokens])
def test_a_wait_is_by_the_clock_of_the_server(
    server: Redis, plain_way: Way, key: str, monkeypatch: pytest.MonkeyPatch, make: Any
) -> None:
    bucket = make(plain_way, server.port, key)
    for _ in range(5):
        assert plain_way(bucket.put(RateItem("x", bucket.now()))) is True
    off_by(-5, monkeypatch)
    item = RateItem("x", bucket.now())
    assert plain_way(bucket.put(item)) is False
    interval = 60_000 if make is log else 720_000
    assert interval - 20_000 < plain_way(bucket.waiting(item)) <= interval + 1
    assert plain_way(bucket.count()) == 5


def test_a_clock_that_is_assigned_tells_the_time(server: Redis, plain_way: Way, key: str) -> None:
    bucket = plain_way.bucket(server.port, [Rate(1, 1000)], key)
    bucket._clock = clock = HandClock(50_000)
    limiter = Limiter(bucket)

    def ask() -> bool:
        return bool(plain_way.acquire(limiter, "x", blocking=False))

    assert [ask(), ask()] == [True, False]
    clock.time = 51_000
    assert (ask(), plain_way(bucket.count())) == (False, 1)
    clock.time = 51_001
    assert (plain_way(bucket.count()), ask(), plain_way(bucket.peek(0)).timestamp) == (0, True, 51_001)
    assert (plain_way(bucket.flush()), ask(), ask()) == (1, True, False)


def test_an_override_of_now_tells_the_time(server: Redis, key: str) -> None:
    class Mine(RedisBucket):
        time = 7_000

        def now(self) -> int:
            return self.time

    import redis

    with redis.Redis(port=server.port) as client:
        bucket: Any = Mine.init([Rate(1, 1000)], client, key)
        assert type(bucket) is Mine
        limiter = Limiter(bucket)
        assert [limiter.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]
        bucket.time += 1001
        assert limiter.try_acquire("x", blocking=False) is True


def test_a_put_of_an_earlier_time_counts_from_the_latest_in_redis_too(server: Redis, plain_way: Way, key: str) -> None:
    bucket = plain_way.bucket(server.port, [Rate(2, 1000)], key)
    times = (9000, 8500, 8400, 10_000, 10_001)
    assert [plain_way(bucket.put(RateItem("x", time))) for time in times] == [True, True, False, False, True]


@pytest.mark.parametrize("time", [-1, 2**60])
def test_a_time_that_cannot_be_is_refused(server: Redis, plain_way: Way, key: str, time: int) -> None:
    bucket = plain_way.bucket(server.port, [Rate(2, 1000)], key)
    with pytest.raises(ValueError, match="time"):
        plain_way(bucket.put(RateItem("x", time)))


def test_arithmetic_on_a_reading_makes_a_time_of_ones_own(server: Redis, plain_way: Way, key: str) -> None:
    bucket = plain_way.bucket(server.port, [Rate(1, 1000)], key)
    now = WallClock().now()
    assert isinstance(bucket.now(), int) and abs(bucket.now() - now) < 60_000
    verdicts = [plain_way(bucket.put(RateItem("x", now + later))) for later in (5000, 6000, 6001)]
    assert verdicts == [True, False, True]
