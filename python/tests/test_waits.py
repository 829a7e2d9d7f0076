"""Waits: in line, exact, bounded, silent, and without a trace when they are given up."""

import asyncio
import time
from typing import Any

import pytest

from support.packages import SCUPPER
from support.paths import ASYNC, LOGS, SYNC, Path, admitted, bucket_of, named, native, native_tokens, users_bucket
from support.threads import BOUND, Running, eventually, together

WEEK = SCUPPER.Duration.WEEK

sync_paths = pytest.mark.parametrize("path", SYNC, ids=named)
log_paths = pytest.mark.parametrize("path", LOGS, ids=named)
async_paths = pytest.mark.parametrize("path", ASYNC, ids=named)


async def started(limiter: Any, *arguments: Any, **named: Any) -> "asyncio.Task[bool]":
    """A task that has got as far as its wait."""
    task = asyncio.create_task(limiter.try_acquire_async(*arguments, **named))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not task.done(), f"it did not wait: {task}"
    return task


async def within_bound(awaitable: Any) -> Any:
    return await asyncio.wait_for(awaitable, BOUND)


def at_once(call: Any) -> Any:
    """The result of a coroutine that never gives up its turn."""
    with pytest.raises(StopIteration) as end:
        call.send(None)
    return end.value.value


class TestLine:
    @async_paths
    def test_tasks_are_served_in_the_order_they_came(self, path: Path) -> None:
        served: list[int] = []

        async def one(limiter: Any, number: int) -> None:
            assert await limiter.try_acquire_async("x")
            served.append(number)

        async def main() -> None:
            limiter = path((1, 15))
            await within_bound(asyncio.gather(*(one(limiter, number) for number in range(8))))
            limiter.close()

        asyncio.run(main())
        assert served == list(range(8))

    @log_paths
    def test_threads_are_served_in_the_order_they_came(self, path: Path) -> None:
        limiter = path((4, 1000))
        assert limiter.try_acquire("before", 4)
        waiting = [Running(lambda name=name: limiter.try_acquire(name)).until_asleep() for name in "abcd"]
        assert [each.result() for each in waiting] == [True] * 4
        assert [item.name for item in admitted(limiter)][-4:] == ["a", "b", "c", "d"]
        limiter.close()

    @async_paths
    def test_light_ones_do_not_starve_a_heavy_one(self, path: Path) -> None:
        served: list[str] = []

        async def one(limiter: Any, name: str, weight: int) -> None:
            assert await limiter.try_acquire_async(name, weight)
            served.append(name)

        async def main() -> None:
            limiter = path((3, 60))
            assert await limiter.try_acquire_async("before", 2)
            names = [("heavy", 3), ("light 0", 1), ("light 1", 1), ("light 2", 1)]
            await within_bound(asyncio.gather(*(one(limiter, *each) for each in names)))
            limiter.close()

        asyncio.run(main())
        assert served == ["heavy", "light 0", "light 1", "light 2"]

    @async_paths
    def test_nobody_jumps_the_line_and_a_cancelled_waiter_leaves_no_trace(self, path: Path) -> None:
        async def main() -> None:
            limiter = path((2, WEEK))
            assert await limiter.try_acquire_async("one", blocking=False)
            heavy = await started(limiter, "two", 2)
            assert await within_bound(limiter.try_acquire_async("light", blocking=False)) is False
            heavy.cancel()
            with pytest.raises(asyncio.CancelledError):
                await heavy
            assert await limiter.try_acquire_async("light", blocking=False) is True
            assert await limiter.try_acquire_async("light", blocking=False) is False
            limiter.close()

        asyncio.run(main())

    @sync_paths
    def test_tasks_and_threads_stand_in_one_line(self, path: Path) -> None:
        async def main() -> None:
            limiter = path((2, WEEK))
            assert limiter.try_acquire("one")
            heavy = await started(limiter, "two", 2)
            asked = Running(lambda: limiter.try_acquire("light", blocking=False))
            assert await asyncio.to_thread(asked.result) is False
            heavy.cancel()
            with pytest.raises(asyncio.CancelledError):
                await heavy
            assert limiter.try_acquire("light", blocking=False) is True
            limiter.close()

        asyncio.run(main())

    @async_paths
    def test_a_waiter_cancelled_in_the_middle_lets_those_behind_it_come(self, path: Path) -> None:
        async def main() -> None:
            limiter = path((1, 30))
            assert await limiter.try_acquire_async("x")
            tasks = [await started(limiter, "x") for _ in range(4)]
            tasks[0].cancel()
            tasks[2].cancel()
            results = await within_bound(asyncio.gather(*tasks, return_exceptions=True))
            assert [each is True for each in results] == [False, True, False, True]
            limiter.close()

        asyncio.run(main())

    @log_paths
    def test_a_name_with_a_bucket_of_its_own_does_not_wait_behind_another(self, path: Path) -> None:
        class PerName(SCUPPER.BucketFactory):
            def __init__(self) -> None:
                self.made: dict[str, Any] = {}

            def wrap_item(self, name: str, weight: int = 1) -> Any:
                return SCUPPER.RateItem(name, SCUPPER.MonotonicClock().now(), weight)

            def get(self, item: Any) -> Any:
                return self.made.setdefault(item.name, bucket_of(path((1, WEEK))))

        async def main() -> None:
            limiter = SCUPPER.Limiter(PerName())
            assert await limiter.try_acquire_async("full")
            stuck = await started(limiter, "full")
            assert await within_bound(limiter.try_acquire_async("free")) is True
            assert await within_bound(limiter.try_acquire_async("full", blocking=False)) is False
            stuck.cancel()
            limiter.close()

        asyncio.run(main())


