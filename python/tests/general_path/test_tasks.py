"""Tasks before a bucket of the user's own, in one event loop or several."""

from __future__ import annotations

import asyncio
import gc
import threading
from time import monotonic
from typing import Any

import pytest
from buckets import AsyncGate, Gate, in_line, thread, until
from scupper import (
    AbstractBucket,
    BucketFactory,
    Duration,
    InMemoryBucket,
    Limiter,
    MonotonicClock,
    Rate,
    RateItem,
)


async def settle(condition: Any, seconds: float = 60.0) -> None:
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, "it did not come about in time"
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("kind", [Gate, AsyncGate])
def test_waiting_tasks_are_served_in_the_order_in_which_they_came(kind: Any) -> None:
    bucket = kind()
    limiter = Limiter(bucket, buffer_ms=0)

    async def main() -> None:
        tasks = [asyncio.create_task(limiter.try_acquire_async(number)) for number in range(8)]
        await settle(lambda: in_line(bucket) == 8)
        bucket.room = 8
        assert await asyncio.wait_for(asyncio.gather(*tasks), 60) == [True] * 8

    asyncio.run(main())
    assert bucket.admitted == list(range(8))


@pytest.mark.parametrize("kind", [Gate, AsyncGate])
@pytest.mark.parametrize("place", [0, 1])
def test_a_cancelled_task_leaves_its_place_and_the_next_goes_on(kind: Any, place: int) -> None:
    bucket = kind()
    limiter = Limiter(bucket, buffer_ms=0)

    async def main() -> None:
        tasks = [asyncio.create_task(limiter.try_acquire_async(number)) for number in range(3)]
        await settle(lambda: in_line(bucket) == 3)
        tasks[place].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[place]
        bucket.room = 3
        left = [task for task in tasks if task is not tasks[place]]
        assert await asyncio.wait_for(asyncio.gather(*left), 60) == [True, True]

    asyncio.run(main())
    assert in_line(bucket) == 0
    assert place not in bucket.admitted


def test_a_task_cancelled_in_the_middle_of_put_lets_the_next_in() -> None:
    bucket = AsyncGate(room=5, hold_seconds=60)
    limiter = Limiter(bucket)

    async def main() -> None:
        first = asyncio.create_task(limiter.try_acquire_async("first"))
        await settle(lambda: bucket.inside == 1)
        second = asyncio.create_task(limiter.try_acquire_async("second"))
        await settle(lambda: in_line(bucket) == 2)
        bucket.hold_seconds = 0
        first.cancel()
        assert await asyncio.wait_for(second, 60) is True

    asyncio.run(main())
    assert bucket.admitted == ["second"]


def test_puts_to_await_never_overlap() -> None:
    bucket = AsyncGate(room=100, hold_seconds=0.001)
    limiter = Limiter(bucket)

    async def main() -> None:
        asked = (limiter.try_acquire_async("x", blocking=False) for _ in range(20))
        assert await asyncio.gather(*asked) == [True] * 20

    asyncio.run(main())
    assert bucket.most_inside == 1


def test_the_loop_goes_on_while_a_task_waits_for_the_turn_of_a_thread() -> None:
    bucket = Gate(wait_ms=5)
    limiter = Limiter(bucket, buffer_ms=0)
    head = thread(limiter.try_acquire, "thread")
    until(lambda: in_line(bucket) == 1)

    async def main() -> None:
        task = asyncio.create_task(limiter.try_acquire_async("task"))
        await settle(lambda: in_line(bucket) == 2)
        bucket.room = 2
        assert await asyncio.wait_for(task, 60) is True

    asyncio.run(main())
    head.join(60)
    assert bucket.admitted == ["thread", "task"]


def test_a_limiter_over_an_async_bucket_is_made_before_any_loop_and_serves_two_in_turn() -> None:
    limiter = Limiter(AsyncGate(room=2))
    for _ in range(2):
        assert asyncio.run(limiter.try_acquire_async("x", blocking=False)) is True
    assert asyncio.run(limiter.try_acquire_async("x", blocking=False)) is False


def test_two_loops_in_two_threads_share_a_line() -> None:
    bucket = AsyncGate()
    limiter = Limiter(bucket, buffer_ms=0)
    answers: list[object] = []
    loops = [thread(lambda: answers.append(asyncio.run(limiter.try_acquire_async("x")))) for _ in range(2)]
    until(lambda: in_line(bucket) == 2)
    bucket.room = 2
    for loop in loops:
        loop.join(60)
    assert answers == [True, True]


