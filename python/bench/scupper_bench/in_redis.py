"""A limit on a server: ours by URL, the peer's through a client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pyrate_limiter
import redis
import redis.asyncio
import scupper
from support.servers import Redis

from .contest import Contest, is_faster
from .loops import admitted, admitted_in_tasks
from .rows import Target

# Never full, and at ten thousand requests a second few entries.
ROOMY = (10_000_000, 50)
TASKS = 50


def contests(stack: ExitStack, loop: asyncio.AbstractEventLoop) -> Iterator[Contest]:
    url = stack.enter_context(Redis()).url
    ours = stack.enter_context(scupper.Limiter.open(url, [scupper.Rate(*ROOMY)], key="ours"))
    client = stack.enter_context(redis.Redis.from_url(url))
    peer = pyrate_limiter.Limiter(pyrate_limiter.RedisBucket.init(_peers_rates(), client, "peer"))
    yield Contest("Redis, 1 caller", admitted(ours), admitted(stack.enter_context(peer)), target=is_faster(1.2))

    in_tasks = loop.run_until_complete(_peer_in_tasks(url))
    sides = (admitted_in_tasks(loop, limiter, TASKS) for limiter in (ours, in_tasks))
    yield Contest(f"Redis, {TASKS} tasks", *sides, unit="k/s", target=Target(10, is_least=True))
    in_tasks.close()


def _peers_rates() -> list[Any]:
    return [pyrate_limiter.Rate(*ROOMY)]


async def _peer_in_tasks(url: str) -> Any:
    client = redis.asyncio.Redis.from_url(url)
    return pyrate_limiter.Limiter(await pyrate_limiter.RedisBucket.init(_peers_rates(), client, "peer in tasks"))
