"""Buckets in a cluster, by the clients for clusters."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import redis.asyncio
from scupper import Duration, Limiter, Rate, RateItem, RedisBucket, RedisStateStore, StateBucket

from support.redis_cluster import Cluster, cluster
from support.threads import BOUND

RATES = [Rate(3, Duration.WEEK)]


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[Cluster]:
    with cluster() as nodes:
        yield nodes


def one_of_three(verdicts: list[bool]) -> None:
    assert verdicts == [True, True, True, False]


def test_a_bucket_lies_in_the_slot_of_its_key(two_nodes: Cluster) -> None:
    keys = [f"here:{number}" for number in range(8)]
    with redis.RedisCluster(host="127.0.0.1", port=two_nodes.nodes[0].port) as client:
        for key in keys:
            bucket: Any = RedisBucket.init(RATES, client, key)
            limiter = Limiter(bucket)
            one_of_three([limiter.try_acquire("x", blocking=False) for _ in range(4)])
            assert (bucket.count(), bucket.peek(5), bucket.peek(0) is not None, bucket.flush()) == (3, None, True, 1)
    sizes = [each.command("DBSIZE") for each in two_nodes.nodes]
    assert b":0\r\n" not in sizes, "both nodes have some"


def test_the_same_to_be_awaited(two_nodes: Cluster) -> None:
    async def main() -> None:
        port = two_nodes.nodes[1].port
        async with redis.asyncio.RedisCluster(host="127.0.0.1", port=port, decode_responses=True) as client:
            for key in (f"there:{number}" for number in range(8)):
                bucket: Any = await RedisBucket.init(RATES, client, key)
                limiter = Limiter(bucket)
                one_of_three([await limiter.try_acquire_async("x", blocking=False) for _ in range(4)])
                assert await bucket.count() == 3 and await bucket.flush() == 1

    asyncio.run(asyncio.wait_for(main(), BOUND))


def test_a_slot_that_moves_is_followed_and_nothing_is_counted_twice(two_nodes: Cluster) -> None:
    key = "moving"
    slot = two_nodes.slot(two_nodes.nodes[0], key)
    with redis.RedisCluster(host="127.0.0.1", port=two_nodes.nodes[0].port, decode_responses=True) as client:
        bucket: Any = RedisBucket.init(RATES, client, key)
        verdicts = [bucket.put(RateItem("x", bucket.now()))]
        giver, taker = two_nodes.begin_move(slot)
        two_nodes.move_key(giver, taker, key)
        verdicts.append(bucket.put(RateItem("x", bucket.now())))  # ASK
        two_nodes.end_move(giver, taker, slot)
        for _ in range(2):
            verdicts.append(bucket.put(RateItem("x", bucket.now())))  # MOVED
        one_of_three(verdicts)
        assert bucket.count() == 3


def test_a_node_that_does_not_answer_is_asked_once(two_nodes: Cluster) -> None:
    node = two_nodes.nodes[0]
    key = next(f"slow:{number}" for number in range(100) if two_nodes.slot(node, f"slow:{number}") < 8192)
    with redis.RedisCluster(host="127.0.0.1", port=node.port, socket_timeout=0.2) as client:
        tokens = StateBucket(RATES, store=RedisStateStore(client, key))
        assert tokens.put(RateItem("x", tokens.now())) is True
        node.stall()
        try:
            with pytest.raises(redis.TimeoutError):
                tokens.put(RateItem("x", tokens.now()))
        finally:
            node.go_on()
    with redis.RedisCluster(host="127.0.0.1", port=node.port) as client:
        tokens = StateBucket(RATES, store=RedisStateStore(client, key))
        assert tokens.count() in (1, 2)
