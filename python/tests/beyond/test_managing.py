"""Penalties, holds and resets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from beyond.by_hand import MADE, timed
from beyond.right_bucket import PlainBucket
from beyond.stores import on_every_store
from scupper import BucketAsyncWrapper, Duration, InMemoryBucket, Limiter, Rate, StateBucket
from support.clocks import HandClock
from support.threads import Running
from support.waits import started, within_bound

START = 10_000_000
RATES = [Rate(3, Duration.HOUR)]

LIMITERS = [
    pytest.param(lambda: Limiter(RATES), id="memory"),
    pytest.param(lambda: Limiter(StateBucket(RATES)), id="gcra"),
    pytest.param(lambda: Limiter.open("memory:", RATES), id="store"),
    pytest.param(lambda: Limiter.per_key(RATES), id="per_key"),
    *on_every_store(RATES),
    pytest.param(lambda: timed(InMemoryBucket, RATES, HandClock(START)), id="factory"),
]
every_limiter = pytest.mark.parametrize("make", LIMITERS)
in_both_forms = pytest.mark.parametrize("form", ["", "_async"])


def call(limiter: Limiter, method: str, form: str, *arguments: Any) -> Any:
    given = getattr(limiter, method + form)(*arguments)
    return asyncio.run(given) if form else given


@every_limiter
@in_both_forms
def test_a_penalty_takes_more_than_there_is_room_for(make: Any, form: str) -> None:
    limiter = make()
    assert call(limiter, "penalize", form, "a", 5) is None
    usage = limiter.peek("a")
    assert (usage.used, usage.remaining) == (5, 0)
    verdict = limiter.decide("a")
    assert (verdict.allowed, verdict.remaining, verdict.never) == (False, 0, False)


@every_limiter
@in_both_forms
def test_a_held_bucket_admits_nobody_and_tells_for_how_long(make: Any, form: str) -> None:
    limiter = make()
    assert call(limiter, "hold", form, "a", 30) is None
    call(limiter, "hold", form, "a", 0.5)  # the longer one stays
    verdict, usage = limiter.decide("a"), limiter.peek("a")
    assert (verdict.allowed, verdict.remaining, verdict.rate, verdict.limit) == (False, 0, None, 3)
    assert verdict.retry_after is not None and 25 < verdict.retry_after <= 30
    assert 25 < usage.held_for <= 30 and usage.remaining == 0 and usage.used == 0


@every_limiter
@in_both_forms
def test_a_reset_forgets_what_was_taken_and_any_hold(make: Any, form: str) -> None:
    limiter = make()
    assert call(limiter, "reset", form, "a") is False
    limiter.decide("a", 3)
    assert call(limiter, "reset", form, "a") is True
    limiter.hold("a", 3600)
    assert call(limiter, "reset", form, "a") is True
    verdict = limiter.decide("a", 3)
    assert (verdict.allowed, verdict.remaining) == (True, 0)


@every_limiter
def test_a_reset_lets_those_who_wait_go_on(make: Any) -> None:
    limiter = make()
    limiter.decide("a", 3)
    waiting = Running(lambda: limiter.try_acquire("a", 3)).until_asleep()
    limiter.reset("a")
    assert waiting.result() is True

    async def main() -> None:
        task = await started(limiter, "a", 1)
        await limiter.reset_async("a")
        assert await within_bound(task) is True

    asyncio.run(main())


@pytest.mark.parametrize("kind", sorted(MADE))
def test_holds_and_penalties_are_on_the_time_of_the_factory(kind: str) -> None:
    clock, (make, _) = HandClock(START), MADE[kind]
    limiter = timed(make, [Rate(2, 1000)], clock)
    limiter.hold("a", 0.25)
    clock.time += 249
    assert limiter.decide("a").retry_after == 0.001
    clock.time += 1
    assert limiter.decide("a")
    limiter.penalize("a", 1)
    retry_after = limiter.decide("a").retry_after
    assert retry_after is not None
    clock.time += -(-round(retry_after * 1_000_000) // 1000)
    assert limiter.decide("a")
    assert limiter.reset("a") is True
    clock.time += 5000
    assert limiter.reset("a") is False


def test_a_bucket_shows_what_was_taken_as_a_penalty() -> None:
    bucket = InMemoryBucket(RATES)
    limiter = Limiter(bucket)
    first = limiter.decide("first")
    limiter.penalize("sinner", 2)
    limiter.penalize("sinner", 1)
    assert [item.name for item in bucket.items] == ["first", "sinner", "sinner", "sinner"]
    assert limiter.refund(first) == 1
    assert (bucket.count(), limiter.peek().used) == (3, 3)


def test_a_leak_drops_neither_a_penalty_nor_a_hold() -> None:
    clock = HandClock(START)
    limiter = timed(InMemoryBucket, [Rate(2, 100)], clock)
    limiter.decide("a")
    bucket = limiter.bucket_factory.get(limiter.bucket_factory.wrap_item("a"))
    limiter.penalize("a", 3)
    clock.time += 50
    assert bucket.leak(clock.time) == 0
    assert limiter.peek("a").used == 4
    limiter.hold("a", 10)
    clock.time += 1000
    assert bucket.leak(clock.time) == 4
    assert not limiter.decide("a")
    clock.time += 9000
    assert limiter.decide("a")


def test_each_name_is_held_by_itself_where_each_has_its_bucket() -> None:
    limiter = Limiter.per_key(RATES)
    limiter.hold("a", 30)
    limiter.penalize("b", 2)
    assert not limiter.decide("a")
    assert limiter.decide("b").remaining == 0
    assert limiter.decide("c").remaining == 2
    assert limiter.reset("a") is True and limiter.decide("a")


@in_both_forms
@pytest.mark.parametrize(
    ("method", "argument", "error", "message"),
    [
        ("penalize", 0, ValueError, "units must be at least 1; not 0"),
        ("penalize", 1.5, TypeError, "units must be a whole number, as an int; not 1.5"),
        ("hold", -1, ValueError, "seconds must be at least 0 and not endless; not -1"),
        ("hold", float("inf"), ValueError, "seconds must be at least 0 and not endless; not inf"),
        ("hold", float("nan"), ValueError, "seconds must be at least 0 and not endless; not nan"),
        ("hold", "1", TypeError, "seconds must be a number of seconds; not '1'"),
    ],
)
@every_limiter
def test_wrong_arguments_are_refused_with_what_would_be_right(
    make: Any, form: str, method: str, argument: Any, error: Any, message: str
) -> None:
    with pytest.raises(error, match=message):
        call(make(), method, form, "a", argument)


@every_limiter
@in_both_forms
def test_a_closed_limiter_does_none_of_it(make: Any, form: str) -> None:
    limiter = make()
    limiter.close()
    for method, *arguments in (("penalize", 1), ("hold", 1), ("reset",)):
        with pytest.raises(RuntimeError, match="limiter is closed"):
            call(limiter, method, form, "a", *arguments)


@pytest.mark.parametrize("make", [PlainBucket, lambda rates: BucketAsyncWrapper(PlainBucket(rates))])
def test_a_bucket_of_ones_own_is_reset_by_its_flush_and_cannot_do_the_rest(make: Any) -> None:
    limiter = Limiter(make(RATES))
    with pytest.raises(TypeError, match="cannot take more than there is room for: it decides by its own methods"):
        call(limiter, "penalize", "_async", "a", 1)
    with pytest.raises(TypeError, match="cannot be held: it decides by its own methods"):
        call(limiter, "hold", "_async", "a", 1)
    assert call(limiter, "reset", "_async", "a") is False
    assert call(limiter, "decide", "_async", "a", 3)
    assert call(limiter, "reset", "_async", "a") is True
    assert call(limiter, "decide", "_async", "a", 3)
