"""Our buckets when something of theirs is replaced, and limiters over them."""

from __future__ import annotations

import asyncio
import functools
import inspect
import subprocess
import sys
from typing import Any, List, Sequence
from unittest import mock

import pytest
from buckets import Gate, in_line, thread, until
from scupper import (
    GCRA,
    AbstractClock,
    Decision,
    InMemoryBucket,
    InMemoryStateStore,
    Limiter,
    MultiprocessBucket,
    MultiprocessStateStore,
    Rate,
    RateItem,
    SingleBucketFactory,
    SlidingWindowLog,
    SQLiteBucket,
    StateBucket,
    StoreBucket,
    TokenBucket,
)
from scupper._answers import verdict_of


class Hand(AbstractClock):
    def __init__(self, time: int = 0) -> None:
        self.time = time

    def now(self) -> int:
        return self.time


class Half(SlidingWindowLog):
    """Lets half of the limit pass."""

    def admit(self, rates: List[Rate], counts: Sequence[int], weight: int) -> Decision:
        for rate, count in zip(rates, counts):
            if count + weight > rate.limit // 2:
                return Decision(rate)
        return Decision()


def native(limiter: Limiter) -> bool:
    """Whether native code alone decides."""
    return limiter._bound is not None and limiter._bound.is_plain


@pytest.mark.parametrize(
    "make", [lambda: Rate(1, 60_000), lambda: InMemoryBucket([Rate(1, 60_000)]), lambda: StateBucket([Rate(1, 60_000)])]
)
def test_native_code_decides_while_nothing_is_replaced(make: Any) -> None:
    limiter = Limiter(make())
    assert native(limiter)
    assert limiter.try_acquire("x", blocking=False) is True
    assert limiter.try_acquire("x", blocking=False) is False


@pytest.mark.parametrize("name", ["put", "now", "waiting", "_clock", "_algorithm", "_record", "is_async"])
def test_an_assignment_ends_that(name: str) -> None:
    bucket = InMemoryBucket([Rate(1, 60_000)])
    limiter = Limiter(bucket)
    setattr(bucket, name, getattr(bucket, name))
    assert not native(limiter)
    assert limiter.try_acquire("x", blocking=False) is True
    assert limiter.try_acquire("x", blocking=False) is False


