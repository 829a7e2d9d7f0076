"""A user's methods are called: which, in which order, with which arguments."""

import asyncio
from collections.abc import Callable
from difflib import ndiff
from types import ModuleType
from typing import Any

import pytest

from support.clocks import HandClock, SteppingClock
from support.packages import ORACLE, SCUPPER
from support.recording import Log, agree, spied_limiter

Play = Callable[[ModuleType, Log], None]


def spied_bucket(package: ModuleType, log: Log, algorithm: str = "SlidingWindowLog", *rates: Any) -> Any:
    bucket = log.spy(package.InMemoryBucket, "bucket")(
        list(rates) or [package.Rate(2, 1000), package.Rate(3, 5000)],
        log.spy(getattr(package, algorithm), "algorithm")(),
    )
    log.taken()
    return bucket


def acquire_all(package: ModuleType, log: Log) -> None:
    clock = log.spy(HandClock, "clock")(10)
    limiter = spied_limiter(log, spied_bucket(package, log), clock=clock)
    for weight in (1, 1, 1, 0, 9):
        limiter.try_acquire("x", weight, blocking=False)
    clock.time = 1011
    limiter.try_acquire("y")


def acquire_from_fixed_windows(package: ModuleType, log: Log) -> None:
    limiter = spied_limiter(log, spied_bucket(package, log, "FixedWindow"), clock=log.spy(HandClock, "clock")(10))
    for weight in (1, 1, 1, 5):
        limiter.try_acquire("x", weight, blocking=False)


def put_directly(package: ModuleType, log: Log) -> None:
    bucket = spied_bucket(package, log)
    for timestamp, weight in ((0, 1), (1, 2), (1, 1), (5, 1), (5, 0), (5, 4)):
        item = package.RateItem("x", timestamp, weight)
        bucket.put(item)
        log.calls.append(f"failing {bucket.failing_rate}")
    bucket.waiting(package.RateItem("x", 6, 1))
    bucket.leak(7000)
    bucket.count()
    bucket.flush()


def acquire_without_waiting_in_async_code(package: ModuleType, log: Log) -> None:
    limiter = spied_limiter(log, spied_bucket(package, log), clock=log.spy(HandClock, "clock")(10))

    async def main() -> None:
        for weight in (1, 1, 1, 0, 9):
            await limiter.try_acquire_async("x", weight, blocking=False)

    asyncio.run(main())


def state_bucket(package: ModuleType, log: Log) -> Any:
    clock = log.spy(HandClock, "clock")(10)
    return log.spy(package.StateBucket, "bucket")(
        [package.Rate(2, 1000)],
        log.spy(package.GCRA, "algorithm")(),
        log.spy(package.InMemoryStateStore, "store")(),
        clock,
    )


def acquire_from_a_state(package: ModuleType, log: Log) -> None:
    bucket = state_bucket(package, log)
    limiter = spied_limiter(log, bucket)
    for weight in (1, 1, 1, 0):
        limiter.try_acquire("x", weight, blocking=False)


def use_a_state(package: ModuleType, log: Log) -> None:
    bucket = state_bucket(package, log)
    log.taken()
    for weight in (1, 1, 1):
        bucket.put(package.RateItem("x", 20, weight))
    bucket.waiting(package.RateItem("x", 21, 1))
    bucket.count()
    bucket.leak(5)
    bucket.flush()
    bucket.close()


def assigned_clock(package: ModuleType, log: Log) -> None:
    bucket = package.InMemoryBucket([package.Rate(1, 1000)])
    limiter = package.Limiter(package.SingleBucketFactory(bucket, schedule_leak=False))
    bucket._clock = log.spy(HandClock, "clock")(5)
    log.calls.append(str(limiter.try_acquire("x", blocking=False)))
    log.calls.append(str(bucket.peek(0)))
    log.calls.append(str(limiter.try_acquire("x", blocking=False)))


def assigned_put(package: ModuleType, log: Log) -> None:
    bucket = package.InMemoryBucket([package.Rate(1, 1000)])
    limiter = package.Limiter(package.SingleBucketFactory(bucket, schedule_leak=False))
    log.calls.append(str(limiter.try_acquire("x", blocking=False)))
    bucket.put = lambda item: log.calls.append(f"put {item.name} {item.weight}") or True
    log.calls.append(str(limiter.try_acquire("y", 7, blocking=False)))


