"""Two processes that share a limit without a server."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing.synchronize import Barrier
from types import ModuleType
from typing import Any, Callable

from .contest import Contest, is_faster
from .loops import NAME, admitted, denied
from .packages import PACKAGES, named

PROCESSES = 2
# Below the limit of two processes at our speed, and yet few entries.
ROOMY = (10_000_000, 50)
FULL = (100, 7 * 24 * 3_600_000)

_ask: Callable[[int], float]
_together: Barrier


def contests(stack: ExitStack) -> Iterator[Contest]:
    for case, rate, is_full, target in (
        ("2 processes, try_acquire", ROOMY, False, is_faster(30)),
        ("2 processes, try_acquire, denied", FULL, True, None),
    ):
        sides = (_side(stack, package, rate, is_full) for package in PACKAGES)
        yield Contest(case, *sides, target=target)


def _side(stack: ExitStack, package: ModuleType, rate: tuple[int, int], is_full: bool) -> Callable[[int], float]:
    bucket = package.MultiprocessBucket.init([package.Rate(*rate)])
    if is_full:
        limiter = stack.enter_context(package.Limiter(bucket))
        for _ in range(rate[0]):
            limiter.try_acquire(NAME)
    begin = (package.__name__, bucket, is_full, multiprocessing.Barrier(PROCESSES))
    pool = stack.enter_context(ProcessPoolExecutor(PROCESSES, initializer=_begin, initargs=begin))

    def run(count: int) -> float:
        """Each process makes so many requests, all at once."""
        return sum(pool.map(_ask_together, [count] * PROCESSES)) / PROCESSES

    return run


def _begin(package: str, bucket: Any, is_full: bool, together: Barrier) -> None:
    global _ask, _together
    limiter = named(package).Limiter(bucket)
    _ask = denied(limiter) if is_full else admitted(limiter)
    _together = together


def _ask_together(count: int) -> float:
    _together.wait()
    return _ask(count)
