"""A bucket in Redis, by every kind of client."""

import copy
import pickle
from time import monotonic
from typing import Any

import pytest
import redis
from scupper import (
    GCRA,
    Duration,
    FixedWindow,
    InMemoryBucket,
    Limiter,
    Rate,
    RateItem,
    RedisBucket,
    SlidingWindowLog,
    StoreError,
)
from scupper.buckets.redis_bucket import LuaScript

from support.redis_ways import Way
from support.servers import Redis

START = 1_000_000


def test_it_admits_up_to_its_rates_and_tells_the_wait(server: Redis, way: Way, key: str) -> None:
    bucket = way.bucket(server.port, [Rate(2, 1000), Rate(3, 5000)], key)
    put = [way(bucket.put(RateItem("x", START + time))) for time in (0, 0, 1000, 1001)]
    assert put == [True, True, False, True]
    late = RateItem("x", START + 2002)
    assert way(bucket.put(late)) is False
    assert (bucket.failing_rate, way(bucket.waiting(late))) == (bucket.rates[1], 2999)
    assert way(bucket.put(RateItem("x", START + 5000))) is False
    assert way(bucket.put(RateItem("x", START + 5001))) is True
    assert bucket.failing_rate is None


def test_a_weight_counts_as_a_whole_or_not_at_all(server: Redis, way: Way, key: str) -> None:
    bucket = way.bucket(server.port, [Rate(5, 1000)], key)
    assert [way(bucket.put(RateItem("x", START, weight))) for weight in (3, 3, 0, 2)] == [True, False, True, True]
    assert way(bucket.count()) == 5
    too_heavy = RateItem("x", START, 6)
    assert (way(bucket.put(too_heavy)), way(bucket.waiting(too_heavy))) == (False, -1)
    with pytest.raises(ValueError, match="weight is -1"):
        way(bucket.put(RateItem("x", START, -1)))


def test_it_counts_and_shows_times_and_forgets(server: Redis, way: Way, key: str) -> None:
    bucket = way.bucket(server.port, [Rate(50, 10_000)], key)
    times = [START + step * 10 for step in range(30)]
    assert all(way(bucket.put(RateItem("x", time))) for time in times)
    assert way(bucket.count()) == 30
    assert [way(bucket.peek(index)).timestamp for index in range(30)] == times[::-1]
    assert [way(bucket.peek(index)) for index in (30, -1, 10**9)] == [None] * 3
    assert [way(bucket.leak(time)) for time in (START, bucket.now(), times[9] + 10_001)] == [0, 0, 10]
    assert way(bucket.count()) == 20
    assert (way(bucket.flush()), way(bucket.count()), way(bucket.peek(0)), way(bucket.flush())) == (1, 0, None, 0)


def test_a_refused_leak_without_a_time(server: Redis, plain_way: Way, key: str) -> None:
    bucket = plain_way.bucket(server.port, [Rate(1, 1000)], key)
    with pytest.raises(AssertionError, match="current timestamp"):
        plain_way(bucket.leak())


def test_rates_are_changed_in_use(server: Redis, plain_way: Way, key: str) -> None:
    rate = Rate(1, 1000)
    bucket = plain_way.bucket(server.port, [rate], key)
    assert [plain_way(bucket.put(RateItem("x", START))) for _ in range(2)] == [True, False]
    rate.limit = 2
    assert [plain_way(bucket.put(RateItem("x", START))) for _ in range(2)] == [True, False]
    bucket.rates = [Rate(4, 2000), Rate(3, 1000)]
    assert [plain_way(bucket.put(RateItem("x", START))) for _ in range(2)] == [True, False]
    with pytest.raises(ValueError, match="Invalid rate list"):
        bucket.rates = []


def test_a_fixed_window_begins_anew_at_its_edge(server: Redis, plain_way: Way, key: str) -> None:
    bucket = plain_way.bucket(server.port, [Rate(2, 1000)], key, FixedWindow())
    times = (START + 900, START + 999, START + 999, START + 1000, START + 1001, START + 1999)
    assert [plain_way(bucket.put(RateItem("x", time))) for time in times] == [True, True, False, True, True, False]
    assert plain_way(bucket.waiting(RateItem("x", START + 1999))) == 1
    assert (plain_way(bucket.count()), plain_way(bucket.peek(0))) == (2, None)


def test_a_key_expires_when_it_owes_nothing(server: Redis, plain_way: Way, key: str) -> None:
    bucket = plain_way.bucket(server.port, [Rate(5, 60_000)], key)
    with redis.Redis(port=server.port) as client:
        began = monotonic()
        assert plain_way(bucket.put(RateItem("x", bucket.now()))) is True
        left = client.pttl(key)
        assert 60_000 - (monotonic() - began) * 1000 <= left <= 63_000


def test_a_limiter_waits_for_room(server: Redis, way: Way, key: str) -> None:
    bucket = way.bucket(server.port, [Rate(1, Duration.WEEK)], key)
    limiter = Limiter(bucket, buffer_ms=1)
    assert way.acquire(limiter, "x") is True
    assert way.acquire(limiter, "x", blocking=False) is False
    assert way.acquire(limiter, "x", timeout=0.01) is False
    way(bucket.flush())
    bucket.rates = [Rate(1, 200)]
    before = bucket.now()
    assert way.acquire(limiter, "x") is True
    assert way.acquire(limiter, "x") is True
    assert bucket.now() - before >= 199
    assert way.acquire(limiter, "x", weight=2) is False, "it never fits"
    limiter.close()
    assert way(bucket.count()) >= 0, "the client is the user's, and stays open"