def test_a_plain_call_over_an_async_bucket_gives_something_to_await() -> None:
    limiter = Limiter(AsyncGate(room=1))

    async def main() -> None:
        first, second = limiter.try_acquire("a", blocking=False), limiter.try_acquire("b", blocking=False)
        assert asyncio.iscoroutine(first) and asyncio.iscoroutine(second)
        assert (await second, await first) == (True, False)

    asyncio.run(main())


class Unsaid(AsyncGate):
    """Of which nobody knows that it has to be awaited until it is called."""

    is_async = None

    def put(self, item: RateItem) -> Any:  # type: ignore[override]
        return super().put(item)


def test_coroutines_of_a_bucket_that_does_not_say_what_it_is_hold_nobody_up_until_they_are_awaited() -> None:
    bucket = Unsaid(room=2)
    limiter = Limiter(bucket)

    async def main() -> None:
        first, second = limiter.try_acquire("first"), limiter.try_acquire("second")
        assert await asyncio.wait_for(second, 60) is True  # type: ignore[arg-type]
        assert await asyncio.wait_for(first, 60) is True  # type: ignore[arg-type]

    asyncio.run(main())
    assert in_line(bucket) == 0


def test_a_coroutine_of_such_a_bucket_goes_on_as_soon_as_the_call_before_it_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("scupper._line._OVERDUE_SECONDS", 3600)
    bucket = Unsaid(room=2, hold_seconds=0.01)
    limiter = Limiter(bucket)

    async def main() -> None:
        calling = asyncio.create_task(limiter.try_acquire_async("first"))
        await settle(lambda: bucket.inside == 1)
        assert await asyncio.wait_for(limiter.try_acquire("second"), 10) is True  # type: ignore[arg-type]
        assert await asyncio.wait_for(calling, 10) is True

    asyncio.run(main())
    assert bucket.admitted == ["first", "second"]


@pytest.mark.filterwarnings("ignore:coroutine")
def test_a_coroutine_that_is_thrown_away_leaves_no_place() -> None:
    bucket = Unsaid(room=2)
    limiter = Limiter(bucket)
    limiter.try_acquire("thrown away")
    gc.collect()
    assert in_line(bucket) == 0
    assert asyncio.run(limiter.try_acquire_async("x", blocking=False)) is True


class AsyncFactory(BucketFactory):
    def __init__(self, bucket: AbstractBucket) -> None:
        self.bucket = bucket

    async def wrap_item(self, name: str, weight: int = 1) -> RateItem:  # type: ignore[override]
        await asyncio.sleep(0)
        return RateItem(name, self.bucket.now(), weight)

    async def get(self, item: RateItem) -> AbstractBucket:  # type: ignore[override]
        await asyncio.sleep(0)
        return self.bucket


def test_everything_of_a_factory_may_be_awaited() -> None:
    bucket = Gate(room=2)
    limiter = Limiter(AsyncFactory(bucket))

    async def main() -> None:
        plain = limiter.try_acquire("plain")
        assert asyncio.iscoroutine(plain)
        assert await plain is True
        assert await limiter.try_acquire_async("async") is True
        assert await limiter.try_acquire_async("late", blocking=False) is False

    asyncio.run(main())
    assert bucket.admitted == ["plain", "async"]


class MakingFactory(BucketFactory):
    """Makes the bucket of a name when it is asked for it first, which takes a few turns of the loop."""

    def __init__(self) -> None:
        self.made: list[InMemoryBucket] = []
        self.found: dict[str, InMemoryBucket] = {}
        self.error: Exception | None = None

    def wrap_item(self, name: str, weight: int = 1) -> RateItem:
        return RateItem(name, MonotonicClock().now(), weight)

    async def get(self, item: RateItem) -> AbstractBucket:  # type: ignore[override]
        if item.name not in self.found:
            for _ in range(3):
                await asyncio.sleep(0)
            if self.error is not None:
                raise self.error
            self.made.append(self.create(InMemoryBucket, [Rate(2, Duration.HOUR)]))
            self.found[item.name] = self.made[-1]
        return self.found[item.name]