def assigned_now(package: ModuleType, log: Log) -> None:
    bucket = package.InMemoryBucket([package.Rate(1, 1000)])
    limiter = package.Limiter(package.SingleBucketFactory(bucket, schedule_leak=False))
    bucket.now = lambda: log.calls.append("now") or 77
    limiter.try_acquire("x", blocking=False)
    log.calls.append(str(bucket.peek(0)))


def assigned_algorithm(package: ModuleType, log: Log) -> None:
    bucket = package.InMemoryBucket([package.Rate(1, 1000)])
    limiter = package.Limiter(package.SingleBucketFactory(bucket, schedule_leak=False))
    bucket._clock = HandClock(5)
    bucket._algorithm = log.spy(package.FixedWindow, "algorithm")()
    for now in (5, 999, 1000):
        bucket._clock.time = now
        log.calls.append(str(limiter.try_acquire("x", blocking=False)))


def overridden_record(package: ModuleType, log: Log) -> None:
    class Counting(package.InMemoryBucket):
        def _record(self, item: Any, decision: Any) -> bool:
            log.calls.append(f"record {item.weight} {decision.allowed} {decision.failing_rate}")
            return super()._record(item, decision)

    bucket = Counting([package.Rate(1, 60_000)])
    limiter = package.Limiter(package.SingleBucketFactory(bucket, schedule_leak=False))
    for weight in (1, 1, 2):
        limiter.try_acquire("x", weight, blocking=False)


def refusing_bucket(package: ModuleType, log: Log) -> None:
    class Refusing(package.InMemoryBucket):
        def put(self, item: Any) -> bool:
            return False if item.name == "bad" else super().put(item)

    limiter = package.Limiter(package.SingleBucketFactory(Refusing([package.Rate(5, 1000)]), schedule_leak=False))
    for name in ("good", "bad"):
        log.calls.append(f"{name} {limiter.try_acquire(name, blocking=False)}")


def results_of_put(package: ModuleType, log: Log) -> None:
    for result in (True, False, None, 1, 0, "yes", ""):
        bucket = package.InMemoryBucket([package.Rate(5, 1000)])
        limiter = package.Limiter(package.SingleBucketFactory(bucket, schedule_leak=False))
        bucket.put = lambda item, result=result: result
        log.calls.append(f"{result!r} {limiter.try_acquire(blocking=False)}")


def results_of_waiting(package: ModuleType, log: Log) -> None:
    for result in (-1, None, "soon", 0.5):
        bucket = package.InMemoryBucket([package.Rate(5, 1000)])
        limiter = package.Limiter(package.SingleBucketFactory(bucket, schedule_leak=False))
        bucket.put = lambda item: False
        bucket.waiting = lambda item, result=result: result
        try:
            log.calls.append(f"{result!r} {limiter.try_acquire(timeout=5)}")
        except Exception as error:  # noqa: BLE001 - it is what is compared
            log.calls.append(f"{result!r} {type(error).__name__}")


def wrong_factories(package: ModuleType, log: Log) -> None:
    class Wrong(package.SingleBucketFactory):
        item: Any = None
        found: Any = None

        def wrap_item(self, name: str, weight: int = 1) -> Any:
            return self.item or super().wrap_item(name, weight)

        def get(self, item: Any) -> Any:
            return self.found or super().get(item)

    for item, found in ((5, None), (None, 5), (None, None)):
        factory = Wrong(package.InMemoryBucket([package.Rate(5, 1000)]), schedule_leak=False)
        factory.item, factory.found = item, found
        try:
            log.calls.append(f"{package.Limiter(factory).try_acquire('n')}")
        except Exception as error:  # noqa: BLE001 - it is what is compared
            log.calls.append(f"{type(error).__name__} {error if found else ''}")


