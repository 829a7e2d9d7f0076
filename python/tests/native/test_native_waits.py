"""Waiting on the native path, by threads and by tasks."""

import asyncio
import gc
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref

import pytest

from scupper._scupper import LimiterBase, MemoryBucket
from support.threads import Late, in_a_window, rests, signal_once_asleep

HOUR = 3_600_000
FOREVER = 60


class Limiter(LimiterBase):
    def __init__(self, bucket):
        self._bind(bucket)

    async def acquire(self, name="pyrate", weight=1, timeout=-1):
        answer = self._ask(name, weight, True, timeout)
        return answer if isinstance(answer, bool) else await answer


def bucket_of(*rates, algorithm="sliding_window_log"):
    return MemoryBucket([(limit, interval, limit) for limit, interval in rates], algorithm)


def full_bucket():
    bucket = bucket_of((1, HOUR))
    assert bucket.try_now("first", 1)
    return bucket


def in_thread(work):
    """Runs it; gives what it returned or raised once asked for."""
    outcome = []

    def run():
        try:
            outcome.append(work())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def result():
        thread.join(FOREVER)
        assert not thread.is_alive(), "the thread still waits"
        return outcome[0]

    return result


def until(condition):
    end = time.monotonic() + FOREVER
    while not condition():
        assert time.monotonic() < end, "it never comes true"
        time.sleep(0.001)


def test_a_thread_waits_for_its_turn_and_leaves_its_name():
    bucket = bucket_of((1, 50))
    limiter = Limiter(bucket)
    start = time.monotonic()
    assert [limiter.try_acquire(name) for name in "abc"] == [True, True, True]
    assert time.monotonic() - start >= 0.100
    assert [name for name, _, _ in bucket.items()][-1] == "c"


def test_a_time_limit_that_cannot_be_met_ends_at_once():
    limiter = Limiter(full_bucket())
    start = time.monotonic()
    assert limiter.try_acquire(timeout=FOREVER) is False
    assert time.monotonic() - start < FOREVER / 2


def test_tasks_are_served_in_the_order_in_which_they_came():
    limiter = Limiter(bucket_of((1, 20)))
    served = []

    async def one(number):
        assert await limiter.acquire(number) is True
        served.append(number)

    async def main():
        await asyncio.gather(*[one(number) for number in range(10)])

    asyncio.run(main())
    assert served == list(range(10))


def test_one_bucket_serves_two_loops_and_a_thread():
    limiter = Limiter(bucket_of((2, 20)))

    async def main():
        return await asyncio.gather(*[limiter.acquire() for _ in range(10)])

    loops = [in_thread(lambda: asyncio.run(main())) for _ in range(2)]
    thread = in_thread(lambda: [limiter.try_acquire() for _ in range(10)])
    assert [result() for result in (*loops, thread)] == [[True] * 10] * 3


