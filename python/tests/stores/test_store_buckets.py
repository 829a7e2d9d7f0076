"""A bucket in a store as any other bucket: asked itself, changed by its user, or given by a factory."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from support.clocks import HandClock
from support.packages import SCUPPER
from support.threads import BOUND, Running, eventually
from support.waits import WEEK, started, within_bound

Bucket = SCUPPER.buckets.StoreBucket
HOUR = SCUPPER.Duration.HOUR


def item(name: str = "x", timestamp: Any = None, weight: int = 1) -> Any:
    """With the time of a clock, if no other is given."""
    return SCUPPER.RateItem(name, SCUPPER.WallClock().now() if timestamp is None else timestamp, weight)


class TestBucket:
    def test_it_counts_what_is_put(self, url: str, key: str) -> None:
        bucket = Bucket(url, SCUPPER.Rate(3, WEEK), key=key, call_timeout=BOUND)
        assert [bucket.put(item(weight=weight)) for weight in (2, 2, 1, 0)] == [True, False, True, True]
        assert bucket.count() == 3
        assert bucket.leak() == bucket.leak(10**15) == 0
        bucket.flush()
        assert (bucket.count(), bucket.failing_rate) == (0, None)
        assert bucket.put(item(weight=3))

    def test_it_tells_what_a_denied_item_waits_for(self, url: str, key: str) -> None:
        bucket = Bucket(url, [SCUPPER.Rate(1, HOUR), SCUPPER.Rate(2, WEEK)], key=key, call_timeout=BOUND)
        assert bucket.put(item()) and bucket.waiting(item()) == 0
        denied = item(timestamp=bucket.now())
        assert not bucket.put(denied)
        assert bucket.failing_rate is bucket.rates[0]
        assert HOUR.value - 60_000 < bucket.waiting(denied) <= HOUR.value + 1
        decision = bucket.put_decision(denied)
        assert decision.failing_rate is bucket.rates[0]
        assert decision.retry_after_ms is not None and decision.retry_after_ms <= HOUR.value + 1
        assert not bucket.put(item(weight=3)) and bucket.waiting(item(weight=3)) == -1

    def test_it_tells_of_the_last_request_whoever_made_it(self, url: str, key: str) -> None:
        rates = [SCUPPER.Rate(1, HOUR), SCUPPER.Rate(2, WEEK)]
        bucket = Bucket(url, rates, key=key, call_timeout=BOUND, denial_cache=0)
        limiter = SCUPPER.Limiter(bucket)
        assert bucket.put(item()) and not bucket.put(item())
        assert not limiter.try_acquire("x", 2, blocking=False)
        assert bucket.waiting(item(timestamp=bucket.now(), weight=2)) == -1
        bucket.flush()
        assert limiter.try_acquire("x") and bucket.waiting(item()) == 0
        assert not limiter.try_acquire("x", blocking=False)
        assert HOUR.value - 60_000 < bucket.waiting(item(timestamp=bucket.now())) <= HOUR.value + 1_000

    @pytest.mark.parametrize("clock", [SCUPPER.MonotonicClock(), SCUPPER.WallClock()])
    def test_the_stores_clock_counts_where_an_item_has_a_clocks_time(self, clock: Any, url: str, key: str) -> None:
        bucket = Bucket(url, SCUPPER.Rate(1, HOUR), key=key, call_timeout=BOUND)
        assert bucket.put(item(timestamp=clock.now()))
        assert bucket.count() == 1
        denied = item(timestamp=clock.now())
        assert not bucket.put(denied)
        assert HOUR.value - 60_000 < bucket.waiting(denied) <= HOUR.value + 1

    def test_a_time_that_a_user_made_up_counts(self, url: str, key: str) -> None:
        bucket = Bucket(url, SCUPPER.Rate(1, 1_000), key=key, call_timeout=BOUND)
        answers = [bucket.put(item(timestamp=time)) for time in (5, 1_005, 1_006, 2_006, 2_007)]
        assert answers == [True, False, True, False, True]
        denied = item(timestamp=2_500)
        assert not bucket.put(denied) and bucket.waiting(denied) == 508

    def test_the_clock_of_a_user_counts(self, url: str, key: str) -> None:
        bucket = Bucket(url, SCUPPER.Rate(1, HOUR), key=key, call_timeout=BOUND)
        clock = bucket._clock = HandClock(1)
        limiter = SCUPPER.Limiter(bucket)
        answers = []
        for clock.time in (1, 2, HOUR.value + 1, HOUR.value + 2, HOUR.value + 3):
            answers.append(limiter.try_acquire("x", blocking=False))
        assert answers == [True, False, False, True, False]

    def test_a_method_of_a_user_is_called(self, url: str, key: str) -> None:
        class Mine(Bucket):
            def put(self, item: Any) -> bool:
                seen.append(item.name)
                return super().put(item)

        seen: list[str] = []
        limiter = SCUPPER.Limiter(Mine(url, SCUPPER.Rate(2, 300), key=key, call_timeout=BOUND), buffer_ms=0)
        assert all(limiter.try_acquire(name) for name in "abc")
        assert asyncio.run(limiter.try_acquire_async("d"))
        assert set(seen) == set("abcd")

    def test_names_are_not_kept_and_that_is_said(self, url: str, key: str) -> None:
        with pytest.raises(NotImplementedError, match="keeps no items"):
            Bucket(url, SCUPPER.Rate(1, WEEK), key=key, call_timeout=BOUND).peek(0)

    def test_its_algorithm_is_not_to_be_changed(self) -> None:
        bucket = Bucket("memory:", SCUPPER.Rate(1, WEEK))
        with pytest.raises(TypeError, match="when it is made"):
            bucket._algorithm = SCUPPER.FixedWindow()

    def test_its_clock_tells_the_stores_time(self, url: str, key: str) -> None:
        bucket = Bucket(url, SCUPPER.Rate(1, WEEK), key=key, call_timeout=BOUND)
        assert bucket.put(item())
        first = bucket.now()
        eventually(lambda: bucket.now() > first, "it goes on")
        assert bucket.now() - first < 60_000

    def test_it_needs_no_thread_that_leaks(self, one: Any) -> None:
        limiter = one((1, WEEK))
        bucket = limiter.bucket_factory.bucket
        assert limiter.buckets() == [bucket]
        assert not limiter.bucket_factory._leaker.is_alive()

    def test_flush_and_count_are_of_its_prefix_alone(self, shared_url: str, key: str) -> None:
        rate = SCUPPER.Rate(1, WEEK)
        limiters = [
            SCUPPER.Limiter.per_key(rate, store=shared_url, prefix=f"{key}{letter}:", call_timeout=BOUND)
            for letter in "ab"
        ]
        for limiter in limiters:
            assert all(limiter.try_acquire(str(name)) for name in range(30))
        buckets = [limiter.bucket_factory.bucket for limiter in limiters]
        assert [bucket.count() for bucket in buckets] == [30, 30]
        buckets[0].flush()
        assert [bucket.count() for bucket in buckets] == [0, 30]


class Factory(SCUPPER.BucketFactory):
    """A bucket in the store for each name."""

    def __init__(self, url: str, key: str, rate: Any) -> None:
        self.url, self.key, self.rate = url, key, rate
        self.made: dict[str, Any] = {}

    def wrap_item(self, name: str, weight: int = 1) -> Any:
        return SCUPPER.RateItem(name, SCUPPER.MonotonicClock().now(), weight)

    def get(self, item: Any) -> Any:
        if item.name not in self.made:
            key = f"{self.key}-{item.name}"
            self.made[item.name] = self.create(Bucket, self.url, self.rate, key=key, call_timeout=BOUND)
        return self.made[item.name]


class TestFactory:
    def test_a_factory_may_give_buckets_in_a_store(self, url: str, key: str) -> None:
        with SCUPPER.Limiter(Factory(url, key, SCUPPER.Rate(1, HOUR))) as slow:
            assert [slow.try_acquire(name, blocking=False) for name in "aab"] == [True, False, True]
        limiter = SCUPPER.Limiter(Factory(url, key, SCUPPER.Rate(1, 300)), buffer_ms=0)
        start = time.monotonic()
        assert limiter.try_acquire("c") and limiter.try_acquire("c")
        assert time.monotonic() - start >= 0.3

        async def main() -> list[bool]:
            return await asyncio.gather(*[limiter.try_acquire_async("d") for _ in range(3)])

        assert asyncio.run(main()) == [True] * 3
        limiter.close()

    def test_a_loop_goes_on_while_the_bucket_of_a_factory_is_asked(self, redis_server: Any, key: str) -> None:
        factory = Factory(redis_server.url, key, SCUPPER.Rate(2, WEEK))
        limiter = SCUPPER.Limiter(factory, buffer_ms=0)
        assert limiter.try_acquire("x")

        async def main() -> None:
            redis_server.stall()
            try:
                task = await started(limiter, "x")
                for _ in range(100):
                    await asyncio.sleep(0)
                assert not task.done()
            finally:
                redis_server.go_on()
            assert await within_bound(task) is True

        asyncio.run(main())


class TestManyNames:
    NAMES = 20_000

    def test_idle_names_count_no_more(self) -> None:
        limiter = SCUPPER.Limiter.per_key(SCUPPER.Rate(1, 100))
        bucket = limiter.bucket_factory.bucket
        assert all(limiter.try_acquire(f"user-{number}", blocking=False) for number in range(self.NAMES))
        eventually(lambda: bucket.count() == 0, "all of them have left")
        began = time.monotonic()
        assert limiter.try_acquire("user-0", blocking=False)
        assert bucket.count() == 1 or time.monotonic() - began > 0.1

    @pytest.mark.parametrize("forget", ["flush", "reset"])
    def test_names_that_were_forgotten_count_at_once_no_more(self, forget: str, url: str, key: str) -> None:
        rate = SCUPPER.Rate(5, WEEK)
        limiter = SCUPPER.Limiter.per_key(rate, store=url, prefix=key, call_timeout=BOUND)
        bucket = limiter.bucket_factory.bucket
        assert limiter.try_acquire("a") and limiter.try_acquire("b") and bucket.count() == 2
        if forget == "flush":
            bucket.flush()
        else:
            assert limiter.reset("a") and bucket.count() == 1 and limiter.reset("b")
        assert bucket.count() == 0

    def test_names_that_owe_something_stay(self) -> None:
        limiter = SCUPPER.Limiter.per_key([SCUPPER.Rate(1, 100), SCUPPER.Rate(2, WEEK)])
        bucket = limiter.bucket_factory.bucket
        quick = SCUPPER.Limiter.per_key(SCUPPER.Rate(1, 100))
        for number in range(100):
            assert limiter.try_acquire(f"user-{number}") and quick.try_acquire(f"user-{number}")
        eventually(lambda: quick.bucket_factory.bucket.count() == 0, "those of the other have left")
        assert bucket.count() == 100

    def test_limiters_in_threads_share_a_stores_connections(self, redis_server: Any, key: str) -> None:
        def connections() -> int:
            lines = redis_server.command("CLIENT", "LIST", "TYPE", "normal").decode().splitlines()
            return sum("cmd=evalsha" in line or "lib-name" in line for line in lines)

        rate = SCUPPER.Rate(100, WEEK)
        limiters = [SCUPPER.Limiter.open(redis_server.url, rate, key=key, call_timeout=BOUND) for _ in range(30)]
        running = [Running(lambda limiter=limiter: limiter.try_acquire("x")) for limiter in limiters]
        assert all(each.result() for each in running)
        assert connections() < 30


@pytest.mark.parametrize("url", ["sqlite:limits", "shm:./limits?size=1MiB"])
def test_a_relative_path_begins_in_the_folder_of_the_moment(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = []
    for folder in (tmp_path / "one", tmp_path / "other"):
        folder.mkdir()
        monkeypatch.chdir(folder)
        kept.append(SCUPPER.Limiter.open(url, SCUPPER.Rate(1, WEEK), call_timeout=BOUND))
        assert kept[-1].try_acquire("x", blocking=False)
        assert (folder / "limits").is_file()


def test_another_link_leads_to_another_file(tmp_path: Path) -> None:
    link, kept = tmp_path / "current", []
    for folder in (tmp_path / "one", tmp_path / "other"):
        folder.mkdir()
        link.unlink(missing_ok=True)
        link.symlink_to(folder)
        kept.append(SCUPPER.Limiter.open(f"sqlite:{link}/limits.db", SCUPPER.Rate(1, WEEK), call_timeout=BOUND))
        assert kept[-1].try_acquire("x", blocking=False)


class TestWeights:
    MOST = 10**12

    @pytest.mark.parametrize("weight", [MOST + 1, 2**62, 2**64 - 1, 2**64])
    def test_what_is_heavier_than_the_largest_limit_never_fits(self, weight: int, url: str, key: str) -> None:
        limiter = SCUPPER.Limiter.open(url, SCUPPER.Rate(self.MOST, HOUR), key=key, call_timeout=BOUND)
        assert limiter.try_acquire("x", weight) is False
        assert limiter.try_acquire("x", weight, blocking=False) is False
        assert asyncio.run(limiter.try_acquire_async("x", weight)) is False
        verdict = limiter.decide("x", weight)
        assert (verdict.allowed, verdict.never, verdict.remaining) == (False, True, self.MOST)
        with pytest.raises(ValueError, match="never fit"):
            limiter.reserve("x", weight)
        bucket = limiter.bucket_factory.bucket
        assert bucket.put(item(weight=weight)) is False and bucket.waiting(item(weight=weight)) == -1
        assert bucket.count() == 0 and limiter.try_acquire("x", self.MOST)
