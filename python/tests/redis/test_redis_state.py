"""A state in Redis: Scupper's own under GCRA, and the hash of an algorithm with a script of its own."""

import pickle
from fractions import Fraction
from time import monotonic
from typing import Any

import pytest
import redis
from scupper import (
    GCRA,
    Decision,
    Duration,
    InMemoryStateStore,
    Limiter,
    Rate,
    RateItem,
    RedisStateStore,
    StateAlgorithm,
    StateBucket,
    TokenBucket,
)

from support.clocks import HandClock
from support.packages import ORACLE, SCUPPER
from support.redis_ways import Way
from support.servers import Redis

START = 1_000_000


class Exact(InMemoryStateStore):
    """Takes the steps in Python, with fractions."""


@pytest.mark.parametrize("algorithm", [GCRA(), TokenBucket(), type("Mine", (GCRA,), {})()])
def test_it_decides_and_waits_as_a_state_in_memory_does(
    server: Redis, plain_way: Way, key: str, algorithm: StateAlgorithm
) -> None:
    rates = [Rate(3, 100, burst=4), Rate(20, 2000, burst=7)]
    clock: Any = HandClock(START)
    there = StateBucket(rates, algorithm, RedisStateStore(plain_way.client(server.port), key), clock)
    here = StateBucket(rates, TokenBucket(), Exact(), clock)
    seen = []
    for number in range(200):
        clock.time += number * 7919 % 83
        item = RateItem("x", clock.time, number % 3)
        verdicts = plain_way(there.put(item)), here.put(item)
        assert verdicts[0] is verdicts[1], number
        if not verdicts[0]:
            assert (there.failing_rate, there._last_wait) == (here.failing_rate, here._last_wait), number
        assert plain_way(there.count()) == here.count(), number
        seen.append(verdicts[0])
    assert 50 < seen.count(True) < 190
    assert (plain_way(there.flush()), plain_way(there.count()), there.peek(0), there.leak()) == (None, 0, None, 0)


def test_a_limiter_over_tokens_in_redis(server: Redis, way: Way, key: str) -> None:
    bucket = StateBucket([Rate(1, Duration.WEEK, burst=3)], store=RedisStateStore(way.client(server.port), key))
    assert bucket.is_async is way.is_async
    limiter = Limiter(bucket, buffer_ms=1)
    assert [way.acquire(limiter, "x", blocking=False) for _ in range(4)] == [True] * 3 + [False]
    assert way(bucket.count()) == 3
    way(bucket.flush())
    bucket.rates = [Rate(1, 100, burst=3)]
    before = bucket.now()
    assert all(way.acquire(limiter, "x") for _ in range(6))
    assert bucket.now() - before >= 299
    assert way.acquire(limiter, "x", weight=4) is False, "it never fits"


def test_the_state_is_exact(server: Redis, way: Way, key: str) -> None:
    store = RedisStateStore(way.client(server.port), key)
    rates = [Rate(3, 1)]
    assert way(store.read(GCRA(), rates)) == (0,)
    assert way(store.check(GCRA(), rates, 5, 1)) == Decision()
    assert way(store.read(GCRA(), rates)) == (5000 + Fraction(1000, 3),)
    assert way(store.check(GCRA(), rates, 5, 2)) == Decision()
    assert way(store.read(GCRA(), rates)) == (6000,)
    denied = way(store.check(GCRA(), rates, 5, 1))
    assert (denied.failing_rate, denied.retry_after_ms) == (rates[0], 1)
    assert way(store.check(GCRA(), rates, 5, 4)) == Decision(rates[0], None)
    assert way(store.read(GCRA(), [Rate(9, 7)])) == (0,)
    with pytest.raises(ValueError, match="weight is -1"):
        way(store.check(GCRA(), rates, 5, -1))


def test_a_state_in_redis_expires_and_is_given_up(server: Redis, plain_way: Way, key: str) -> None:
    bucket = StateBucket([Rate(6, 60_000)], store=RedisStateStore(plain_way.client(server.port), key))
    with redis.Redis(port=server.port) as client:
        began = monotonic()
        assert plain_way(bucket.put(RateItem("x", bucket.now()))) is True
        left = client.pttl(key)
        assert 10_000 - (monotonic() - began) * 1000 <= left <= 13_000
        plain_way(bucket.flush())
        assert client.exists(key) == 0


