"""What a reading of a clock means to each kind of bucket: now, to a wait as to a put."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing import get_context
from time import monotonic
from typing import Any

import pytest
from support.packages import SCUPPER
from support.threads import BOUND

MINUTE = 60_000
RATES = [(2, MINUTE)]
CLOCKS = {"monotonic": SCUPPER.MonotonicClock, "wall": SCUPPER.WallClock}

Making = Callable[[pytest.FixtureRequest, ExitStack, str, list[Any]], Any]


def sqlite_connection(request: Any, stack: ExitStack, key: str, rates: list[Any]) -> Any:
    return SCUPPER.SQLiteBucket(rates, sqlite3.connect(":memory:", check_same_thread=False), key)


def sqlite_file(request: Any, stack: ExitStack, key: str, rates: list[Any]) -> Any:
    return SCUPPER.SQLiteBucket.init_from_file(rates, key)


def list_proxy(request: Any, stack: ExitStack, key: str, rates: list[Any]) -> Any:
    manager = stack.enter_context(get_context("spawn").Manager())
    return SCUPPER.MultiprocessBucket(rates, manager.list(), manager.RLock())


def redis_client(request: Any, stack: ExitStack) -> Any:
    import redis

    return stack.enter_context(redis.Redis(port=request.getfixturevalue("redis_server").port))


def redis_bucket(request: Any, stack: ExitStack, key: str, rates: list[Any]) -> Any:
    return SCUPPER.RedisBucket.init(rates, redis_client(request, stack), key)


def redis_state(request: Any, stack: ExitStack, key: str, rates: list[Any]) -> Any:
    return SCUPPER.StateBucket(rates, store=SCUPPER.RedisStateStore(redis_client(request, stack), key))


def postgres(request: Any, stack: ExitStack, key: str, rates: list[Any]) -> Any:
    from psycopg_pool import ConnectionPool

    url = request.getfixturevalue("postgres_server").url
    return SCUPPER.PostgresBucket(stack.enter_context(ConnectionPool(url, min_size=1)), key, rates)


def store(kind: str) -> Making:
    def made(request: Any, stack: ExitStack, key: str, rates: list[Any]) -> Any:
        url = request.getfixturevalue("url_of")(kind)
        return SCUPPER.buckets.StoreBucket(url, rates, key=key, call_timeout=BOUND)

    return made


KINDS: dict[str, Making] = {
    "memory": lambda request, stack, key, rates: SCUPPER.InMemoryBucket(rates),
    "state": lambda request, stack, key, rates: SCUPPER.StateBucket(rates),
    "shared state": lambda request, stack, key, rates: SCUPPER.StateBucket(
        rates, store=SCUPPER.MultiprocessStateStore.init()
    ),
    "redis state": redis_state,
    "sqlite connection": sqlite_connection,
    "sqlite file": sqlite_file,
    "shared memory": lambda request, stack, key, rates: SCUPPER.MultiprocessBucket.init(rates),
    "list of a manager": list_proxy,
    "redis": redis_bucket,
    "postgres": postgres,
    "store in memory": store("memory"),
    "store in sqlite": store("sqlite"),
    "store in shared memory": store("shm"),
    "store in redis": store("redis"),
    "store in postgres": store("postgres"),
}
KEEP_TIME = [kind for kind in KINDS if kind not in ("memory", "state")]


class Factory(SCUPPER.BucketFactory):  # type: ignore[misc, name-defined]
    """Reads a clock of the package for each item, whatever the bucket's own is."""

    def __init__(self, bucket: Any, clock: Any) -> None:
        self.bucket, self.clock = bucket, clock

    def wrap_item(self, name: str, weight: int = 1) -> Any:
        return SCUPPER.RateItem(name, self.clock.now(), weight)

    def get(self, item: Any) -> Any:
        return self.bucket


