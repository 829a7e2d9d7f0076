"""`MultiprocessBucket`: shared memory by `init`, and the list of a manager."""

import gc
import multiprocessing
import os
import pickle
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from host.connections import WEEK, in_fork, item, joined
from support.packages import SCUPPER
from support.threads import Running, eventually, together

METHODS = pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])


def rates(*pairs: tuple[int, int]) -> list[Any]:
    return [SCUPPER.Rate(*pair) for pair in pairs or [(2, WEEK)]]


def shared(*pairs: tuple[int, int], **more: Any) -> Any:
    return SCUPPER.MultiprocessBucket.init(rates(*pairs), **more)


def file_of(bucket: Any) -> Path:
    return Path(bucket._log.owned.path)


def now_at(bucket: Any, weight: int = 1) -> Any:
    return item(weight, bucket.now())


def acquired_of(bucket: Any, count: int) -> int:
    limiter = SCUPPER.Limiter(bucket)
    return sum(limiter.try_acquire("x", blocking=False) for _ in range(count))


class SlowToLeak(SCUPPER.MultiprocessBucket):
    leaks: Any = None

    def leak(self, current_timestamp: Any = None) -> int:
        with self.mp_lock:
            self.leaks.set()
            time.sleep(0.5)
            return int(super().leak(current_timestamp))


def leak_slowly(items: Any, lock: Any, leaks: Any) -> None:
    bucket = SlowToLeak(rates(), items, lock)
    bucket.leaks = leaks
    SCUPPER.SingleBucketFactory(bucket)
    assert leaks.wait(20)


