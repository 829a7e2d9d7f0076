"""What limiters on stores decide."""

import asyncio
import time
from typing import Any

import pytest
from support.packages import SCUPPER
from support.threads import BOUND, together
from support.waits import WEEK, at_once

HOUR = SCUPPER.Duration.HOUR


def test_threads_are_admitted_exactly_as_often_as_the_rates_allow(make: Any) -> None:
    limiter = make((50, WEEK))
    answers = together(8, lambda _: [limiter.try_acquire("x", blocking=False) for _ in range(10)])
    assert sum(sum(each) for each in answers) == 50


def test_tasks_are_admitted_exactly_as_often_as_the_rates_allow(make: Any) -> None:
    limiter = make((50, WEEK))

    async def main() -> list[bool]:
        calls = [limiter.try_acquire_async("x", blocking=False) for _ in range(80)]
        return await asyncio.gather(*calls)

    assert sum(asyncio.run(main())) == 50


def test_a_weight_is_taken_whole_or_not_at_all(make: Any) -> None:
    limiter = make((5, WEEK))
    assert [limiter.try_acquire("x", weight, blocking=False) for weight in (3, 3, 2, 1)] == [True, False, True, False]


def test_what_never_fits_is_false_at_once(make: Any) -> None:
    limiter = make((5, WEEK))
    assert limiter.try_acquire("x", 6) is False
    assert limiter.try_acquire("x", 6, timeout=5) is False
    assert limiter.try_acquire("x", 2**80, blocking=False) is False
    assert asyncio.run(limiter.try_acquire_async("x", 6)) is False
    assert limiter.try_acquire("x", 5, blocking=False)


def test_no_weight_is_admitted_and_takes_nothing(make: Any) -> None:
    limiter = make((1, WEEK))
    assert limiter.try_acquire("x", 0)
    assert [limiter.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]


def test_a_time_limit_that_cannot_be_kept_ends_at_once(make: Any) -> None:
    limiter = make((1, WEEK))
    assert limiter.try_acquire("x")
    start = time.monotonic()
    assert limiter.try_acquire("x", timeout=60) is False
    assert limiter.try_acquire("x", timeout=0) is False
    assert asyncio.run(limiter.try_acquire_async("x", timeout=60)) is False
    assert time.monotonic() - start < 30


def test_arguments_that_cannot_be_are_refused_as_ever(make: Any) -> None:
    limiter = make((1, WEEK))
    with pytest.raises(ValueError, match="timeout"):
        limiter.try_acquire("x", timeout=-2)
    with pytest.raises(RuntimeError, match="non-blocking"):
        limiter.try_acquire("x", blocking=False, timeout=1)
    with pytest.raises(AssertionError, match="weight"):
        limiter.try_acquire("x", -1)


def test_names_are_labels_of_one_bucket_and_may_be_anything(one: Any) -> None:
    limiter = one((3, WEEK))
    assert [limiter.try_acquire(name, blocking=False) for name in ("a", None, 5, "b")] == [True, True, True, False]


def test_each_name_has_its_own_bucket_per_key(url: str, key: str) -> None:
    limiter = SCUPPER.Limiter.per_key(SCUPPER.Rate(1, WEEK), store=url, prefix=key, call_timeout=BOUND)
    names = ["a", "ü", "", "a" * 300, "a", "ü", ""]
    assert [limiter.try_acquire(name, blocking=False) for name in names] == [True] * 4 + [False] * 3


def test_a_name_that_is_no_text_has_no_bucket_per_key(url: str, key: str) -> None:
    limiter = SCUPPER.Limiter.per_key(SCUPPER.Rate(1, WEEK), store=url, prefix=key, call_timeout=BOUND)
    for call in (lambda name: limiter.try_acquire(name), lambda name: asyncio.run(limiter.try_acquire_async(name))):
        with pytest.raises(TypeError, match="of type int; where each name has its own bucket, it must be a str"):
            call(5)
    with pytest.raises(UnicodeEncodeError):
        limiter.try_acquire("\ud800")


def test_limiters_on_one_key_count_together(shared: Any) -> None:
    limiters = [shared((3, WEEK)) for _ in range(4)]
    assert [limiter.try_acquire(blocking=False) for limiter in limiters] == [True, True, True, False]


def test_limiters_on_other_keys_or_prefixes_count_apart(shared_url: str, key: str) -> None:
    rate = SCUPPER.Rate(1, WEEK)
    limiters = [SCUPPER.Limiter.open(shared_url, rate, key=f"{key}{number}", call_timeout=BOUND) for number in range(2)]
    limiters += [
        SCUPPER.Limiter.per_key(rate, store=shared_url, prefix=f"{key}{letter}", call_timeout=BOUND) for letter in "ab"
    ]
    assert all(limiter.try_acquire("x", blocking=False) for limiter in limiters)
    assert not any(limiter.try_acquire("x", blocking=False) for limiter in limiters)


