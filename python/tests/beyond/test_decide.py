"""Decisions that tell all about themselves."""

from __future__ import annotations

import asyncio
import dataclasses
import pickle
from fractions import Fraction
from random import Random
from typing import Any

import pytest

from beyond.by_hand import ALL, MADE, timed
from beyond.right_bucket import PlainBucket
from beyond.stores import on_every_store
from scupper import (
    BucketAsyncWrapper,
    Duration,
    InMemoryBucket,
    Limiter,
    Rate,
    StateBucket,
    Usage,
    Verdict,
)
from scupper._scupper import MemoryBucket
from support.clocks import HandClock
from support.threads import Running, together
from support.waits import at_once, started, within_bound

RATES = [[(3, 10)], [(5, 40)], [(2, 10), (4, 60)], [(3, 8), (5, 20), (8, 100)]]
START = 10_000_000


def limiters() -> list[Any]:
    rates = [Rate(3, Duration.HOUR)]
    return [
        pytest.param(lambda: Limiter(rates), id="memory"),
        pytest.param(lambda: Limiter(StateBucket(rates)), id="gcra"),
        pytest.param(lambda: Limiter.open("memory:", rates), id="store"),
        pytest.param(lambda: Limiter.per_key(rates), id="per_key"),
        *on_every_store(rates),
        pytest.param(lambda: timed(InMemoryBucket, rates, HandClock(START)), id="factory"),
        pytest.param(lambda: Limiter(PlainBucket(rates)), id="own"),
        pytest.param(lambda: Limiter(BucketAsyncWrapper(PlainBucket(rates))), id="own async"),
    ]


every_limiter = pytest.mark.parametrize("make", limiters())


class Slow(PlainBucket):
    """Whose calls take several turns of the loop."""

    is_async = True
    inside = most_inside = 0

    async def one_at_a_time(self, call: Any, *arguments: Any) -> Any:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        for _ in range(3):
            await asyncio.sleep(0)
        try:
            return call(*arguments)
        finally:
            self.inside -= 1

    async def put(self, item: Any) -> bool:  # type: ignore[override]
        return bool(await self.one_at_a_time(super().put, item))

    async def count(self) -> int:  # type: ignore[override]
        return int(await self.one_at_a_time(super().count))

    async def peek(self, index: int) -> Any:  # type: ignore[override]
        return await self.one_at_a_time(super().peek, index)

    def waiting(self, item: Any) -> int:
        return 20


async def awaited(value: Any) -> Any:
    return await value if hasattr(value, "__await__") else value


