"""Units that are held until it is known what was used."""

from __future__ import annotations

import asyncio
import gc
import pickle
import weakref
from typing import Any

import pytest

from beyond.by_hand import timed
from beyond.right_bucket import PlainBucket
from beyond.stores import on_every_store
from scupper import BucketAsyncWrapper, Duration, InMemoryBucket, Limiter, Rate, Reservation, StateBucket
from support.clocks import HandClock
from support.threads import Running, together
from support.waits import within_bound

RATES = [Rate(10, Duration.HOUR)]

LIMITERS = [
    pytest.param(lambda: Limiter(RATES), id="memory"),
    pytest.param(lambda: Limiter(StateBucket(RATES)), id="gcra"),
    pytest.param(lambda: Limiter.open("memory:", RATES), id="store"),
    pytest.param(lambda: Limiter.per_key(RATES), id="per_key"),
    *on_every_store(RATES),
    pytest.param(lambda: timed(InMemoryBucket, RATES, HandClock(10_000_000)), id="factory"),
    pytest.param(lambda: timed(StateBucket, RATES, HandClock(10_000_000)), id="factory of gcra"),
]
every_limiter = pytest.mark.parametrize("make", LIMITERS)
every_log = pytest.mark.parametrize("make", [each for each in LIMITERS if "gcra" not in str(each.id)])


class Failed(Exception):
    pass


async def reserving(limiter: Limiter, *arguments: Any, **named: Any) -> asyncio.Task[Reservation]:
    """A task that has got as far as its wait for a reservation."""
    task = asyncio.create_task(limiter.reserve_async(*arguments, **named))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not task.done(), f"it did not wait: {task}"
    return task


@every_limiter
@pytest.mark.parametrize("units", [0, 1, 5])
def test_what_was_not_used_is_given_back(make: Any, units: int) -> None:
    limiter = make()
    reservation = limiter.reserve("a", 5)
    assert (reservation.weight, reservation.name, limiter.peek("a").used) == (5, "a", 5)
    reservation.settle(units)
    assert limiter.peek("a").used == units

    async def main() -> None:
        reservation = await limiter.reserve_async("a", 5)
        await reservation.settle_async(units)
        assert (await limiter.peek_async("a")).used == 2 * units

    asyncio.run(main())


@every_limiter
def test_a_block_that_ends_unsettled_keeps_all_and_one_that_fails_gives_all_back(make: Any) -> None:
    limiter = make()
    with limiter.reserve("a", 3):
        pass
    with pytest.raises(Failed), limiter.reserve("a", 4):
        raise Failed
    assert limiter.peek("a").used == 3
    with limiter.reserve("a", 4) as reservation:
        reservation.settle(1)
    assert limiter.peek("a").used == 4
    with pytest.raises(Failed), limiter.reserve("a", 4) as reservation:
        reservation.settle(2)
        raise Failed
    assert limiter.peek("a").used == 6


@every_limiter
def test_an_async_block_does_the_same(make: Any) -> None:
    async def main() -> None:
        limiter = make()
        async with await limiter.reserve_async("a", 3):
            pass
        with pytest.raises(Failed):
            async with await limiter.reserve_async("a", 4):
                raise Failed
        assert (await limiter.peek_async("a")).used == 3
        async with await limiter.reserve_async("a", 4) as reservation:
            await reservation.settle_async(1)
        assert (await limiter.peek_async("a")).used == 4

    asyncio.run(main())


@every_limiter
def test_a_task_that_is_cancelled_in_its_block_gives_all_back(make: Any) -> None:
    async def main() -> None:
        limiter = make()
        inside = asyncio.Event()

        async def work() -> None:
            async with await limiter.reserve_async("a", 4):
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await within_bound(inside.wait())
        task.cancel()
        await asyncio.wait([task])
        assert (await limiter.peek_async("a")).used == 0

    asyncio.run(main())


@every_limiter
def test_cancel_gives_all_back_once_and_after_a_settlement_nothing(make: Any) -> None:
    limiter = make()
    cancelled, settled = limiter.reserve("a", 4), limiter.reserve("a", 4)
    cancelled.cancel()
    cancelled.cancel()
    settled.settle(3)
    settled.cancel()
    asyncio.run(settled.cancel_async())
    assert limiter.peek("a").used == 3
    with pytest.raises(RuntimeError, match=r"settled already: Reservation\(name='a', weight=4, kept 3\)"):
        settled.settle(1)
    with pytest.raises(RuntimeError, match="settled already"):
        asyncio.run(cancelled.settle_async(1))


@every_limiter
def test_a_reservation_that_is_dropped_keeps_its_units(make: Any) -> None:
    limiter = make()
    reservation = limiter.reserve("a", 4)
    gone = weakref.ref(reservation)
    del reservation
    gc.collect()
    assert gone() is None
    assert limiter.peek("a").used == 4


@every_limiter
def test_a_thread_waits_for_units_and_gets_what_a_settlement_gives_back(make: Any) -> None:
    limiter = make()
    first = limiter.reserve("a", 10)
    waiting = Running(lambda: limiter.reserve("a", 6)).until_asleep()
    first.settle(4)
    second = waiting.result()
    assert (second.weight, limiter.peek("a").used) == (6, 10)
    second.cancel()
    assert limiter.peek("a").used == 4


@every_limiter
def test_tasks_wait_in_line_for_units_that_are_given_back(make: Any) -> None:
    async def main() -> None:
        limiter = make()
        first = await limiter.reserve_async("a", 10)
        tasks = [await reserving(limiter, "a", weight) for weight in (6, 4)]
        assert not await limiter.decide_async("a")
        await first.settle_async(4)
        second = await within_bound(tasks[0])
        assert not tasks[1].done()
        await second.cancel_async()
        third = await within_bound(tasks[1])
        assert (await limiter.peek_async("a")).used == 4 + third.weight

    asyncio.run(main())


