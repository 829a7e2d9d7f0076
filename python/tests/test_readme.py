"""What the reference's README shows of memory, with shorter windows."""

import asyncio
import time
from typing import Any

import pytest
from scupper import (
    AbstractBucket,
    AbstractClock,
    BucketAsyncWrapper,
    BucketFactory,
    Duration,
    InMemoryBucket,
    Limiter,
    MonotonicClock,
    Rate,
    RateItem,
    limiter_factory,
    validate_rate_list,
)

TENTH = Duration.SECOND * 0.1


def test_quickstart() -> None:
    limiter = Limiter(Rate(5, TENTH * 2))
    began = time.monotonic()
    for _ in range(6):
        assert limiter.try_acquire("my-resource") is True
    assert time.monotonic() - began >= 0.2, "the sixth waits for the first to leave"
    limiter.close()
    limiter = Limiter(Rate(5, Duration.HOUR))
    assert [limiter.try_acquire("my-resource", blocking=False) for _ in range(6)] == [True] * 5 + [False]
    limiter.close()


def test_a_limiter_from_the_factory() -> None:
    limiter = limiter_factory.create_inmemory_limiter(rate_per_duration=5, duration=Duration.SECOND)
    assert limiter.try_acquire("my-resource") is True
    limiter.close()


def test_defining_rates_and_buckets() -> None:
    rates = [Rate(500, Duration.HOUR), Rate(1000, Duration.DAY), Rate(10000, Duration.WEEK * 4)]
    assert validate_rate_list(rates)
    for argument in (rates, InMemoryBucket(rates)):
        limiter = Limiter(argument)
        assert limiter.try_acquire("hello world") is True
        assert [limiter.try_acquire("hello world", 1, blocking=False) for _ in range(500)].count(True) == 499
        limiter.close()


def test_ill_formed_rates() -> None:
    rates = [Rate(500, Duration.HOUR), Rate(400, Duration.DAY)]
    assert not validate_rate_list(rates)
    with pytest.raises(ValueError, match="limit"):
        InMemoryBucket(rates)


def test_blocking_and_failing_fast() -> None:
    limiter = Limiter(Rate(3, TENTH))
    began = time.monotonic()
    for _ in range(5):
        assert limiter.try_acquire("item") is True
    assert time.monotonic() - began >= 0.1
    limiter.close()
    limiter = Limiter(Rate(3, Duration.HOUR))
    assert [limiter.try_acquire("item", blocking=False) for _ in range(4)] == [True] * 3 + [False]
    limiter.close()


def test_a_timeout_in_async_code() -> None:
    async def main() -> None:
        limiter = Limiter(Rate(1, Duration.HOUR))
        assert await limiter.try_acquire_async("item", timeout=5) is True
        assert await limiter.try_acquire_async("item", timeout=5) is False
        limiter.close()

    asyncio.run(main())


def test_the_buffer() -> None:
    limiter = Limiter(InMemoryBucket([Rate(5, Duration.SECOND)]), buffer_ms=100)
    assert limiter.buffer_ms == 100
    assert limiter.try_acquire("item") is True
    limiter.close()


def test_weights_are_all_or_nothing() -> None:
    bucket = InMemoryBucket([Rate(12, Duration.HOUR)])
    limiter = Limiter(bucket)
    assert limiter.try_acquire("the-sun", weight=10) is True
    assert limiter.try_acquire("the-sun", weight=3, blocking=False) is False
    assert bucket.count() == 10
    assert {bucket.peek(index).timestamp for index in range(10)} == {bucket.peek(0).timestamp}
    limiter.close()


def test_decorators() -> None:
    limiter = Limiter(Rate(5, TENTH))

    @limiter.as_decorator(name="api_call", weight=1)
    def handle_something(*args: Any, **kwargs: Any) -> Any:
        return args, kwargs

    @limiter.as_decorator(name="background_job", weight=2)
    async def handle_something_async(*args: Any, **kwargs: Any) -> Any:
        return args, kwargs

    async def main() -> Any:
        return [await handle_something_async(number, named=True) for number in range(3)]

    began = time.monotonic()
    assert [handle_something(number, named=True) for number in range(6)] == [
        ((number,), {"named": True}) for number in range(6)
    ]
    assert time.monotonic() - began >= 0.1
    assert asyncio.run(main()) == [((number,), {"named": True}) for number in range(3)]
    assert time.monotonic() - began >= 0.2
    limiter.close()


def test_as_a_context_and_closed_by_hand() -> None:
    with Limiter(Rate(5, Duration.SECOND)) as limiter:
        assert limiter.try_acquire("item") is True
    limiter = Limiter(Rate(5, Duration.SECOND))
    try:
        assert limiter.try_acquire("item") is True
    finally:
        limiter.close()


def test_an_async_wrapper_around_a_bucket() -> None:
    async def main() -> None:
        limiter = Limiter(BucketAsyncWrapper(InMemoryBucket([Rate(5, TENTH)])))
        began = time.monotonic()
        assert all([await limiter.try_acquire_async("item") for _ in range(6)])
        assert time.monotonic() - began >= 0.1
        assert await limiter.try_acquire("item") is True
        limiter.close()

    asyncio.run(main())


class SingleRouteFactory(BucketFactory):
    """Everything goes to one bucket."""

    def __init__(self, clock: Any, bucket: AbstractBucket) -> None:
        self.clock = clock
        self.bucket = bucket
        self.schedule_leak(bucket)

    def wrap_item(self, name: str, weight: int = 1) -> RateItem:
        return RateItem(name, self.clock.now(), weight=weight)

    def get(self, _item: RateItem) -> AbstractBucket:
        return self.bucket


