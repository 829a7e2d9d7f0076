"""What a decision took is given back once, counts no more, and goes to those who wait."""

from __future__ import annotations

import asyncio
import copy
import pickle
from random import Random
from typing import Any

import pytest

from beyond.by_hand import MADE, timed
from beyond.right_bucket import PlainBucket
from beyond.stores import on_every_store
from scupper import (
    BucketAsyncWrapper,
    Duration,
    FixedWindow,
    InMemoryBucket,
    Limiter,
    Rate,
    RateItem,
    StateBucket,
    WallClock,
)
from scupper._line import line_of
from scupper._ticket import Ticket
from support.clocks import HandClock
from support.threads import Running, together
from support.waits import started, within_bound

START = 10_000_000
RATES = [Rate(3, Duration.HOUR)]

LIMITERS = [
    pytest.param(lambda: Limiter(RATES), id="memory"),
    pytest.param(lambda: Limiter(InMemoryBucket(RATES, FixedWindow())), id="windows"),
    pytest.param(lambda: Limiter(StateBucket(RATES)), id="gcra"),
    pytest.param(lambda: Limiter.open("memory:", RATES), id="store"),
    pytest.param(lambda: Limiter.per_key(RATES), id="per_key"),
    *on_every_store(RATES),
    pytest.param(lambda: timed(InMemoryBucket, RATES, HandClock(START)), id="factory"),
    pytest.param(lambda: timed(StateBucket, RATES, HandClock(START)), id="factory of gcra"),
]
every_limiter = pytest.mark.parametrize("make", LIMITERS)
every_log = pytest.mark.parametrize("make", [each for each in LIMITERS if "gcra" not in str(each.id)])


@every_limiter
def test_what_is_given_back_counts_no_more_and_is_given_back_once(make: Any) -> None:
    limiter = make()
    limiter.decide("a")
    given_back = limiter.decide("a", 2)
    assert limiter.refund(given_back) == 2
    assert limiter.peek("a").used == 1
    assert (limiter.refund(given_back), asyncio.run(limiter.refund_async(given_back))) == (0, 0)
    assert limiter.peek("a").used == 1
    assert limiter.decide("a", 2) and not limiter.decide("a")


@every_log
def test_requests_are_given_back_in_any_order(make: Any) -> None:
    limiter = make()
    first, second, third = (limiter.decide("a") for _ in range(3))
    for left, verdict in enumerate((second, third, first), 1):
        assert asyncio.run(limiter.refund_async(verdict)) == 1
        assert limiter.peek("a").remaining == left


def test_under_gcra_units_that_later_ones_were_given_back_for_have_drained_with_them() -> None:
    limiter = Limiter(StateBucket(RATES))
    first, second = limiter.decide("a"), limiter.decide("a")
    assert limiter.refund(second) == 1
    # One unit is owed, and another was counted after the first: it may be that one.
    assert limiter.refund(first) == 0
    assert limiter.peek("a").used == 1


@every_limiter
def test_a_denial_has_nothing_to_give_back(make: Any) -> None:
    limiter = make()
    limiter.decide("a", 3)
    assert limiter.refund(limiter.decide("a")) == 0
    assert limiter.refund(limiter.decide("a", 9)) == 0
    assert limiter.peek("a").used == 3


@every_limiter
def test_what_was_reset_is_not_given_back(make: Any) -> None:
    limiter = make()
    verdict = limiter.decide("a", 2)
    assert limiter.reset("a") is True
    assert limiter.decide("a")
    assert limiter.refund(verdict) == 0
    assert limiter.peek("a").used == 1


@every_limiter
def test_a_verdict_that_was_pickled_is_given_back_to_its_bucket(make: Any) -> None:
    limiter = make()
    verdict = pickle.loads(pickle.dumps(limiter.decide("a", 2)))
    assert (limiter.refund(verdict), limiter.refund(verdict)) == (2, 0)
    assert limiter.peek("a").used == 0
    assert limiter.refund(pickle.loads(pickle.dumps(verdict))) == 0


@pytest.mark.parametrize("algorithm", ["sliding-window-log", "fixed-window", "gcra"])
def test_copies_of_a_verdict_are_given_back_once(algorithm: str) -> None:
    limiter = Limiter.open("memory:", RATES, algorithm=algorithm)
    verdict = limiter.decide("a")
    assert limiter.decide("b")
    copies = (copy.deepcopy(verdict), verdict, copy.copy(verdict))
    assert [limiter.refund(each) for each in copies] == [1, 0, 0]
    assert limiter.peek("a").used == 1


@every_limiter
def test_it_is_given_back_after_the_limiter_was_closed(make: Any) -> None:
    limiter = make()
    verdict = limiter.decide("a", 2)
    limiter.close()
    assert limiter.refund(verdict) == 2


def test_it_is_given_back_after_the_limiter_was_closed_behind_others_in_line_too() -> None:
    limiter = timed(InMemoryBucket, RATES, HandClock(START))
    verdict = limiter.decide("a", 2)
    limiter.close()
    line, other = line_of(limiter.bucket_factory.get(RateItem("a", START))), Ticket(patient=True)
    assert line.join(other, None)
    giving = Running(lambda: limiter.refund(verdict)).until_asleep()
    line.leave(other)
    assert giving.result() == 2


