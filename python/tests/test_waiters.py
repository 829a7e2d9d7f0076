"""Who waits: silent, in whatever loops and threads, served at once where there is room, and told when it is over."""

import asyncio
import threading
import time
from typing import Any

import pytest

from support.packages import SCUPPER
from support.paths import Path, bucket_of, named, native, native_tokens, users_bucket
from support.threads import BOUND, Late, Running, eventually, in_a_window, together
from support.waits import WEEK, async_paths, at_once, started, sync_paths, within_bound


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
        async def main(window: int) -> None:
            limiter = path((1, window))
            turns = 0
            assert await limiter.try_acquire_async("x")
            task = await started(limiter, "x")
            while not task.done():
                turns += 1
                await asyncio.sleep(0.005)
            limiter.close()
            if turns < 5:
                raise Late(f"{turns} turns of the loop")

        in_a_window(lambda window: asyncio.run(main(window)), 150, 1_500, 10_000)


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
        assert [asyncio.run(limiter.try_acquire_async("x", blocking=False)) for _ in range(4)] == [
            True,
            True,
            True,
            False,
        ]
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