@every_limiter
def test_a_task_that_is_cancelled_while_it_waits_leaves_the_line(make: Any) -> None:
    async def main() -> None:
        limiter = make()
        first = await limiter.reserve_async("a", 10)
        gone, waits = await reserving(limiter, "a", 10), await reserving(limiter, "a", 1)
        gone.cancel()
        await asyncio.wait([gone])
        await first.settle_async(9)
        assert (await within_bound(waits)).weight == 1
        assert (await limiter.peek_async("a")).used == 10

    asyncio.run(main())


@every_limiter
def test_what_is_not_to_be_had_in_time_or_ever_is_told_apart(make: Any) -> None:
    limiter = make()
    limiter.decide("a", 8)
    with pytest.raises(TimeoutError, match="there is no room for 3 units within 0.01 seconds"):
        limiter.reserve("a", 3, timeout=0.01)
    with pytest.raises(TimeoutError):
        asyncio.run(limiter.reserve_async("a", 3, timeout=0))
    for timeout in (-1, 5):
        with pytest.raises(ValueError, match="11 units never fit .*: reserve 10 at the most"):
            limiter.reserve("a", 11, timeout)
    with pytest.raises(ValueError, match="never fit"):
        asyncio.run(limiter.reserve_async("a", 2**80))
    assert limiter.reserve("a", 2, timeout=0).weight == 2
    assert limiter.peek("a").used == 10


@every_limiter
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0,), ValueError, "weight must be at least 1; not 0"),
        (("1",), TypeError, "weight must be a whole number"),
        ((1, -2), ValueError, "timeout must be -1 or >= 0; not -2"),
        ((1, float("nan")), ValueError, "timeout must be -1 or >= 0; not nan"),
        ((1, float("inf")), OverflowError, "timeout is too large.*or -1 for no limit"),
        ((1, "1"), TypeError, "timeout must be a number of seconds, or -1 for no limit; not '1'"),
    ],
)
def test_wrong_arguments_are_refused_with_what_would_be_right(
    make: Any, arguments: Any, error: Any, message: str
) -> None:
    limiter = make()
    with pytest.raises(error, match=message):
        limiter.reserve("a", *arguments)
    with pytest.raises(error, match=message):
        asyncio.run(limiter.reserve_async("a", *arguments))


@every_limiter
def test_more_than_was_reserved_cannot_be_settled(make: Any) -> None:
    limiter = make()
    reservation = limiter.reserve("a", 2)
    with pytest.raises(ValueError, match="3 units are more than the 2 that were reserved.*with penalize"):
        reservation.settle(3)
    with pytest.raises(ValueError, match="units must be at least 0; not -1"):
        reservation.settle(-1)
    with pytest.raises(TypeError, match="units must be a whole number, as an int; not 0.5"):
        reservation.settle(0.5)  # type: ignore[arg-type]
    assert repr(reservation) == "Reservation(name='a', weight=2, open)"
    reservation.settle(1)
    assert limiter.peek("a").used == 1


@every_limiter
def test_it_is_settled_after_the_limiter_was_closed(make: Any) -> None:
    limiter = make()
    reservation, other = limiter.reserve("a", 2), limiter.reserve("a", 2)
    limiter.close()
    reservation.settle(1)
    asyncio.run(other.settle_async(0))
    with pytest.raises(RuntimeError, match="limiter is closed"):
        limiter.reserve("a")


@every_limiter
def test_close_wakes_those_who_wait_for_units(make: Any) -> None:
    limiter = make()
    limiter.reserve("a", 10)
    waiting = Running(lambda: limiter.reserve("a")).until_asleep()
    limiter.close()
    with pytest.raises(RuntimeError, match="limiter is closed"):
        waiting.result()


@every_limiter
def test_it_stays_in_its_process(make: Any) -> None:
    with pytest.raises(TypeError, match="a reservation cannot be pickled; settle it in the process that made it"):
        pickle.dumps(make().reserve("a"))


@every_log
def test_threads_that_reserve_and_settle_at_once_leave_what_they_kept(make: Any) -> None:
    limiter = make()

    def work(index: int) -> None:
        for _ in range(10):
            with limiter.reserve("a", 3) as reservation:
                reservation.settle(0)

    together(6, work)
    assert limiter.peek("a").used == 0


@pytest.mark.parametrize("make", [PlainBucket, lambda rates: BucketAsyncWrapper(PlainBucket(rates))])
def test_a_bucket_of_ones_own_cannot_reserve(make: Any) -> None:
    limiter = Limiter(make(RATES))
    with pytest.raises(TypeError, match="cannot reserve: it decides by its own methods.*Limiters over rates"):
        asyncio.run(limiter.reserve_async("a"))
    assert asyncio.run(limiter.decide_async("a")), "the line is free again"


def test_a_wrapped_bucket_reserves_for_tasks_and_says_so_to_threads() -> None:
    limiter = Limiter(BucketAsyncWrapper(InMemoryBucket(RATES)))

    async def main() -> None:
        async with await limiter.reserve_async("a", 4) as reservation:
            await reservation.settle_async(1)
        with pytest.raises(TypeError, match="use the reservation with async with, settle_async and cancel_async"):
            with await limiter.reserve_async("a", 4) as reservation:
                reservation.settle(2)
        assert repr(reservation) == "Reservation(name='a', weight=4, open)"
        await reservation.settle_async(2)
        assert (await limiter.peek_async("a")).used == 3
        assert (await limiter.peek("a")).used == 3  # type: ignore[misc]

    asyncio.run(main())
