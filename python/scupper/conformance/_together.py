"""Many who ask one bucket at once."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from time import sleep
from types import FrameType
from typing import Any, List

from .._await import awaitable
from ..abstracts.rate import RateItem
from ..limiter import Limiter
from ._subject import Subject

_CALLERS = 6
_EACH = 2


def everybody_puts(subject: Subject, now: int) -> int:
    """How many single units are admitted of those that many put at one time: threads, or tasks if put gives awaitables."""
    first = subject.bucket.put(RateItem("first", now, 1))
    admitted = [subject.awaited(first)]
    if awaitable(first):
        admitted += subject.awaited(_by_tasks(subject, now))
    else:
        admitted += _by_threads(subject, now)
    return sum(map(bool, admitted))


async def _by_tasks(subject: Subject, now: int) -> List[Any]:
    puts = (subject.bucket.put(RateItem("task", now, 1)) for _ in range(_CALLERS * _EACH))
    return await asyncio.gather(*puts)  # type: ignore[arg-type]


def _by_threads(subject: Subject, now: int) -> List[Any]:
    admitted: List[Any] = []
    errors: List[BaseException] = []
    start = threading.Barrier(_CALLERS)

    def put(caller: int) -> None:
        start.wait()
        try:
            with _interrupted_often(Random(caller)):
                for _ in range(_EACH):
                    admitted.append(subject.bucket.put(RateItem("thread", now, 1)))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=put, args=(caller,)) for caller in range(_CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise subject.wrong(f"put raised {errors[0]!r} while others put") from errors[0]
    return admitted


@contextmanager
def _interrupted_often(random: Random) -> Iterator[None]:
    """Lets other threads go on between the lines of this one's Python code, so that what is not made for it shows."""

    def between_lines(frame: FrameType, event: str, argument: Any) -> Any:
        if random.random() < 0.3:
            sleep(0.00001)
        return between_lines

    before = sys.gettrace()
    sys.settrace(between_lines)
    try:
        yield
    finally:
        sys.settrace(before)


def one_after_the_other(subject: Subject, times: int) -> List[Any]:
    """What a limiter over the bucket answers, asked by a thread and by a task in turn. Nobody waits."""
    limiter, answers = Limiter(subject.bucket), []
    for index in range(times):
        if index % 2:
            answers.append(subject.awaited(limiter.try_acquire_async("task", blocking=False)))
        else:
            answers.append(subject.awaited(limiter.try_acquire("thread", blocking=False)))
    limiter.close()
    return answers
