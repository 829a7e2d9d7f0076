"""Clients of redis-py of every kind, so that a test is written once for all of them."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from support.packages import SCUPPER
from support.threads import BOUND

_NUMBERS = itertools.count()


class Way:
    """One kind of client. Called with what a method gave, it gives the value, awaited or not."""

    def __init__(self, name: str, make: Callable[..., Any], **options: Any) -> None:
        self.name = name
        self.is_async = make in (redis.asyncio.Redis, redis.asyncio.RedisCluster)
        self._make = make
        self._options = options
        self._clients: list[Any] = []
        self._loop: Any = None

    def __call__(self, given: Any) -> Any:
        if not self.is_async:
            return given
        return self._awaited(given) if asyncio.iscoroutine(given) else given

    def client(self, port: int, **options: Any) -> Any:
        client = self._make(host="127.0.0.1", port=port, **{**self._options, **options})
        self._clients.append(client)
        return client

    def bucket(self, port: int, rates: Any, key: str, algorithm: Any = None, **options: Any) -> Any:
        return self(SCUPPER.RedisBucket.init(rates, self.client(port, **options), key, algorithm))

    def close(self) -> None:
        for client in self._clients:
            if self.is_async:
                self._awaited(client.aclose())
            else:
                client.close()
        self._clients.clear()
        if self._loop is not None:
            self._loop.close()
            self._loop = None

    def acquire(self, limiter: Any, *arguments: Any, **named: Any) -> Any:
        if self.is_async:
            return self(limiter.try_acquire_async(*arguments, **named))
        return limiter.try_acquire(*arguments, **named)

    def _awaited(self, coroutine: Any) -> Any:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop.run_until_complete(asyncio.wait_for(coroutine, BOUND))


WAYS = (
    Way("sync", redis.Redis),
    Way("sync, decoding", redis.Redis, decode_responses=True),
    Way("sync, one connection", redis.Redis, single_connection_client=True),
    Way("sync, the newer protocol", redis.Redis, protocol=3),
    Way("async", redis.asyncio.Redis),
    Way("async, decoding", redis.asyncio.Redis, decode_responses=True),
    Way("async, one connection", redis.asyncio.Redis, single_connection_client=True),
    Way("async, the newer protocol", redis.asyncio.Redis, protocol=3),
)
PLAIN = tuple(way for way in WAYS if way.name in ("sync", "async"))
CLUSTER_WAYS = (
    Way("a cluster", redis.RedisCluster),
    Way("a cluster, decoding", redis.RedisCluster, decode_responses=True),
    Way("a cluster, async", redis.asyncio.RedisCluster),
    Way("a cluster, async, decoding", redis.asyncio.RedisCluster, decode_responses=True),
)
# What redis-py does by itself, made quick.
EAGER = Retry(NoBackoff(), 3)


def fresh_key() -> str:
    return f"key:{next(_NUMBERS)}"
