"""What is not answered is neither granted nor denied, and never sent twice."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
import redis
from scupper import GCRA, Duration, Limiter, Rate, RateItem, RedisBucket, RedisStateStore, StateBucket

from support.redis_ways import EAGER, Way
from support.servers import Redis
from support.threads import BOUND

DOCS = Path(__file__).parents[3] / "docs" / "redis.md"
RATES = [Rate(100, Duration.WEEK)]


def log(way: Way, port: int, key: str, **options: Any) -> Any:
    return way.bucket(port, RATES, key, **options)


def tokens(way: Way, port: int, key: str, **options: Any) -> Any:
    bucket = StateBucket(RATES, GCRA(), RedisStateStore(way.client(port, **options), key))
    assert way(bucket.count()) == 0
    return bucket


both = pytest.mark.parametrize("make", [log, tokens])


@both
def test_a_call_whose_answer_is_lost_is_not_sent_again(server: Redis, way: Way, key: str, make: Any) -> None:
    """The client itself would send it four times."""
    bucket = make(way, server.port, key, socket_timeout=0.6, retry=EAGER)
    assert way(bucket.put(RateItem("x", bucket.now()))) is True
    server.stall()
    try:
        with pytest.raises(redis.TimeoutError):
            way.acquire(Limiter(bucket), "x")
    finally:
        server.go_on()
    counts = {way(bucket.count()) for _ in range(20)}
    assert counts <= {1, 2}, counts
    assert way(bucket.put(RateItem("x", bucket.now()))) is True


@both
def test_a_server_that_is_gone_grants_and_denies_nothing(plain_way: Way, key: str, make: Any) -> None:
    with Redis() as server:
        bucket = make(plain_way, server.port, key, retry=EAGER)
        limiter = Limiter(bucket)
        assert plain_way.acquire(limiter, "x") is True
        server.kill()
        for named in ({}, {"blocking": False}, {"timeout": 1}):
            with pytest.raises(redis.ConnectionError):
                plain_way.acquire(limiter, "x", **named)
        with pytest.raises(redis.ConnectionError):
            plain_way(bucket.count())
        with pytest.raises(redis.ConnectionError):
            plain_way.bucket(server.port, RATES, key, retry=EAGER)


@both
def test_a_server_that_lost_everything_goes_on(way: Way, key: str, make: Any) -> None:
    with Redis() as server:
        bucket = make(way, server.port, key)
        assert way(bucket.put(RateItem("x", bucket.now(), 100))) is True
        assert way(bucket.put(RateItem("x", bucket.now()))) is False
        server.restart()
        assert way(bucket.put(RateItem("x", bucket.now(), 100))) is True
        assert way(bucket.put(RateItem("x", bucket.now()))) is False


def test_a_replica_that_takes_no_writes_is_an_error_of_the_client(server: Redis, plain_way: Way, key: str) -> None:
    with Redis(f"replicaof 127.0.0.1 {server.port}") as replica:
        bucket = RedisBucket(RATES, plain_way.client(replica.port), key, script_hash())
        with pytest.raises(redis.RedisError, match="READONLY|replica|MASTERDOWN"):
            plain_way(bucket.put(RateItem("x", bucket.now())))


def test_a_server_that_is_full_is_an_error(plain_way: Way, key: str) -> None:
    with Redis("maxmemory 1", "maxmemory-policy noeviction") as server:
        client = plain_way.client(server.port)
        bucket = RedisBucket(RATES, client, key, script_hash())
        with pytest.raises((redis.RedisError, RuntimeError), match="OOM|maxmemory|could not write"):
            plain_way(bucket.put(RateItem("x", bucket.now())))
        assert server.command("EXISTS", key) == b":0\r\n"


def test_a_user_without_rights_is_told_what_is_wanted(server: Redis, plain_way: Way, key: str) -> None:
    server.command("ACL", "SETUSER", "weak", "on", ">secret", "~*", "+evalsha", "+script|load", "+time")
    bucket = plain_way.bucket(server.port, RATES, key, username="weak", password="secret")
    with pytest.raises((redis.RedisError, ValueError), match="NOPERM|does not let this user|ACL"):
        plain_way(bucket.put(RateItem("x", bucket.now())))


def test_a_user_with_the_rights_that_the_docs_tell(server: Redis, plain_way: Way, key: str) -> None:
    rights = re.search(r"`ACL SETUSER limits on >secret ~scupper:\* (.*?)`", DOCS.read_text(), re.DOTALL)
    assert rights is not None
    server.command("ACL", "SETUSER", "limits", "on", ">secret", "~scupper:*", *rights[1].split())
    bucket = plain_way.bucket(server.port, RATES, "scupper:" + key, username="limits", password="secret")
    server.command("SCRIPT", "FLUSH")
    assert plain_way(bucket.put(RateItem("x", bucket.now()))) is True
    assert plain_way(bucket.peek(0)) is not None
    assert (plain_way(bucket.count()), plain_way(bucket.flush())) == (1, 1)


@pytest.mark.parametrize("single", [False, True])
def test_a_task_that_is_cancelled_leaves_the_connection_fit_for_use(server: Redis, key: str, single: bool) -> None:
    import redis.asyncio

    async def main() -> None:
        async with redis.asyncio.Redis(port=server.port, single_connection_client=single) as client:
            bucket: Any = await RedisBucket.init(RATES, client, key)
            for turns in range(12):
                task = asyncio.ensure_future(bucket.put(RateItem("x", bucket.now())))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                assert await bucket.peek(10**6) is None
                assert 0 <= await bucket.count() <= 12

    asyncio.run(asyncio.wait_for(main(), BOUND))


def test_many_tasks_and_one_limiter(server: Redis, key: str) -> None:
    import redis.asyncio

    async def main() -> None:
        async with redis.asyncio.Redis(port=server.port) as client:
            bucket: Any = await RedisBucket.init([Rate(60, Duration.WEEK)], client, key)
            limiter = Limiter(bucket)
            asked = (limiter.try_acquire_async("x", blocking=False) for _ in range(100))
            assert (await asyncio.gather(*asked)).count(True) == 60
            together = (bucket.put(RateItem("x", bucket.now())) for _ in range(20))
            assert not any(await asyncio.gather(*together)), "without a limiter, too"

    asyncio.run(asyncio.wait_for(main(), BOUND))


def script_hash() -> str:
    from scupper._scupper import RedisCalls

    return RedisCalls.hash
