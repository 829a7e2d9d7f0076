"""What the reference's README and example show of Redis, with shorter windows."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
import redis.asyncio
from redis import ConnectionPool, Redis
from redis.asyncio import ConnectionPool as AsyncConnectionPool
from redis.asyncio import Redis as AsyncRedis
from scupper import (
    AbstractBucket,
    BucketAsyncWrapper,
    BucketFactory,
    Duration,
    Limiter,
    MonotonicClock,
    Rate,
    RateItem,
    RedisBucket,
)

from support import servers
from support.pages import examples
from support.threads import BOUND

TENTH = Duration.SECOND * 0.1


def test_a_bucket_by_a_client(server: servers.Redis, key: str) -> None:
    rates = [Rate(5, TENTH * 2), Rate(8, Duration.MINUTE)]
    redis_db = Redis(host="127.0.0.1", port=server.port)
    bucket: Any = RedisBucket.init(rates, redis_db, key)
    assert isinstance(bucket, AbstractBucket)
    bucket.flush()
    assert bucket.count() == 0
    limiter = Limiter(bucket)
    began = time.monotonic()
    assert all(limiter.try_acquire("my-resource") for _ in range(8))
    assert time.monotonic() - began >= 0.2
    assert limiter.try_acquire("my-resource", blocking=False) is False
    redis_db.close()


def test_a_bucket_by_a_pool(server: servers.Redis, key: str) -> None:
    pool = ConnectionPool.from_url(server.url)
    with Redis(connection_pool=pool) as redis_db:
        limiter = Limiter(RedisBucket.init([Rate(3, TENTH)], redis_db, key))

        @limiter.as_decorator(name="api_call", weight=1)
        def call(number: int) -> int:
            return number

        with ThreadPoolExecutor(8) as threads:
            began = time.monotonic()
            assert [*threads.map(call, range(9), timeout=BOUND)] == [*range(9)]
            assert time.monotonic() - began >= 0.2
    pool.disconnect()


def test_an_async_bucket(server: servers.Redis, key: str) -> None:
    async def ticker() -> int:
        ticks = 0
        try:
            while True:
                await asyncio.sleep(0.01)
                ticks += 1
        except asyncio.CancelledError:
            return ticks

    async def main() -> None:
        pool = AsyncConnectionPool.from_url(server.url)
        redis_db = AsyncRedis(connection_pool=pool)
        bucket: Any = await RedisBucket.init([Rate(3, TENTH)], redis_db, key)
        limiter = Limiter(bucket)

        @limiter.as_decorator(name="api_call", weight=1)
        async def call(number: int) -> int:
            return number

        began, ticking = time.monotonic(), asyncio.create_task(ticker())
        assert await asyncio.gather(*(call(number) for number in range(5))) == [*range(5)]
        assert all(await asyncio.gather(*(limiter.try_acquire_async("x", 1) for _ in range(4))))
        plain: Any = limiter.try_acquire("x")
        assert await plain is True, "a plain call gives something to await"
        assert time.monotonic() - began >= 0.2
        ticking.cancel()
        assert await ticking >= 5, "the loop went on meanwhile"
        limiter.close()
        await redis_db.aclose()
        await pool.disconnect()

    asyncio.run(asyncio.wait_for(main(), BOUND))


def test_a_wrapper_around_a_bucket_by_a_plain_client(server: servers.Redis, key: str) -> None:
    async def main() -> None:
        with Redis(port=server.port) as redis_db:
            bucket: Any = RedisBucket.init([Rate(2, TENTH)], redis_db, key)
            limiter = Limiter(BucketAsyncWrapper(bucket))
            began = time.monotonic()
            assert all([await limiter.try_acquire_async("x") for _ in range(4)])
            assert time.monotonic() - began >= 0.1

    asyncio.run(asyncio.wait_for(main(), BOUND))


class PerName(BucketFactory):
    """Each name has a key of its own in Redis."""

    def __init__(self, redis_db: Any, key: str) -> None:
        self.clock = MonotonicClock()
        self.redis_db = redis_db
        self.key = key
        self.buckets: dict[str, AbstractBucket] = {}

    def wrap_item(self, name: str, weight: int = 1) -> RateItem:
        return RateItem(name, self.clock.now(), weight=weight)

    def get(self, item: RateItem) -> Any:
        if item.name not in self.buckets:
            bucket: Any = RedisBucket.init([Rate(2, Duration.HOUR)], self.redis_db, f"{self.key}:{item.name}")
            self.buckets[item.name] = bucket
            self.schedule_leak(bucket)
        return self.buckets[item.name]


class PerNameAsync(PerName):
    async def get(self, item: RateItem) -> Any:
        if item.name not in self.buckets:
            bucket: Any = RedisBucket.init([Rate(2, Duration.HOUR)], self.redis_db, f"{self.key}:{item.name}")
            self.buckets[item.name] = await bucket
        return self.buckets[item.name]


def test_a_factory_with_a_bucket_for_each_name_in_redis(server: servers.Redis, key: str) -> None:
    with Redis(port=server.port) as redis_db:
        for rest in ([True, True, False], [False]):
            factory = PerName(redis_db, key)
            limiter = Limiter(factory)
            for name in ("the-earth", "the-sun"):
                assert [limiter.try_acquire(name, blocking=False) for _ in rest] == rest
            assert len(limiter.buckets()) == 2
            limiter.close()
        assert {key.decode() for key in redis_db.keys(f"{key}:*")} == {f"{key}:the-earth", f"{key}:the-sun"}


def test_the_same_factory_to_be_awaited(server: servers.Redis, key: str) -> None:
    async def main() -> None:
        async with AsyncRedis(port=server.port) as redis_db:
            limiter = Limiter(PerNameAsync(redis_db, key))
            for name in ("the-earth", "the-sun"):
                verdicts = [await limiter.try_acquire_async(name, blocking=False) for _ in range(3)]
                assert verdicts == [True, True, False]
            limiter.close()

    asyncio.run(asyncio.wait_for(main(), BOUND))


def test_the_examples_of_the_docs(
    server: servers.Redis, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in (redis, redis.asyncio):
        monkeypatch.setattr(module, "Redis", partial(module.Redis, port=server.port))
    plain, to_await, per_user, states = (program(example) for example in examples("docs/python/redis.md"))
    assert plain["limiter"].peek().used == 2, "the one to await counts in the same key"
    assert states["limiter"].decide().reset_after is None
    assert capsys.readouterr().out == "1\n"
    for made in (plain["bucket"].redis, per_user["users"].bucket_factory.client, states["bucket"].store.redis):
        made.close()


def test_the_factory_of_the_docs_keeps_the_buckets_used_last_and_loses_no_count(server: servers.Redis, key: str) -> None:
    factory = factory_of_the_docs()
    with Redis(port=server.port) as redis_db:
        users = Limiter(factory([Rate(2, Duration.HOUR)], redis_db, key, most=2))
        for _ in range(2):
            assert all(users.try_acquire(name, blocking=False) for name in ("a", "b", "c"))
            assert [*users.bucket_factory.buckets] == ["b", "c"]
        assert not any(users.try_acquire(name, blocking=False) for name in ("a", "b", "c"))
        redis_db.script_flush()
        assert users.peek("b").used == 2
        assert users.reset("a") and users.try_acquire("a", blocking=False)
        users.close()


def test_the_factory_of_the_docs_serves_who_waits_in_line(server: servers.Redis, key: str) -> None:
    factory = factory_of_the_docs()
    with Redis(port=server.port) as redis_db, ThreadPoolExecutor(4) as threads:
        users = Limiter(factory([Rate(2, TENTH)], redis_db, key))
        waits = [threads.submit(users.try_acquire, "a") for _ in range(6)]
        assert all(wait.result(BOUND) for wait in waits)
        assert len(users.bucket_factory.buckets) == 1
        users.close()


def test_the_factory_of_the_docs_may_have_a_client_to_await(server: servers.Redis, key: str) -> None:
    factory = factory_of_the_docs()

    async def main() -> None:
        async with AsyncRedis(port=server.port) as redis_db:
            users = Limiter(factory([Rate(2, Duration.HOUR)], redis_db, key))
            for name in ("a", "b"):
                assert [await users.try_acquire_async(name, blocking=False) for _ in range(3)] == [True, True, False]
            users.close()

    asyncio.run(asyncio.wait_for(main(), BOUND))


def program(text: str) -> dict[str, Any]:
    """What a program leaves behind that runs by itself."""
    made: dict[str, Any] = {"__name__": "example"}
    exec(compile(text, "redis.md", "exec"), made)
    return made


def factory_of_the_docs() -> Any:
    """The class that the page shows, without the limiter that it makes."""
    [shown] = [example for example in examples("docs/python/redis.md") if "BucketFactory" in example]
    return program(shown.partition("\nusers = ")[0])["BucketPerUser"]
