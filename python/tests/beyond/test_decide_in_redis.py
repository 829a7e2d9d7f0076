"""Decisions by a bucket in Redis that works through the user's client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import redis
import redis.asyncio

from scupper import Duration, Limiter, MonotonicClock, Rate, RedisBucket
from support.servers import Redis

RATES = [Rate(3, Duration.HOUR), Rate(5, Duration.DAY)]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with Redis() as server:
        yield server.port


@pytest.mark.parametrize("clock", [None, MonotonicClock()])
def test_what_is_left_is_told_by_the_server_whatever_clock_is_here(port: int, clock: MonotonicClock | None) -> None:
    with redis.Redis(port=port) as client:
        bucket = RedisBucket.init(RATES, client, f"decided by {clock}")
        if clock is not None:
            bucket._clock = clock
        limiter = Limiter(bucket)
        verdict = limiter.decide("a", 2)
        assert (verdict.allowed, verdict.remaining, verdict.limit) == (True, 1, 3)
        assert verdict.reset_after is not None and 86_000 < verdict.reset_after <= 86_400.001
        denied = limiter.decide("a", 2)
        assert (denied.allowed, denied.remaining, denied.never, denied.rate) == (False, 1, False, bucket.rates[0])
        assert denied.retry_after is not None and 3_500 < denied.retry_after <= 3_600.001
        assert limiter.decide("a", 4).never
        assert [(usage.used, usage.remaining) for usage in limiter.peek("a").rates] == [(2, 1), (2, 3)]
        assert limiter.reset("a") and limiter.decide("a", 3)
        with pytest.raises(TypeError, match="RedisBucket cannot reserve: it decides by its own methods"):
            limiter.reserve("a")


def test_a_client_to_await_decides_in_the_loop(port: int) -> None:
    async def main() -> None:
        async with redis.asyncio.Redis(port=port) as client:
            limiter = Limiter(await RedisBucket.init(RATES, client, "decided in a loop"))
            verdicts = await asyncio.gather(*(limiter.decide_async("a") for _ in range(5)))
            assert sorted(verdict.remaining for verdict in verdicts) == [0, 0, 0, 1, 2]
            assert (await limiter.peek_async("a")).used == 3
            assert await limiter.reset_async("a") is True

    asyncio.run(main())
