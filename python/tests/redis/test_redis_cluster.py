"""Buckets in a cluster, by the clients for clusters."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from scupper import Duration, Limiter, Rate, RateItem, RedisStateStore, StateBucket

from support.redis_cluster import Cluster, cluster
from support.redis_ways import CLUSTER_WAYS, Way

RATES = [Rate(3, Duration.WEEK)]
THREE = [True, True, True, False]


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[Cluster]:
    with cluster() as nodes:
        yield nodes


@pytest.fixture(params=CLUSTER_WAYS, ids=lambda way: way.name)
def way(request: Any) -> Iterator[Way]:
    yield request.param
    request.param.close()


def test_a_bucket_lies_in_the_slot_of_its_key(two_nodes: Cluster, way: Way, key: str) -> None:
    for number in range(8):
        bucket = way.bucket(two_nodes.nodes[number % 2].port, RATES, f"{key}:{number}")
        limiter = Limiter(bucket)
        assert [way.acquire(limiter, "x", blocking=False) for _ in range(4)] == THREE
        assert (way(bucket.count()), way(bucket.peek(5))) == (3, None)
        assert way(bucket.peek(0)) is not None
    sizes = [each.command("DBSIZE") for each in two_nodes.nodes]
    assert b":0\r\n" not in sizes, "both nodes have some"


def test_a_slot_that_moves_is_followed_and_nothing_is_counted_twice(two_nodes: Cluster, way: Way, key: str) -> None:
    slot = two_nodes.slot(two_nodes.nodes[0], key)
    bucket = way.bucket(two_nodes.nodes[0].port, RATES, key)
    verdicts = [way(bucket.put(RateItem("x", bucket.now())))]
    giver, taker = two_nodes.begin_move(slot)
    two_nodes.move_key(giver, taker, key)
    verdicts.append(way(bucket.put(RateItem("x", bucket.now()))))  # told ASK
    two_nodes.end_move(giver, taker, slot)
    verdicts += [way(bucket.put(RateItem("x", bucket.now()))) for _ in range(2)]  # told MOVED
    assert verdicts == THREE
    assert way(bucket.count()) == 3


def test_a_node_that_does_not_answer_is_asked_once(two_nodes: Cluster, way: Way, key: str) -> None:
    node = two_nodes.nodes[0]
    key = next(f"{key}:{number}" for number in range(100) if two_nodes.slot(node, f"{key}:{number}") < 8192)
    tokens = StateBucket(RATES, store=RedisStateStore(way.client(node.port, socket_timeout=0.6), key))
    assert way(tokens.put(RateItem("x", tokens.now()))) is True
    node.stall()
    try:
        with pytest.raises(redis.TimeoutError):
            way(tokens.put(RateItem("x", tokens.now())))
    finally:
        node.go_on()
    assert {way(tokens.count()) for _ in range(10)} <= {1, 2}
