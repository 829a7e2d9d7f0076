"""Waits for room in a store, and their ends."""

import asyncio
import gc
import time
import weakref
from typing import Any

import pytest
from support.packages import SCUPPER
from support.threads import BOUND, Late, Running, eventually, in_a_window
from support.waits import WEEK, started, within_bound


def bucket_of(limiter: Any) -> Any:
    return limiter.bucket_factory.bucket


def used(limiter: Any, name: str = "x") -> int:
    """The units that count under the longest rate."""
    usage: Any = bucket_of(limiter)._native.usage(name)
    return int(usage[1][-1][0])


def test_a_thread_waits_as_long_as_it_must_and_no_less(make: Any) -> None:
    limiter = make((2, 300))
    start = time.monotonic()
    assert all(limiter.try_acquire("x") for _ in range(5))
    assert 0.6 <= time.monotonic() - start < 0.6 + BOUND


def test_a_task_waits_as_long_as_it_must_and_no_less(make: Any) -> None:
    limiter = make((2, 300))

    async def main() -> float:
        start = time.monotonic()
        assert all([await limiter.try_acquire_async("x") for _ in range(5)])
        return time.monotonic() - start

    assert 0.6 <= asyncio.run(main()) < 0.6 + BOUND


def test_threads_are_served_in_the_order_in_which_they_came(make: Any) -> None:
    limiter = make((1, WEEK))
    assert limiter.try_acquire("x")
    served: list[int] = []

    def wait(number: int) -> None:
        assert limiter.try_acquire("x")
        served.append(number)

    waiting = [Running(lambda number=number: wait(number)).until_asleep() for number in range(4)]
    for number in range(4):
        bucket_of(limiter).rates = [SCUPPER.Rate(number + 2, WEEK)]
        eventually(lambda: len(served) > number, "the next is served")
    for each in waiting:
        each.result()
    assert served == [0, 1, 2, 3]


def test_tasks_are_served_in_the_order_in_which_they_came(make: Any) -> None:
    limiter = make((1, 50))
    served: list[int] = []

    async def wait(number: int) -> None:
        assert await limiter.try_acquire_async("x")
        served.append(number)

    async def main() -> None:
        assert await limiter.try_acquire_async("x")
        await within_bound(asyncio.gather(*[wait(number) for number in range(6)]))

    asyncio.run(main())
    assert served == list(range(6))


def test_who_does_not_wait_does_not_go_before_those_who_do(make: Any) -> None:
    limiter = make((2, WEEK))
    assert limiter.try_acquire("x")
    heavy = Running(lambda: limiter.try_acquire("x", 2)).until_asleep()
    assert limiter.try_acquire("x", blocking=False) is False
    bucket_of(limiter).rates = [SCUPPER.Rate(3, WEEK)]
    assert heavy.result() is True


def test_names_do_not_wait_for_each_other_per_key(url: str, key: str) -> None:
    limiter = SCUPPER.Limiter.per_key(SCUPPER.Rate(1, WEEK), store=url, prefix=key, call_timeout=BOUND)
    assert limiter.try_acquire("full")
    waiting = Running(lambda: limiter.try_acquire("full")).until_asleep()

    async def main() -> None:
        task = await started(limiter, "full")
        assert await within_bound(limiter.try_acquire_async("free")) is True
        task.cancel()

    asyncio.run(main())
    assert limiter.try_acquire("another") is True
    limiter.close()
    with pytest.raises(RuntimeError, match="limiter is closed"):
        waiting.result()


def test_one_limiter_serves_two_loops_and_a_thread(make: Any) -> None:
    limiter = make((4, 50))

    async def main() -> list[bool]:
        return await asyncio.gather(*[limiter.try_acquire_async("x") for _ in range(8)])

    loops = [Running(lambda: asyncio.run(main())) for _ in range(2)]
    thread = Running(lambda: [limiter.try_acquire("x") for _ in range(8)])
    assert [each.result() for each in (*loops, thread)] == [[True] * 8] * 3


def test_a_limiter_is_made_before_any_loop_and_serves_two_in_turn(make: Any) -> None:
    limiter = make((1, 30))
    for _ in range(2):
        assert asyncio.run(limiter.try_acquire_async("x")) is True


