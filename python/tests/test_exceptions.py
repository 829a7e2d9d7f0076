"""What a user's code raises passes through unchanged, and leaves nothing locked and nothing recorded."""

import asyncio
from typing import Any

import pytest

from support.clocks import HandClock
from support.packages import SCUPPER
from support.threads import Running

CULPRITS = ("now", "put", "waiting", "wrap_item", "get", "window_start", "check", "step")


class Fault:
    """Makes classes one of whose methods raises while the fault is armed, or once."""

    def __init__(self, culprit: str, *, once: bool = False) -> None:
        self.culprit = culprit
        self.once = once
        self.armed = False

    def spoil(self, base: type) -> Any:
        inherited = getattr(base, self.culprit, None)
        if inherited is None:
            return base

        def method(instance: Any, *arguments: Any, **named: Any) -> Any:
            if self.armed:
                self.armed = not self.once
                raise ZeroDivisionError(self.culprit)
            return inherited(instance, *arguments, **named)

        return type(f"Spoilt{base.__name__}", (base,), {self.culprit: method})


def limiter(fault: Fault, clock: HandClock) -> Any:
    rates = [SCUPPER.Rate(1, 10)]
    if fault.culprit in ("check", "step"):
        algorithm, store = fault.spoil(SCUPPER.GCRA)(), fault.spoil(SCUPPER.InMemoryStateStore)()
        bucket = SCUPPER.StateBucket(rates, algorithm, store)
    else:
        bucket = fault.spoil(SCUPPER.InMemoryBucket)(rates, fault.spoil(SCUPPER.SlidingWindowLog)())
    bucket._clock = clock
    return SCUPPER.Limiter(fault.spoil(SCUPPER.SingleBucketFactory)(bucket, schedule_leak=False))


def acquire(limiter: Any, entry: str, **named: Any) -> Any:
    if entry == "sync":
        return limiter.try_acquire("x", **named)
    return asyncio.run(limiter.try_acquire_async("x", **named))


@pytest.mark.parametrize("entry", ["sync", "async"])
@pytest.mark.parametrize("culprit", CULPRITS)
def test_an_exception_of_a_user_passes_through_and_leaves_nothing_locked(culprit: str, entry: str) -> None:
    fault = Fault(culprit)
    clock = fault.spoil(HandClock)(100) if culprit == "now" else HandClock(100)
    made = limiter(fault, clock)
    if culprit == "waiting":
        assert acquire(made, entry) is True
    fault.armed = True
    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match=culprit):
            acquire(made, entry)
    fault.armed = False
    clock.time += 50
    assert Running(lambda: acquire(made, "sync", blocking=False)).result() is True, "another thread finds it free"
    assert acquire(made, "async", blocking=False) is False, "the one unit is taken, and by that thread alone"
    clock.time += 50
    assert acquire(made, "async", blocking=False) is True
    made.close()


@pytest.mark.parametrize("culprit", ["wrap_item", "put", "waiting"])
def test_an_exception_after_a_wait_passes_through_and_the_next_in_line_is_served(culprit: str) -> None:
    async def main() -> None:
        fault = Fault(culprit, once=True)
        clock = HandClock(100)
        made = limiter(fault, clock)
        assert await made.try_acquire_async("first")
        waiters = [asyncio.create_task(made.try_acquire_async(name)) for name in ("second", "third")]
        await asyncio.sleep(0)
        # The clock stands, so the one in front asks for its wait once more when it has slept.
        fault.armed = True
        with pytest.raises(ZeroDivisionError, match=culprit):
            await waiters[0]
        clock.time += 50
        assert await waiters[1] is True
        made.close()

    asyncio.run(main())


def test_an_exception_of_a_decorated_function_passes_through_and_its_unit_stays_spent() -> None:
    made = SCUPPER.Limiter(SCUPPER.Rate(1, SCUPPER.Duration.WEEK))

    @made.as_decorator(name="x")
    def fail() -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        fail()
    assert made.try_acquire("x", blocking=False) is False
    made.close()


def test_an_exception_of_a_leak_stops_neither_the_caller_nor_the_other_buckets() -> None:
    class Broken(SCUPPER.InMemoryBucket):
        def leak(self, current_timestamp: Any = None) -> int:
            raise ZeroDivisionError("leak")

    class PerName(SCUPPER.BucketFactory):
        def __init__(self) -> None:
            self.leak_interval = 1
            self.found: dict[str, Any] = {}

        def wrap_item(self, name: str, weight: int = 1) -> Any:
            return SCUPPER.RateItem(name, SCUPPER.MonotonicClock().now(), weight)

        def get(self, item: Any) -> Any:
            if item.name not in self.found:
                kind = Broken if item.name == "broken" else SCUPPER.InMemoryBucket
                self.found[item.name] = self.create(kind, [SCUPPER.Rate(1, 1)])
            return self.found[item.name]

    made = SCUPPER.Limiter(PerName(), buffer_ms=0)
    for _ in range(100):
        assert made.try_acquire("broken") is True
        assert made.try_acquire("sound") is True
    made.close()