class TestExactness:
    @log_paths
    @pytest.mark.parametrize("entry", ["sync", "async"])
    def test_a_wait_is_over_all_rates_and_no_window_is_exceeded(self, path: Path, entry: str) -> None:
        limiter = path((2, 40), (3, 150))
        began = time.monotonic()
        for _ in range(6):
            if entry == "sync":
                assert limiter.try_acquire("x")
            else:
                assert asyncio.run(limiter.try_acquire_async("x"))
        assert time.monotonic() - began >= 0.150
        ticks = [item.timestamp for item in admitted(limiter)]
        limiter.close()
        assert len(ticks) >= 3, "the newest stay in their window"
        assert all(later - earlier >= 150 for earlier, later in zip(ticks, ticks[3:])), ticks
        assert all(later - earlier >= 40 for earlier, later in zip(ticks, ticks[2:])), ticks

    def test_one_wait_serves_all_rates(self) -> None:
        limiter = users_bucket((1, 20), (2, 120))
        bucket = limiter.bucket_factory.bucket
        assert limiter.try_acquire("x") and limiter.try_acquire("x")
        bucket.puts = 0
        assert limiter.try_acquire("x")
        assert bucket.puts == 2, "denied once, then admitted"
        limiter.close()

    @sync_paths
    def test_a_weight_that_never_fits_is_refused_at_once(self, path: Path) -> None:
        limiter = path((2, WEEK))
        assert limiter.try_acquire("x", 2)
        assert Running(lambda: limiter.try_acquire("x", 3)).result() is False
        assert Running(lambda: asyncio.run(limiter.try_acquire_async("x", 3))).result() is False
        limiter.close()


class TestDeadlines:
    @sync_paths
    def test_a_deadline_that_cannot_be_met_returns_at_once(self, path: Path) -> None:
        limiter = path((1, WEEK))
        assert limiter.try_acquire("x")
        assert Running(lambda: limiter.try_acquire("x", timeout=10**5)).result() is False
        assert Running(lambda: asyncio.run(limiter.try_acquire_async("x", timeout=10**5))).result() is False
        limiter.close()

    @sync_paths
    def test_a_deadline_that_can_be_met_waits(self, path: Path) -> None:
        limiter = path((1, 60))
        assert limiter.try_acquire("x", timeout=20)
        assert limiter.try_acquire("x", timeout=20)
        assert asyncio.run(limiter.try_acquire_async("x", timeout=20))
        limiter.close()

    @async_paths
    def test_a_deadline_behind_others_ends_and_leaves_no_trace(self, path: Path) -> None:
        async def main() -> None:
            limiter = path((2, WEEK))
            assert await limiter.try_acquire_async("one")
            front = await started(limiter, "two", 2)
            assert await within_bound(limiter.try_acquire_async("three", timeout=0.05)) is False
            front.cancel()
            with pytest.raises(asyncio.CancelledError):
                await front
            assert await limiter.try_acquire_async("four", blocking=False) is True
            limiter.close()

        asyncio.run(main())

    @sync_paths
    def test_a_thread_behind_others_returns_at_its_deadline(self, path: Path) -> None:
        limiter = path((2, WEEK))
        assert limiter.try_acquire("one")
        front = Running(lambda: pytest.raises(RuntimeError, limiter.try_acquire, "two", 2)).until_asleep()
        assert Running(lambda: limiter.try_acquire("three", timeout=0.05)).result() is False
        limiter.close()
        front.result()

    @async_paths
    def test_an_outer_timeout_cancels_the_wait(self, path: Path) -> None:
        async def main() -> None:
            limiter = path((2, WEEK))
            assert await limiter.try_acquire_async("one")
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(limiter.try_acquire_async("two", 2), 0.02)
            assert await limiter.try_acquire_async("three", blocking=False) is True
            limiter.close()

        asyncio.run(main())


