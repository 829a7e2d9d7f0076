"""A plain bucket as one that gives awaitables."""

from __future__ import annotations

from typing import Any, List, Optional, Tuple, cast

from .._await import awaitable
from .algorithm import Algorithm
from .bucket import AbstractBucket
from ._rate_list import Rates
from .rate import Rate, RateItem


class BucketAsyncWrapper(AbstractBucket):
    """``bucket`` with methods to await. A limiter over it waits without blocking the event loop."""

    is_async = True

    def __init__(self, bucket: AbstractBucket) -> None:
        if not isinstance(bucket, AbstractBucket):
            raise AssertionError(f"only a bucket can be wrapped, not {bucket!r}")
        self.bucket = bucket

    async def put(self, item: RateItem) -> bool:
        return cast(bool, await _awaited(self.bucket._put_in(in_loop=True)(item)))

    async def count(self) -> int:
        return cast(int, await _awaited(self.bucket._count_in(in_loop=True)()))

    async def leak(self, current_timestamp: Optional[int] = None) -> int:
        return cast(int, await _awaited(self.bucket.leak(current_timestamp)))

    async def flush(self) -> None:
        await _awaited(self.bucket._flush_in(in_loop=True)())

    async def peek(self, index: int) -> Optional[RateItem]:
        return cast(Optional[RateItem], await _awaited(self.bucket.peek(index)))

    async def waiting(self, item: RateItem) -> int:
        return cast(int, await _awaited(self.bucket.waiting(item)))

    def now(self) -> Any:
        return self.bucket.now()

    def close(self) -> None:
        self.bucket.close()

    def _time_of_request(self) -> Any:
        return self.bucket._time_of_request() if type(self).now is BucketAsyncWrapper.now else self.now()

    @property
    def failing_rate(self) -> Optional[Rate]:  # type: ignore[override]
        """The failing rate of the bucket inside."""
        return self.bucket.failing_rate

    @property
    def _last_wait(self) -> Optional[Tuple[int, int]]:  # type: ignore[override]
        return self.bucket._last_wait

    @property
    def _algorithm(self) -> Algorithm:  # type: ignore[override]
        return self.bucket._algorithm

    @property
    def rates(self) -> List[Rate]:
        """The rates of the bucket inside."""
        return self.bucket.rates

    @rates.setter
    def rates(self, rates: Rates) -> None:
        self.bucket.rates = rates

    def _dated(self, item: RateItem) -> RateItem:
        return self.bucket._dated(item)

    def _stands_for(self) -> AbstractBucket:
        return self.bucket._stands_for()

    def _never_fits(self, item: RateItem) -> bool:
        return self.bucket._never_fits(item)

    def _bounds_itself(self) -> bool:
        return self.bucket._bounds_itself()


async def _awaited(result: Any) -> Any:
    return (await result) if awaitable(result) else result
