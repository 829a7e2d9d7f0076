"""How a task awaits native work: its turn in the line of a bucket, or the answer of a store."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from ._scupper import LoopBell, Waiter

T = TypeVar("T")

_bells: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopBell] = WeakKeyDictionary()


def await_turn(waiter: Waiter[T]) -> Generator[Any, None, T]:
    """Begins the work and stays until it is done; gives what came of it."""
    event_loop = asyncio.get_running_loop()
    bell = _bell_of(event_loop)
    try:
        while True:
            future = event_loop.create_future()
            outcome = waiter.look(bell, future)
            if outcome is not None:
                return outcome[0]
            yield from future
    finally:
        waiter.leave()


def _bell_of(event_loop: asyncio.AbstractEventLoop) -> LoopBell:
    bell = _bells.get(event_loop)
    if bell is None:
        bell = _bells[event_loop] = LoopBell()
        event_loop.add_reader(bell.fileno(), _hear, bell)
    return bell


def _hear(bell: LoopBell) -> None:
    for future in bell.take():
        if not future.done():
            future.set_result(None)
