"""Buckets in a file that native code keeps: handed over, and as their users see them."""

import asyncio
import multiprocessing
import pickle
from pathlib import Path
from typing import Any

import pytest
from scupper.limiter_factory import create_sqlite_bucket, create_sqlite_limiter

from host.connections import WEEK, in_fork, item
from host.files import in_file, now_at, rates
from support.packages import SCUPPER


class TestHandedOver:
    def test_a_pickle_leads_to_the_same_file(self, tmp_path: Path) -> None:
        bucket = in_file(tmp_path / "limits.db")
        limiter = pickle.loads(pickle.dumps(SCUPPER.Limiter(bucket)))
        assert limiter.try_acquire("x") and bucket.count() == 1
        assert limiter._bound is not None

    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_pools_of_any_kind_share_it(self, method: str, tmp_path: Path) -> None:
        bucket = in_file(tmp_path / "limits.db", (3, WEEK))
        assert bucket.put(now_at(bucket))
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            answers = pool.map_async(acquired_of, [bucket] * 2).get(100)
        assert sum(answers) == 2 and not bucket.put(now_at(bucket))

    def test_a_fork_goes_on_with_it(self, tmp_path: Path) -> None:
        limiter = SCUPPER.Limiter(in_file(None))
        assert limiter.try_acquire("x")
        assert in_fork(lambda: f"{limiter.try_acquire('x')} {limiter.try_acquire('x', blocking=False)}") == "True False"
        assert not limiter.try_acquire("x", blocking=False)
        assert in_fork(lambda: str(limiter.close())) == "None"
        folder = Path(limiter.bucket_factory.bucket._log.owned.path)
        assert folder.is_dir(), "a child removes nothing of its parent's"
        limiter.close()
        assert not folder.exists()


def acquired_of(bucket: Any) -> int:
    limiter = SCUPPER.Limiter(bucket)
    return sum(limiter.try_acquire("x", blocking=False) for _ in range(2))


