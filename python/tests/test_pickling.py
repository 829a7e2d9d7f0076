"""What is pickled comes back with what it held, and goes its own way."""

import asyncio
import copy
import pickle
from types import ModuleType
from typing import Any

import pytest

from differential.scenario import plain
from support.clocks import HandClock
from support.packages import BOTH, SCUPPER, label
from support.threads import Running

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
both_packages = pytest.mark.parametrize("package", BOTH, ids=label)
protocols = pytest.mark.parametrize("protocol", PROTOCOLS)


class UsersBucket(SCUPPER.InMemoryBucket):
    """A subclass with state of its own."""

    def __init__(self, rates: Any, note: str) -> None:
        super().__init__(rates)
        self.note = note


class UsersFactory(SCUPPER.BucketFactory):
    def __init__(self, bucket: Any) -> None:
        self.bucket = bucket
        self.schedule_leak(bucket)

    def wrap_item(self, name: str, weight: int = 1) -> Any:
        return SCUPPER.RateItem(name, self.bucket.now(), weight)

    def get(self, item: Any) -> Any:
        return self.bucket


def there_and_back(thing: Any, protocol: int = pickle.HIGHEST_PROTOCOL) -> Any:
    return pickle.loads(pickle.dumps(thing, protocol))


@protocols
@both_packages
def test_small_things_come_back_as_they_were(package: ModuleType, protocol: int) -> None:
    for thing in (package.Rate(5, 1000, 9), package.RateItem("a", 5, 3), package.Decision(None, 7), package.Decision()):
        assert plain(there_and_back(thing, protocol)) == plain(thing)
        assert type(there_and_back(thing, protocol)) is type(thing)
    assert there_and_back(package.Duration.HOUR, protocol) is package.Duration.HOUR


@protocols
@pytest.mark.parametrize("algorithm", ["SlidingWindowLog", "FixedWindow"])
@both_packages
def test_a_log_comes_back_with_its_entries_and_goes_its_own_way(
    package: ModuleType, algorithm: str, protocol: int
) -> None:
    bucket = package.InMemoryBucket([package.Rate(2, 1000), package.Rate(3, 5000)], getattr(package, algorithm)())
    bucket._clock = HandClock(70)
    bucket.note = "mine"
    for name, timestamp in (("a", 10), ("b", 20), ("c", 20)):
        bucket.put(package.RateItem(name, timestamp))
    back = there_and_back(bucket, protocol)
    assert type(back._algorithm).__name__ == algorithm
    assert (back.note, back.now(), repr(back.failing_rate), back.count()) == ("mine", 70, "limit=2/1000", 2)
    assert [plain(back.peek(index)) for index in range(3)] == [plain(bucket.peek(index)) for index in range(3)]
    assert back.waiting(package.RateItem("c", 20)) == bucket.waiting(package.RateItem("c", 20)) > 0
    assert back.put(package.RateItem("d", 1100)) is True
    assert (back.count(), bucket.count()) == (3, 2)
    assert back.put(package.RateItem("d", 1100)) is False
    assert bucket.put(package.RateItem("d", 1100)) is True


@protocols
@both_packages
def test_a_state_comes_back_as_it_was_and_goes_its_own_way(package: ModuleType, protocol: int) -> None:
    bucket = package.StateBucket([package.Rate(2, 1000)], package.TokenBucket(), clock=HandClock(5))
    assert bucket.put(package.RateItem("a", 5, 1))
    back = there_and_back(bucket, protocol)
    assert (type(back.algorithm), back.now(), back.count()) == (package.TokenBucket, 5, 1)
    assert [back.put(package.RateItem("a", 5)) for _ in range(2)] == [True, False]
    assert [bucket.put(package.RateItem("a", 5)) for _ in range(2)] == [True, False]


@protocols
@both_packages
def test_a_limiter_comes_back_with_its_contents_and_goes_its_own_way(package: ModuleType, protocol: int) -> None:
    bucket = package.InMemoryBucket([package.Rate(2, package.Duration.WEEK)])
    limiter = package.Limiter(package.SingleBucketFactory(bucket, schedule_leak=False), buffer_ms=7)
    assert limiter.try_acquire("x")
    back = there_and_back(limiter, protocol)
    assert back.buffer_ms == 7
    assert [back.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]
    assert [limiter.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]
    assert asyncio.run(back.try_acquire_async("x", blocking=False)) is False
    back.close()
    limiter.close()


def test_a_plain_limiter_is_pickled_by_its_kind() -> None:
    for made in (
        SCUPPER.Limiter(SCUPPER.Rate(1, SCUPPER.Duration.WEEK)),
        SCUPPER.limiter_factory.create_token_bucket_limiter(1, SCUPPER.Duration.WEEK),
    ):
        assert made.try_acquire("x")
        back = there_and_back(made)
        assert back.try_acquire("x", blocking=False) is False
        assert back.buckets() != [], "its bucket is still leaked"
        back.bucket_factory.bucket.flush()
        assert back.try_acquire("x", blocking=False) is True
        made.close()
        back.close()


def test_subclasses_and_factories_of_a_user_come_back() -> None:
    limiter = SCUPPER.Limiter(UsersFactory(UsersBucket([SCUPPER.Rate(2, SCUPPER.Duration.WEEK)], "mine")))
    assert limiter.try_acquire("x")
    back = there_and_back(limiter)
    bucket = back.bucket_factory.get(None)
    assert (type(bucket), bucket.note, bucket.count()) == (UsersBucket, "mine", 1)
    assert [back.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]
    limiter.close()
    assert bucket.put(SCUPPER.RateItem("x", bucket.now())) is False


@protocols
def test_a_method_of_a_limiter_comes_back_with_it(protocol: int) -> None:
    rates = [SCUPPER.Rate(1, SCUPPER.Duration.WEEK)]
    for limiter in (SCUPPER.Limiter(rates), SCUPPER.Limiter(UsersFactory(UsersBucket(rates, "mine")))):
        back = there_and_back(limiter.try_acquire, protocol)
        assert (back.__name__, back("x", blocking=False), back("x", blocking=False)) == ("try_acquire", True, False)
        assert limiter.try_acquire("x", blocking=False) is True
        limiter.close()


def test_waiters_are_not_pickled() -> None:
    limiter = SCUPPER.Limiter(SCUPPER.Rate(2, SCUPPER.Duration.WEEK))
    assert limiter.try_acquire("x")
    waiting = Running(lambda: pytest.raises(RuntimeError, limiter.try_acquire, "x", 2)).until_asleep()
    back = there_and_back(limiter)
    assert back.try_acquire("x", blocking=False) is True, "nobody waits in the copy"
    limiter.close()
    waiting.result()
    assert back.try_acquire("x", blocking=False) is False
    back.close()


def test_a_copy_of_a_limiter_shares_its_bucket() -> None:
    limiter = SCUPPER.Limiter(SCUPPER.Rate(2, SCUPPER.Duration.WEEK))
    other = copy.copy(limiter)
    assert other.bucket_factory is limiter.bucket_factory
    assert [other.try_acquire("x", blocking=False) for _ in range(1)] == [True]
    assert [limiter.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]
    limiter.close()


def test_a_deep_copy_goes_its_own_way() -> None:
    limiter = SCUPPER.Limiter(SCUPPER.Rate(2, SCUPPER.Duration.WEEK))
    assert limiter.try_acquire("x")
    other = copy.deepcopy(limiter)
    assert [other.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]
    assert [limiter.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]
    limiter.close()
    other.close()
