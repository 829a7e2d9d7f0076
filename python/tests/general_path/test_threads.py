"""Threads before a bucket of the user's own."""

from __future__ import annotations

import signal
import threading
from time import monotonic
from typing import Any

import pytest
from buckets import Gate, in_line, thread, until
from scupper import Limiter
from scupper._line import line_of


def test_waiting_threads_are_served_in_the_order_in_which_they_came() -> None:
    bucket = Gate()
    limiter = Limiter(bucket, buffer_ms=0)
    waiters = []
    for number in range(8):
        waiters.append(thread(limiter.try_acquire, number))
        until(lambda: in_line(bucket) == len(waiters))
    bucket.room = 8
    for waiter in waiters:
        waiter.join(60)
    assert bucket.admitted == list(range(8))
    assert in_line(bucket) == 0


def test_a_busy_bucket_denies_nobody_who_does_not_wait() -> None:
    bucket = Gate(room=1000, hold_seconds=0.001)
    limiter = Limiter(bucket)
    answers: list[object] = []

    def ask() -> None:
        for _ in range(25):
            answers.append(limiter.try_acquire("x", blocking=False))

    for asking in [thread(ask) for _ in range(4)]:
        asking.join(60)
    assert answers == [True] * 100
    assert bucket.most_inside == 1


def test_who_does_not_wait_is_refused_behind_one_who_waits_for_room() -> None:
    bucket = Gate(room=1, wait_ms=60_000)
    limiter = Limiter(bucket)
    thread(lambda: limiter.try_acquire("heavy", weight=2))
    until(lambda: in_line(bucket) == 1 and bucket.puts == ["heavy"])
    began = monotonic()
    assert limiter.try_acquire("light", blocking=False) is False
    assert limiter.try_acquire("light", timeout=0) is False
    assert monotonic() - began < 30
    assert bucket.puts == ["heavy"]
    limiter.close()


def test_a_time_limit_that_cannot_be_kept_ends_at_once() -> None:
    limiter = Limiter(Gate(wait_ms=60_000))
    began = monotonic()
    assert limiter.try_acquire("x", timeout=30) is False
    assert monotonic() - began < 25


def test_a_time_limit_ends_a_wait_for_the_turn_and_leaves_no_place() -> None:
    bucket = Gate(wait_ms=60_000)
    limiter = Limiter(bucket)
    head = thread(limiter.try_acquire, "head")
    until(lambda: bucket.puts == ["head"])
    assert limiter.try_acquire("late", timeout=0.05) is False
    assert in_line(bucket) == 1
    limiter.close()
    head.join(60)


def test_an_exception_of_put_leaves_nothing_locked_and_wakes_the_next() -> None:
    bucket = Gate()
    limiter = Limiter(bucket, buffer_ms=0)
    head = thread(limiter.try_acquire, "first")
    until(lambda: in_line(bucket) == 1)
    second = thread(limiter.try_acquire, "second")
    until(lambda: in_line(bucket) == 2)
    bucket.error = ZeroDivisionError()
    head.join(60)
    second.join(60)
    assert isinstance(head.error, ZeroDivisionError)
    assert isinstance(second.error, ZeroDivisionError)
    assert in_line(bucket) == 0
    bucket.error, bucket.room = None, 5
    assert limiter.try_acquire("third", blocking=False) is True


def test_close_wakes_all_who_wait_and_ends_all_later_calls() -> None:
    bucket = Gate(wait_ms=60_000)
    limiter = Limiter(bucket)
    waiters = [thread(limiter.try_acquire, "x") for _ in range(3)]
    until(lambda: in_line(bucket) == 3)
    limiter.close()
    for waiter in waiters:
        waiter.join(60)
    assert [str(waiter.error) for waiter in waiters] == ["limiter is closed"] * 3
    with pytest.raises(RuntimeError, match="limiter is closed"):
        limiter.try_acquire("x", blocking=False)
    assert in_line(bucket) == 0
    limiter.close()