class TestQuiet:
    WAIT_MS = 300
    BUSY = 0.06
    """Seconds of the processor; a loop would take most of the wait."""

    @sync_paths
    def test_a_waiting_thread_uses_no_processor(self, path: Path) -> None:
        limiter = path((1, self.WAIT_MS))
        assert limiter.try_acquire("x")

        def used() -> float:
            began = time.thread_time()
            assert limiter.try_acquire("x")
            return time.thread_time() - began

        assert Running(used).result() < self.BUSY
        limiter.close()

    @async_paths
    def test_a_waiting_task_uses_no_processor(self, path: Path) -> None:
        async def main() -> float:
            limiter = path((1, self.WAIT_MS))
            assert await limiter.try_acquire_async("x")
            began = time.thread_time()
            assert await within_bound(limiter.try_acquire_async("x"))
            used = time.thread_time() - began
            limiter.close()
            return used

        assert asyncio.run(main()) < self.BUSY

    def test_a_user_is_asked_once_for_each_turn(self) -> None:
        async def main() -> int:
            limiter = users_bucket((1, 30))
            tasks = [limiter.try_acquire_async("x") for _ in range(10)]
            assert all(await within_bound(asyncio.gather(*tasks)))
            limiter.close()
            return limiter.bucket_factory.bucket.puts

        # One for each of the ten, and one denial before each of the nine waits; timers may be early once or twice.
        assert asyncio.run(main()) <= 10 + 9 + 4

    @async_paths
    def test_the_loop_lives_while_tasks_wait(self, path: Path) -> None:
        async def main() -> int:
            limiter = path((1, 150))
            turns = 0
            assert await limiter.try_acquire_async("x")
            task = await started(limiter, "x")
            while not task.done():
                turns += 1
                await asyncio.sleep(0.005)
            limiter.close()
            return turns

        assert asyncio.run(main()) >= 5


class TestSharing:
    @sync_paths
    def test_contention_is_never_a_denial(self, path: Path) -> None:
        limiter = path((10**6, WEEK))
        verdicts = together(4, lambda _: [limiter.try_acquire("x", blocking=False) for _ in range(1000)])
        limiter.close()
        assert sum(map(sum, verdicts)) == 4000

    @sync_paths
    def test_threads_together_get_what_there_is_and_no_more(self, path: Path) -> None:
        limiter = path((1000, WEEK))
        verdicts = together(4, lambda _: [limiter.try_acquire("x", blocking=False) for _ in range(400)])
        limiter.close()
        assert sum(map(sum, verdicts)) == 1000

    @sync_paths
    def test_a_limiter_made_before_any_loop_serves_one_loop_after_another(self, path: Path) -> None:
        limiter = path((3, WEEK))
        assert [asyncio.run(limiter.try_acquire_async("x", blocking=False)) for _ in range(4)] == [True, True, True, False]
        limiter.close()

    def test_a_limiter_over_an_async_bucket_can_be_made_before_any_loop(self) -> None:
        bucket = SCUPPER.BucketAsyncWrapper(SCUPPER.InMemoryBucket([SCUPPER.Rate(2, WEEK)]))
        limiter = SCUPPER.Limiter(bucket)
        assert [asyncio.run(limiter.try_acquire_async("x", blocking=False)) for _ in range(3)] == [True, True, False]
        limiter.close()

    @sync_paths
    def test_two_loops_in_two_threads_share_a_limiter(self, path: Path) -> None:
        limiter = path((1, 10))

        async def five() -> list[bool]:
            return await asyncio.gather(*(limiter.try_acquire_async("x") for _ in range(5)))

        began = time.monotonic()
        assert together(2, lambda _: asyncio.run(five())) == [[True] * 5] * 2
        assert time.monotonic() - began >= 9 * 0.010
        limiter.close()

    @sync_paths
    def test_a_wait_in_a_loop_that_ended_is_no_hindrance(self, path: Path) -> None:
        limiter = path((2, WEEK))
        assert limiter.try_acquire("x")

        async def abandon() -> None:
            await started(limiter, "x", 2)

        asyncio.run(abandon())
        assert limiter.try_acquire("x", blocking=False) is True
        limiter.close()

    def test_a_busy_bucket_of_a_user_is_no_denial(self) -> None:
        import threading

        entered, leave = threading.Event(), threading.Event()

        class Slow(SCUPPER.InMemoryBucket):
            def put(self, item: Any) -> Any:
                if item.name == "slow":
                    entered.set()
                    assert leave.wait(BOUND)
                return super().put(item)

        limiter = SCUPPER.Limiter(Slow([SCUPPER.Rate(2, WEEK)]))
        slow = Running(lambda: limiter.try_acquire("slow", blocking=False))
        eventually(entered.is_set, "the slow one is in its put")
        quick = Running(lambda: limiter.try_acquire("quick", blocking=False))
        eventually(lambda: quick.ended or quick._rests(), "the quick one is done or stands behind the slow one")
        leave.set()
        assert (slow.result(), quick.result()) == (True, True)
        limiter.close()