def test_a_hash_of_the_reference_is_refused(server: Redis, plain_way: Way, key: str) -> None:
    server.command("HSET", key, "tat1", 5)
    bucket = StateBucket([Rate(6, 60_000)], store=RedisStateStore(plain_way.client(server.port), key))
    with pytest.raises(ValueError, match="holds a hash that is no bucket"):
        plain_way(bucket.put(RateItem("x", bucket.now())))
    assert server.command("HLEN", key) == b":1\r\n"


SCRIPT = """
local tokens = tonumber(redis.call('HGET', KEYS[1], 'tat1') or ARGV[5])
redis.call('HSET', KEYS[1], 'seen', table.concat(ARGV, ' '))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if tonumber(ARGV[2]) > tonumber(ARGV[5]) then return {0, -1} end
if tokens < tonumber(ARGV[2]) then return {0, 250} end
redis.call('HSET', KEYS[1], 'tat1', tokens - ARGV[2])
return {-1, 0}
"""


def users_algorithm(package: Any) -> Any:
    class Tickets(package.StateAlgorithm):  # type: ignore[misc]
        """So many tickets as the limit says, and never another."""

        def initial(self, rates: Any) -> Any:
            return (float(rates[0].limit),)

        def step(self, rates: Any, state: Any, now: int, weight: int) -> Any:
            if state[0] < weight:
                return state, package.Decision(rates[0], 250)
            return (state[0] - weight,), package.Decision()

        def consumed(self, rates: Any, state: Any, now: int) -> int:
            return int(rates[0].limit - state[0])

        def redis_script(self) -> str:
            return SCRIPT

        def redis_args(self, rates: Any) -> Any:
            return [rates[0].limit, 0.5]

    return Tickets()


@pytest.mark.parametrize("ttl", [None, 77_777])
def test_an_algorithm_with_a_script_of_its_own_is_run_as_in_the_reference(
    server: Redis, way: Way, key: str, ttl: int | None
) -> None:
    seen = {}
    for package in (ORACLE, SCUPPER):
        server.command("DEL", key)
        with redis.Redis(port=server.port) as plain:
            client = plain if package is ORACLE else way.client(server.port)
            bucket = package.StateBucket(
                [package.Rate(3, 3000, burst=20)], users_algorithm(package), package.RedisStateStore(client, key, ttl)
            )
            answers: list[Any] = []
            for time, weight in ((1, 1), (2, 2), (3, 1), (4, 9)):
                item = package.RateItem("x", time, weight)
                verdict = bucket.put(item)
                verdict = verdict if package is ORACLE else way(verdict)
                answers.append((verdict, bucket._last_wait, plain.hget(key, "seen"), plain.hget(key, "tat1")))
                assert 0 < plain.pttl(key) <= (60_000 if ttl is None else ttl)
            count = bucket.count()
            answers.append(count if package is ORACLE else way(count))
            server.command("SCRIPT", "FLUSH")
            if package is SCUPPER:
                assert way(bucket.put(package.RateItem("x", 5))) is False
            answers.append(bucket.flush() if package is ORACLE else way(bucket.flush()))
            answers.append(plain.exists(key))
        seen[package] = answers
    assert seen[SCUPPER] == seen[ORACLE]


def test_an_algorithm_without_a_script_is_told_so(server: Redis, plain_way: Way, key: str) -> None:
    class Mine(StateAlgorithm):
        def initial(self, rates: Any) -> Any:
            return (0.0,)

        def step(self, rates: Any, state: Any, now: int, weight: int) -> Any:
            return state, Decision()

    store = RedisStateStore(plain_way.client(server.port), key)
    with pytest.raises(TypeError, match="Mine has no Redis implementation; use a local store instead"):
        plain_way(store.check(Mine(), [Rate(1, 1000)], 5, 1))
    with pytest.raises(TypeError, match="RedisStateStore cannot be pickled, as its client cannot"):
        pickle.dumps(store)


def test_what_gcra_gives_to_scripts() -> None:
    rates = [(3, 1000, 7), (5, 60_000, 5)]
    theirs = ORACLE.GCRA().redis_args([ORACLE.Rate(*rate) for rate in rates])
    assert GCRA().redis_args([Rate(*rate) for rate in rates]) == theirs
    assert isinstance(ORACLE.TokenBucket().redis_script(), str) and "scupper1" in str(TokenBucket().redis_script())