def test_a_cancelled_task_leaves_the_line_without_a_trace():
    bucket = bucket_of((1, HOUR))
    limiter = Limiter(bucket)

    async def main():
        assert await limiter.acquire("first")
        task = asyncio.create_task(limiter.acquire("cancelled"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        bucket.set_rates([(2, HOUR, 2)])
        assert await limiter.acquire("next")

    asyncio.run(main())
    assert "cancelled" not in [name for name, _, _ in bucket.items()]


def test_a_turn_that_comes_as_its_task_is_cancelled_is_given_back():
    async def cancelled_at_its_turn(window):
        bucket = bucket_of((1, window))
        limiter = Limiter(bucket)
        assert await limiter.acquire("first")
        task = asyncio.create_task(limiter.acquire("cancelled"))
        await asyncio.sleep(0)
        if task.done():
            raise Late("there was no wait")
        # The loop does not run meanwhile, so the turn comes and the task does not learn of it.
        first = bucket.items()[0][1]
        until(lambda: bucket.now() > first + window + 1 and bucket.used(bucket.now()) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # Who brings the turn may have been on its way still, and gives back what nobody takes.
        until(lambda: bucket.try_now("next", 1))

    in_a_window(lambda window: asyncio.run(cancelled_at_its_turn(window)), 300, 3000, 30_000)


def test_a_time_limit_of_asyncio_ends_a_wait():
    bucket = full_bucket()
    limiter = Limiter(bucket)

    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(limiter.acquire(), 0.02)

    asyncio.run(main())
    assert bucket.count() == 1


def test_a_loop_that_is_closed_with_waits_pending_takes_nothing():
    bucket = full_bucket()
    limiter = Limiter(bucket)
    loop = asyncio.new_event_loop()

    async def start():
        task = asyncio.ensure_future(limiter.acquire("pending"))
        await asyncio.sleep(0)
        return task

    task = loop.run_until_complete(start())
    loop.close()
    task._log_destroy_pending = False
    del task
    gc.collect()
    bucket.flush()
    assert bucket.try_now("next", 1), "the turn of the pending one came"


def test_loops_that_are_closed_with_waits_pending_are_not_kept():
    limiter, full = Limiter(bucket_of((1, 10))), Limiter(full_bucket())

    def close_a_loop_that_waits():
        loop = asyncio.new_event_loop()

        async def start(asked):
            task = asyncio.ensure_future(asked.acquire("pending"))
            await asyncio.sleep(0)
            return task

        for asked in (limiter, limiter, full):
            loop.run_until_complete(start(asked))._log_destroy_pending = False
        loop.close()
        return weakref.ref(loop)

    loops = [close_a_loop_that_waits() for _ in range(5)]
    gc.collect()
    assert [loop() for loop in loops] == [None] * 5
    assert limiter.try_acquire("behind them") is True


def test_a_loop_that_could_not_listen_is_asked_again():
    class Loop(asyncio.SelectorEventLoop):
        can_listen = True

        def add_reader(self, *arguments):
            if not self.can_listen:
                raise OSError("no room to watch another file")
            return super().add_reader(*arguments)

    loop = Loop()
    limiter = Limiter(bucket_of((1, 20)))

    async def main():
        assert await limiter.acquire()
        loop.can_listen = False
        with pytest.raises(OSError, match="no room"):
            await limiter.acquire()
        loop.can_listen = True
        assert await asyncio.wait_for(limiter.acquire(), FOREVER)

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


def test_closing_wakes_who_waits_and_lets_nobody_in():
    bucket = full_bucket()
    limiter = Limiter(bucket)
    waiting = in_thread(limiter.try_acquire)
    until(lambda: threading.active_count() > 1)
    bucket.close()
    assert isinstance(waiting(), RuntimeError)
    with pytest.raises(RuntimeError, match="limiter is closed"):
        limiter.try_acquire()


def test_a_closed_bucket_serves_a_new_limiter():
    bucket = bucket_of((2, HOUR))
    assert Limiter(bucket).try_acquire()
    bucket.close()
    assert Limiter(bucket).try_acquire()
    assert not Limiter(bucket).try_acquire(blocking=False)


def test_new_rates_reach_those_who_wait():
    bucket = full_bucket()
    waiting = in_thread(Limiter(bucket).try_acquire)
    bucket.set_rates([(2, HOUR, 2)])
    assert waiting() is True


def test_a_flush_reaches_those_who_wait():
    bucket = full_bucket()
    waiting = in_thread(Limiter(bucket).try_acquire)
    bucket.flush()
    assert waiting() is True


def test_ctrl_c_ends_a_wait_and_takes_nothing():
    bucket = full_bucket()
    main = threading.get_native_id()
    with pytest.raises(KeyboardInterrupt):
        sent = in_thread(lambda: signal_once_asleep(main, signal.SIGINT))
        Limiter(bucket).try_acquire()
    assert sent() is None
    assert bucket.count() == 1
    bucket.flush()
    assert bucket.try_now("next", 1), "nobody stands in line"


def test_a_handler_that_raises_nothing_does_not_end_a_wait():
    seen = []
    bucket = full_bucket()
    main = threading.get_native_id()

    def interrupt():
        signal_once_asleep(main, signal.SIGUSR1)
        until(lambda: seen)
        until(lambda: rests(main))
        bucket.set_rates([(2, HOUR, 2)])

    before = signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
    try:
        interrupted = in_thread(interrupt)
        assert Limiter(bucket).try_acquire() is True
        assert interrupted() is None
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [1]


def test_a_name_whose_end_asks_the_limiter_finds_nothing_locked():
    bucket = bucket_of((1, 1))
    limiter = Limiter(bucket)
    ended = []

    class Name:
        def __del__(self):
            ended.append(limiter.try_acquire("from the end", blocking=False))

    assert limiter.try_acquire(Name())
    until(lambda: limiter.try_acquire("other") and ended)


def test_a_name_that_holds_the_limiter_is_no_leak():
    class Name:
        pass

    name = Name()
    name.limiter = Limiter(bucket_of((1, HOUR)))
    assert name.limiter.try_acquire(name)
    seen = weakref.ref(name)
    del name
    gc.collect()
    assert seen() is None


def test_no_name_is_taken_for_garbage_while_others_are_served():
    ended, ends = [], threading.Event()

    class Name:
        def __del__(self):
            ended.append(self)

    gc.collect()
    gc.freeze()  # so that a collection takes no longer than a turn in line
    try:
        limiter = Limiter(bucket_of((10, 1), (10**7, HOUR)))
        for _ in range(20):
            assert limiter.try_acquire(Name())

        def go_on():
            while not ends.is_set():
                limiter.try_acquire("x", 5)

        waiting = [in_thread(go_on) for _ in range(3)]
        for _ in range(20_000):
            gc.collect()
        ends.set()
        assert [result() for result in waiting] == [None] * 3
    finally:
        ends.set()
        gc.unfreeze()
    assert ended == []


def test_a_copy_by_pickle_goes_on_apart():
    bucket = bucket_of((3, HOUR))
    assert bucket.put("a", 10, 2) is None
    copy = pickle.loads(pickle.dumps(bucket))
    assert copy.items() == [("a", 10, 2)]
    assert copy.put("b", 20, 2) == (0, 10 + HOUR + 1)
    assert (copy.last_denial(), bucket.last_denial()) == ((2, 0, 10 + HOUR + 1), None)
    assert bucket.put("c", 20, 1) is None
    assert copy.count() == 2


def test_an_interpreter_ends_while_threads_and_tasks_wait():
    program = """
        import asyncio, threading
        from scupper._scupper import LimiterBase, MemoryBucket

        class Limiter(LimiterBase):
            def __init__(self, bucket):
                self._bind(bucket)

        limiter = Limiter(MemoryBucket([(1, 20, 1)], "sliding_window_log"))
        for _ in range(20):
            work = lambda: [limiter.try_acquire() for _ in range(1000)]
            threading.Thread(target=work, daemon=True).start()

        async def main():
            asyncio.ensure_future(wait())
            await asyncio.sleep(0.05)

        async def wait():
            while True:
                answer = limiter._ask()
                if not isinstance(answer, bool):
                    await answer

        threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
        asyncio.run(main())
        print("done")
    """
    for _ in range(5):
        ended = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=FOREVER
        )
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")
