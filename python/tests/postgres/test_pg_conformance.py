"""A bucket in Postgres keeps to what is asked of any bucket."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg_pool import ConnectionPool

from scupper import PostgresBucket, Rate, RateItem
from scupper.conformance import BucketConformance

_numbers = itertools.count()


class Kept(PostgresBucket):
    """Leaves the pool open, for the next."""

    def close(self) -> None:
        pass


class TestPostgresBucket(BucketConformance):
    """Each bucket is of a key that is new."""

    @pytest.fixture(autouse=True)
    def _pool(self, pool: ConnectionPool[Any]) -> Iterator[None]:
        self.pool = pool
        yield

    def make(self, rates: Any) -> Any:
        return Kept(self.pool, f"conformance_{next(_numbers)}", rates)

    def test_leak_drops_all_that_counts_no_more(self) -> None:
        """It is not counted anyhow, and how much it was is not known: see DIFFERENCES.md."""
        bucket = self.make([Rate(1, 10)])
        assert bucket.put(RateItem("x", self.start_ms))
        assert bucket.leak(self.start_ms + 11) == 0
        assert bucket.put(RateItem("x", self.start_ms + 11)) and bucket.count() == 1

    def test_peek_shows_unit_by_unit_from_the_newest(self) -> None:
        """Without their names: see DIFFERENCES.md."""
        bucket = self.make([Rate(6, 1000)])
        for tick, weight in ((0, 1), (1, 3), (2, 2)):
            assert bucket.put(RateItem("x", self.start_ms + tick, weight))
        seen = [bucket.peek(place) for place in range(bucket.count() + 1)]
        ticks = [None if item is None else item.timestamp - self.start_ms for item in seen]
        assert ticks == [2, 2, 1, 1, 1, 0, None]