def test_each_memory_is_a_store_of_its_own() -> None:
    rate = SCUPPER.Rate(1, WEEK)
    limiters = [SCUPPER.Limiter.open("memory:", rate), SCUPPER.Limiter.open("memory:", rate)]
    limiters += [SCUPPER.Limiter.per_key(rate), SCUPPER.Limiter.per_key(rate)]
    assert all(limiter.try_acquire("x", blocking=False) for limiter in limiters)


@pytest.mark.parametrize("kind", ["memory", "shm"])
def test_a_grant_from_memory_takes_no_turn_of_a_loop(kind: str, url_of: Any, key: str) -> None:
    rate = SCUPPER.Rate(2, WEEK)
    for limiter in (
        SCUPPER.Limiter.open(url_of(kind), rate, key=key),
        SCUPPER.Limiter.per_key(rate, store=url_of(kind), prefix=f"{key}:"),
    ):
        assert at_once(limiter.try_acquire_async("x")) is True
        assert at_once(limiter.try_acquire_async("x", 1, True, 5)) is True
        assert at_once(limiter.try_acquire_async("x", blocking=False)) is False


ALGORITHMS = [
    ("sliding-window-log", SCUPPER.SlidingWindowLog),
    ("fixed-window", SCUPPER.FixedWindow),
    ("gcra", SCUPPER.GCRA),
    ("token-bucket", SCUPPER.TokenBucket),
]


@pytest.mark.parametrize(("name", "algorithm"), ALGORITHMS)
def test_an_algorithm_is_chosen_by_its_name_or_an_object(name: str, algorithm: Any, url: str, key: str) -> None:
    rate = SCUPPER.Rate(3, WEEK)
    for number, given in enumerate((name, algorithm(), name.replace("-", "_"))):
        limiter = SCUPPER.Limiter.open(url, rate, key=f"{key}{number}", algorithm=given, call_timeout=BOUND)
        assert [limiter.try_acquire(blocking=False) for _ in range(4)] == [True] * 3 + [False]
        assert type(limiter.bucket_factory.bucket._algorithm) is algorithm


def test_a_burst_counts_under_the_token_bucket(one: Any, url: str, key: str) -> None:
    rate = SCUPPER.Rate(1, WEEK, burst=4)
    limiter = SCUPPER.Limiter.open(url, rate, key=key, algorithm="token-bucket", call_timeout=BOUND)
    assert [limiter.try_acquire(blocking=False) for _ in range(5)] == [True] * 4 + [False]


def test_all_rates_are_held_to_and_the_one_in_the_way_is_told(one: Any) -> None:
    limiter = one((2, HOUR), (3, WEEK))
    bucket = limiter.bucket_factory.bucket
    assert [limiter.try_acquire(blocking=False) for _ in range(3)] == [True, True, False]
    assert bucket.failing_rate is bucket.rates[0]
    weight, retry_at = bucket._last_wait
    assert (weight, 0 < retry_at - bucket.now() <= HOUR.value + 1) == (1, True)
    assert limiter.try_acquire("x", 4, blocking=False) is False
    assert bucket._last_wait is None


def test_other_rates_count_what_was_taken(make: Any) -> None:
    limiter = make((1, WEEK), denial_cache=0)
    bucket = limiter.bucket_factory.bucket
    assert [limiter.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]
    bucket.rates = [SCUPPER.Rate(3, WEEK)]
    assert [limiter.try_acquire("x", blocking=False) for _ in range(3)] == [True, True, False]
    bucket.rates[0].limit = 4
    assert [limiter.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]
    with pytest.raises(ValueError, match="Invalid rate list"):
        bucket.rates = []


def test_a_decorated_function_takes_its_units_first(make: Any) -> None:
    limiter = make((2, WEEK))

    @limiter.as_decorator(name="x")
    def double(number: int) -> int:
        return 2 * number

    @limiter.as_decorator(name="x")
    async def double_later(number: int) -> int:
        return 2 * number

    assert (double(1), asyncio.run(double_later(2))) == (2, 4)
    assert not limiter.try_acquire("x", blocking=False)


def test_what_ended_a_wait_is_told(make: Any) -> None:
    limiter = make((2, HOUR), (3, WEEK))
    bucket = limiter.bucket_factory.bucket
    assert limiter.try_acquire("x", 2) and bucket.failing_rate is None
    assert limiter.try_acquire("x", timeout=1) is False
    assert bucket.failing_rate is bucket.rates[0]
    assert 0 < bucket._last_wait[1] - bucket.now() <= HOUR.value + 1
    assert limiter.try_acquire("x", 3, timeout=1) is False
    assert (bucket.failing_rate, bucket._last_wait) == (bucket.rates[0], None)