class TestInit:
    @METHODS
    def test_pools_of_any_kind_have_one_limit_and_no_contention_is_a_denial(self, method: str) -> None:
        bucket = shared((1000, WEEK))
        assert bucket.put(now_at(bucket, 100))
        with multiprocessing.get_context(method).Pool(3) as pool:
            assert sum(pool.starmap_async(acquired_of, [(bucket, 400)] * 3, chunksize=1).get(100)) == 900
        assert bucket.count() == 1000 and not bucket.put(now_at(bucket))

    def test_native_code_decides_alone_and_no_process_is_started(self) -> None:
        before = multiprocessing.active_children()
        limiter = SCUPPER.Limiter(shared())
        assert limiter._bound is not None and multiprocessing.active_children() == before
        assert limiter.try_acquire("x", 2) and not limiter.try_acquire("x", blocking=False)
        limiter.close()

    def test_it_can_be_pickled_anywhere(self) -> None:
        bucket = shared()
        copy = pickle.loads(pickle.dumps(bucket))
        assert copy.put(now_at(copy)) and bucket.count() == 1
        limiter = pickle.loads(pickle.dumps(SCUPPER.Limiter(bucket)))
        assert limiter.try_acquire("x") and not bucket.put(now_at(bucket))

    def test_the_memory_is_its_makers(self) -> None:
        bucket = shared()
        path = file_of(bucket)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        copy = pickle.loads(pickle.dumps(bucket))
        copy.close()
        assert path.exists(), "a copy removes nothing"
        assert in_fork(lambda: str(bucket.close())) == "None"
        assert path.exists(), "nor does a child"
        bucket.close()
        assert not path.exists()
        forgotten = shared()
        path = file_of(forgotten)
        del forgotten
        gc.collect()
        assert not path.exists()

    def test_a_limiter_that_is_closed_closes_it(self) -> None:
        with SCUPPER.Limiter(shared()) as limiter:
            path = file_of(limiter.bucket_factory.bucket)
            assert limiter.try_acquire("x")
        assert not path.exists()

    def test_the_end_of_the_process_removes_it(self) -> None:
        text = (
            "import os, scupper\n"
            "bucket = scupper.MultiprocessBucket.init([scupper.Rate(1, 1000)])\n"
            "if os.fork() == 0: raise SystemExit\n"
            "os.wait()\n"
            "print(bucket._log.owned.path, os.path.exists(bucket._log.owned.path))\n"
        )
        path, there = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", text], capture_output=True, text=True, check=True
        ).stdout.split()
        assert there == "True" and not Path(path).exists()

    def test_who_is_left_behind_by_its_maker_gets_errors_and_no_denials(self) -> None:
        bucket = shared()
        copy = pickle.loads(pickle.dumps(bucket))
        assert copy.put(now_at(copy))
        bucket.close()

        def refused() -> bool:
            try:
                copy.put(now_at(copy))
            except SCUPPER.StoreError as error:
                return bool(error.kind == "Unavailable")
            return False

        eventually(refused, "it is noticed that the memory is gone")
        with pytest.raises(RuntimeError, match="closed"):
            bucket.put(item())

    def test_where_its_maker_is_killed_the_others_go_on(self) -> None:
        text = (
            "import pickle, sys, scupper, time\n"
            "bucket = scupper.MultiprocessBucket.init([scupper.Rate(2, 604800000)])\n"
            "print(pickle.dumps(scupper.Limiter(bucket)).hex(), scupper.Limiter(bucket).try_acquire('x'), flush=True)\n"
            "time.sleep(60)\n"
        )
        maker = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
        assert maker.stdout is not None
        pickled, said = maker.stdout.readline().split()
        limiter = pickle.loads(bytes.fromhex(pickled))
        os.kill(maker.pid, signal.SIGKILL)
        maker.wait(30)
        maker.stdout.close()
        path = file_of(limiter.bucket_factory.bucket)
        try:
            assert (said, path.name.split("-")[1]) == ("True", str(maker.pid))
            assert limiter.try_acquire("x") and not limiter.try_acquire("x", blocking=False)
        finally:
            path.unlink()

    def test_a_process_that_is_killed_holds_up_nobody(self) -> None:
        bucket = shared((10**6, WEEK))
        context = multiprocessing.get_context("fork")
        killed = context.Process(target=acquired_of, args=(bucket, 10**7))
        killed.start()
        eventually(lambda: bucket.count() > 100, "the child takes units")
        assert killed.pid is not None
        os.kill(killed.pid, signal.SIGKILL)
        killed.join(30)
        before = bucket.count()
        assert bucket.put(now_at(bucket, 5)) and bucket.count() == before + 5

    def test_waits_are_in_one_line(self) -> None:
        limiter = SCUPPER.Limiter(shared((2, 40)))
        assert together(6, lambda index: limiter.try_acquire("x")) == [True] * 6
        limiter.close()

    @pytest.mark.parametrize("limit", [1, 3000, 200_000])
    def test_there_is_room_for_every_unit_of_the_limit(self, limit: int) -> None:
        bucket = shared((limit, WEEK))
        count = min(limit, 20_000)
        for _ in range(count):
            assert bucket.put(now_at(bucket, limit // count))
        assert not bucket.put(now_at(bucket))
        bucket.close()

    def test_what_is_of_lists_alone_is_an_error_that_says_so(self) -> None:
        bucket = shared()
        for name in ("items", "mp_lock"):
            assert not hasattr(bucket, name)
            with pytest.raises(AttributeError, match=f"has no '{name}'.*manager.list"):
                getattr(bucket, name)
        with pytest.raises(NotImplementedError, match="keeps no items"):
            bucket.peek(0)
        assert bucket.limiter_lock() is None and bucket.leak(bucket.now()) == 0
        with pytest.raises(TypeError, match="chosen when the bucket is made"):
            bucket._algorithm = SCUPPER.FixedWindow()

    def test_its_clock_is_one_for_all_processes(self) -> None:
        bucket = shared((1, 10**9))
        now = bucket.now()
        assert now <= int(in_fork(lambda: str(bucket.now()))) <= bucket.now()
        assert bucket.put(now_at(bucket)) and not bucket.put(now_at(bucket))
        assert 0 <= 10**9 + 1 - bucket.waiting(now_at(bucket)) < 60_000

    def test_fixed_windows_are_there_too(self) -> None:
        bucket = shared((2, 1000), algorithm=SCUPPER.FixedWindow())
        assert [bucket.put(item(tick=tick)) for tick in (900, 999, 999, 1000)] == [True, True, False, True]

    def test_an_algorithm_of_ones_own_decides_over_a_manager(self) -> None:
        before = multiprocessing.active_children()
        bucket = shared((4, WEEK), algorithm=Half())
        assert len(multiprocessing.active_children()) == len(before) + 1
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            assert pool.apply_async(acquired_of, (bucket, 1)).get(100) == 1
            joined(pool)
        assert [bucket.put(now_at(bucket)), bucket.put(now_at(bucket))] == [True, False]
        assert len(bucket.items) == 2 and bucket.limiter_lock() is bucket.mp_lock
        with pytest.raises(TypeError, match="decide from a log"):
            shared(algorithm=SCUPPER.GCRA())


class Half(SCUPPER.SlidingWindowLog):
    """Counts everything twice."""

    def admit(self, rates: Any, counts: Any, weight: int) -> Any:
        return super().admit(rates, [2 * count for count in counts], 2 * weight)


@pytest.fixture(scope="module")
def manager() -> Any:
    with multiprocessing.Manager() as manager:
        yield manager


def listed(manager: Any, *pairs: tuple[int, int], lock: Any = None) -> Any:
    return SCUPPER.MultiprocessBucket(rates(*pairs), manager.list(), lock or manager.RLock())


class TestList:
    def test_only_a_list_of_a_manager_is_taken(self) -> None:
        with pytest.raises(ValueError, match="^items must be a ListProxy$"):
            SCUPPER.MultiprocessBucket(rates(), [], threading.RLock())

    def test_the_list_holds_one_item_for_each_unit(self, manager: Any) -> None:
        bucket = listed(manager)
        assert bucket.put(item(2, 5)) and not bucket.put(item(1, 6))
        assert [(each.name, each.timestamp, each.weight) for each in bucket.items] == [("a name", 5, 2)] * 2
        bucket.flush()
        assert list(bucket.items) == [] and bucket.count() == 0
        assert bucket.put(item(2, 5)) and bucket.leak(5 + WEEK) == 0 and bucket.leak(6 + WEEK) == 2

    @METHODS
    def test_processes_have_one_limit(self, manager: Any, method: str) -> None:
        bucket = listed(manager, (20, WEEK))
        with multiprocessing.get_context(method).Pool(2) as pool:
            assert sum(pool.starmap_async(acquired_of, [(bucket, 15)] * 2, chunksize=1).get(100)) == 20
            joined(pool)

    def test_a_process_that_ends_while_it_leaks_leaves_the_lock_free(self, manager: Any) -> None:
        lock, leaks = manager.RLock(), manager.Event()
        child = multiprocessing.get_context("spawn").Process(target=leak_slowly, args=(manager.list(), lock, leaks))
        child.start()
        child.join(100)
        assert child.exitcode == 0 and leaks.is_set()
        assert lock.acquire(timeout=5)
        lock.release()

    def test_a_lock_of_a_process_is_held_around_the_calls_of_limiters(self, manager: Any) -> None:
        lock = multiprocessing.RLock()
        bucket = listed(manager, lock=lock)
        assert bucket.mp_lock is lock and bucket.limiter_lock() is lock
        limiter = SCUPPER.Limiter(bucket)
        with lock:
            blocked = Running(lambda: limiter.try_acquire("x", blocking=False)).until_asleep()
        assert blocked.result() is True, "a busy lock is waited for"
        limiter.close()
        assert bucket.put(now_at(bucket)), "the list is its manager's"

    def test_a_lock_of_a_manager_is_waited_for_within_the_time_limit(self, manager: Any) -> None:
        bucket = listed(manager)
        limiter = SCUPPER.Limiter(bucket)
        assert limiter.try_acquire("x", 2, timeout=20) and not limiter.try_acquire("x", timeout=0)
        holding, leave = threading.Event(), threading.Event()

        def hold() -> None:
            with bucket.mp_lock:
                holding.set()
                leave.wait(20)

        holder = Running(hold)
        assert holding.wait(20)
        bucket.rates = rates((9, WEEK))
        assert not limiter.try_acquire("x", timeout=0.05)
        leave.set()
        holder.result()
        assert limiter.try_acquire("x", timeout=20)
        limiter.close()

    def test_who_waited_for_the_lock_is_counted_when_it_had_it(self, manager: Any) -> None:
        bucket = listed(manager, (5, 1000))
        early = type(bucket.now())(1)
        assert bucket.put(item(tick=early)) and bucket.peek(0).timestamp > 1
        late = bucket.peek(0).timestamp
        assert bucket.put(item(tick=late + 800)) and bucket.peek(0).timestamp == late + 800, "a time of choice"

    def test_another_algorithm_decides_from_the_same_list(self, manager: Any) -> None:
        bucket = listed(manager, (4, 1000))
        assert bucket.put(item(2, 10))
        bucket._algorithm = Half()
        assert not bucket.put(item(1, 20))
        bucket._algorithm = SCUPPER.SlidingWindowLog()
        assert bucket.put(item(2, 20)) and not bucket.put(item(1, 30))

    def test_what_is_old_leaves_in_the_background(self, manager: Any) -> None:
        bucket = listed(manager, (5, 10))
        limiter = SCUPPER.Limiter(bucket)
        limiter.bucket_factory.leak_interval = 20
        assert limiter.try_acquire("x", 5)
        eventually(lambda: len(bucket.items) == 0, "the thread leaks it")
        limiter.close()