def in_ms(seconds: float) -> int:
    """Rounded up, once it is as fine as the clock."""
    return -(-round(seconds * 1_000_000) // 1000)


@pytest.mark.parametrize("kind", sorted(ALL))
@pytest.mark.parametrize("seed", range(12))
def test_a_verdict_tells_what_a_count_of_everything_tells(kind: str, seed: int) -> None:
    random, (make, model_of) = Random(seed), ALL[kind]
    rates = [Rate(*numbers) for numbers in random.choice(RATES)]
    clock, model = HandClock(START), model_of(rates)
    limiter = timed(make, rates, clock)
    for _ in range(80):
        clock.time += random.choice((0, 0, 0, 1, 2, 9, 10, 11, 41))
        now, weight = clock.time, random.choice((1, 1, 1, 2, 3, 6))
        wait, in_the_way = model.wait(now, weight), model.in_the_way(now, weight)
        verdict = limiter.decide("a", weight)
        assert bool(verdict) is verdict.allowed is (not in_the_way)
        if verdict:
            model.take(now, weight)
            assert (verdict.retry_after, verdict.never) == (None, False)
        elif kind != "own":
            assert verdict.never is (wait is None)
            assert (None if verdict.retry_after is None else in_ms(verdict.retry_after)) == wait
            assert verdict.rate in in_the_way
        else:  # waiting of AbstractBucket is about the rate in the way alone
            assert verdict.rate is in_the_way[0]
            of_rate = model.wait_for(in_the_way[0], now, weight)
            assert (None if verdict.retry_after is None else round(verdict.retry_after * 1000)) == of_rate
        left = [model.most(rate) - model.used(rate, now) for rate in rates]
        assert verdict.remaining == min(left)
        assert limiter.peek("a").remaining == min(left)
        assert [(usage.used, usage.remaining) for usage in limiter.peek("a").rates] == [
            (model.used(rate, now), room) for rate, room in zip(rates, left)
        ]
        assert verdict.limit == (verdict.rate or rates[0]).limit
        assert (verdict.name, verdict.weight) == ("a", weight)


@pytest.mark.parametrize("kind", sorted(MADE))
def test_after_reset_after_nothing_counts_and_before_it_something_does(kind: str) -> None:
    clock, (make, _) = HandClock(START), MADE[kind]
    limiter = timed(make, [Rate(3, 10), Rate(5, 70)], clock)
    reset_after = limiter.decide("a", 2).reset_after
    assert reset_after is not None and reset_after == limiter.peek("a").reset_after
    clock.time = START + in_ms(reset_after) - 1
    assert limiter.peek("a").used > 0 or limiter.peek("a").rates[1].used > 0
    clock.time += 1
    assert [usage.used for usage in limiter.peek("a").rates] == [0, 0]
    assert limiter.peek("a").reset_after == 0


@pytest.mark.parametrize("algorithm", ["sliding_window_log", "fixed_window", "gcra"])
@pytest.mark.parametrize("seed", range(10))
def test_after_retry_after_it_is_admitted_and_a_microsecond_before_it_is_not(algorithm: str, seed: int) -> None:
    random = Random(seed)
    rates = [(3, 7, 3), (7, 100, 7), (9, 1000, 9)]
    bucket = MemoryBucket(rates, algorithm)
    now, denied = 1_000_000_000, 0
    while denied < 30:
        weight = random.randint(1, 3)
        allowed, _, retry_after, *_ = bucket.decide_fully("a", weight, now / 1000)
        if allowed:
            now += random.choice((0, 1, 500, 3_000))
            continue
        denied += 1
        assert retry_after is not None and retry_after > 0
        now += round(retry_after * 1_000_000)
        assert not bucket.decide_fully("a", weight, (now - 1) / 1000)[0]
        assert bucket.decide_fully("a", weight, now / 1000)[0]


@pytest.mark.parametrize("micros", [1, 3, 999_999, 1_000_000, 1_000_001, 59_999_987, 604_800_000_001])
def test_seconds_are_never_less_than_the_time_that_they_stand_for(micros: int) -> None:
    bucket = MemoryBucket([(1, 1, 1)], "sliding_window_log")
    bucket.hold("a", micros / 1_000_000, 0)
    until = bucket.decide_fully("a", 1, 0)[2]
    assert until is not None
    assert micros <= Fraction(until) * 1_000_000 < micros + Fraction(1, 1000)


@every_limiter
def test_decide_takes_what_fits_and_says_what_is_left(make: Any) -> None:
    async def main() -> None:
        limiter = make()
        verdicts = [await awaited(limiter.decide("a", weight)) for weight in (2, 2, 1, 1, 4)]
        assert [bool(verdict) for verdict in verdicts] == [True, False, True, False, False]
        assert [verdict.remaining for verdict in verdicts] == [1, 1, 0, 0, 0]
        assert [verdict.never for verdict in verdicts] == [False, False, False, False, True]
        assert [verdict.retry_after is None for verdict in verdicts] == [True, False, True, False, True]
        assert all(verdict.source == "store" for verdict in verdicts)
        assert all(verdict.limit == 3 for verdict in verdicts)

    asyncio.run(main())


@every_limiter
def test_decide_async_and_peek_async_tell_the_same(make: Any) -> None:
    async def main() -> None:
        limiter = make()
        first = await limiter.decide_async("a", 2)
        assert (first.allowed, first.remaining, first.weight, first.name) == (True, 1, 2, "a")
        usage = await limiter.peek_async("a")
        assert (usage.limit, usage.used, usage.remaining, usage.held_for) == (3, 2, 1, 0.0)
        assert await awaited(limiter.peek("a")) is not usage
        denied = await limiter.decide_async("a", 2)
        assert (denied.allowed, denied.never) == (False, False) and denied.retry_after > 0

    asyncio.run(main())


@every_limiter
def test_no_units_always_pass_and_change_nothing(make: Any) -> None:
    async def main() -> None:
        limiter = make()
        await limiter.decide_async("a", 3)
        for verdict in (await limiter.decide_async("a", 0), await awaited(limiter.decide("a", 0))):
            assert (verdict.allowed, verdict.weight, verdict.remaining) == (True, 0, 0)
            assert await limiter.refund_async(verdict) == 0

    asyncio.run(main())


def test_decide_goes_behind_those_who_wait_natively() -> None:
    limiter = Limiter([Rate(2, Duration.HOUR)])
    limiter.decide(weight=1)
    waiting = Running(lambda: limiter.try_acquire("heavy", 2)).until_asleep()
    verdict = limiter.decide()
    assert (verdict.allowed, verdict.never, verdict.remaining, verdict.source) == (False, False, 1, "line")
    assert verdict.retry_after is not None and verdict.retry_after > 3500
    limiter.close()
    with pytest.raises(RuntimeError, match="limiter is closed"):
        waiting.result()


@pytest.mark.parametrize("make", [PlainBucket, InMemoryBucket])
def test_decide_goes_behind_those_who_wait_for_a_bucket_on_the_general_path(make: Any) -> None:
    limiter = timed(make, [Rate(2, Duration.HOUR)], HandClock(START))

    async def main() -> None:
        limiter.decide("a")
        task = await started(limiter, "a", 2)
        for verdict in (limiter.decide("a"), await limiter.decide_async("a")):
            assert (verdict.allowed, verdict.never, verdict.remaining, verdict.source) == (False, False, 1, "line")
            assert verdict.retry_after is not None and 3500 < verdict.retry_after < 3700
        assert limiter.peek("a").used == 1
        task.cancel()
        await asyncio.wait([task])
        assert limiter.decide("a")

    asyncio.run(main())


def test_what_is_not_a_request_steps_in_before_a_bucket_that_does_not_say_what_it_is() -> None:
    class Unsaid(Slow):
        is_async = None  # type: ignore[assignment]

        def put(self, item: Any) -> Any:  # type: ignore[override]
            return super().put(item)

        def waiting(self, item: Any) -> int:
            return 3_600_000

    limiter = Limiter(Unsaid([Rate(2, Duration.HOUR)]))

    async def main() -> None:
        assert await awaited(limiter.decide("a", 2))
        task = await started(limiter, "a", 2)
        await within_bound(until_resting(limiter))
        verdict = await within_bound(limiter.decide("a"))
        assert (verdict.allowed, verdict.never, verdict.remaining) == (False, False, 0)
        assert verdict.retry_after is not None and 3500 < verdict.retry_after < 3700
        assert (await within_bound(limiter.peek("a"))).used == 2
        assert await within_bound(limiter.reset("a")) is True
        assert await within_bound(task) is True

    asyncio.run(main())


def test_a_decision_that_is_awaited_late_goes_behind_those_who_wait_by_then() -> None:
    class Unsaid(Slow):
        is_async = None  # type: ignore[assignment]

        def waiting(self, item: Any) -> int:
            return 3_600_000

    limiter = Limiter(Unsaid([Rate(2, Duration.HOUR)]))

    async def main() -> None:
        assert await awaited(limiter.decide("a"))
        late = limiter.decide("a")
        task = await started(limiter, "a", 2)
        await within_bound(until_resting(limiter))
        verdict = await within_bound(late)
        assert (verdict.allowed, verdict.remaining) == (False, 1)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(main())


async def until_resting(limiter: Limiter) -> None:
    while not any(ticket.resting for ticket in limiter._tickets):
        await asyncio.sleep(0)


def test_a_decision_in_memory_never_gives_up_its_turn() -> None:
    limiter = Limiter([Rate(2, Duration.HOUR)])
    verdict = at_once(limiter.decide_async("a"))
    assert verdict and at_once(limiter.peek_async("a")).used == 1
    assert at_once(limiter.refund_async(verdict)) == 1
    assert at_once(limiter.reset_async("a")) is False


def test_threads_that_decide_at_once_share_the_limit() -> None:
    limiter = Limiter([Rate(50, Duration.HOUR)])
    verdicts = [verdict for some in together(8, lambda _: [limiter.decide() for _ in range(20)]) for verdict in some]
    admitted = [verdict.remaining for verdict in verdicts if verdict]
    assert sorted(admitted, key=lambda left: -1 if left is None else left) == list(range(50))


def test_tasks_that_decide_at_once_share_the_limit() -> None:
    limiter = Limiter(BucketAsyncWrapper(PlainBucket([Rate(20, Duration.HOUR)])))

    async def main() -> None:
        verdicts = await within_bound(asyncio.gather(*(limiter.decide_async("a") for _ in range(50))))
        assert sum(map(bool, verdicts)) == 20

    asyncio.run(main())


def test_a_verdict_and_a_usage_are_frozen_and_compare_and_tell_what_they_are() -> None:
    limiter = Limiter([Rate(3, Duration.HOUR)])
    verdict, usage = limiter.decide("a"), limiter.peek()
    with pytest.raises(dataclasses.FrozenInstanceError):
        verdict.allowed = False  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        usage.used = 0  # type: ignore[misc]
    assert repr(verdict).startswith("Verdict(allowed=True, name='a', weight=1, limit=3, remaining=2, retry_after=None, never=False")
    assert repr(usage).startswith("Usage(limit=3, remaining=2, used=1, reset_after=")
    assert verdict == dataclasses.replace(verdict) and hash(verdict) == hash(dataclasses.replace(verdict))
    assert verdict != dataclasses.replace(verdict, remaining=1)


@every_limiter
def test_a_verdict_goes_through_a_pickle(make: Any) -> None:
    limiter = make()
    for weight in (2, 2, 0):
        verdict = asyncio.run(limiter.decide_async("a", weight))
        assert isinstance(verdict, Verdict)
        assert pickle.loads(pickle.dumps(verdict)) == verdict
    usage = asyncio.run(limiter.peek_async("a"))
    unpickled = pickle.loads(pickle.dumps(usage))
    assert isinstance(unpickled, Usage) and (unpickled.used, unpickled.remaining) == (2, 1)


@every_limiter
@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (-1, ValueError, "weight must be at least 0; not -1"),
        (1.5, TypeError, "weight must be a whole number, as an int; not 1.5"),
        ("2", TypeError, "weight must be a whole number, as an int; not '2'"),
        (None, TypeError, "weight must be a whole number"),
    ],
)
def test_a_wrong_weight_is_refused_with_what_would_be_right(make: Any, weight: Any, error: Any, message: str) -> None:
    limiter = make()
    with pytest.raises(error, match=message):
        limiter.decide("a", weight)
    with pytest.raises(error, match=message):
        asyncio.run(limiter.decide_async("a", weight))


