"""What the tests of waits share."""

import asyncio
from typing import Any

import pytest

from support.packages import SCUPPER
from support.paths import ASYNC, LOGS, SYNC, named
from support.threads import BOUND, Late

WEEK = SCUPPER.Duration.WEEK

sync_paths = pytest.mark.parametrize("path", SYNC, ids=named)
log_paths = pytest.mark.parametrize("path", LOGS, ids=named)
async_paths = pytest.mark.parametrize("path", ASYNC, ids=named)


async def started(limiter: Any, *arguments: Any, **named: Any) -> "asyncio.Task[bool]":
    """A task that has got as far as its wait."""
    task = asyncio.create_task(limiter.try_acquire_async(*arguments, **named))
    for _ in range(3):
        await asyncio.sleep(0)
    if task.done():
        raise Late(f"it did not wait: {task}")
    return task


async def within_bound(awaitable: Any) -> Any:
    return await asyncio.wait_for(awaitable, BOUND)


def at_once(call: Any) -> Any:
    """The result of a coroutine that never gives up its turn."""
    with pytest.raises(StopIteration) as end:
        call.send(None)
    return end.value.value