@every_log
def test_many_who_give_the_same_back_at_once_give_it_back_once(make: Any) -> None:
    limiter = make()
    verdicts = [limiter.decide("a") for _ in range(3)]
    assert sorted(together(8, lambda index: limiter.refund(verdicts[index % 2]))) == [0] * 6 + [1] * 2
    assert limiter.peek("a").used == 1


@every_limiter
def test_a_thread_that_waits_gets_what_is_given_back(make: Any) -> None:
    limiter = make()
    verdict = limiter.decide("a", 3)
    waiting = Running(lambda: limiter.try_acquire("a", 2)).until_asleep()
    assert limiter.refund(verdict) == 3
    assert waiting.result() is True
    assert limiter.peek("a").used == 2


@every_limiter
def test_a_task_that_waits_gets_what_is_given_back(make: Any) -> None:
    limiter = make()

    async def main() -> None:
        verdict = await limiter.decide_async("a", 3)
        first = await started(limiter, "a", 2)
        second = await started(limiter, "a", 2)
        assert await limiter.refund_async(verdict) == 3
        assert await within_bound(first) is True
        assert not second.done()
        second.cancel()
        await asyncio.wait([second])

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["log", "windows"])
@pytest.mark.parametrize("seed", range(10))
def test_refunds_among_decisions_leave_what_a_count_of_everything_leaves(kind: str, seed: int) -> None:
    random, (make, model_of) = Random(seed), MADE[kind]
    rates = [Rate(4, 10), Rate(9, 60)]
    clock, model = HandClock(START), model_of(rates)
    limiter, taken = timed(make, rates, clock), []
    for _ in range(150):
        clock.time += random.choice((0, 0, 1, 4, 11))
        if taken and random.random() < 0.3:
            verdict, then = taken.pop(random.randrange(len(taken)))
            counts = max(model._in_window(rate, clock.time) for rate in rates)  # type: ignore[attr-defined]
            given_back = limiter.refund(verdict)
            assert given_back in (0, verdict.weight)
            for _ in range(verdict.weight):
                model.units.remove(then)  # type: ignore[attr-defined]
            left = max(model._in_window(rate, clock.time) for rate in rates)  # type: ignore[attr-defined]
            assert given_back == counts - left
        else:
            weight = random.choice((1, 1, 2, 3))
            fits = not model.in_the_way(clock.time, weight)
            verdict = limiter.decide("a", weight)
            assert bool(verdict) is fits
            if verdict:
                model.take(clock.time, weight)
                taken.append((verdict, clock.time))
        used = [usage.used for usage in limiter.peek("a").rates]
        assert used == [model.used(rate, clock.time) for rate in rates]


def test_a_bucket_shows_no_units_that_were_given_back() -> None:
    bucket = InMemoryBucket(RATES)
    limiter = Limiter(bucket)
    verdicts = [limiter.decide(name) for name in ("a", "b", "c")]
    limiter.refund(verdicts[1])
    assert ([item.name for item in bucket.items], bucket.count()) == (["a", "c"], 2)
    newest = bucket.peek(0)
    assert newest is not None and newest.name == "c"


def test_two_limiters_over_one_bucket_give_back_what_either_took() -> None:
    bucket = InMemoryBucket(RATES)
    one, other = Limiter(bucket), Limiter(bucket)
    assert other.refund(one.decide(weight=3)) == 3
    assert bucket.count() == 0


def test_a_verdict_is_given_back_to_the_bucket_that_took_it_by_whatever_limiter() -> None:
    one, other = Limiter(RATES), Limiter(RATES)
    verdict = one.decide(weight=2)
    other.decide(weight=1)
    assert other.refund(verdict) == 2
    assert (one.peek().used, other.peek().used) == (0, 1)


def test_a_pickled_limiter_takes_back_what_it_had_taken() -> None:
    limiter = Limiter(RATES)
    verdict = limiter.decide(weight=2)
    copy, verdict_there = pickle.loads(pickle.dumps((limiter, verdict)))
    assert copy.refund(verdict_there) == 2
    assert (copy.peek().used, limiter.peek().used) == (0, 2)


@pytest.mark.parametrize("make", [PlainBucket, lambda rates: BucketAsyncWrapper(PlainBucket(rates))])
def test_what_a_bucket_of_ones_own_took_cannot_be_given_back(make: Any) -> None:
    limiter = Limiter(make(RATES))
    verdict = asyncio.run(limiter.decide_async("a"))
    right = "cannot give back what it counted: it decides by its own methods.*Limiters over rates.*Limiter.open and Limiter.per_key can"
    with pytest.raises(TypeError, match=right):
        limiter.refund(verdict)
    with pytest.raises(TypeError, match=right):
        asyncio.run(limiter.refund_async(verdict))
    assert limiter.refund(asyncio.run(limiter.decide_async("a", 9))) == 0


def test_what_a_bucket_took_after_it_was_changed_cannot_be_given_back() -> None:
    bucket = InMemoryBucket(RATES)
    limiter = Limiter(bucket)
    bucket._clock = WallClock()
    with pytest.raises(TypeError, match="InMemoryBucket cannot give back"):
        limiter.refund(limiter.decide("a"))


def test_what_is_no_verdict_is_refused() -> None:
    limiter = Limiter(RATES)
    for wrong in (True, None, limiter.peek()):
        with pytest.raises(TypeError, match="refund takes a Verdict, as decide gives it; not"):
            limiter.refund(wrong)  # type: ignore[arg-type]
