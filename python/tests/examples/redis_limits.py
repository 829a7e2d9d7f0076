"""One limit in Redis for threads of a program, for tasks of another, and for whoever else takes the key.

The server is at the URL in the variable REDIS_URL, or on this machine.
"""

import asyncio
import os
import time

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from scupper import Limiter, Rate, RedisBucket

PERIOD_MS = 100
REQUESTS = 10
KEY = "example"
URL = os.environ.get("REDIS_URL", "redis://127.0.0.1")


def in_a_thread() -> None:
    with Redis.from_url(URL) as client:
        bucket = RedisBucket.init([Rate(3, PERIOD_MS)], client, KEY)
        bucket.flush()
        print("count", bucket.count())
        limiter, began = Limiter(bucket), time.monotonic()
        admitted = sum(limiter.try_acquire(f"request {number}") for number in range(REQUESTS))
        print("thread", admitted, int((time.monotonic() - began) * 1000 // PERIOD_MS))


async def in_tasks() -> None:
    async with AsyncRedis.from_url(URL) as client:
        limiter = Limiter(await RedisBucket.init([Rate(3, PERIOD_MS)], client, KEY))

        async def task(number: int) -> bool:
            return await limiter.try_acquire_async(f"request {number}")

        began = time.monotonic()
        admitted = sum(await asyncio.gather(*(task(number) for number in range(REQUESTS))))
        print("tasks", admitted, int((time.monotonic() - began) * 1000 // PERIOD_MS))


if __name__ == "__main__":
    in_a_thread()
    asyncio.run(in_tasks())