class TestGrants:
    @sync_paths
    def test_an_answer_without_a_wait_takes_no_turn_of_the_loop(self, path: Path) -> None:
        async def main() -> None:
            limiter = path((1, WEEK))
            assert at_once(limiter.try_acquire_async("x")) is True
            assert at_once(limiter.try_acquire_async("x", blocking=False)) is False
            assert at_once(limiter.try_acquire_async("x", timeout=0)) is False
            assert at_once(limiter.try_acquire_async("x", 2)) is False
            assert at_once(limiter.try_acquire_async("x", 0)) is True
            limiter.close()

        asyncio.run(main())

    @pytest.mark.parametrize("path", [native, native_tokens], ids=named)
    def test_a_waiter_is_served_when_its_bucket_is_emptied(self, path: Path) -> None:
        limiter = path((1, WEEK))
        assert limiter.try_acquire("x")
        waiter = Running(lambda: limiter.try_acquire("y")).until_asleep()
        bucket_of(limiter).flush()
        assert waiter.result() is True
        limiter.close()

    def test_a_waiter_is_served_when_its_rates_are_made_looser(self) -> None:
        limiter = native((1, WEEK))
        assert limiter.try_acquire("x")
        waiter = Running(lambda: limiter.try_acquire("y")).until_asleep()
        bucket_of(limiter).rates = [SCUPPER.Rate(2, WEEK)]
        assert waiter.result() is True
        limiter.close()


class TestClosing:
    @sync_paths
    def test_close_wakes_waiting_threads_with_an_error(self, path: Path) -> None:
        limiter = path((1, WEEK))
        assert limiter.try_acquire("x")
        waiting = [Running(lambda: limiter.try_acquire("x")).until_asleep() for _ in range(3)]
        limiter.close()
        for each in waiting:
            with pytest.raises(RuntimeError, match="^limiter is closed$"):
                each.result()

    @async_paths
    def test_close_wakes_waiting_tasks_with_an_error(self, path: Path) -> None:
        async def main() -> None:
            limiter = path((1, WEEK))
            assert await limiter.try_acquire_async("x")
            tasks = [await started(limiter, "x") for _ in range(3)]
            limiter.close()
            for result in await within_bound(asyncio.gather(*tasks, return_exceptions=True)):
                assert (type(result), str(result)) == (RuntimeError, "limiter is closed")

        asyncio.run(main())

    @sync_paths
    def test_a_closed_limiter_says_so(self, path: Path) -> None:
        with path((5, WEEK)) as limiter:
            assert limiter.try_acquire("x")
        for call in (
            lambda: limiter.try_acquire("x"),
            lambda: limiter.try_acquire("x", blocking=False),
            lambda: asyncio.run(limiter.try_acquire_async("x")),
            lambda: limiter.as_decorator()(len)(""),
        ):
            with pytest.raises(RuntimeError, match="^limiter is closed$"):
                call()
        limiter.close()