@pytest.fixture
def bucket_of(request: pytest.FixtureRequest, key: str) -> Iterator[Callable[[str], Any]]:
    with ExitStack() as stack:

        def made(kind: str) -> Any:
            rates = [SCUPPER.Rate(limit, interval) for limit, interval in RATES]
            bucket = KINDS[kind](request, stack, key, rates)
            stack.callback(bucket.close)
            return bucket

        yield made


@pytest.fixture(params=KINDS)
def bucket(request: pytest.FixtureRequest, bucket_of: Callable[[str], Any]) -> Any:
    return bucket_of(request.param)


@pytest.fixture(params=KEEP_TIME)
def timed_bucket(request: pytest.FixtureRequest, bucket_of: Callable[[str], Any]) -> Any:
    return bucket_of(request.param)


@pytest.fixture(params=CLOCKS)
def clock(request: pytest.FixtureRequest) -> Any:
    return CLOCKS[request.param]()


def is_some_of_a_minute(milliseconds: float) -> bool:
    return 0.3 * MINUTE < milliseconds <= MINUTE + 1


def test_a_wait_is_reckoned_from_a_reading_of_any_clock(bucket: Any, clock: Any) -> None:
    item = SCUPPER.RateItem("x", clock.now())
    assert bucket.put(item) and bucket.put(item) and not bucket.put(item)
    wait = bucket.waiting(item)
    assert is_some_of_a_minute(wait)
    assert bucket.waiting(item) == wait, "the same item's wait is the same"
    assert is_some_of_a_minute(bucket.waiting(SCUPPER.RateItem("x", clock.now())))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("store ")])  # those tell of the last put alone
def test_an_item_of_another_weight_waits_by_any_clock_too(
    kind: str, bucket_of: Callable[[str], Any], clock: Any
) -> None:
    bucket = bucket_of(kind)
    item = SCUPPER.RateItem("x", clock.now())
    assert bucket.put(item) and bucket.put(item) and not bucket.put(item)
    heavier = bucket.waiting(SCUPPER.RateItem("x", clock.now(), 2))
    assert heavier == -1 or is_some_of_a_minute(heavier)


def test_a_wait_is_told_at_another_clock_than_that_of_the_put(timed_bucket: Any, clock: Any) -> None:
    other = CLOCKS["wall" if isinstance(clock, SCUPPER.MonotonicClock) else "monotonic"]()
    item = SCUPPER.RateItem("x", clock.now())
    assert timed_bucket.put(item) and timed_bucket.put(item) and not timed_bucket.put(item)
    assert is_some_of_a_minute(timed_bucket.waiting(SCUPPER.RateItem("x", other.now())))


def test_a_verdict_tells_the_wait_by_any_clock(bucket: Any, clock: Any) -> None:
    with SCUPPER.Limiter(Factory(bucket, clock)) as limiter:
        verdicts = [limiter.decide("x") for _ in range(3)]
    assert [verdict.allowed for verdict in verdicts] == [True, True, False]
    assert is_some_of_a_minute(verdicts[2].retry_after * 1000)
    if verdicts[1].remaining is not None:
        assert [verdict.remaining for verdict in verdicts] == [1, 0, 0]
    if verdicts[2].reset_after is not None:
        assert verdicts[2].reset_after <= 2 * MINUTE / 1000


def test_a_time_limit_that_is_too_short_ends_at_once_by_any_clock(bucket: Any, clock: Any) -> None:
    with SCUPPER.Limiter(Factory(bucket, clock)) as limiter:
        assert limiter.try_acquire("x", timeout=5) and limiter.try_acquire("x", timeout=5)
        began = monotonic()
        assert not limiter.try_acquire("x", timeout=20)
        assert monotonic() - began < 15


@pytest.mark.parametrize("kind", KINDS)
def test_who_waits_by_any_clock_is_served_when_there_is_room(
    kind: str, bucket_of: Callable[[str], Any], clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "RATES", [(2, 300)])
    with SCUPPER.Limiter(Factory(bucket_of(kind), clock), buffer_ms=0) as limiter:
        assert all(limiter.try_acquire("x", timeout=20) for _ in range(3))
