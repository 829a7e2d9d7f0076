"""What buckets have in common that either native code keeps in a store, or Python in what the user brought."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, List, Optional, Union

from .._scupper import MemoryBucket, StoreBucket
from ..abstracts.rate import Rate, RateItem
from ._counts import EXACT, log_algorithm
from ._rereading import RereadingBucket
from ._store_log import StoreLog
from ._watched import WatchedBucket


class SharedBucket(RereadingBucket, WatchedBucket):
    """A bucket whose log may lie in a store; then native code decides alone, until something is replaced."""

    _log: Any = None

    def _store_log(self) -> Optional[StoreLog]:
        log = self.__dict__.get("_log")
        return log if isinstance(log, StoreLog) else None

    def put(self, item: RateItem) -> bool:
        return self._record(item, self._log_inside().put(self._rates, item, self.now))

    def _log_inside(self) -> Any:
        if self._log is None:
            raise RuntimeError(f"{type(self).__name__}.__init__ must call that of our class first")
        return self._log

    def waiting(self, item: RateItem) -> Union[int, Awaitable[int]]:
        log = self._store_log()
        if self.failing_rate is None:
            return 0
        item = self._dated(item)
        if log is None:
            return super().waiting(item)
        if item.weight <= 0:
            raise AssertionError("Item's weight must > 0")
        if any(item.weight > rate.limit for rate in self._rates):
            return -1
        last = self._last_wait
        return -1 if last is None else max(0, last[1] - item.timestamp)

    def _time_now(self) -> Any:
        log = self._store_log()
        return self.now() if log is None else log.now()

    async def _put_later(self, item: RateItem) -> bool:
        return self._record(item, await self._log.put_async(self._rates, item))

    def _put_in(self, in_loop: bool) -> Callable[[RateItem], Union[bool, Awaitable[bool]]]:
        return self._put_later if in_loop and self._is_of_store("put") else self.put

    def _count_in(self, in_loop: bool) -> Callable[[], Union[int, Awaitable[int]]]:
        return self._log.bucket.count_async if in_loop and self._is_of_store("count") else self.count

    def _flush_in(self, in_loop: bool) -> Callable[[], Optional[Awaitable[None]]]:
        return self._flush_later if in_loop and self._is_of_store("flush") else self.flush

    async def _flush_later(self) -> None:
        await self._log.flush_async()
        self.failing_rate = self._last_wait = None

    def _is_of_store(self, method: str) -> bool:
        """Whether the method is ours, and asks a store."""
        is_ours = method not in self.__dict__ and self._is_as_made(method)
        return is_ours and self._store_log() is not None

    def _handle(self) -> Union[None, MemoryBucket, StoreBucket]:
        log = self._store_log()
        return None if log is None else log.bucket

    def _never_fits(self, item: RateItem) -> bool:
        ours = self._is_as_made("put") and (self._store_log() is not None or type(self._algorithm) in EXACT)
        return ours and any(item.weight > rate.limit for rate in self._rates)

    def _follow(self, rates: List[Rate]) -> None:
        if self._log is not None:
            self._log.set_rates(rates)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_algorithm" and self._log is not None:
            if self._store_log() is not None:
                raise TypeError("the algorithm of a bucket that native code keeps is chosen when the bucket is made")
            self._log.decide_by(log_algorithm(value))
        WatchedBucket.__setattr__(self, name, value)

    def __getstate__(self) -> dict[str, Any]:
        if self._log is not None:
            self._log.check_pickled()
        return super().__getstate__()

    def _is_as_made(self, name: str) -> bool:
        """Whether the class of this bucket does not replace what ours has."""
        raise NotImplementedError
