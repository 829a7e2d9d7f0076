"""Dropping what buckets need no more, in the background."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Generator
from time import monotonic
from typing import TYPE_CHECKING, Any

from ._await import awaitable, drop, settled
from ._sweeper import SWEEPER

if TYPE_CHECKING:
    from .abstracts.bucket import AbstractBucket

logger = logging.getLogger("scupper")


class Leaker:
    """Leaks the buckets of one factory every ``leak_interval`` milliseconds.

    All leakers of the process share one daemon thread for their plain buckets. Buckets that give awaitables are leaked
    in passing, by a request that comes when they are due, since no event loop is theirs. A bucket that fails to leak
    is logged, and is tried again when it is next due.
    """

    name = "Scupper's Leaker"
    leak_interval = 10_000

    def __init__(self, leak_interval: int) -> None:
        self.leak_interval = leak_interval
        self.sync_buckets: dict[int, AbstractBucket] = {}
        self.async_buckets: dict[int, AbstractBucket] = {}
        self._next: dict[int, float] = {}

    def register(self, bucket: AbstractBucket) -> None:
        """Leaks ``bucket`` from now on."""
        kind = self.async_buckets if _gives_awaitables(bucket) else self.sync_buckets
        kind[id(bucket)] = bucket
        self._next.setdefault(id(bucket), 0.0)
        self._watch(bucket)

    def deregister(self, bucket_id: int) -> bool:
        """Leaks the bucket with that ``id()`` no more. False if it was not leaked."""
        self._next.pop(bucket_id, None)
        kinds = (self.sync_buckets, self.async_buckets)
        return any([kind.pop(bucket_id, None) is not None for kind in kinds])

    def _buckets(self) -> list[AbstractBucket]:
        """All buckets that are leaked."""
        return [*self.sync_buckets.values(), *self.async_buckets.values()]

    def is_alive(self) -> bool:
        """Whether the shared thread leaks for this one."""
        return SWEEPER.serves(self)

    def start(self) -> None:
        """Has the shared thread leak the plain buckets, if any of them needs it."""
        if any(not bucket._bounds_itself() for bucket in list(self.sync_buckets.values())):
            SWEEPER.add(self)

    def _watch(self, bucket: AbstractBucket) -> None:
        """Has the shared thread serve this one, if ``bucket`` needs it."""
        if id(bucket) in self.sync_buckets and not SWEEPER.serves(self) and not bucket._bounds_itself():
            SWEEPER.add(self)

    def _set_interval(self, interval: int) -> None:
        self.leak_interval = interval
        self._next = dict.fromkeys(self._next, monotonic() + interval / 1000)
        self.start()

    def close(self) -> None:
        """Leaks nothing any more."""
        self.sync_buckets.clear()
        self.async_buckets.clear()
        self._next.clear()
        SWEEPER.remove(self)

    def _is_due(self, bucket: AbstractBucket) -> bool:
        """Whether a request should leak ``bucket``, which the thread cannot; at most once in an interval."""
        if id(bucket) not in self.async_buckets:
            self._watch(bucket)  # a child process has no thread yet
            return False
        return self._take(id(bucket), monotonic())

    def _leak_one(self, bucket: AbstractBucket) -> Generator[Any, Any, None]:
        """Leaks ``bucket``, yielding what must be awaited."""
        try:
            now = yield from settled(bucket._time_of_request())
            yield from settled(bucket.leak(now))
        except Exception:
            logger.warning("Bucket %r failed to leak; it is tried again", bucket, exc_info=True)

    def _sweep(self) -> float:
        """Leaks the plain buckets that are due, and says when (``time.monotonic()``) the next is."""
        for bucket in list(self.sync_buckets.values()):
            if not bucket._bounds_itself() and self._take(id(bucket), monotonic()):
                for given in self._leak_one(bucket):
                    drop(given)  # not a plain bucket, whatever it said
                    break
        return monotonic() + self.leak_interval / 1000

    def _take(self, bucket_id: int, now: float) -> bool:
        due = self._next.get(bucket_id)
        if due is None or now < due:
            return False
        self._next[bucket_id] = now + self.leak_interval / 1000
        return True


def _gives_awaitables(bucket: AbstractBucket) -> bool:
    if bucket.is_async is not None:
        return bucket.is_async
    if inspect.iscoroutinefunction(bucket.leak):
        return True
    probe = bucket.leak(0)
    drop(probe)
    return awaitable(probe)