@every_limiter
def test_a_closed_limiter_decides_nothing_and_looks_at_nothing(make: Any) -> None:
    limiter = make()
    limiter.close()
    for call in (limiter.decide, limiter.peek):
        with pytest.raises(RuntimeError, match="limiter is closed"):
            call("a")
    for call in (limiter.decide_async, limiter.peek_async):
        with pytest.raises(RuntimeError, match="limiter is closed"):
            asyncio.run(call("a"))


def test_a_bucket_that_shows_no_items_tells_what_its_count_does() -> None:
    class Opaque(PlainBucket):
        def peek(self, index: int) -> None:
            raise NotImplementedError

    limiter = Limiter(Opaque([Rate(3, Duration.HOUR)]))
    verdict = limiter.decide("a")
    assert (verdict.allowed, verdict.remaining, verdict.reset_after) == (True, 2, None)
    assert (limiter.peek().used, limiter.peek().reset_after) == (1, None)

    several = Limiter(Opaque([Rate(3, Duration.HOUR), Rate(9, Duration.DAY)]))
    verdict = several.decide("a")
    assert (verdict.allowed, verdict.remaining, verdict.reset_after, verdict.limit) == (True, None, None, 3)
    with pytest.raises(TypeError, match="Opaque cannot tell how much is in use: it decides by its own methods"):
        several.peek()


def test_an_exception_of_the_bucket_passes_through_and_the_next_goes_on() -> None:
    class Broken(PlainBucket):
        def put(self, item: Any) -> bool:
            if item.name == "bad":
                raise LookupError(item.name)
            return super().put(item)

    limiter = Limiter(Broken([Rate(3, Duration.HOUR)]))
    with pytest.raises(LookupError):
        limiter.decide("bad")
    with pytest.raises(LookupError):
        asyncio.run(limiter.decide_async("bad"))
    assert limiter.decide("good")


def test_a_look_while_somebody_waits_for_room_never_meets_a_put() -> None:
    bucket = Slow([Rate(1, 60)])
    limiter = Limiter(bucket, buffer_ms=0)

    async def look(times: int) -> None:
        for _ in range(times):
            await limiter.peek_async("a")

    async def main() -> None:
        acquired = [asyncio.create_task(limiter.try_acquire_async("a")) for _ in range(4)]
        await within_bound(asyncio.gather(*(look(20) for _ in range(3)), *acquired))

    asyncio.run(main())
    assert bucket.most_inside == 1