def test_scripts_that_are_flushed_are_given_again(server: Redis, way: Way, key: str) -> None:
    bucket = way.bucket(server.port, [Rate(3, Duration.WEEK)], key)
    verdicts = []
    for _ in range(4):
        server.command("SCRIPT", "FLUSH")
        verdicts.append(way(bucket.put(RateItem("x", bucket.now()))))
    assert verdicts == [True, True, True, False]


def test_a_sorted_set_of_the_reference_is_refused_and_stays(server: Redis, way: Way, key: str) -> None:
    server.command("ZADD", key, 1, "x:0123456789:1")
    bucket = way.bucket(server.port, [Rate(3, 1000)], key)
    for call in (
        lambda: bucket.put(RateItem("x", bucket.now())),
        lambda: bucket.put(RateItem("x", START)),
        bucket.count,
        bucket.flush,
        lambda: way.acquire(Limiter(bucket), "x"),
    ):
        with pytest.raises(ValueError, match=f'"{key}" holds a zset .* pyrate-limiter .* delete the key'):
            way(call())
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        way(bucket.peek(0))
    assert server.command("ZCARD", key) == b":1\r\n"


@pytest.mark.parametrize("value", ["text", "scupper2" + "x" * 100, "scupper1" + "x" * 100])
def test_a_value_that_is_no_bucket_is_refused(server: Redis, plain_way: Way, key: str, value: str) -> None:
    server.command("SET", key, value)
    bucket = plain_way.bucket(server.port, [Rate(3, 1000)], key)
    for call in (lambda: bucket.put(RateItem("x", bucket.now())), bucket.count, lambda: bucket.peek(0)):
        with pytest.raises(ValueError, match="no bucket|of format|cannot be read"):
            plain_way(call())


def test_another_algorithm_on_the_same_key_is_an_error(server: Redis, plain_way: Way, key: str) -> None:
    log = plain_way.bucket(server.port, [Rate(3, Duration.HOUR)], key)
    assert plain_way(log.put(RateItem("x", log.now()))) is True
    window = plain_way.bucket(server.port, [Rate(3, Duration.HOUR)], key, FixedWindow())
    with pytest.raises(StoreError, match="kept by sliding-window-log"):
        plain_way(window.put(RateItem("x", window.now())))


def test_what_it_cannot_be_made_of(server: Redis, key: str) -> None:
    rates = [Rate(1, 1000)]
    with redis.Redis(port=server.port) as client:
        with pytest.raises(TypeError, match="redis-py is needed"):
            RedisBucket.init(rates, None, key)
        with pytest.raises(ValueError, match="Invalid rate list"):
            RedisBucket.init([], client, key)
        with pytest.raises(ValueError, match="script_hash is 'other'"):
            RedisBucket(rates, client, key, "other")
        for algorithm in (GCRA(), type("Mine", (SlidingWindowLog,), {})()):
            with pytest.raises(TypeError, match="SlidingWindowLog or FixedWindow"):
                RedisBucket.init(rates, client, key, algorithm)
        bucket = RedisBucket(rates, client, key, client.script_load(LuaScript.PUT_ITEM))
        assert bucket.put(RateItem("x", bucket.now())) is True
        for copied in (pickle.dumps, copy.copy):
            with pytest.raises(TypeError, match="RedisBucket cannot be pickled, as its client cannot"):
                copied(bucket)
        with pytest.raises(TypeError, match="RedisBucket cannot be pickled"):
            pickle.dumps(Limiter(bucket))


def test_a_bucket_that_is_full_holds_up_no_other(server: Redis, plain_way: Way, key: str) -> None:
    full = plain_way.bucket(server.port, [Rate(1, Duration.WEEK)], key)
    free = plain_way.bucket(server.port, [Rate(1, Duration.WEEK)], key + "free")
    one, other = Limiter(full), Limiter(free)
    assert plain_way.acquire(one, "x", blocking=False) is True
    assert plain_way.acquire(one, "x", blocking=False) is False
    assert plain_way.acquire(other, "x", blocking=False) is True


def test_it_decides_and_waits_as_a_bucket_in_memory_does(server: Redis, key: str) -> None:
    """The same puts, at the same times, with the same verdicts and waits."""
    rates = [(2, 50), (5, 300), (9, 2000)]
    with redis.Redis(port=server.port) as client:
        there = RedisBucket.init([Rate(*rate) for rate in rates], client, key)
        here = InMemoryBucket([Rate(*rate) for rate in rates])
        time, seen = START, []
        for number in range(300):
            time += number * 7919 % 61
            item = RateItem("x", time, 1 + number % 3 // 2)
            seen.append(outcome(there, item))
            assert seen[-1] == outcome(here, item), number
        assert 30 < sum(admitted for admitted, _ in seen) < 270


def outcome(bucket: Any, item: RateItem) -> Any:
    admitted = bucket.put(item)
    return admitted, bucket.waiting(item)


def test_one_rate_and_a_tuple_make_a_bucket_too(server: Redis, way: Way, key: str) -> None:
    rate = Rate(2, 1000)
    for given in (rate, (rate,)):
        assert way.bucket(server.port, given, key).rates == [rate]  # type: ignore[arg-type]
