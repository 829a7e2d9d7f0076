"""The factory that always gives the same bucket."""

from __future__ import annotations

from typing import Any, List

from .abstracts.bucket import AbstractBucket, BucketFactory
from .abstracts.rate import RateItem


class SingleBucketFactory(BucketFactory):
    """Counts everything in one bucket; names are labels of what is in it.

    ``schedule_leak`` has the bucket leaked in the background.
    """

    def __init__(self, bucket: AbstractBucket, schedule_leak: bool = True) -> None:
        self.bucket = bucket
        if schedule_leak:
            self.schedule_leak(bucket)

    def wrap_item(self, name: str, weight: int = 1) -> Any:
        now = self.bucket._time_of_request()
        if not isinstance(now, int) and hasattr(now, "__await__"):
            return self._wrap_later(name, now, weight)
        return RateItem(name, now, weight)

    async def _wrap_later(self, name: str, now: Any, weight: int) -> RateItem:
        return RateItem(name, await now, weight)

    def get(self, _: RateItem) -> Any:
        return self.bucket

    def owned_buckets(self) -> List[AbstractBucket]:
        return [self.bucket]

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("bucket", "get", "wrap_item") and "bucket" in self.__dict__:
            self.bucket._decide_in_python()
        super().__setattr__(name, value)


_METHODS = ("wrap_item", "get", "bucket")
_AS_MADE = [getattr(SingleBucketFactory, name, None) for name in _METHODS]


def native_bucket_of(factory: BucketFactory) -> Any:
    """The native bucket by which requests to ``factory`` may be decided without asking it; None if it must be asked."""
    if not isinstance(factory, SingleBucketFactory):
        return None
    if [getattr(type(factory), name, None) for name in _METHODS] != _AS_MADE:
        return None
    return factory.bucket._native_bucket()
