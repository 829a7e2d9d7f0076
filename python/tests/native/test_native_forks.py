"""Forks while other threads are in the middle of everything."""

import asyncio
import multiprocessing
import os
import signal
import threading
import time

import pytest

from scupper._scupper import LimiterBase, MemoryBucket

# Python warns of what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

FORKS = 150
FOREVER = 60


class Limiter(LimiterBase):
    def __init__(self, bucket):
        self._bind(bucket)


def child_ends_well(work):
    """Forks; says whether what the child did is true. A child that hangs is ended."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    end = time.monotonic() + FOREVER
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) == 0
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            pytest.fail("the child hangs")
        time.sleep(0.0005)


@pytest.fixture
def busy():
    """A limiter that threads and an event loop of this process wait for all the time."""
    limiter = Limiter(MemoryBucket([(20, 1, 20)], "sliding_window_log"))
    ends = threading.Event()

    def work():
        while not ends.is_set():
            limiter.try_acquire("thread", timeout=1)

    async def task():
        while not ends.is_set():
            answer = limiter._ask("task", 1, True, 1)
            if not isinstance(answer, bool):
                await answer

    async def tasks():
        await asyncio.gather(*[task() for _ in range(50)])

    threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
    threads.append(threading.Thread(target=lambda: asyncio.run(tasks()), daemon=True))
    for thread in threads:
        thread.start()
    yield limiter
    ends.set()
    for thread in threads:
        thread.join(FOREVER)
        assert not thread.is_alive()


def waits_in_a_loop(limiter):
    async def one():
        answer = limiter._ask()
        return answer if isinstance(answer, bool) else await answer

    async def all_of_them():
        return all(await asyncio.gather(*[one() for _ in range(50)]))

    return asyncio.run(all_of_them())


def test_a_child_goes_on_with_its_copy_whatever_other_threads_did(busy):
    def work():
        return all(busy.try_acquire("child") for _ in range(30))

    assert all(child_ends_well(work) for _ in range(FORKS))


def test_a_child_waits_in_event_loops_of_its_own(busy):
    assert all(child_ends_well(lambda: waits_in_a_loop(busy)) for _ in range(FORKS // 5))


def test_a_child_of_a_child_goes_on_too(busy):
    def work():
        return busy.try_acquire() and child_ends_well(lambda: busy.try_acquire() and waits_in_a_loop(busy))

    assert all(child_ends_well(work) for _ in range(FORKS // 5))


def test_a_child_counts_apart_from_its_parent():
    bucket = MemoryBucket([(2, 3_600_000, 2)], "sliding_window_log")
    limiter = Limiter(bucket)
    assert limiter.try_acquire()
    assert child_ends_well(lambda: limiter.try_acquire(blocking=False) and not limiter.try_acquire(blocking=False))
    assert limiter.try_acquire(blocking=False)
    assert bucket.count() == 2


def test_a_child_is_not_behind_those_who_wait_in_its_parent():
    bucket = MemoryBucket([(1, 3_600_000, 1)], "sliding_window_log")
    limiter = Limiter(bucket)
    assert limiter.try_acquire()
    waiting = threading.Thread(target=limiter.try_acquire, daemon=True)
    waiting.start()

    def work():
        bucket.flush()
        return limiter.try_acquire(blocking=False)

    assert child_ends_well(work)
    bucket.set_rates([(2, 3_600_000, 2)])
    waiting.join(FOREVER)
    assert not waiting.is_alive()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pools_of_every_kind_take_a_bucket(method):
    bucket = MemoryBucket([(2, 3_600_000, 2)], "sliding_window_log")
    assert bucket.put("parent", 1, 1) is None
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply_async(MemoryBucket.put, (bucket, "child", 2, 2)).get(FOREVER) == (0, 3_600_002)
        assert pool.apply_async(MemoryBucket.items, (bucket,)).get(FOREVER) == [("parent", 1, 1)]
