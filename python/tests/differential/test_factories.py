"""Factories, wrappers, locks and clocks: the same calls, the same results."""

import asyncio
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from differential.differences import same_but_for_pythons_words
from differential.scenario import outcome, plain
from support.clocks import HandClock
from support.packages import BOTH, ORACLE, SCUPPER, label

both_packages = pytest.mark.parametrize("package", BOTH, ids=label)
Call = Callable[[ModuleType], Any]


def factory(package: ModuleType, *, buckets: int = 1) -> Any:
    """A factory whose buckets are leaked too seldom to matter."""

    class Routed(package.BucketFactory):
        def __init__(self) -> None:
            self.leak_interval = 10**6
            self.made = [self.create(package.InMemoryBucket, [package.Rate(2, 10**9)]) for _ in range(buckets)]

        def wrap_item(self, name: str, weight: int = 1) -> Any:
            return package.RateItem(name, 5, weight)

        def get(self, item: Any) -> Any:
            return self.made[int(item.name)]

    return Routed()


def told(package: ModuleType, ask: Callable[[Any], Any], *, buckets: int = 2) -> Any:
    routed = factory(package, buckets=buckets)
    try:
        return ask(routed)
    finally:
        routed.close()


def single(package: ModuleType, ask: Callable[[Any], Any]) -> Any:
    limiter = package.Limiter(package.Rate(2, 10**9))
    try:
        return ask(limiter)
    finally:
        limiter.close()


def unready(package: ModuleType) -> Any:
    class Unready(package.InMemoryBucket):
        def __init__(self) -> None:
            pass

    return Unready()


CALLS: dict[str, Call] = {
    "buckets of a factory": lambda p: told(p, lambda f: [each in f.made for each in f.get_buckets()]),
    "its interval": lambda p: told(p, lambda f: f.leak_interval),
    "the usual interval": lambda p: (
        p.SingleBucketFactory(p.InMemoryBucket([p.Rate(1, 1)]), schedule_leak=False).leak_interval
    ),
    "owned buckets": lambda p: told(p, lambda f: len(f.owned_buckets())),
    "dispose": lambda p: told(p, lambda f: [f.dispose(f.made[0]), f.get_buckets() == [f.made[1]]]),
    "dispose by id": lambda p: told(p, lambda f: [f.dispose(id(f.made[0])), f.get_buckets() == [f.made[1]]]),
    "dispose twice": lambda p: told(p, lambda f: [f.dispose(f.made[0]), f.dispose(f.made[0])]),
    "dispose an unknown bucket": lambda p: told(p, lambda f: f.dispose(p.InMemoryBucket([p.Rate(1, 1)]))),
    "dispose an unknown id": lambda p: told(p, lambda f: f.dispose(5)),
    "dispose a text": lambda p: told(p, lambda f: f.dispose("x")),
    "schedule the same twice": lambda p: told(p, lambda f: [f.schedule_leak(f.made[0]), len(f.get_buckets())]),
    "schedule a bucket without rates": lambda p: told(p, lambda f: f.schedule_leak(unready(p))),
    "routes": lambda p: told(p, lambda f: routes(p.Limiter(f))),
    "an unknown route": lambda p: told(p, lambda f: p.Limiter(f).try_acquire("7")),
    "limiter's buckets": lambda p: single(p, lambda limiter: len(limiter.buckets())),
    "limiter's dispose": lambda p: single(
        p, lambda limiter: [limiter.dispose(limiter.buckets()[0]), limiter.buckets()]
    ),
    "closing twice": lambda p: single(p, lambda limiter: [limiter.close(), limiter.close(), limiter.buckets()]),
    "put by the limiter": lambda p: single(p, put_by_limiter),
    "one wrapped bucket": lambda p: wrapped(p),
    "a sync call on a wrapped bucket": lambda p: asyncio.run(sync_call_on_wrapper(p)),
    "a lock": lambda p: locked(p, threading.RLock()),
    "locks": lambda p: locked(p, [threading.Lock(), threading.RLock()]),
    "a busy lock": lambda p: locked(p, [threading.RLock(), busy()]),
    "a busy lock with a timeout": lambda p: locked(p, [busy()], blocking=True, timeout=0.01),
    "nowhere a monotonic clock of its own": lambda p: (
        p.AbstractBucket._clock is p.InMemoryBucket([p.Rate(1, 1)])._clock
    ),
    "the clock's kind": lambda p: type(p.InMemoryBucket([p.Rate(1, 1)])._clock).__name__,
    "the usual algorithm": lambda p: type(p.InMemoryBucket([p.Rate(1, 1)])._algorithm).__name__,
    "the usual state": lambda p: state_parts(p.StateBucket([p.Rate(1, 1)])),
    "a bucket's flags": lambda p: [
        p.InMemoryBucket([p.Rate(1, 1)]).is_async,
        p.AbstractBucket.is_async,
        p.StateBucket([p.Rate(1, 1)]).is_async,
    ],
    "a bucket's lock": lambda p: p.InMemoryBucket([p.Rate(1, 1)]).limiter_lock(),
    "a bucket is closed and goes on": lambda p: closed_bucket(p),
}


def routes(limiter: Any) -> list[bool]:
    return [limiter.try_acquire(name, blocking=False) for name in ("0", "0", "0", "1")]


