"""Clients that are set up in other ways."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.sentinel
from scupper import Duration, Limiter, Rate, RateItem, RedisBucket, RedisStateStore, StateBucket, WallClock

from support.programs import run
from support.servers import Redis

RATES = [Rate(3, Duration.WEEK)]
THREE = [True, True, True, False]


class Watcher(Redis):
    """A sentinel that looks after one server."""

    def __init__(self, watched: Redis) -> None:
        super().__init__()
        self._watched = watched

    def _prepare(self) -> None:
        watch = f"sentinel monitor limits 127.0.0.1 {self._watched.port} 1"
        (self.folder / "redis.conf").write_text(f"bind 127.0.0.1\nport {self.port}\n{watch}\n")

    def _command(self) -> list[str]:
        return [*super()._command(), "--sentinel"]


def verdicts(bucket: Any) -> list[bool]:
    return [bucket.put(RateItem("x", bucket.now())) for _ in range(4)]


def test_a_client_that_asks_a_sentinel(server: Redis, key: str) -> None:
    with Watcher(server) as sentinel:
        make: Any = redis.sentinel.Sentinel
        asked = make([("127.0.0.1", sentinel.port)])
        client = asked.master_for("limits")
        try:
            bucket: Any = RedisBucket.init(RATES, client, key)
            assert verdicts(bucket) == THREE
        finally:
            client.close()
            for each in asked.sentinels:
                each.close()


def test_a_pool_of_one_connection_that_is_waited_for(server: Redis, key: str) -> None:
    make: Any = redis.BlockingConnectionPool
    pool = make(host="127.0.0.1", port=server.port, max_connections=1, timeout=20)
    with redis.Redis(connection_pool=pool) as client:
        bucket: Any = RedisBucket.init(RATES, client, key)
        assert verdicts(bucket) == THREE
        assert bucket.count() == 3 and client.ping()
    pool.disconnect()


def test_a_key_in_bytes_and_another_database(server: Redis, key: str) -> None:
    with redis.Redis(port=server.port, db=3) as client:
        for given in (key.encode(), key.encode() + b"\xff"):
            bucket: Any = RedisBucket.init(RATES, client, given)  # type: ignore[arg-type]
            assert verdicts(bucket) == THREE
            assert client.exists(given)
            client.set(given, "text")
            with pytest.raises(ValueError, match=key):
                bucket.count()


def test_a_client_that_was_closed_is_opened_again(server: Redis, key: str) -> None:
    client = redis.Redis(port=server.port)
    bucket: Any = RedisBucket.init(RATES, client, key)
    client.close()
    assert verdicts(bucket) == THREE
    client.close()


def test_the_package_needs_no_client_until_one_is_given(tmp_path: Path) -> None:
    program = """
import sys
sys.modules["redis"] = None
import scupper
from scupper import GCRA, RedisBucket, RedisStateStore
from scupper.buckets.redis_bucket import LuaScript
print(len(LuaScript.PUT_ITEM) > 1000, GCRA().redis_script() == LuaScript.PUT_ITEM)
for make in (lambda: RedisBucket.init([scupper.Rate(1, 1)], None, "key"), lambda: RedisStateStore("client", "key")):
    try:
        make()
    except TypeError as error:
        print(error)
"""
    assert run(tmp_path, program) == [
        "True True",
        "a client of redis-py is needed, such as redis.Redis(); not None",
        "a client of redis-py is needed, such as redis.Redis(); not 'client'",
    ]


def test_a_reading_of_a_clock_is_a_number_and_goes_into_a_pickle() -> None:
    now = WallClock().now()
    again = pickle.loads(pickle.dumps(RateItem("x", now))).timestamp
    assert (again, type(again), type(now + 0), f"{now}") == (now, type(now), int, str(int(now)))


def test_a_child_process_goes_on_with_the_same_client(server: Redis, tmp_path: Path, key: str) -> None:
    program = f"""
import os
import redis
from scupper import Duration, Limiter, Rate, RedisBucket

client = redis.Redis(port={server.port})
limiter = Limiter(RedisBucket.init([Rate(4, Duration.WEEK)], client, "{key}"))
print(limiter.try_acquire("x"), flush=True)
child = os.fork()
print(sum(limiter.try_acquire("x", blocking=False) for _ in range(2)), flush=True)
client.close()
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
"""
    first, *sums = run(tmp_path, program)
    assert (first, sum(map(int, sums))) == ("True", 3)


def test_a_state_that_others_share_by_its_store(server: Redis, key: str) -> None:
    with redis.Redis(port=server.port) as client:
        store = RedisStateStore(client, key)
        buckets = [StateBucket(RATES, store=store) for _ in range(2)]
        limiters = [Limiter(bucket) for bucket in buckets]
        assert [limiter.try_acquire("x", blocking=False) for limiter in limiters * 2] == THREE
