"""The public checks of buckets, on those in Redis."""

from collections.abc import Iterator
from typing import Any, List

import pytest
import redis
import redis.asyncio
from scupper import AbstractBucket, FixedWindow, Rate, RedisBucket, RedisStateStore, StateBucket
from scupper.conformance import BucketConformance

from support.redis_ways import fresh_key
from support.servers import Redis


class InRedis(BucketConformance):
    """Gives each bucket a key of its own."""

    client: Any
    port: int

    @pytest.fixture(autouse=True)
    def use(self, server: Redis) -> Iterator[None]:
        self.port = server.port
        with redis.Redis(port=server.port) as self.client:
            yield


    def times(self) -> List[Any]:
        """The times of three units, and what is behind them."""
        with self._subject([Rate(6, 1000)]) as subject:
            for now, weight in enumerate((1, 2), self.start_ms):
                subject.expect(now, weight)
            items = [subject.peek(index) for index in range(4)]
            return [item and item.timestamp - self.start_ms for item in items]


class TestLog(InRedis):
    def test_peek_shows_unit_by_unit_from_the_newest(self) -> None:
        assert self.times() == [1, 1, 0, None], "without the names, which are not kept"

    def make(self, rates: List[Rate]) -> Any:
        return RedisBucket.init(rates, self.client, fresh_key())


class TestFixedWindow(InRedis):
    def test_peek_shows_unit_by_unit_from_the_newest(self) -> None:
        assert self.times() == [None] * 4, "only how many there are is kept"

    def make(self, rates: List[Rate]) -> Any:
        return RedisBucket.init(rates, self.client, fresh_key(), FixedWindow())


class TestTokens(InRedis):
    def make(self, rates: List[Rate]) -> AbstractBucket:
        return StateBucket(rates, store=RedisStateStore(self.client, fresh_key()))