def test_an_interrupt_ends_the_wait_of_the_main_thread_and_leaves_no_place() -> None:
    bucket = Gate(wait_ms=60_000)
    limiter = Limiter(bucket)
    interrupted = threading.Event()

    def interrupt() -> None:
        until(lambda: in_line(bucket) == 1 and bucket.puts == ["x"])
        # CPython sleeps through a signal that comes just before it falls asleep: then another one follows.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        while not interrupted.wait(10):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    interrupter = thread(interrupt)
    with pytest.raises(KeyboardInterrupt):
        limiter.try_acquire("x")
    interrupted.set()
    interrupter.join(60)
    assert in_line(bucket) == 0


def test_a_put_that_asks_the_same_limiter_does_not_wait_for_itself() -> None:
    class Nested(Gate):
        def put(self, item: object) -> bool:  # type: ignore[override]
            if self.room == 2:
                self.room = 1
                assert limiter.try_acquire("inner") is True
            return True

    limiter = Limiter(Nested(room=2))
    asking = thread(limiter.try_acquire, "outer")
    asking.join(60)
    assert not asking.is_alive()


@pytest.mark.parametrize(("said_by", "calls_before"), [("leave", 0), ("enter", 1)])
def test_an_interrupt_of_one_who_goes_does_not_let_its_thread_past_others(said_by: str, calls_before: int) -> None:
    bucket = Gate(room=1, wait_ms=60_000)
    limiter, line = Limiter(bucket), line_of(bucket)
    kept, left = getattr(line, said_by), [None] * calls_before

    def interrupted(*arguments: Any) -> Any:
        if left:
            left.pop()
            return kept(*arguments)
        setattr(line, said_by, kept)
        raise KeyboardInterrupt

    setattr(line, said_by, interrupted)
    with pytest.raises(KeyboardInterrupt):
        limiter.try_acquire("interrupted")
    head = thread(limiter.try_acquire, "head")
    until(lambda: bucket.puts == ["interrupted", "head"])
    assert limiter.try_acquire("late", timeout=0.05) is False
    assert bucket.puts == ["interrupted", "head"]
    limiter.close()
    head.join(60)


def test_an_interrupt_while_one_lock_is_waited_for_leaves_the_others_free() -> None:
    first = threading.Lock()

    class Interrupted:
        def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
            assert first.locked()
            raise KeyboardInterrupt

        def release(self) -> None:
            raise AssertionError("it was not taken")

    bucket = Gate(room=1)
    limiter = Limiter(bucket)
    limiter.lock = (first, Interrupted())
    for timeout in (-1, 5):
        with pytest.raises(KeyboardInterrupt):
            limiter.try_acquire("interrupted", timeout=timeout)
        assert not first.locked()
    limiter.lock = first
    assert limiter.try_acquire("next", blocking=False) is True


def test_a_lock_that_is_never_free_is_waited_for_until_the_time_limit() -> None:
    limiter = Limiter(Gate(room=1))
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with limiter.lock:
            held.set()
            done.wait(60)

    holder = thread(hold)
    assert held.wait(60)
    assert limiter.try_acquire("x", timeout=0.05) is False
    done.set()
    holder.join(60)
    assert limiter.try_acquire("x", timeout=60) is True


def test_a_bucket_that_says_never_is_not_asked_again() -> None:
    bucket = Gate(wait_ms=-1)
    assert Limiter(bucket).try_acquire("x") is False
    assert bucket.puts == ["x"]


def test_the_time_is_asked_again_after_a_wait() -> None:
    bucket = Gate(wait_ms=20)
    seen: list[int] = []
    put = bucket.put

    def watched(item: object) -> bool:
        seen.append(item.timestamp)  # type: ignore[attr-defined]
        bucket.room = len(seen) - 1
        return put(item)  # type: ignore[arg-type]

    bucket.put = watched  # type: ignore[method-assign]
    assert Limiter(bucket, buffer_ms=0).try_acquire("x") is True
    assert len(seen) == 2
    assert seen[1] >= seen[0] + 20


def test_a_handler_of_a_signal_does_not_wait_behind_the_thread_that_it_interrupts() -> None:
    bucket = Gate(wait_ms=200)
    limiter = Limiter(bucket, buffer_ms=0)

    def handle(*_: object) -> None:
        bucket.room = 2
        assert limiter.try_acquire("handler") is True

    def interrupt() -> None:
        until(lambda: bucket.puts[:1] == ["main"])
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        thread(interrupt)
        assert limiter.try_acquire("main") is True
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert bucket.admitted == ["handler", "main"]