@pytest.mark.parametrize("form", ["try_acquire", "try_acquire_async"])
def test_a_factory_to_await_finds_one_bucket_after_the_other(form: str) -> None:
    factory = MakingFactory()
    first, second = Limiter(factory), Limiter(factory)

    async def main() -> list[bool]:
        calls = [getattr(limiter, form)("x", blocking=False) for limiter in (first, second) for _ in range(4)]
        return await asyncio.wait_for(asyncio.gather(*calls), 10)

    assert sum(asyncio.run(main())) == 2
    assert len(factory.made) == 1


def test_who_leaves_while_a_factory_finds_its_bucket_lets_the_next_go_on() -> None:
    factory = MakingFactory()
    limiter = Limiter(factory)

    async def main() -> None:
        first, behind, last = (asyncio.create_task(limiter.try_acquire_async("x")) for _ in range(3))
        await asyncio.sleep(0)
        behind.cancel()
        first.cancel()
        assert await asyncio.wait_for(last, 10) is True
        factory.error = KeyError("y")
        refused = await asyncio.gather(*(limiter.try_acquire_async("y") for _ in range(2)), return_exceptions=True)
        assert [type(error) for error in refused] == [KeyError, KeyError]
        factory.error = None
        late = [limiter.try_acquire_async("z", timeout=timeout) for timeout in (10, 0)]
        assert await asyncio.wait_for(asyncio.gather(*late), 10) == [True, False]
        assert await asyncio.wait_for(limiter.try_acquire_async("z"), 10) is True

    asyncio.run(main())
    assert len(factory.made) == 2


def test_a_plain_call_in_a_loop_goes_before_the_tasks_that_it_holds_up() -> None:
    bucket = Gate(wait_ms=50)
    limiter = Limiter(bucket, buffer_ms=0)

    async def main() -> None:
        task = asyncio.create_task(limiter.try_acquire_async("task"))
        await settle(lambda: bucket.puts[:1] == ["task"])
        bucket.room = 1
        assert limiter.try_acquire("plain") is True
        bucket.room = 1
        assert await asyncio.wait_for(task, 60) is True

    asyncio.run(main())
    assert bucket.admitted == ["plain", "task"]


def test_a_task_whose_loop_was_stopped_holds_nobody_up() -> None:
    bucket = Gate(wait_ms=60_000)
    limiter = Limiter(bucket)
    loop = asyncio.new_event_loop()
    task = loop.create_task(limiter.try_acquire_async("left behind"))
    loop.run_until_complete(settle(lambda: bucket.puts == ["left behind"]))
    bucket.room = 2
    try:
        assert limiter.try_acquire("x", blocking=False) is True
        assert asyncio.run(asyncio.wait_for(limiter.try_acquire_async("y"), 60)) is True
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.close()
    assert in_line(bucket) == 0


def test_a_task_whose_loop_is_busy_holds_a_thread_up_for_a_short_while_only() -> None:
    bucket = Gate(wait_ms=20)
    limiter = Limiter(bucket, buffer_ms=0)
    blocked, free = threading.Event(), threading.Event()

    async def main() -> None:
        task = asyncio.create_task(limiter.try_acquire_async("task"))
        await settle(lambda: bucket.puts[:1] == ["task"])
        blocked.set()
        assert free.wait(60)
        bucket.room = 1
        assert await asyncio.wait_for(task, 60) is True

    looping = thread(asyncio.run, main())
    assert blocked.wait(60)
    bucket.room = 1
    answers: list[object] = []
    asking = thread(lambda: answers.append(limiter.try_acquire("thread")))
    asking.join(60)
    free.set()
    looping.join(60)
    assert answers == [True]
    assert bucket.admitted == ["thread", "task"]


def test_close_wakes_the_tasks_that_wait() -> None:
    bucket = AsyncGate(wait_ms=60_000)
    limiter = Limiter(bucket)

    async def main() -> None:
        tasks = [asyncio.create_task(limiter.try_acquire_async(number)) for number in range(3)]
        await settle(lambda: in_line(bucket) == 3)
        limiter.close()
        for task in tasks:
            with pytest.raises(RuntimeError, match="limiter is closed"):
                await asyncio.wait_for(task, 60)

    asyncio.run(main())


def test_a_time_limit_never_cuts_a_put_short() -> None:
    bucket = AsyncGate(room=1, hold_seconds=0.2)
    limiter = Limiter(bucket)
    assert asyncio.run(limiter.try_acquire_async("x", timeout=0.05)) is True
    assert bucket.admitted == ["x"]
