"""What limiters on stores tell and take back, beside letting requests pass."""

import asyncio
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from support.packages import SCUPPER
from support.threads import BOUND, Running, eventually
from support.waits import WEEK

HOUR = SCUPPER.Duration.HOUR
Call = Callable[..., Any]


def plainly(limiter: Any, method: str, *arguments: Any, **named: Any) -> Any:
    return getattr(limiter, method)(*arguments, **named)


def in_loop(limiter: Any, method: str, *arguments: Any, **named: Any) -> Any:
    return asyncio.run(getattr(limiter, f"{method}_async")(*arguments, **named))


both = pytest.mark.parametrize("call", [plainly, in_loop], ids=["in a thread", "in a loop"])


@both
def test_a_decision_tells_what_is_left_and_when_to_come_back(make: Any, call: Call) -> None:
    limiter = make((3, HOUR), (4, WEEK))
    verdict = call(limiter, "decide", "x", 2)
    assert verdict and (verdict.limit, verdict.remaining, verdict.retry_after, verdict.never) == (3, 1, None, False)
    assert WEEK.value / 1000 - 60 < verdict.reset_after <= WEEK.value / 1000 + 1
    denied = call(limiter, "decide", "x", 2)
    assert not denied and (denied.rate, denied.remaining) == (limiter.bucket_factory.bucket.rates[0], 1)
    assert HOUR.value / 1000 - 60 < denied.retry_after <= HOUR.value / 1000 + 1
    never = call(limiter, "decide", "x", 5)
    assert not never and (never.never, never.retry_after) == (True, None)


@both
def test_a_look_takes_nothing(make: Any, call: Call) -> None:
    limiter = make((3, HOUR), (4, WEEK))
    assert limiter.try_acquire("x", 2)
    for _ in range(2):
        usage = call(limiter, "peek", "x")
        assert (usage.limit, usage.used, usage.remaining) == (3, 2, 1)
        assert [(each.used, each.remaining) for each in usage.rates] == [(2, 1), (2, 2)]


@both
def test_what_a_decision_took_is_given_back_once(make: Any, call: Call) -> None:
    limiter = make((3, WEEK))
    verdict = pickle.loads(pickle.dumps(limiter.decide("x", 2)))
    assert call(limiter, "refund", verdict) == 2
    assert call(limiter, "refund", verdict) == 0
    assert limiter.peek("x").used == 0


@both
def test_what_is_reserved_is_settled(make: Any, call: Call) -> None:
    limiter = make((10, WEEK))
    reservation = call(limiter, "reserve", "x", 8)
    assert limiter.peek("x").used == 8
    call(reservation, "settle", 3)
    assert limiter.peek("x").used == 3
    call(call(limiter, "reserve", "x", 7), "cancel")
    assert limiter.peek("x").used == 3
    with pytest.raises(TimeoutError):
        call(limiter, "reserve", "x", 8, timeout=1)


@both
def test_a_reservation_waits_for_room_in_line(make: Any, call: Call) -> None:
    limiter = make((2, WEEK))
    assert limiter.try_acquire("x", 2)
    waiting = Running(lambda: call(limiter, "reserve", "x", 1)).until_asleep()
    limiter.bucket_factory.bucket.rates = [SCUPPER.Rate(3, WEEK)]
    assert waiting.result().weight == 1
    eventually(lambda: limiter.peek("x").used == 3, "it is counted")


@both
def test_a_penalty_and_a_hold_keep_requests_out(make: Any, call: Call) -> None:
    limiter = make((3, WEEK), denial_cache=0)
    call(limiter, "penalize", "x", 2)
    assert [limiter.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]
    assert call(limiter, "reset", "x") is True
    call(limiter, "hold", "x", 3600)
    held = call(limiter, "decide", "x")
    assert not held and 3500 < held.retry_after <= 3600
    assert call(limiter, "reset", "x") is True
    assert limiter.try_acquire("x", 3, blocking=False)


@both
def test_a_reset_is_of_one_name(url: str, key: str, call: Call) -> None:
    limiter = SCUPPER.Limiter.per_key(SCUPPER.Rate(1, WEEK), store=url, prefix=key, call_timeout=BOUND)
    assert all(limiter.try_acquire(name) for name in "ab")
    assert call(limiter, "reset", "a")
    assert [limiter.try_acquire(name, blocking=False) for name in "ab"] == [True, False]
