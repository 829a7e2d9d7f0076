"""The reference's bucket on the same server, with the same items."""

import asyncio
import random
from typing import Any

import pytest
import redis
import redis.asyncio

from support.packages import BOTH, ORACLE, SCUPPER
from support.redis_ways import Way
from support.servers import Redis

START = 1_000_000_000


class Pair:
    """Both packages' bucket, each under a key of its own."""

    def __init__(self, way: Way, server: Redis, key: str, rates: Any, algorithm: str = "SlidingWindowLog") -> None:
        self._way = way
        self._plain = redis.Redis(port=server.port)
        self.theirs = ORACLE.RedisBucket.init(
            [ORACLE.Rate(*rate) for rate in rates], self._plain, key + ":theirs", getattr(ORACLE, algorithm)()
        )
        self.ours = way.bucket(
            server.port, [SCUPPER.Rate(*rate) for rate in rates], key + ":ours", getattr(SCUPPER, algorithm)()
        )

    def __enter__(self) -> "Pair":
        return self

    def __exit__(self, *_: object) -> None:
        self._plain.close()

    def ask(self, method: str, *arguments: Any) -> tuple[Any, Any]:
        return self._way(getattr(self.ours, method)(*arguments)), getattr(self.theirs, method)(*arguments)

    def put(self, time: int, weight: int) -> tuple[Any, Any]:
        ours, theirs = self.items(time, weight)
        return self._way(self.ours.put(ours)), self.theirs.put(theirs)

    def wait(self, time: int, weight: int) -> tuple[Any, Any]:
        ours, theirs = self.items(time, weight)
        return self._way(self.ours.waiting(ours)), self.theirs.waiting(theirs)

    @staticmethod
    def items(time: int, weight: int) -> list[Any]:
        return [package.RateItem("x", time, weight) for package in (SCUPPER, ORACLE)]


def times_and_weights(seed: int, longest: int, heaviest: int) -> Any:
    chance, time = random.Random(seed), START
    for _ in range(150):
        time += chance.choice((0, 0, 1, chance.randrange(longest), chance.randrange(1, 2 + longest // 5)))
        yield chance, time, chance.choice((1, 1, 1, 2, chance.randrange(heaviest + 2)))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("algorithm", ["SlidingWindowLog", "FixedWindow"])
def test_one_rate_with_every_answer(
    server: Redis, plain_way: Way, key: str, algorithm: str, seed: int
) -> None:
    chance = random.Random(seed)
    limit, interval = chance.randrange(1, 9), chance.choice((1, 10, 1000))
    with Pair(plain_way, server, key, [(limit, interval)], algorithm) as pair:
        admitted = 0
        for chance, time, weight in times_and_weights(seed, interval * 2, limit):
            ours, theirs = pair.put(time, weight)
            assert ours is theirs, (time, weight)
            admitted += ours
            if not ours:
                assert (pair.ours.failing_rate is None) is (pair.theirs.failing_rate is None)
                waits = pair.wait(time, weight)
                assert waits[0] == waits[1], (time, weight)
            if chance.random() < 0.2 and algorithm == "SlidingWindowLog":
                pair.theirs.leak(time - 1)  # there, what still counts at the edge leaks
                ours, theirs = pair.ask("count")
                assert ours == theirs, time
            if chance.random() < 0.03:
                pair.ask("flush")
                assert pair.ask("count") == (0, 0)
        assert admitted > 10


@pytest.mark.parametrize("seed", range(6))
def test_several_rates_with_the_same_verdicts_and_waits_that_are_enough(
    server: Redis, plain_way: Way, key: str, seed: int
) -> None:
    rates = [(3, 100), (5, 300), (8, 2000)]
    with Pair(plain_way, server, key, rates) as pair:
        for _, time, weight in times_and_weights(seed, 400, 3):
            ours, theirs = pair.put(time, weight)
            assert ours is theirs, (time, weight)
            if not ours:
                mine, other = pair.wait(time, weight)
                assert (mine == -1) is (other == -1) and mine >= other, (time, weight)
                if 1 < mine < 40:  # the last millisecond is too early on both sides, the next one is not
                    assert pair.put(time + mine - 1, weight) == (False, False)


@pytest.mark.parametrize("seed", range(4))
def test_the_same_times_are_seen(server: Redis, plain_way: Way, key: str, seed: int) -> None:
    with Pair(plain_way, server, key, [(7, 1000), (20, 6000)]) as pair:
        for _, time, weight in times_and_weights(seed, 500, 3):
            pair.put(time, weight)
        pair.theirs.leak(time - 1)  # there, what still counts at the edge leaks
        ours, theirs = pair.ask("count")
        assert 0 < ours == theirs
        for index in range(ours):
            peeked = pair.ask("peek", index)
            assert (peeked[0].timestamp, peeked[0].weight) == (peeked[1].timestamp, peeked[1].weight), index


def test_the_same_answers_are_awaited(server: Redis, key: str) -> None:
    async def answers(package: Any) -> list[Any]:
        async with redis.asyncio.Redis(port=server.port) as client:
            bucket = await package.RedisBucket.init([package.Rate(2, 1000)], client, key + package.__name__)
            item = package.RateItem("x", START)
            seen: list[Any] = [await bucket.put(item) for _ in range(3)]
            seen += [bucket.waiting(item), await bucket.count(), await bucket.leak(START)]
            seen += [(await bucket.peek(1)).weight]
            other = bucket.waiting(package.RateItem("x", START, 2))
            seen += [asyncio.iscoroutine(other), await other, bucket.close()]
            seen += [await bucket.flush(), await bucket.flush()]
            return seen

    ours, theirs = (asyncio.run(answers(package)) for package in (SCUPPER, ORACLE))
    assert ours == theirs


@pytest.mark.parametrize("package", BOTH, ids=["scupper", "oracle"])
def test_limits_hold_for_both_under_one_clock(server: Redis, key: str, package: Any) -> None:
    with redis.Redis(port=server.port) as client:
        bucket = package.RedisBucket.init([package.Rate(4, 60_000)], client, key + package.__name__)
        limiter = package.Limiter(package.SingleBucketFactory(bucket, schedule_leak=False))
        assert [limiter.try_acquire("x", blocking=False) for _ in range(6)] == [True] * 4 + [False] * 2
        limiter.close()
