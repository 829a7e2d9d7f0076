"""Requests as users write them, each answer looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import repeat
from time import perf_counter
from typing import Any

NAME = "name"


class WrongAnswer(Exception):
    """A side that decides otherwise than its case says measures nothing."""


def admitted(limiter: Any) -> Callable[[int], float]:
    def run(count: int) -> float:
        start = perf_counter()
        for _ in repeat(None, count):
            if not limiter.try_acquire(NAME):
                raise WrongAnswer("denied")
        return perf_counter() - start

    return run


def denied(limiter: Any) -> Callable[[int], float]:
    def run(count: int) -> float:
        start = perf_counter()
        for _ in repeat(None, count):
            if limiter.try_acquire(NAME, blocking=False):
                raise WrongAnswer("admitted")
        return perf_counter() - start

    return run


async def _ask(limiter: Any, count: int) -> None:
    for _ in repeat(None, count):
        if not await limiter.try_acquire_async(NAME):
            raise WrongAnswer("denied")


def admitted_in_tasks(loop: asyncio.AbstractEventLoop, limiter: Any, tasks: int = 1) -> Callable[[int], float]:
    """So many tasks share the requests."""

    async def measure(count: int) -> float:
        share = -(-count // tasks)
        start = perf_counter()
        if tasks == 1:
            await _ask(limiter, count)
        else:
            await asyncio.gather(*(_ask(limiter, share) for _ in range(tasks)))
        return (perf_counter() - start) * count / (share * tasks)

    return lambda count: loop.run_until_complete(measure(count))
