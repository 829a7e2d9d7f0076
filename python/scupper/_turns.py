"""How a task awaits native work: its turn in the line of a bucket, or the answer of a store."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, ref

from ._scupper import LoopBell, Waiter

T = TypeVar("T")

# The loop alone keeps its bell. With the end of the loop the bell goes, and lets go of all who wait there: they leave the line.
_bells: WeakKeyDictionary[asyncio.AbstractEventLoop, ref[LoopBell]] = WeakKeyDictionary()


def await_turn(waiter: Waiter[T]) -> Generator[Any, None, T]:
    """Begins the work and stays until it is done; gives what came of it."""
    event_loop = asyncio.get_running_loop()
    try:
        while True:
            future = event_loop.create_future()
            outcome = waiter.look(_bell_of(event_loop), future)
            if outcome is not None:
                return outcome[0]
            yield from future
    finally:
        waiter.leave()


def _bell_of(event_loop: asyncio.AbstractEventLoop) -> LoopBell:
    known = _bells.get(event_loop)
    bell = None if known is None else known()
    if bell is None:
        bell = LoopBell()
        event_loop.add_reader(bell.fileno(), _hear, bell)
        _bells[event_loop] = ref(bell)  # not before the loop hears it: else the next task would wait for ever
    return bell


def _hear(bell: LoopBell) -> None:
    for future in bell.take():
        if not future.done():
            future.set_result(None)