def put_by_limiter(limiter: Any) -> list[Any]:
    bucket = limiter.buckets()[0]
    items = [limiter.bucket_factory.wrap_item("x", weight) for weight in (1, 1, 1)]
    return [limiter.handle_bucket_put(bucket, item, blocking=False) for item in items]


def wrapped(package: ModuleType) -> list[Any]:
    inner = package.InMemoryBucket([package.Rate(1, 1000)])
    inner._clock = HandClock(7)
    bucket = package.BucketAsyncWrapper(inner)

    async def main() -> list[Any]:
        item = package.RateItem("x", 7)
        return [
            await bucket.put(item),
            await bucket.put(item),
            await bucket.waiting(item),
            plain(bucket.failing_rate),
            await bucket.count(),
            plain(await bucket.peek(0)),
            bucket.now(),
            plain(bucket.rates),
            plain(await bucket.put_decision(item)),
            await bucket.leak(5000),
            await bucket.flush(),
            bucket.is_async,
            bucket.bucket is inner,
        ]

    return asyncio.run(main())


async def sync_call_on_wrapper(package: ModuleType) -> list[Any]:
    limiter = package.Limiter(package.BucketAsyncWrapper(package.InMemoryBucket([package.Rate(1, 10**9)])))
    calls = [limiter.try_acquire("x"), limiter.try_acquire("x", blocking=False)]
    shown = [asyncio.iscoroutine(call) for call in calls] + [await call for call in calls]
    shown += [limiter.try_acquire("x", 0), outcome(lambda: limiter.try_acquire("x", timeout=-3))]
    shown += [outcome(lambda: limiter.as_decorator()(len)(""))]
    limiter.close()
    return shown


def locked(package: ModuleType, locks: Any, *, blocking: bool = False, timeout: float = -1) -> Any:
    with package.limiter.combined_lock(locks, blocking, timeout) as given:
        return given


def busy() -> Any:
    lock = threading.Lock()
    lock.acquire()
    return lock


def state_parts(bucket: Any) -> list[str]:
    return [type(part).__name__ for part in (bucket.algorithm, bucket.store, bucket._clock)]


def closed_bucket(package: ModuleType) -> list[Any]:
    bucket = package.InMemoryBucket([package.Rate(1, 1000)])
    return [bucket.close(), bucket.put(package.RateItem("x", 0)), bucket.count()]


@pytest.mark.parametrize("name", CALLS)
def test_a_call_on_a_factory_has_the_outcome_of_the_reference(name: str) -> None:
    ours, theirs = outcome(lambda: CALLS[name](SCUPPER)), outcome(lambda: CALLS[name](ORACLE))
    if not same_but_for_pythons_words(ours, theirs):
        assert ours == theirs


def test_locks_that_were_taken_are_given_back() -> None:
    first = threading.Lock()
    with pytest.raises(TimeoutError, match="^Timeout while acquiring combined lock.$"):
        locked(SCUPPER, [first, busy()])
    assert not first.locked()


@both_packages
def test_the_clocks_show_the_times_of_the_machine(package: ModuleType) -> None:
    async_clock = package.MonotonicAsyncClock()
    for show, read in (
        (lambda: package.MonotonicClock().now(), time.monotonic_ns),
        (lambda: asyncio.run(async_clock.now()), time.monotonic_ns),
        (lambda: package.InMemoryBucket([package.Rate(1, 1)]).now(), time.monotonic_ns),
        (lambda: package.WallClock().now(), time.time_ns),
        (package.AbstractClock._get_monotonic_ms, time.monotonic_ns),
        (package.AbstractClock._get_wall_ms, time.time_ns),
    ):
        before = read() // 10**6
        shown = show()
        assert before <= shown <= read() // 10**6
        assert isinstance(shown, int)


@both_packages
def test_a_native_grant_and_a_put_are_in_one_timeline(package: ModuleType) -> None:
    bucket = package.InMemoryBucket([package.Rate(2, 10**6)])
    limiter = package.Limiter(package.SingleBucketFactory(bucket, schedule_leak=False))
    before = package.MonotonicClock().now()
    assert limiter.try_acquire("native")
    assert bucket.put(package.RateItem("put", bucket.now()))
    assert before <= bucket.peek(1).timestamp <= bucket.peek(0).timestamp <= package.MonotonicClock().now()
    assert (bucket.peek(1).name, bucket.peek(0).name) == ("native", "put")
    assert limiter.try_acquire("native", blocking=False) is False
    denied = package.RateItem("put", bucket.now())
    assert bucket.put(denied) is False
    assert bucket.waiting(denied) == bucket.peek(1).timestamp + 10**6 + 1 - denied.timestamp


@both_packages
def test_the_global_limiter(package: ModuleType) -> None:
    bucket = package.InMemoryBucket([package.Rate(2, 10**9)])
    package.limiter_factory.init_global_limiter(bucket, buffer_ms=9)
    made = package.limiter_factory.LIMITER
    try:
        assert (made.buffer_ms, made.bucket_factory.bucket) == (9, bucket)
        assert [made.try_acquire("x", blocking=False) for _ in range(3)] == [True, True, False]
    finally:
        package.limiter_factory.LIMITER = None
        made.close()
