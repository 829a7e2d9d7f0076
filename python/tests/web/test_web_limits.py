"""The middleware over real limiters, on a clock set by hand."""

from __future__ import annotations

import asyncio
import random
from typing import Any, Optional

import pytest
import scupper.asgi
from scupper import (
    AbstractBucket,
    BucketAsyncWrapper,
    Duration,
    InMemoryBucket,
    Limiter,
    Rate,
    StateBucket,
    TokenBucket,
)
from web_calls import PEER, PerName, Site, http_scope, run_asgi, seen

from support.clocks import HandClock


def on(clock: HandClock, bucket: Any) -> Limiter:
    bucket._clock = clock
    return Limiter(bucket)


@pytest.mark.parametrize("algorithm", [None, TokenBucket])
def test_who_comes_again_when_told_is_admitted_and_was_not_told_longer_than_a_second_more(
    site: Site, algorithm: Any
) -> None:
    chance = random.Random(429)
    for _ in range(20):
        rates = [Rate(chance.randint(1, 4), chance.randint(1, 6_000)), Rate(9, 60_000)]
        clock = HandClock(chance.randint(0, 10**6))
        bucket: Any = InMemoryBucket(rates) if algorithm is None else StateBucket(rates, algorithm())
        weight = chance.randint(1, int(rates[0].limit))
        site.limited(on(clock, bucket), weight=weight)
        for _ in range(30):
            answer = site.ask()
            if answer.status == 429:
                seconds = int(str(answer["Retry-After"]))
                exact = clock.time
                clock.time += max(0, (seconds - 1) * 1000 - 1)
                assert seconds == 1 or site.ask().status == 429, "a whole second less would have done"
                clock.time = exact + seconds * 1000
                assert site.ask().status == 200, (rates, weight, seconds)
            clock.time += chance.randint(0, 400)


def test_a_denied_request_takes_nothing(site: Site) -> None:
    clock = HandClock()
    site.limited(on(clock, InMemoryBucket([Rate(2, 1000)])))
    assert [site.ask().status for _ in range(50)] == [200, 200] + [429] * 48
    clock.time += 1001
    assert [site.ask().status for _ in range(3)] == [200, 200, 429]


def test_a_weight_above_the_limit_is_denied_for_ever(site: Site) -> None:
    site.limited(Limiter(Rate(5, 1000)), weight=6)
    answer = site.ask()
    assert (answer.status, answer["Retry-After"]) == (429, None)
    assert b"6 units" in answer.body


def test_a_request_of_no_weight_passes_a_full_bucket(site: Site) -> None:
    limiter = Limiter(Rate(1, Duration.HOUR))
    assert site.limited(limiter).ask().status == 200
    assert site.limited(limiter, weight=0).ask().status == 200
    assert site.limited(limiter).ask().status == 429


@pytest.mark.parametrize("name", ["", "a\0b\n'\"{}", "\u0416\U0001f600", "k" * 10_240])
def test_any_name_is_limited(site: Site, name: str) -> None:
    site.limited(Limiter(PerName(Rate(1, Duration.HOUR))), key=lambda _: name)
    assert [site.ask().status for _ in range(2)] == [200, 429]


def test_the_application_may_give_back_what_cost_nothing(site: Site) -> None:
    limiter = Limiter(Rate(1, Duration.HOUR))
    site.limited(limiter)
    for _ in range(3):
        assert site.ask().status == 200
        assert limiter.refund(site.calls[-1]["scupper.verdict"]) == 1


class Broken(AbstractBucket):
    """A bucket of the user's own whose store is out of reach."""

    def __init__(self) -> None:
        self.rates = [Rate(1, 1000)]

    def put(self, item: Any) -> bool:
        raise ConnectionError("out of reach")

    def leak(self, current_timestamp: Optional[int] = None) -> int:
        return 0

    def flush(self) -> None: ...

    def count(self) -> int:
        return 0

    def peek(self, index: int) -> None: ...


def test_a_bucket_of_the_users_own_that_fails_is_an_outage(site: Site) -> None:
    assert site.limited(Limiter(Broken())).ask().status == 503
    assert site.limited(Limiter(Broken()), on_outage="allow").ask().status == 200
    with pytest.raises(ConnectionError):
        site.limited(Limiter(Broken()), on_outage="raise").ask()


def test_a_closed_limiter_is_an_outage(site: Site) -> None:
    limiter = Limiter(Rate(1, 1000))
    limiter.close()
    assert site.limited(limiter).ask().status == 503


def test_a_bucket_to_await_is_awaited_in_asgi() -> None:
    limiter = Limiter(BucketAsyncWrapper(InMemoryBucket([Rate(1, Duration.HOUR)])))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    middleware = scupper.asgi.RateLimitMiddleware(app, limiter)

    async def main() -> list[int]:
        return [seen(await run_asgi(middleware, http_scope("/", "GET", [], PEER))).status for _ in range(2)]

    assert asyncio.run(main()) == [200, 429]


@pytest.mark.filterwarnings("ignore:.*coroutine")
def test_a_bucket_to_await_is_refused_in_wsgi() -> None:
    limiter = Limiter(BucketAsyncWrapper(InMemoryBucket([Rate(1, Duration.HOUR)])))
    with pytest.raises(TypeError, match="not async"):
        Site("wsgi").limited(limiter).ask()