class TestSurface:
    def test_what_is_of_connections_alone_is_an_error_that_says_so(self, tmp_path: Path) -> None:
        bucket = in_file(tmp_path / "limits.db")
        for name in ("conn", "lock"):
            assert not hasattr(bucket, name)
            with pytest.raises(AttributeError, match=f"has no '{name}'.*SQLiteBucket\\(rates, conn, table\\)"):
                getattr(bucket, name)
        with pytest.raises(NotImplementedError, match="keeps no items"):
            bucket.peek(0)
        assert bucket.leak(bucket.now()) == 0
        with pytest.raises(AssertionError, match="timestamp"):
            bucket.leak()
        with pytest.raises(TypeError, match="chosen when the bucket is made"):
            bucket._algorithm = SCUPPER.FixedWindow()
        assert SCUPPER.SQLiteClock(bucket).now() > 10**12

    def test_times_of_the_callers_choice_are_taken(self, tmp_path: Path) -> None:
        bucket = in_file(tmp_path / "limits.db", (1, 1000))
        answers = [bucket.put(item(tick=tick)) for tick in (5, 1005, 1006)]
        assert answers == [True, False, True]
        assert not bucket.put(item(tick=1506)) and bucket.waiting(item(tick=1506)) == 501
        assert bucket.waiting(item(2, 1506)) == -1

    def test_a_clock_far_from_the_files_ages_nothing(self, tmp_path: Path) -> None:
        bucket = in_file(tmp_path / "limits.db", (2, 1000))
        assert bucket.put(item(tick=5)) and bucket.count() == 1, "to the file it is as new as to its caller"
        assert bucket.put(item(tick=900)) and not bucket.put(item(tick=1005)) and bucket.put(item(tick=1006))

    def test_a_reading_of_another_clock_means_now(self, tmp_path: Path) -> None:
        one, other = in_file(tmp_path / "limits.db"), in_file(tmp_path / "limits.db")
        assert one.put(item(tick=SCUPPER.MonotonicClock().now())) and other.put(now_at(other))
        assert not one.put(item(tick=SCUPPER.SQLiteClock.default().now()))
        assert other.count() == 2

    def test_a_method_that_is_overridden_is_called(self, tmp_path: Path) -> None:
        class Mine(SCUPPER.SQLiteBucket):
            puts = 0

            def put(self, item: Any) -> bool:
                self.puts += 1
                return bool(super().put(item))

        bucket = Mine.init_from_file(rates(), db_path=tmp_path / "limits.db")
        limiter = SCUPPER.Limiter(bucket)
        assert limiter.try_acquire("x", 2) and not limiter.try_acquire("x", blocking=False)
        assert (bucket.puts, type(bucket)) == (2, Mine)
        limiter.close()

    def test_a_clock_that_is_assigned_is_read(self, tmp_path: Path) -> None:
        bucket = in_file(tmp_path / "limits.db", (1, 1000))
        limiter = SCUPPER.Limiter(bucket)
        bucket._clock = clock = SCUPPER.WallClock()
        for tick, admitted in [(5, True), (1005, False), (1006, True)]:
            clock.now = lambda tick=tick: tick  # type: ignore[method-assign]
            assert limiter.try_acquire("x", blocking=False) is admitted
        limiter.close()

    def test_in_a_loop_a_factory_awaits_it(self, tmp_path: Path) -> None:
        bucket = in_file(tmp_path / "limits.db")

        class Routes(SCUPPER.BucketFactory):
            def wrap_item(self, name: str, weight: int = 1) -> Any:
                return SCUPPER.RateItem(name, bucket.now(), weight)

            def get(self, item: Any) -> Any:
                return bucket

        limiter = SCUPPER.Limiter(Routes())
        assert asyncio.run(limiter.try_acquire_async("x", 2)) is True
        assert asyncio.run(limiter.try_acquire_async("x", blocking=False)) is False
        assert bucket.failing_rate is bucket.rates[0] and bucket.waiting(now_at(bucket)) > 0

    def test_a_wrapper_awaits_it_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        bucket = in_file(tmp_path / "limits.db")
        monkeypatch.setattr(type(bucket._log), "put", None)  # which would block the loop
        limiter = SCUPPER.Limiter(SCUPPER.BucketAsyncWrapper(bucket))
        assert asyncio.run(limiter.try_acquire_async("x", 2)) is True
        assert asyncio.run(limiter.try_acquire_async("x", blocking=False)) is False

    def test_rates_may_be_changed(self, tmp_path: Path) -> None:
        bucket = in_file(tmp_path / "limits.db")
        assert bucket.put(now_at(bucket, 2)) and not bucket.put(now_at(bucket))
        bucket.rates = rates((3, WEEK))
        assert bucket.put(now_at(bucket)) and not bucket.put(now_at(bucket))
        bucket.rates[0].limit = 4
        assert bucket.put(now_at(bucket)) and not pickle.loads(pickle.dumps(bucket)).put(now_at(bucket))
        bucket.flush()
        assert bucket.count() == 0 and bucket.failing_rate is None

    def test_close_ends_it(self, tmp_path: Path) -> None:
        bucket = in_file(tmp_path / "limits.db")
        bucket.close()
        with pytest.raises(RuntimeError, match="closed"):
            bucket.put(now_at(bucket))

    def test_the_calls_of_the_factory(self, tmp_path: Path) -> None:
        path = str(tmp_path / "limits.db")
        bucket = create_sqlite_bucket(rates(), path, use_file_lock=True)
        assert bucket.table == "pyrate_limiter"
        limiter = create_sqlite_limiter(2, WEEK, path, "pyrate_limiter", buffer_ms=7)
        assert limiter.try_acquire("x", 2) and not bucket.put(now_at(bucket)) and limiter.buffer_ms == 7
        limiter.close()
        quick = create_sqlite_limiter()
        assert [quick.try_acquire("x", blocking=False) for _ in range(4)] == [True, True, True, False]
        assert quick.bucket_factory.bucket.table == "rate_bucket"
        quick.close()
