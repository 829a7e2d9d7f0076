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
        _forget_closed()
        bell = _bells[event_loop] = LoopBell()
        event_loop.add_reader(bell.fileno(), _hear, bell)
    return bell


def _forget_closed() -> None:
    """Lets go the loops that were closed with tasks in line: the bell that is to call them would keep them."""
    for event_loop, bell in list(_bells.items()):
        if event_loop.is_closed():
            _bells.pop(event_loop, None)
            bell.close()


def _hear(bell: LoopBell) -> None:
    for future in bell.take():
        if not future.done():
            future.set_result(None)
