"""One bucket in the memory of one process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from .contest import Contest, is_faster
from .loops import NAME, admitted, admitted_in_tasks, denied
from .packages import PACKAGES


def _roomy(package: ModuleType) -> Any:
    """Never full; at either side's speed there are thousands of entries in the window at most."""
    return package.Limiter(package.Rate(10_000_000, 50))


def _of_two_rates(package: ModuleType) -> Any:
    return package.Limiter([package.Rate(10_000_000, 50), package.Rate(20_000_000, 100)])


def _full(package: ModuleType) -> Any:
    limiter = package.Limiter(package.Rate(100, package.Duration.WEEK))
    for _ in range(100):
        limiter.try_acquire(NAME)
    return limiter


def _tokens(package: ModuleType) -> Any:
    bucket = package.StateBucket([package.Rate(10_000_000, package.Duration.SECOND)], algorithm=package.TokenBucket())
    return package.Limiter(bucket)


def contests(loop: asyncio.AbstractEventLoop) -> Iterator[Contest]:
    yield Contest("try_acquire", *map(admitted, map(_roomy, PACKAGES)), unit="ns", target=is_faster(40))
    yield Contest("try_acquire, two rates", *map(admitted, map(_of_two_rates, PACKAGES)), unit="ns", target=is_faster(40))
    yield Contest("try_acquire, token bucket", *map(admitted, map(_tokens, PACKAGES)), unit="ns")
    yield Contest("try_acquire, denied", *map(denied, map(_full, PACKAGES)), unit="ns")
    in_tasks = (admitted_in_tasks(loop, limiter) for limiter in map(_roomy, PACKAGES))
    yield Contest("await try_acquire_async", *in_tasks, unit="ns", target=is_faster(20))