class Early:
    """Replaces the time before the bucket is made."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.hand = Hand(5000)
        self.now = self.hand.now
        super().__init__(*arguments, **named)


class EarlyLog(Early, InMemoryBucket):
    pass


class EarlyState(Early, StateBucket):
    pass


class EarlyOfProcesses(Early, MultiprocessBucket):
    pass


class EarlyInFile(Early, SQLiteBucket):
    pass


class EarlyInStore(Early, StoreBucket):
    pass


@pytest.mark.parametrize(
    "make",
    [
        EarlyLog,
        EarlyState,
        EarlyOfProcesses.init,
        lambda rates: EarlyInFile.init_from_file(rates, db_path=":memory:"),
        lambda rates: EarlyInStore("memory:", rates),
    ],
)
def test_an_assignment_before_the_bucket_is_made_counts_as_well(make: Any) -> None:
    bucket = make([Rate(1, 1000)])
    limiter = Limiter(bucket)
    assert [limiter.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]
    bucket.hand.time += 1001
    assert [limiter.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    "make", [InMemoryBucket, StateBucket, lambda rates: Limiter.open("memory:", rates).bucket_factory.bucket]
)
def test_rates_may_be_replaced_by_fewer_after_a_denial(make: Any) -> None:
    bucket = make([Rate(5, 1), Rate(6, 3_600_000)])
    limiter = Limiter(bucket)
    until(lambda: not limiter.try_acquire("x", weight=2, blocking=False))
    assert bucket.failing_rate is bucket.rates[1]
    bucket.rates = [Rate(1, 3_600_000)]
    assert bucket.failing_rate in (None, bucket.rates[0])
    assert limiter.decide("x").rate is bucket.rates[0]


@pytest.mark.parametrize("make", [InMemoryBucket, StateBucket])
def test_a_rate_that_is_too_large_is_refused_and_stays_as_it_was(make: Any) -> None:
    with pytest.raises(ValueError, match="is too large; its limit, interval and burst must be less than"):
        make([Rate(1, 2**70)])
    rate = Rate(5, 1000)
    bucket = make([rate])
    with pytest.raises(ValueError, match="is too large"):
        rate.interval = 2**70
    assert rate.interval == 1000
    assert bucket.put(RateItem("x", bucket.now()))


def test_what_native_code_tells_of_more_rates_than_there_are_now_is_no_error() -> None:
    denied = (False, 0, 1.0, False, 1.0, 1, None, "store")
    rate = Rate(1, 1000)
    assert verdict_of("x", 1, [rate], None, denied).rate is rate


def test_who_puts_while_rates_are_replaced_leaves_the_state_where_it_is() -> None:
    bucket = StateBucket([Rate(5, 1000)])
    found = bucket.rates
    bucket.rates = [Rate(5, 1000), Rate(6, 60_000)]
    assert bucket.store.check(bucket.algorithm, found, bucket.now(), 1)
    assert bucket._native_bucket() is not None
    assert bucket.put(RateItem("next", bucket.now()))


def test_what_was_counted_stays_when_a_clock_is_assigned() -> None:
    bucket = InMemoryBucket([Rate(2, 60_000)])
    limiter = Limiter(bucket)
    assert limiter.try_acquire("x", blocking=False)
    bucket._clock = Hand(bucket.now())
    assert [limiter.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]
    assert bucket.failing_rate is bucket.rates[0]


def test_the_same_waits_natively_and_not() -> None:
    replaced = InMemoryBucket([Rate(1, 10), Rate(2, 1000)])
    replaced._clock = Hand(0)
    assert [replaced.put(RateItem("x", tick)) for tick in (0, 100, 105)] == [True, True, False]
    assert replaced.waiting(RateItem("x", 105)) == 896


def test_an_algorithm_of_ones_own_is_asked_to_admit() -> None:
    bucket = InMemoryBucket([Rate(4, 1000)], Half())
    assert [bucket.put(RateItem("x", tick)) for tick in (0, 1, 2)] == [True, True, False]
    bucket = InMemoryBucket([Rate(4, 1000)])
    assert bucket.put(RateItem("x", 0, 2))
    bucket._algorithm = Half()
    assert not bucket.put(RateItem("x", 1))
    assert bucket.count() == 2


@pytest.mark.parametrize(
    "make",
    [
        InMemoryBucket,
        StateBucket,
        lambda rate: StateBucket(rate, store=MultiprocessStateStore.init()),
        MultiprocessBucket.init,
        lambda rate: SQLiteBucket.init_from_file(rate, db_path=":memory:"),
        lambda rate: StoreBucket("memory:", rate),
    ],
)
def test_a_rate_that_is_changed_in_place_counts_at_once(make: Any) -> None:
    rate = Rate(3, 3_600_000)
    limiter = Limiter(make(rate))
    assert limiter.try_acquire("x", blocking=False)
    rate.limit = rate.burst = 1
    assert not limiter.try_acquire("x", blocking=False)
    rate.limit = rate.burst = 2
    assert [limiter.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]
    assert native(limiter)


def test_a_rate_of_two_buckets_over_one_store_may_be_changed_in_place() -> None:
    rate, store = Rate(3, 3_600_000), InMemoryStateStore()
    first, second = (Limiter(StateBucket(rate, store=store)) for _ in range(2))
    assert first.try_acquire("x", blocking=False)
    rate.limit = rate.burst = 2
    assert [limiter.try_acquire("x", blocking=False) for limiter in (second, first)] == [True, False]
    assert native(first) and native(second)


def test_a_change_of_a_rate_that_spoils_its_list_is_refused_and_undone() -> None:
    tight, loose = Rate(1, 1000), Rate(2, 5000)
    bucket = InMemoryBucket([tight, loose])
    with pytest.raises(ValueError, match="Invalid rate list"):
        tight.limit = 3
    assert tight.limit == 1
    assert [bucket.put(RateItem("x", 0)) for _ in range(2)] == [True, False]


def test_buckets_over_one_store_count_together() -> None:
    store = InMemoryStateStore()
    first, second = (StateBucket([Rate(2, 1000)], store=store) for _ in range(2))
    assert [first.put(RateItem("x", 0)), second.put(RateItem("x", 0)), first.put(RateItem("x", 0))] == [
        True,
        True,
        False,
    ]


def test_a_store_goes_on_in_python_where_rates_or_algorithms_differ() -> None:
    store = InMemoryStateStore()
    first = StateBucket([Rate(2, 1000)], store=store)
    assert first.put(RateItem("x", 0, 2))
    limiter = Limiter(first)
    second = StateBucket([Rate(4, 1000)], store=store)
    assert second.put(RateItem("x", 0, 2)) is False
    assert second.put(RateItem("x", 500, 2)) is True
    assert not native(limiter)
    assert first.put(RateItem("x", 500)) is False


def test_the_clock_of_a_store_tells_the_time() -> None:
    store = InMemoryStateStore()
    store.default_clock = hand = Hand(5000)
    limiter = Limiter(StateBucket([Rate(1, 1000)], store=store))
    assert [limiter.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]
    hand.time += 1000
    assert [limiter.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]


def test_a_store_of_processes_whose_check_is_replaced_is_asked() -> None:
    class Asked(MultiprocessStateStore):
        checks = 0

        def check(self, *arguments: Any) -> Decision:
            self.checks += 1
            return super().check(*arguments)

    store = Asked.init()
    limiter = Limiter(StateBucket([Rate(1, 3_600_000)], store=store))
    assert [limiter.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]
    assert getattr(store, "checks") == 2  # noqa: B009 - it is of the class that was derived
    limiter.close()


def test_the_exact_wait_of_a_third() -> None:
    for bucket in (StateBucket([Rate(3, 1000)]), StateBucket([Rate(3, 1000)], algorithm=type("Own", (GCRA,), {})())):
        assert [bucket.put(RateItem("x", 0)) for _ in range(4)] == [True, True, True, False]
        assert bucket.waiting(RateItem("x", 0)) == 334
        assert bucket.put(RateItem("x", 1000, 3)) is True


def test_the_buffer_is_not_waited_for_natively() -> None:
    limiter = Limiter(Rate(1, 50), buffer_ms=60_000)
    assert limiter.try_acquire("x")
    assert limiter.try_acquire("x", timeout=30) is True


def test_the_buffer_is_added_to_what_a_bucket_of_ones_own_says() -> None:
    seen: list[int] = []

    class Timed(Gate):
        def put(self, item: RateItem) -> bool:
            seen.append(item.timestamp)
            return len(seen) == 2

    assert Limiter(Timed(wait_ms=10), buffer_ms=40).try_acquire("x") is True
    assert seen[1] - seen[0] >= 50


def test_two_limiters_share_the_line_of_a_bucket() -> None:
    bucket = Gate(wait_ms=60_000)
    first, second = Limiter(bucket), Limiter(bucket)
    head = thread(first.try_acquire, "x")
    until(lambda: bucket.puts == ["x"])
    assert second.try_acquire("y", blocking=False) is False
    assert bucket.puts == ["x"]
    first.close()
    head.join(60)
    assert isinstance(head.error, RuntimeError)
    bucket.room = 1
    assert second.try_acquire("y", blocking=False) is True
    assert in_line(bucket) == 0


def test_a_limiter_that_is_closed_leaves_those_of_another_over_the_same_bucket() -> None:
    bucket = InMemoryBucket([Rate(1, 100)])
    first, second = Limiter(bucket), Limiter(bucket)
    assert second.try_acquire("x")
    waiting = thread(second.try_acquire, "y")
    first.close()
    waiting.join(60)
    assert waiting.result is True
    with pytest.raises(RuntimeError, match="limiter is closed"):
        first.try_acquire("x", blocking=False)
    assert Limiter(bucket).try_acquire("z", timeout=10) is True


def test_another_factory_may_be_assigned() -> None:
    limiter = Limiter(Rate(1, 60_000))
    assert limiter.try_acquire("x", blocking=False)
    limiter.bucket_factory = SingleBucketFactory(InMemoryBucket([Rate(1, 60_000)]))
    assert [limiter.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]


def test_another_bucket_may_be_assigned_to_the_factory() -> None:
    factory = SingleBucketFactory(InMemoryBucket([Rate(1, 60_000)]))
    limiter = Limiter(factory)
    assert limiter.try_acquire("x", blocking=False)
    factory.bucket = InMemoryBucket([Rate(1, 60_000)])
    assert [limiter.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]


def test_a_decorated_function_goes_through_try_acquire_as_an_async_one_does() -> None:
    class Counting(Limiter):
        asked = 0

        def try_acquire(self, *args: Any, **kwargs: Any) -> Any:
            self.asked += 1
            return super().try_acquire(*args, **kwargs)

    limiter = Counting(Rate(5, 1000))
    assert limiter.as_decorator()(lambda: 7)() == 7
    assert limiter.asked == 1


def test_a_partial_of_an_async_function_and_an_async_call_are_limited_in_the_loop() -> None:
    class Callable:
        async def __call__(self, value: int) -> int:
            return value

    async def plain(value: int) -> int:
        return value

    decorate = Limiter(token_bucket_of(5)).as_decorator(name="x")

    async def main() -> None:
        assert await decorate(functools.partial(plain, 1))() == 1
        assert await decorate(Callable())(2) == 2

    asyncio.run(main())
    assert isinstance(decorate(Callable)(), Callable), "a class makes its instances at once"


def test_a_method_that_is_replaced_on_the_class_of_limiters_is_called_as_python_calls_it() -> None:
    limiters = [Limiter(Rate(1, 3_600_000)), Limiter(Gate(room=1))]
    with mock.patch.object(Limiter, "try_acquire", return_value="replaced") as replaced:
        assert [limiter.try_acquire("x", weight=2) for limiter in limiters] == ["replaced"] * 2
    assert replaced.call_args_list == [mock.call("x", weight=2)] * 2
    with mock.patch.object(Limiter, "try_acquire", lambda limiter, name: (limiter, name)):
        assert [limiter.try_acquire("x") for limiter in limiters] == [(limiter, "x") for limiter in limiters]
    assert [limiter.try_acquire("x", blocking=False) for limiter in limiters] == [True] * 2


def test_the_arguments_of_a_limiter_can_be_asked_for_whoever_serves_it() -> None:
    limiters = [Limiter(Rate(1, 1000)), Limiter(Gate(room=1))]
    arguments = [list(inspect.signature(limiter.try_acquire).parameters) for limiter in limiters]
    assert arguments == [["name", "weight", "blocking", "timeout"]] * 2


def token_bucket_of(limit: int) -> StateBucket:
    return StateBucket([Rate(limit, 1000)], algorithm=TokenBucket())


def test_a_decorated_call_that_can_never_pass_is_an_error() -> None:
    limiter = Limiter(Rate(2, 1000))
    called: list[int] = []
    with pytest.raises(RuntimeError, match="'n' can never admit weight=3"):
        limiter.as_decorator(name="n", weight=3)(lambda: called.append(1))()
    assert not called


def test_checks_are_made_under_optimisation_too() -> None:
    program = """
from scupper import Limiter, Rate
for call in (lambda: Rate(0, 1000), lambda: Rate(1, -1000), lambda: Limiter(5), lambda: Limiter(Rate(1, 1)).try_acquire("x", -1)):
    try:
        call()
    except AssertionError:
        print("refused")
"""
    done = subprocess.run([sys.executable, "-O", "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["refused"] * 4
