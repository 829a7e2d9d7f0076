"""Leaking in the background: one thread for all, and a request in passing for what must be awaited."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
import weakref
from pathlib import Path

import pytest
from buckets import AsyncGate, Gate, until
from scupper import InMemoryBucket, Limiter, Rate, SingleBucketFactory, StateBucket

from support.programs import run


class Leaking(Gate):
    def __init__(self, error: Exception | None = None) -> None:
        super().__init__(room=1000)
        self.leaks: list[int | None] = []
        self.leak_error = error

    def leak(self, current_timestamp: int | None = None) -> int:
        self.leaks.append(current_timestamp)
        if self.leak_error is not None:
            raise self.leak_error
        return 0


def sweepers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "Scupper's Leaker"]


@pytest.fixture(autouse=True)
def none_before() -> None:
    """The thread of the test before ends a moment after its last limiter."""
    gc.collect()
    until(lambda: not sweepers())


def test_a_bucket_is_leaked_at_once_and_then_at_each_interval() -> None:
    bucket = Leaking()
    factory = SingleBucketFactory(bucket, schedule_leak=False)
    factory.leak_interval = 10
    factory.schedule_leak(bucket)
    until(lambda: len(bucket.leaks) >= 3)
    assert all(isinstance(tick, int) for tick in bucket.leaks)
    factory.close()


def test_many_limiters_share_one_thread_which_ends_with_the_last() -> None:
    limiters = [Limiter(Leaking()) for _ in range(20)]
    assert len(sweepers()) == 1
    for limiter in limiters:
        limiter.close()
    until(lambda: not sweepers())


def test_a_limiter_that_nobody_holds_is_leaked_no_more() -> None:
    limiter = Limiter(Leaking())
    bucket = weakref.ref(limiter.bucket_factory.bucket)  # type: ignore[attr-defined]
    until(lambda: bucket().leaks)
    del limiter
    gc.collect()
    until(lambda: bucket() is None and not sweepers())


def test_our_own_buckets_need_no_thread() -> None:
    limiters = [Limiter(Rate(1, 1000)), Limiter(StateBucket([Rate(1, 1000)]))]
    assert not sweepers()
    assert all(len(limiter.buckets()) == 1 for limiter in limiters)


def test_a_bucket_that_fails_to_leak_is_logged_and_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    failing, sound = Leaking(ZeroDivisionError()), Leaking()
    factory = SingleBucketFactory(failing, schedule_leak=False)
    factory.leak_interval = 10
    with caplog.at_level(logging.WARNING, "scupper"):
        factory.schedule_leak(failing)
        factory.schedule_leak(sound)
        until(lambda: len(sound.leaks) >= 2 and len(failing.leaks) >= 2)
    factory.close()
    assert "failed to leak" in caplog.text


def test_a_bucket_to_await_is_leaked_by_a_request_once_in_an_interval() -> None:
    class AsyncLeaking(AsyncGate):
        leaks = 0

        async def leak(self, current_timestamp: int | None = None) -> int:  # type: ignore[override]
            self.leaks += 1
            return 0

    bucket = AsyncLeaking(room=10)
    limiter = Limiter(bucket)

    async def main() -> None:
        for _ in range(5):
            assert await limiter.try_acquire_async("x", blocking=False)

    asyncio.run(main())
    assert bucket.leaks == 1
    assert not sweepers()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_process_leaks_again_from_its_first_request_on() -> None:
    limiter = Limiter(Leaking())
    limiter.bucket_factory.leak_interval = 10
    child = os.fork()
    if child == 0:
        status = 1
        try:
            bucket = limiter.bucket_factory.bucket  # type: ignore[attr-defined]
            assert not sweepers()
            assert limiter.try_acquire("x", blocking=False)
            before = len(bucket.leaks)
            until(lambda: len(bucket.leaks) > before)
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    limiter.close()


def test_an_unpickled_limiter_knows_its_buckets() -> None:
    import pickle

    limiter = pickle.loads(pickle.dumps(Limiter(InMemoryBucket([Rate(1, 1000)]))))
    assert len(limiter.buckets()) == 1
    assert limiter.dispose(limiter.buckets()[0]) is True
    assert limiter.buckets() == []


def test_another_interval_counts_at_once() -> None:
    bucket = Leaking()
    limiter = Limiter(bucket)
    until(lambda: bucket.leaks)
    limiter.bucket_factory.leak_interval = 10
    until(lambda: len(bucket.leaks) >= 3)
    limiter.close()


PROGRAM = """
import faulthandler, gc, threading
from scupper import *

class Own(InMemoryBucket):
    def leak(self, current_timestamp=None):
        return 0

faulthandler.dump_traceback_later(100, exit=True)
gc.set_threshold(3)
for _ in range(8000):
    factory = SingleBucketFactory(Own([Rate(1, 1000)]))
    factory.leak_interval = 1
    factory.me = factory  # so that it goes wherever the collector finds it
print("done")
"""


def test_leakers_that_go_at_any_step_neither_stop_nor_hang_the_thread(tmp_path: Path) -> None:
    assert run(tmp_path, PROGRAM) == ["done"]


AT_THE_END = """
import asyncio, faulthandler, gc, threading, time
from scupper import *
from scupper._line import line_of
from scupper._sweeper import SWEEPER

class Own(InMemoryBucket):
    def leak(self, current_timestamp=None):
        return 0

    def put(self, item):
        return super().put(item)

faulthandler.dump_traceback_later(100, exit=True)
gc.disable()

def begin_and_drop():
    bucket = Own([Rate(1, 3_600_000)])
    limiter = Limiter(bucket)
    limiter.me = limiter  # so that the last collection finds it
    assert limiter.try_acquire("x")
    loop = asyncio.new_event_loop()
    task = loop.create_task(limiter.try_acquire_async("x"))
    task._log_destroy_pending = False
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    assert len(line_of(bucket)._tickets) == 1
    return {lock}

lock = begin_and_drop()
held = threading.Event()

def hold():
    with lock:
        held.set()
        time.sleep(60)

threading.Thread(target=hold, daemon=True).start()
held.wait()
print("done")
"""


@pytest.mark.parametrize("lock", ["SWEEPER._changed", "line_of(bucket)._lock"])
def test_the_interpreter_ends_whatever_lock_a_daemon_thread_has_then(tmp_path: Path, lock: str) -> None:
    assert run(tmp_path, AT_THE_END.replace("{lock}", lock)) == ["done"]
