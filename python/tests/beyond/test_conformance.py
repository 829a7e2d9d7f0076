"""The public checks of a bucket pass on what is right, and name what is wrong."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any, List, Optional, Type

import pytest

from beyond.right_bucket import NoLock, PlainBucket
from scupper import (
    AbstractBucket,
    BucketAsyncWrapper,
    FixedWindow,
    InMemoryBucket,
    InMemoryStateStore,
    Rate,
    RateItem,
    SlidingWindowLog,
    StateBucket,
    WallClock,
)
from scupper.conformance import BucketConformance, ConformanceError, FixedWindowModel, Model, check_bucket


class TestInMemoryBucket(BucketConformance):
    def make(self, rates: List[Rate]) -> AbstractBucket:
        return InMemoryBucket(rates)


class TestInMemoryBucketWithFixedWindows(BucketConformance):
    def make(self, rates: List[Rate]) -> AbstractBucket:
        return InMemoryBucket(rates, FixedWindow())


class TestInMemoryBucketThatWasChanged(BucketConformance):
    def make(self, rates: List[Rate]) -> AbstractBucket:
        bucket = InMemoryBucket(rates)
        bucket._clock = WallClock()
        return bucket


class TestInMemoryBucketByAnAlgorithmOfOnesOwn(BucketConformance):
    class Own(SlidingWindowLog):
        pass

    def make(self, rates: List[Rate]) -> AbstractBucket:
        return InMemoryBucket(rates, self.Own())


class TestStateBucket(BucketConformance):
    def make(self, rates: List[Rate]) -> AbstractBucket:
        return StateBucket(rates)


class TestStateBucketWithBursts(BucketConformance):
    def make(self, rates: List[Rate]) -> AbstractBucket:
        return StateBucket([Rate(rate.limit, rate.interval, rate.limit + 2) for rate in rates])

    def model(self, bucket: AbstractBucket, rates: List[Rate]) -> Model:
        return super().model(bucket, bucket.rates)

    # These two count on bursts that are no more than the limit.
    test_waiting_is_minus_one_for_what_never_fits = None  # type: ignore[assignment]
    test_who_puts_at_once_never_exceeds_the_limit = None  # type: ignore[assignment]
    test_a_limiter_over_it_keeps_to_the_limit_in_both_forms = None  # type: ignore[assignment]


class TestStateBucketOverAStoreOfOnesOwn(BucketConformance):
    class Own(InMemoryStateStore):
        def check(self, *arguments: Any) -> Any:
            return super().check(*arguments)

    def make(self, rates: List[Rate]) -> AbstractBucket:
        return StateBucket(rates, store=self.Own())


class TestPlainBucket(BucketConformance):
    def make(self, rates: List[Rate]) -> AbstractBucket:
        return PlainBucket(rates)


class TestAsyncBucket(BucketConformance):
    async def make(self, rates: List[Rate]) -> AbstractBucket:
        return BucketAsyncWrapper(PlainBucket(rates))


class OneTooMany(PlainBucket):
    def has_room(self, rate: Rate, item: RateItem) -> bool:
        return self.in_window(rate, item.timestamp) + item.weight <= rate.limit + 1


class OneTooFew(PlainBucket):
    def has_room(self, rate: Rate, item: RateItem) -> bool:
        return self.in_window(rate, item.timestamp) + item.weight < rate.limit


class CountsRequests(PlainBucket):
    def add(self, item: RateItem) -> None:
        self.log.append(item)


class ForgetsTooSoon(PlainBucket):
    def in_window(self, rate: Rate, now: int) -> int:
        return sum(1 for unit in self.log if unit.timestamp > now - rate.interval)


class ForgetsTooLate(PlainBucket):
    def in_window(self, rate: Rate, now: int) -> int:
        return sum(1 for unit in self.log if unit.timestamp >= now - rate.interval - 1)


class FirstRateAlone(PlainBucket):
    def has_room(self, rate: Rate, item: RateItem) -> bool:
        return rate is not self.rates[0] or super().has_room(rate, item)


class TakesWhatFits(PlainBucket):
    def put(self, item: RateItem) -> bool:
        if super().put(item):
            return True
        while item.weight > 1:
            item = RateItem(item.name, item.timestamp, item.weight - 1)
            if all(self.has_room(rate, item) for rate in self.rates):
                self.add(item)
        return False


class CountsDenials(PlainBucket):
    def put(self, item: RateItem) -> bool:
        if len(self.rates) == 1 or self.has_room(self.rates[1], item):
            admitted = super().put(item)
            if not admitted and item.weight == 1 and len(self.rates) > 1:
                self.log.insert(0, RateItem(item.name, item.timestamp - self.rates[0].interval - 1, 1))
            return admitted
        return super().put(item)


class NeverClearsFailingRate(PlainBucket):
    def put(self, item: RateItem) -> bool:
        before = self.failing_rate
        admitted = super().put(item)
        self.failing_rate = self.failing_rate or before
        return admitted


class TellsTheLastRate(PlainBucket):
    def put(self, item: RateItem) -> bool:
        admitted = super().put(item)
        self.failing_rate = None if admitted else self.rates[-1]
        return admitted


class WaitsBy(PlainBucket):
    def waiting(self, item: RateItem) -> int:
        wait = super().waiting(item)
        assert isinstance(wait, int)
        return self.changed(wait)

    def changed(self, wait: int) -> int:
        raise NotImplementedError


class WaitsShort(WaitsBy):
    def changed(self, wait: int) -> int:
        return wait - 1 if wait > 0 else wait


class WaitsLong(WaitsBy):
    def changed(self, wait: int) -> int:
        return wait + 1 if wait > 0 else wait


class GivesUp(WaitsBy):
    def changed(self, wait: int) -> int:
        return -1


class NeverGivesUp(WaitsBy):
    def changed(self, wait: int) -> int:
        return max(wait, 1)


class LeaksTooMuch(PlainBucket):
    def leak(self, current_timestamp: Optional[int] = None) -> int:
        assert current_timestamp is not None
        return super().leak(current_timestamp + 2)


class NeverLeaks(PlainBucket):
    def leak(self, current_timestamp: Optional[int] = None) -> int:
        return 0


class MiscountsLeaks(PlainBucket):
    def leak(self, current_timestamp: Optional[int] = None) -> int:
        return super().leak(current_timestamp) + 1


class LeaksSilently(PlainBucket):
    def leak(self, current_timestamp: Optional[int] = None) -> Any:
        super().leak(current_timestamp)


class FlushesNothing(PlainBucket):
    def flush(self) -> None:
        pass


class CountsOfRequests(PlainBucket):
    def count(self) -> int:
        return len(set(map(id, self.log)))


class PeeksFromTheOldest(PlainBucket):
    def peek(self, index: int) -> Optional[RateItem]:
        return self.log[index] if index < len(self.log) else None


class PeeksBeyond(PlainBucket):
    def peek(self, index: int) -> Optional[RateItem]:
        return self.log[-1 - index % max(1, len(self.log))] if self.log else None


class NotThreadSafe(PlainBucket):
    def __init__(self, rates: List[Rate]) -> None:
        super().__init__(rates)
        self.lock = NoLock()


class NotTaskSafe(PlainBucket):
    is_async = True

    async def put(self, item: RateItem) -> bool:  # type: ignore[override]
        if not all(self.has_room(rate, item) for rate in self.rates):
            return super().put(item)
        await asyncio.sleep(0)
        self.failing_rate = None
        self.add(item)
        return True


class ClaimsToBeAsync(PlainBucket):
    is_async = True


class GivesNumbers(PlainBucket):
    def put(self, item: RateItem) -> Any:
        return int(super().put(item))


class GivesFloats(WaitsBy):
    def changed(self, wait: int) -> Any:
        return wait / 1000


class TellsSeconds(PlainBucket):
    def now(self) -> Any:
        return super().now() / 1000


class RaisesWhenFull(PlainBucket):
    def put(self, item: RateItem) -> bool:
        if super().put(item):
            return True
        raise RuntimeError("the bucket is full")


WRONG = [
    (OneTooMany, "it_admits_up_to_the_limit_and_not_one_more", "exceeds 1 in 10 ms, of which 1 are in use"),
    (OneTooMany, "it_never_exceeds_a_rate", "it must be denied"),
    (OneTooFew, "it_admits_up_to_the_limit_and_not_one_more", "fits, and must be admitted: 1 in 10 ms, of which 0 are in use"),
    (OneTooFew, "it_never_denies_what_fits", "it must be admitted"),
    (CountsRequests, "a_weight_is_taken_whole_or_not_at_all", "exceeds 5 in 100 ms"),
    (CountsRequests, "it_never_exceeds_a_rate", "it must be denied"),
    (ForgetsTooSoon, "a_unit_counts_until_its_window_ends_and_no_longer", "must be denied"),
    (ForgetsTooLate, "a_unit_counts_until_its_window_ends_and_no_longer", "must be admitted"),
    (FirstRateAlone, "it_holds_to_each_of_several_rates", "exceeds 4 in 100 ms"),
    (TakesWhatFits, "a_weight_is_taken_whole_or_not_at_all", "2 at 10000000 fits, and must be admitted"),
    (CountsDenials, "what_was_denied_by_one_rate_counts_for_no_other", "fits, and must be admitted"),
    (NeverClearsFailingRate, "failing_rate_is_a_rate_that_has_no_room", "after a put that was admitted; it must be None"),
    (TellsTheLastRate, "failing_rate_is_a_rate_that_has_no_room", "which has no room"),
    (WaitsShort, "waiting_is_exact", "neither sooner nor later"),
    (WaitsLong, "waiting_is_exact", "neither sooner nor later"),
    (GivesUp, "waiting_is_exact", "waiting gave -1"),
    (GivesUp, "who_waits_as_told_is_admitted", "after all the waits that waiting told"),
    (NeverGivesUp, "waiting_is_minus_one_for_what_never_fits", "it is more than ever fits"),
    (LeaksTooMuch, "leak_drops_nothing_that_counts", "a leak dropped what still counts"),
    (NeverLeaks, "leak_drops_all_that_counts_no_more", "it must drop all, and say so"),
    (MiscountsLeaks, "leak_drops_nothing_that_counts", "units before it, and"),
    (LeaksSilently, "leak_drops_all_that_counts_no_more", "leak gave None; it must give how many units it dropped"),
    (FlushesNothing, "flush_forgets_everything", "must be admitted"),
    (CountsOfRequests, "count_tells_how_many_units_there_are", "units were admitted at one time"),
    (PeeksFromTheOldest, "peek_shows_unit_by_unit_from_the_newest", "it must be an item of 'c'"),
    (PeeksBeyond, "peek_shows_unit_by_unit_from_the_newest", "it must give None, as there are 6 units"),
    (NotThreadSafe, "who_puts_at_once_never_exceeds_the_limit", "were admitted of many at once; it must be 3"),
    (NotTaskSafe, "who_puts_at_once_never_exceeds_the_limit", "were admitted of many at once; it must be 3"),
    (ClaimsToBeAsync, "put_gives_an_awaitable_if_the_bucket_says_so", "is_async is True, and put gave no awaitable"),
    (GivesNumbers, "it_admits_up_to_the_limit_and_not_one_more", "put gave 1; it must give True or False"),
    (GivesFloats, "waiting_is_exact", "it must give whole milliseconds, or -1 for never"),
    (TellsSeconds, "a_limiter_over_it_keeps_to_the_limit_in_both_forms", "it must give whole milliseconds"),
]


@pytest.mark.parametrize(("bucket", "check", "message"), WRONG)
def test_a_wrong_bucket_fails_the_check_of_what_it_breaks(bucket: Type[PlainBucket], check: str, message: str) -> None:
    class Checks(BucketConformance):
        def make(self, rates: List[Rate]) -> AbstractBucket:
            return bucket(rates)

    with pytest.raises(ConformanceError) as failure:
        getattr(Checks(), f"test_{check}")()
    assert message in str(failure.value)
    assert "the last steps, in units and milliseconds:" in str(failure.value)


@pytest.mark.parametrize("bucket", [OneTooMany, NotThreadSafe, NotTaskSafe])
def test_a_wrong_bucket_passes_no_run_of_all_checks(bucket: Type[PlainBucket]) -> None:
    with pytest.raises(ConformanceError, match="checks? failed"):
        check_bucket(bucket)


def test_all_checks_pass_on_a_right_bucket() -> None:
    check_bucket(PlainBucket)
    check_bucket(InMemoryBucket)


def test_what_failed_is_named_with_what_is_wrong() -> None:
    with pytest.raises(ConformanceError) as failure:
        check_bucket(FlushesNothing)
    assert str(failure.value).startswith("2 checks failed:\ntest_count_tells_how_many_units_there_are: count must give 0 after flush")
    assert "\ntest_flush_forgets_everything: 1 at 10000000 fits, and must be admitted" in str(failure.value)


def test_an_exception_of_the_bucket_is_told() -> None:
    with pytest.raises(ConformanceError, match="test_it_never_exceeds_a_rate: RuntimeError: the bucket is full"):
        check_bucket(RaisesWhenFull)


def test_an_algorithm_without_a_model_is_explained() -> None:
    class Other(PlainBucket):
        _algorithm = object()  # type: ignore[assignment]

    with pytest.raises(ConformanceError, match="there is no model of object; override BucketConformance.model"):
        check_bucket(Other)


def test_a_model_of_ones_own_decides_what_is_right() -> None:
    class Fixed(PlainBucket):
        _algorithm = object()  # type: ignore[assignment]

        def in_window(self, rate: Rate, now: int) -> int:
            return sum(1 for unit in self.log if unit.timestamp >= now - now % rate.interval)

        def waiting(self, item: RateItem) -> int:
            rate = self.failing_rate
            if rate is None:
                return 0
            return -1 if item.weight > rate.limit else rate.interval - item.timestamp % rate.interval

    class Checks(BucketConformance):
        def model(self, bucket: AbstractBucket, rates: List[Rate]) -> Model:
            return FixedWindowModel(rates)

    check_bucket(Fixed, Checks)


def test_a_bucket_that_nobody_shares_is_not_put_to_by_threads() -> None:
    class Checks(BucketConformance):
        is_shared = False

    check_bucket(NotThreadSafe, Checks)


def test_without_make_it_says_what_is_missing() -> None:
    with pytest.raises(NotImplementedError, match="must give a new bucket under those rates"):
        BucketConformance().test_flush_forgets_everything()


def test_the_checks_need_no_pytest() -> None:
    program = "import sys; sys.modules['pytest'] = None; import scupper.conformance as c; from scupper import InMemoryBucket; "
    subprocess.run([sys.executable, "-c", program + "c.check_bucket(InMemoryBucket)"], check=True, timeout=60)