class PerNameFactory(BucketFactory):
    """Each name has a bucket of its own, made when it first comes."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.buckets: dict[str, AbstractBucket] = {}

    def wrap_item(self, name: str, weight: int = 1) -> RateItem:
        return RateItem(name, self.clock.now(), weight=weight)

    def get(self, item: RateItem) -> AbstractBucket:
        if item.name not in self.buckets:
            self.buckets[item.name] = self.create(InMemoryBucket, [Rate(5, Duration.HOUR)])
        return self.buckets[item.name]


def test_a_factory_with_one_route() -> None:
    bucket = InMemoryBucket([Rate(200, Duration.SECOND)])
    limiter = Limiter(SingleRouteFactory(MonotonicClock(), bucket))
    assert limiter.try_acquire("the-earth") is True
    assert limiter.try_acquire("the-sun", weight=100) is True
    assert limiter.buckets() == [bucket]
    limiter.close()


def test_a_factory_with_a_bucket_for_each_name() -> None:
    factory = PerNameFactory(MonotonicClock())
    limiter = Limiter(factory)
    assert [limiter.try_acquire("the-earth", blocking=False) for _ in range(6)] == [True] * 5 + [False]
    assert [limiter.try_acquire("the-sun", blocking=False) for _ in range(6)] == [True] * 5 + [False]
    assert set(limiter.buckets()) == set(factory.buckets.values())
    assert len(limiter.buckets()) == 2
    limiter.close()


class CountingClock(AbstractClock):
    """Stands for a clock that workers share."""

    def __init__(self) -> None:
        self.time = 1000

    def now(self) -> int:
        return self.time


def test_a_bucket_that_overrides_now() -> None:
    class TimedBucket(InMemoryBucket):
        time = 1000

        def now(self) -> int:
            return self.time

    bucket = TimedBucket([Rate(1, Duration.SECOND)])
    limiter = Limiter(bucket)
    assert [limiter.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]
    TimedBucket.time = 2001
    assert limiter.try_acquire("x", blocking=False) is True
    assert bucket.peek(0).timestamp == 2001
    limiter.close()


def test_a_clock_given_to_a_bucket() -> None:
    bucket = InMemoryBucket([Rate(5, Duration.SECOND)])
    bucket._clock = clock = CountingClock()
    limiter = Limiter(bucket)
    assert [limiter.try_acquire("x", blocking=False) for _ in range(6)] == [True] * 5 + [False]
    clock.time += 1001
    assert limiter.try_acquire("x", blocking=False) is True
    limiter.close()


def test_the_interval_of_leaks() -> None:
    class MyFactory(SingleRouteFactory):
        def __init__(self, clock: Any, buckets: list[AbstractBucket]) -> None:
            self.clock = clock
            self.leak_interval = 5000
            self.bucket = buckets[0]
            for bucket in buckets:
                self.schedule_leak(bucket)

    buckets: list[AbstractBucket] = [InMemoryBucket([Rate(5, Duration.SECOND)]) for _ in range(3)]
    factory = MyFactory(MonotonicClock(), buckets)
    assert factory.leak_interval == 5000
    limiter = Limiter(factory)
    assert limiter.try_acquire("x") is True
    assert limiter.buckets() == buckets
    assert limiter.dispose(buckets[1]) is True
    assert limiter.buckets() == [buckets[0], buckets[2]]
    limiter.close()


def test_a_bucket_from_scratch() -> None:
    class Alternating(AbstractBucket):
        """Admits every other item."""

        def __init__(self) -> None:
            self.rates = [Rate(1, 1)]
            self.taken: list[RateItem] = []
            self.asked = 0

        def put(self, item: RateItem) -> bool:
            self.asked += 1
            if self.asked % 2 == 0:
                self.failing_rate = self.rates[0]
                return False
            self.failing_rate = None
            self.taken.append(item)
            return True

        def leak(self, current_timestamp: Any = None) -> int:
            return 0

        def flush(self) -> None:
            self.taken.clear()

        def count(self) -> int:
            return len(self.taken)

        def peek(self, index: int) -> Any:
            return self.taken[-1 - index] if index < len(self.taken) else None

    bucket = Alternating()
    limiter = Limiter(bucket)
    assert [limiter.try_acquire("x", blocking=False) for _ in range(4)] == [True, False, True, False]
    assert [limiter.try_acquire("x") for _ in range(3)] == [True] * 3
    assert bucket.count() == 5
    limiter.close()


def test_an_async_bucket_from_scratch() -> None:
    class Remote(AbstractBucket):
        """Each of its methods is a coroutine."""

        def __init__(self) -> None:
            self.inner = InMemoryBucket([Rate(2, 60)])
            self.rates = self.inner.rates

        async def put(self, item: RateItem) -> bool:
            await asyncio.sleep(0)
            admitted = self.inner.put(item)
            self.failing_rate = self.inner.failing_rate
            return admitted

        async def leak(self, current_timestamp: Any = None) -> int:
            return self.inner.leak(current_timestamp)

        async def flush(self) -> None:
            self.inner.flush()

        async def count(self) -> int:
            return self.inner.count()

        async def peek(self, index: int) -> Any:
            return self.inner.peek(index)

    async def main() -> None:
        limiter = Limiter(Remote())
        began = time.monotonic()
        assert all(await asyncio.gather(*(limiter.try_acquire_async("x") for _ in range(4))))
        assert time.monotonic() - began >= 0.06
        limiter.close()

    asyncio.run(main())