def test_a_cancelled_task_takes_nothing_and_lets_the_next_go_on(make: Any) -> None:
    async def main(limiter: Any) -> None:
        assert await limiter.try_acquire_async("x")
        before = used(limiter)
        task = await started(limiter, "x")
        behind = asyncio.create_task(limiter.try_acquire_async("x"))
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
        else:
            raise Late("it has its unit already")
        assert await within_bound(behind) is True
        eventually(lambda: used(limiter) == before + 1, "one of the two is counted")

    in_a_window(lambda window: asyncio.run(main(make((1, window), (1_000, WEEK)))), 300, 3_000)


def test_tasks_that_are_cancelled_at_any_moment_lose_no_permit(make: Any) -> None:
    limiter = make((1_000, WEEK))

    async def main() -> int:
        admitted = 0
        for turns in range(60):
            task = asyncio.ensure_future(limiter.try_acquire_async("x"))
            for _ in range(turns % 4):
                await asyncio.sleep(0)
            task.cancel()
            try:
                admitted += await task
            except asyncio.CancelledError:
                pass
        return admitted

    admitted = asyncio.run(main())
    # What is given back may be on its way yet.
    eventually(lambda: used(limiter) == admitted, f"{admitted} units are counted, those that somebody has")


def test_a_time_limit_of_asyncio_ends_a_wait(make: Any) -> None:
    limiter = make((1, WEEK))

    async def main() -> None:
        assert await limiter.try_acquire_async("x")
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(limiter.try_acquire_async("x"), 0.05)

    asyncio.run(main())
    assert used(limiter) == 1


def test_a_wait_ends_at_its_time_limit_if_room_comes_too_late(make: Any) -> None:
    def attempt(window: int) -> None:
        limiter = make((1, window), (1_000, WEEK))
        began = time.monotonic()
        assert limiter.try_acquire("x")
        ahead = Running(lambda: limiter.try_acquire("x")).until_asleep()
        before = time.monotonic() - began
        answer = limiter.try_acquire("x", timeout=1.2 * window / 1000)
        assert ahead.result() is True
        if before > 0.6 * window / 1000:
            raise Late("room may have come in time")
        assert answer is False

    in_a_window(attempt, 500, 5_000)


def test_close_wakes_all_who_wait_and_ends_all_later_calls(make: Any) -> None:
    limiter = make((1, WEEK))
    assert limiter.try_acquire("x")
    waiting = Running(lambda: limiter.try_acquire("x")).until_asleep()
    running = Running(lambda: asyncio.run(limiter.try_acquire_async("x"))).until_asleep()
    limiter.close()
    for each in (waiting, running):
        with pytest.raises(RuntimeError, match="limiter is closed"):
            each.result()
    with pytest.raises(RuntimeError, match="limiter is closed"):
        limiter.try_acquire("x")


def test_a_limiter_that_is_closed_goes_with_its_connections_once_nobody_refers_to_it(make: Any) -> None:
    limiter = make((1, WEEK))
    assert limiter.try_acquire("x")
    gone = weakref.ref(bucket_of(limiter))
    gc.disable()
    try:
        limiter.close()
        with pytest.raises(ValueError, match="timeout must be -1 or >= 0"):
            limiter.try_acquire("x", timeout=-2)
        del limiter
        assert gone() is None
    finally:
        gc.enable()


def test_a_limiter_that_is_closed_leaves_another_on_the_same_store_at_work(shared: Any) -> None:
    closed, other = shared((2, WEEK)), shared((2, WEEK))
    assert closed.try_acquire("x")
    closed.close()
    assert other.try_acquire("x")
    assert not other.try_acquire("x", blocking=False)


def test_no_more_wait_than_may(make: Any) -> None:
    limiter = make((1, WEEK), max_waiting=1)
    assert limiter.try_acquire("x")
    waiting = Running(lambda: limiter.try_acquire("x")).until_asleep()
    with pytest.raises(SCUPPER.StoreError) as refused:
        limiter.try_acquire("x")
    assert refused.value.kind == "QueueFull"
    limiter.close()
    with pytest.raises(RuntimeError):
        waiting.result()


def test_limiters_of_one_process_on_one_key_stand_in_one_line(shared: Any) -> None:
    limiters = [shared((1, WEEK)) for _ in range(3)]
    assert limiters[0].try_acquire("x")
    served: list[int] = []

    def wait(number: int) -> None:
        assert limiters[number].try_acquire("x")
        served.append(number)

    waiting = [Running(lambda number=number: wait(number)).until_asleep() for number in range(3)]
    for number in range(3):
        limiters[0].reset("x")
        eventually(lambda: len(served) > number, "the next is served")
    for each in waiting:
        each.result()
    assert served == [0, 1, 2]
