"""How a task awaits its turn in the line of a native bucket."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any
from weakref import WeakKeyDictionary

from ._scupper import LoopBell, Waiter

_bells: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopBell] = WeakKeyDictionary()


def await_turn(waiter: Waiter) -> Generator[Any, None, bool]:
    """Joins the line and stays until the turn has come; says whether the units were taken."""
    event_loop = asyncio.get_running_loop()
    bell = _bell_of(event_loop)
    try:
        while True:
            future = event_loop.create_future()
            answer = waiter.look(bell, future)
            if answer is not None:
                return answer
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