def hooks_of_the_limiter(package: ModuleType, log: Log) -> None:
    class Hooked(package.Limiter):
        def _try_acquire(self, *arguments: Any, **named: Any) -> Any:
            log.calls.append(f"_try_acquire {arguments} {sorted(named)}")
            return super()._try_acquire(*arguments, **named)

    bucket = package.InMemoryBucket([package.Rate(5, 1000)])
    limiter = Hooked(package.SingleBucketFactory(bucket, schedule_leak=False))
    limiter.try_acquire("x", 2, blocking=False)
    asyncio.run(limiter.try_acquire_async("x", 1, blocking=False))


def construction(package: ModuleType, log: Log) -> None:
    class Locked(package.InMemoryBucket):
        def limiter_lock(self) -> Any:
            log.calls.append("limiter_lock")
            return super().limiter_lock()

    package.Limiter(Locked([package.Rate(5, 1000)])).close()


PLAYS = (
    acquire_all,
    acquire_from_fixed_windows,
    put_directly,
    acquire_without_waiting_in_async_code,
    acquire_from_a_state,
    use_a_state,
    assigned_clock,
    assigned_put,
    assigned_now,
    assigned_algorithm,
    overridden_record,
    refusing_bucket,
    results_of_put,
    results_of_waiting,
    wrong_factories,
    hooks_of_the_limiter,
    construction,
)


@pytest.mark.parametrize("play", PLAYS, ids=lambda play: play.__name__.replace("_", " "))
def test_the_calls_are_those_of_the_reference(play: Play) -> None:
    logs = Log(SCUPPER), Log(ORACLE)
    for log in logs:
        play(log.package, log)
    ours, theirs = (log.taken() for log in logs)
    assert theirs != [], "the play shows nothing"
    assert agree(ours, theirs), "\n".join(ndiff(theirs, ours))


def test_a_blocked_caller_asks_for_its_wait_and_wraps_anew_after_it() -> None:
    log = Log(SCUPPER)
    bucket = log.spy(SCUPPER.InMemoryBucket, "bucket")([SCUPPER.Rate(1, 1000)])
    bucket._clock = SteppingClock(0, 990)
    factory = log.spy(SCUPPER.SingleBucketFactory, "factory")(bucket, schedule_leak=False)
    limiter = SCUPPER.Limiter(factory, buffer_ms=0)
    log.taken()
    assert limiter.try_acquire("x")
    assert limiter.try_acquire("y")
    assert log.names() == [
        *("factory.wrap_item", "bucket.now", "factory.get", "bucket.put"),
        *("factory.wrap_item", "bucket.now", "factory.get", "bucket.put", "bucket.waiting"),
        *("factory.wrap_item", "bucket.now", "bucket.put"),
    ]
    assert bucket.peek(0).timestamp == 1980, "the time of the second attempt is read from the user's clock"


def test_a_timestamp_of_a_waited_for_grant_is_never_before_its_time() -> None:
    """The reference adds what it slept to the old timestamp, and admits before the clock says so."""
    bucket = SCUPPER.InMemoryBucket([SCUPPER.Rate(1, 20)])
    bucket._clock = HandClock(100)
    limiter = SCUPPER.Limiter(SCUPPER.SingleBucketFactory(bucket, schedule_leak=False), buffer_ms=0)
    assert limiter.try_acquire("x")
    assert not limiter.try_acquire("y", timeout=0.08), "the clock stands still: the window never ends"
    assert bucket.count() == 1


def test_a_caller_without_time_is_not_asked_for_its_wait() -> None:
    log = Log(SCUPPER)
    limiter = spied_limiter(
        log, spied_bucket(SCUPPER, log, "SlidingWindowLog", SCUPPER.Rate(1, 1000)), clock=HandClock(5)
    )
    assert limiter.try_acquire("x", timeout=0)
    assert not limiter.try_acquire("x", timeout=0)
    assert "bucket.waiting" not in log.names()


def test_a_waiting_of_minus_one_gives_up_at_once() -> None:
    class Never(SCUPPER.InMemoryBucket):
        asked = 0

        def put(self, item: Any) -> bool:
            return False

        def waiting(self, item: Any) -> int:
            self.asked += 1
            return -1

    bucket = Never([SCUPPER.Rate(1, 1000)])
    assert SCUPPER.Limiter(SCUPPER.SingleBucketFactory(bucket, schedule_leak=False)).try_acquire("x") is False
    assert bucket.asked == 1
