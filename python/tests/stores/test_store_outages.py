"""What cannot be, and what becomes of requests while a store is away."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.packages import SCUPPER
from support.servers import Redis
from support.threads import BOUND, Running, eventually
from support.waits import WEEK, started, within_bound

RATE = SCUPPER.Rate(2, WEEK)


@pytest.fixture
def redis() -> Iterator[Redis]:
    """One that may be killed."""
    with Redis() as server:
        yield server


WRONG_URLS = [
    ("", "is empty"),
    ("limits.db", "has no ':' in it"),
    ("mysql://host", "is no kind of store"),
    ("memory:x", "nothing can follow"),
    ("redis://", "the host in the Redis URL is empty"),
    ("sqlite:/nowhere/at/all/limits.db", "make the folder first"),
    ("shm:x?size=1", "size"),
]


class TestWrongCalls:
    @pytest.mark.parametrize(("url", "words"), WRONG_URLS)
    def test_a_url_that_names_no_store_is_refused(self, url: str, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            SCUPPER.Limiter.open(url, RATE)
        with pytest.raises(ValueError, match=words):
            SCUPPER.Limiter.per_key(RATE, store=url)

    def test_no_message_shows_a_password(self) -> None:
        with pytest.raises(ValueError) as refused:
            SCUPPER.Limiter.open("redis://:secret@host:port", RATE)
        assert "secret" not in str(refused.value)

    @pytest.mark.parametrize("rates", [[], [SCUPPER.Rate(5, 1000), SCUPPER.Rate(4, 2000)]])
    def test_rates_that_make_no_list_are_refused(self, rates: Any) -> None:
        with pytest.raises(ValueError, match="Invalid rate list"):
            SCUPPER.Limiter.open("memory:", rates)

    def test_a_rate_that_no_store_counts_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at most"):
            SCUPPER.Limiter.per_key(SCUPPER.Rate(10**15, 1000))

    @pytest.mark.parametrize("algorithm", ["leaky", SCUPPER.abstracts.algorithm.Algorithm, None])
    def test_an_algorithm_that_is_none_is_refused(self, algorithm: Any) -> None:
        with pytest.raises((ValueError, TypeError), match="sliding-window-log"):
            SCUPPER.Limiter.open("memory:", RATE, algorithm=algorithm)

    @pytest.mark.parametrize(
        ("option", "words"),
        [
            ({"outage": "explode"}, 'outage is "explode"; it must be "error", "fail-open", "fail-closed"'),
            ({"call_timeout": -1}, "call_timeout is -1"),
            ({"denial_cache": float("nan")}, "denial_cache is NaN"),
        ],
    )
    def test_an_option_that_cannot_be_is_refused(self, option: dict[str, Any], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            SCUPPER.Limiter.open("memory:", RATE, **option)

    def test_an_option_that_is_none_is_refused(self) -> None:
        with pytest.raises(TypeError, match="patience"):
            SCUPPER.Limiter.open("memory:", RATE, patience=1)

    def test_no_key_is_refused_with_what_would_be_right(self) -> None:
        with pytest.raises(ValueError, match="per_key"):
            SCUPPER.Limiter.open("memory:", RATE, key=None)

    def test_the_database_of_another_is_refused(self, tmp_path: Path) -> None:
        import sqlite3

        database = sqlite3.connect(tmp_path / "other.db")
        database.execute("CREATE TABLE rate_bucket (name VARCHAR)")
        database.close()
        with pytest.raises((ValueError, SCUPPER.StoreError), match="other.db"):
            SCUPPER.Limiter.open(f"sqlite:{tmp_path}/other.db", RATE, call_timeout=BOUND).try_acquire("x")

    def test_a_bucket_of_another_algorithm_is_told(self, shared_url: str, key: str) -> None:
        assert SCUPPER.Limiter.open(shared_url, RATE, key=key, call_timeout=BOUND).try_acquire("x")
        other = SCUPPER.Limiter.open(shared_url, RATE, key=key, algorithm="gcra", call_timeout=BOUND)
        with pytest.raises(SCUPPER.StoreError) as error:
            other.try_acquire("x")
        assert error.value.kind == "AlgorithmMismatch"


class OwnBucket(SCUPPER.buckets.StoreBucket):
    def waiting(self, item: Any) -> Any:
        return super().waiting(item)


def is_away(limiter: Any) -> bool:
    try:
        limiter.peek("x")
    except SCUPPER.StoreError as error:
        return bool(error.kind == "Unavailable")
    return False


def is_answered(limiter: Any) -> bool:
    try:
        limiter.bucket_factory.bucket.count()
    except SCUPPER.StoreError:
        return False
    return True


def ended(call: Callable[[], Any]) -> Any:
    """What a wait came to: whether there was room, or the kind of the error."""
    try:
        return call()
    except SCUPPER.StoreError as error:
        return error.kind
    except TimeoutError:
        return False


class TestOutages:
    def test_a_store_that_is_away_is_an_error_and_no_denial(self, redis: Redis) -> None:
        limiter = SCUPPER.Limiter.open(redis.url, RATE, call_timeout=BOUND)
        assert limiter.try_acquire("x")
        redis.kill()
        calls = [
            lambda: limiter.try_acquire("x"),
            lambda: limiter.try_acquire("x", blocking=False),
            lambda: asyncio.run(limiter.try_acquire_async("x")),
            lambda: limiter.bucket_factory.bucket.count(),
            lambda: limiter.bucket_factory.bucket.put(SCUPPER.RateItem("x", SCUPPER.WallClock().now())),
        ]
        for call in calls:
            with pytest.raises(SCUPPER.StoreError) as error:
                call()
            assert error.value.kind in ("Unavailable", "Unknown")
            assert isinstance(error.value, RuntimeError)
        redis.restart()
        eventually(lambda: is_answered(limiter), "the store is found again")
        assert [limiter.try_acquire("x", blocking=False) for _ in range(3)] == [True, True, False]

    @pytest.mark.parametrize("in_loop", [False, True], ids=["here", "in a loop"])
    def test_what_was_taken_can_be_given_back_once_the_store_is_there_again(self, redis: Redis, in_loop: bool) -> None:
        limiter = SCUPPER.Limiter.open(redis.url, SCUPPER.Rate(5, WEEK), call_timeout=BOUND)
        verdict, reservation = limiter.decide("x", 2), limiter.reserve("x", 3)

        def refund() -> int:
            return asyncio.run(limiter.refund_async(verdict)) if in_loop else limiter.refund(verdict)

        def settle() -> None:
            asyncio.run(reservation.settle_async(1)) if in_loop else reservation.settle(1)

        redis.kill()
        eventually(lambda: is_away(limiter), "no connection is tried any more")
        for give_back in (refund, refund, settle, settle):
            with pytest.raises(SCUPPER.StoreError) as error:
                give_back()
            assert error.value.kind == "Unavailable"
        assert "open" in repr(reservation)
        redis.restart()
        eventually(lambda: is_answered(limiter), "the store is found again")
        # It has forgotten what it was told before.
        assert (refund(), refund()) == (0, 0)
        settle()
        assert "kept 1" in repr(reservation)
        with pytest.raises(RuntimeError, match="settled already"):
            settle()

    def test_a_limiter_may_be_made_while_its_store_is_away(self, redis: Redis) -> None:
        redis.kill()
        limiter = SCUPPER.Limiter.open(redis.url, RATE, call_timeout=BOUND)
        redis.restart()
        assert limiter.try_acquire("x")

    def test_requests_pass_uncounted_if_they_are_to_fail_open(self, redis: Redis) -> None:
        limiter = SCUPPER.Limiter.open(redis.url, RATE, outage="fail-open", call_timeout=BOUND)
        redis.kill()
        assert all(limiter.try_acquire("x", blocking=False) for _ in range(10))
        assert asyncio.run(limiter.try_acquire_async("x"))
        allowed, remaining, *_ = limiter.bucket_factory.bucket._native.decide_fully("x", 1)
        assert (allowed, remaining) == (True, None)

    def test_requests_are_denied_if_they_are_to_fail_closed(self, redis: Redis) -> None:
        limiter = SCUPPER.Limiter.open(redis.url, RATE, outage="fail-closed", call_timeout=BOUND)
        redis.kill()
        assert not any(limiter.try_acquire("x", blocking=False) for _ in range(10))
        waiting = Running(lambda: limiter.try_acquire("x")).until_asleep()
        redis.restart()
        assert waiting.result() is True

    @pytest.mark.parametrize("rates", [SCUPPER.Rate(1, WEEK), [SCUPPER.Rate(1, WEEK)]])
    def test_a_process_goes_on_by_itself_with_rates_for_that(self, redis: Redis, rates: Any) -> None:
        limiter = SCUPPER.Limiter.open(redis.url, RATE, outage=rates, call_timeout=BOUND)
        redis.kill()
        assert [limiter.try_acquire("x", blocking=False) for _ in range(3)] == [True, False, False]

    def test_a_call_that_takes_too_long_is_an_error(self, redis: Redis) -> None:
        # They share the connection, which may take its time to make.
        patient = SCUPPER.Limiter.open(redis.url, RATE, call_timeout=BOUND)
        assert patient.try_acquire("x")
        limiter = SCUPPER.Limiter.open(redis.url, RATE, call_timeout=0.05)
        redis.stall()
        try:
            with pytest.raises(SCUPPER.StoreError) as error:
                limiter.try_acquire("x", blocking=False)
        finally:
            redis.go_on()
        assert error.value.kind == "Unknown"

    @pytest.mark.parametrize(
        ("outage", "expected"),
        [
            ("error", ["Unknown", "Unavailable", "Unavailable"]),
            ("fail-open", [True, True, True]),
            ("fail-closed", [False, False, False]),
            (SCUPPER.Rate(1, WEEK), [True, False, False]),
        ],
    )
    def test_a_wait_for_a_silent_store_ends_at_its_timeout_as_the_outage_says(
        self, redis: Redis, outage: Any, expected: list[Any]
    ) -> None:
        limiter = SCUPPER.Limiter.open(redis.url, RATE, outage=outage, call_timeout=BOUND)
        other = SCUPPER.Limiter.open(redis.url, RATE, key="other", outage=outage, call_timeout=BOUND)
        assert limiter.decide("x").allowed
        bucket = limiter.bucket_factory.bucket
        assert bucket.count() == 1
        redis.stall()
        start = time.monotonic()
        try:
            # The call of the first one stays out, and the others stand behind it.
            ends = [ended(lambda: limiter.try_acquire("x", timeout=0.1)) for _ in expected[:2]]
            ends.append(ended(lambda: asyncio.run(limiter.try_acquire_async("x", timeout=0.1))))
            reserved = [ended(lambda: bool(other.reserve("x", timeout=0.1))) for _ in expected]
            took = time.monotonic() - start
        finally:
            redis.go_on()
        assert ends == expected
        assert reserved == expected
        assert took < BOUND / 2, "no wait goes on for as long as a call may take"
        eventually(lambda: bucket.count() == 1, "what was admitted later is given back")
        assert other.bucket_factory.bucket.count() == 0

    def test_of_threads_that_wait_for_a_silent_store_none_is_denied(self, redis: Redis) -> None:
        limiter = SCUPPER.Limiter.open(redis.url, RATE, call_timeout=BOUND)
        assert limiter.bucket_factory.bucket.count() == 0
        redis.stall()
        try:
            waits = [Running(lambda: ended(lambda: limiter.try_acquire("x", timeout=0.2))) for _ in range(4)]
            ends = [wait.result() for wait in waits]
        finally:
            redis.go_on()
        assert set(ends) <= {"Unknown", "Unavailable"}

    def test_a_file_that_was_removed_is_opened_anew(self, tmp_path: Path) -> None:
        path = tmp_path / "limits.shm"
        old = SCUPPER.Limiter.open(f"shm:{path}", RATE, call_timeout=BOUND)
        assert [old.try_acquire("x", blocking=False) for _ in range(3)] == [True, True, False]
        path.unlink()
        new = SCUPPER.Limiter.open(f"shm:{path}", RATE, call_timeout=BOUND)
        assert new.try_acquire("x", blocking=False)
        same = SCUPPER.Limiter.open(f"shm:{path}", RATE, call_timeout=BOUND)
        assert [same.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]
        old.close()
        path.unlink()
        assert SCUPPER.Limiter.open(f"shm:{path}", RATE, call_timeout=BOUND).try_acquire("x", blocking=False)

    def test_a_loop_and_other_threads_go_on_while_the_store_is_asked(self, redis: Redis) -> None:
        limiter = SCUPPER.Limiter.open(redis.url, SCUPPER.Rate(3, WEEK), call_timeout=BOUND)
        assert limiter.try_acquire("x")

        async def main() -> None:
            redis.stall()
            thread = Running(lambda: limiter.try_acquire("x")).until_asleep()
            task = await started(limiter, "x", blocking=False)
            for _ in range(1000):
                await asyncio.sleep(0)
            assert not task.done() and not thread.ended
            redis.go_on()
            assert await within_bound(task) is True
            assert thread.result() is True

        asyncio.run(main())

    @pytest.mark.parametrize("ask", ["peek", "reset", "count of a wrapper", "flush of a wrapper"])
    def test_a_loop_goes_on_while_a_bucket_of_ones_own_looks_at_the_store(self, redis: Redis, ask: str) -> None:
        bucket = OwnBucket(redis.url, SCUPPER.Rate(3, WEEK), call_timeout=BOUND)
        limiter, wrapper = SCUPPER.Limiter(bucket), SCUPPER.BucketAsyncWrapper(bucket)
        assert limiter.try_acquire("x")
        asked = {
            "peek": lambda: limiter.peek_async("x"),
            "reset": lambda: limiter.reset_async("x"),
            "count of a wrapper": wrapper.count,
            "flush of a wrapper": wrapper.flush,
        }[ask]

        async def main() -> None:
            redis.stall()
            task = asyncio.ensure_future(asked())
            for _ in range(1000):
                await asyncio.sleep(0)
            assert not task.done()
            redis.go_on()
            await within_bound(task)

        asyncio.run(main())
        assert bucket.count() == (1 if ask in ("peek", "count of a wrapper") else 0)

    def test_the_end_of_a_store_that_is_away_is_no_trouble(self, redis: Redis) -> None:
        limiter = SCUPPER.Limiter.open(redis.url, RATE, call_timeout=BOUND)
        redis.kill()
        limiter.close()
        with pytest.raises(RuntimeError, match="limiter is closed"):
            limiter.try_acquire("x")
