"""What a policy for outages covers, and what it tells."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from support.packages import SCUPPER
from support.servers import Redis
from support.threads import BOUND
from support.waits import WEEK

RATE = SCUPPER.Rate(2, WEEK)
OWN = SCUPPER.Rate(3, WEEK)
POLICIES = ["error", "fail-open", "fail-closed", OWN]


@pytest.fixture
def redis() -> Iterator[Redis]:
    """One that may be killed."""
    with Redis() as server:
        yield server


def told(verdict: Any) -> tuple[Any, ...]:
    return verdict.allowed, verdict.remaining, verdict.limit


def test_failing_open_passes_decisions_and_reservations_and_cannot_say_what_remains(redis: Redis) -> None:
    with SCUPPER.Limiter.open(redis.url, RATE, outage="fail-open", call_timeout=BOUND) as limiter:
        redis.kill()
        verdict = limiter.decide("x")
        assert (told(verdict), verdict.retry_after, verdict.rate) == ((True, None, 2), None, None)
        assert verdict.source == "fail_open"
        assert limiter.refund(verdict) == 0, "it was counted nowhere"
        limiter.reserve("x", 2).settle(1)
        assert limiter.decide("x", 3).never


def test_failing_closed_denies_and_says_when_the_store_is_asked_again(redis: Redis) -> None:
    with SCUPPER.Limiter.open(redis.url, RATE, outage="fail-closed", call_timeout=BOUND) as limiter:
        redis.kill()
        limiter.decide("x")  # finds it out
        verdict = limiter.decide("x")
        assert told(verdict) == (False, None, 2) and verdict.rate is None
        assert verdict.source == "fail_closed"
        assert 0 < verdict.retry_after <= 1
        with pytest.raises(TimeoutError):
            limiter.reserve("x", 1, timeout=0)


def test_rates_for_an_outage_tell_what_remains_by_them_under_the_limit_of_the_limiter(redis: Redis) -> None:
    with SCUPPER.Limiter.open(redis.url, RATE, outage=OWN, call_timeout=BOUND) as limiter:
        assert limiter.decide("y").source == "store"
        redis.kill()
        verdicts = [limiter.decide("x") for _ in range(4)]
        assert [told(verdict) for verdict in verdicts] == [(True, 2, 2), (True, 1, 2), (True, 0, 2), (False, 0, 2)]
        assert {verdict.source for verdict in verdicts} == {"fallback"}


def test_a_denial_of_the_store_that_is_still_fresh_says_that_it_was_not_asked(redis: Redis) -> None:
    with SCUPPER.Limiter.open(redis.url, RATE, denial_cache=3600, call_timeout=BOUND) as limiter:
        assert [limiter.decide("x").source for _ in range(4)] == ["store", "store", "store", "denial_cache"]


@pytest.mark.parametrize("outage", POLICIES)
def test_no_policy_covers_what_is_about_the_bucket_itself(redis: Redis, outage: Any) -> None:
    with SCUPPER.Limiter.open(redis.url, RATE, outage=outage, call_timeout=BOUND) as limiter:
        verdict, reservation = limiter.decide("x"), limiter.reserve("x")
        redis.kill()
        calls = [
            lambda: limiter.peek("x"),
            lambda: limiter.hold("x", 1),
            lambda: limiter.penalize("x", 1),
            lambda: limiter.reset("x"),
            lambda: limiter.refund(verdict),
            lambda: reservation.settle(0),
            lambda: limiter.bucket_factory.bucket.count(),
            lambda: asyncio.run(limiter.peek_async("x")),
        ]
        for call in calls:
            with pytest.raises(SCUPPER.StoreError):
                call()


@pytest.mark.parametrize("outage", POLICIES)
def test_no_policy_covers_the_opening_of_a_file(outage: Any) -> None:
    with pytest.raises(ValueError, match="make the folder first"):
        SCUPPER.Limiter.open("sqlite:/nowhere/at/all/limits.db", RATE, outage=outage)
