"""Waits: in line, exact over all rates, and bounded by their deadlines; given up without a trace."""

import asyncio
import enum
import time
from typing import Any

import pytest

from support.packages import SCUPPER
from support.paths import Path, admitted, bucket_of, native, users_bucket
from support.threads import Late, Running, in_a_window
from support.waits import WEEK, async_paths, log_paths, started, sync_paths, within_bound


class Units(enum.IntEnum):
    ONE = 1


class WholeNumber:
    """As those of NumPy are: no int, but as good as one."""

    def __index__(self) -> int:
        return 1


class Seconds(float):
    pass


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
        def attempt(window: int) -> None:
            with path((4, window)) as limiter:
                assert limiter.try_acquire("before", 4)
                waiting = [Running(lambda name=name: limiter.try_acquire(name)).until_asleep() for name in "abcd"]
                assert [each.result() for each in waiting] == [True] * 4
                assert [item.name for item in admitted(limiter)][-4:] == ["a", "b", "c", "d"]

        in_a_window(attempt, 1_000, 5_000, 20_000)

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

    @pytest.mark.parametrize(
        ("weight", "blocking", "timeout"),
        [
            (1, False, -1),
            (Units.ONE, False, -1),
            (WholeNumber(), False, -1),
            (True, False, -1),
            (1, 0, -1),
            (1, None, -1),
            (1, 1, Seconds(0.01)),
            (Units.ONE, True, Units.ONE),
        ],
    )
    def test_nobody_jumps_the_line_by_arguments_of_other_types(self, weight: Any, blocking: Any, timeout: Any) -> None:
        async def main() -> None:
            limiter = native((2, WEEK))
            assert limiter.try_acquire("one")
            heavy = await started(limiter, "two", 2)
            assert limiter.try_acquire("light", weight, blocking, timeout) is False
            assert await limiter.try_acquire_async("light", weight, blocking, timeout) is False
            heavy.cancel()
            with pytest.raises(asyncio.CancelledError):
                await heavy
            assert limiter.try_acquire("light", weight, blocking, timeout) is True
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
        async def main(window: int) -> None:
            limiter = path((1, window))
            assert await limiter.try_acquire_async("x")
            tasks = [await started(limiter, "x") for _ in range(4)]
            tasks[0].cancel()
            tasks[2].cancel()
            if tasks[0].done():
                raise Late("it has its unit already")
            results = await within_bound(asyncio.gather(*tasks, return_exceptions=True))
            assert [each is True for each in results] == [False, True, False, True]
            limiter.close()

        in_a_window(lambda window: asyncio.run(main(window)), 50, 500, 5_000)

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
        began, ticks = time.monotonic(), []
        for _ in range(6):
            if entry == "sync":
                assert limiter.try_acquire("x")
            else:
                assert asyncio.run(limiter.try_acquire_async("x"))
            # What has left its window meanwhile may be gone, and the newest is not.
            ticks.append(admitted(limiter)[-1].timestamp)
        assert time.monotonic() - began >= 0.150
        limiter.close()
        assert all(later - earlier >= 150 for earlier, later in zip(ticks, ticks[3:])), ticks
        assert all(later - earlier >= 40 for earlier, later in zip(ticks, ticks[2:])), ticks

    def test_one_wait_serves_all_rates(self) -> None:
        def attempt(window: int) -> None:
            limiter = users_bucket((1, window), (2, 6 * window))
            bucket = limiter.bucket_factory.bucket
            assert limiter.try_acquire("x") and limiter.try_acquire("x")
            bucket.puts = 0
            assert limiter.try_acquire("x")
            limiter.close()
            if bucket.puts == 1:
                raise Late("there was room already")
            assert bucket.puts == 2, "denied once, then admitted"

        in_a_window(attempt, 20, 200, 2_000)

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
