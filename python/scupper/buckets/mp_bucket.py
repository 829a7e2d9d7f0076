"""The bucket that the processes of one program share."""

from __future__ import annotations

from multiprocessing import Manager
from multiprocessing.managers import ListProxy
from multiprocessing.synchronize import RLock
from typing import Any, List, Optional, Union, cast

from ..abstracts.algorithm import LogAlgorithm
from ..abstracts.rate import Rate, RateItem
from ..clocks import MonotonicClock
from ._counts import log_algorithm
from ._proxy_log import ProxyLog
from ._reading import Reading
from .in_memory_bucket import InMemoryBucket


class MultiprocessBucket(InMemoryBucket):
    """A log in ``items``, a list of a ``multiprocessing`` manager, which processes use under ``mp_lock``, one at a time.

    Its clock is that of ``time.monotonic``, which all processes of a host share. It is handed to another process as
    ``multiprocessing`` allows it: as an argument of a process, or of a pool's initializer.

    Raises ``ValueError`` if ``items`` is no such list, or the rates are not a list that can be enforced.
    """

    mp_lock: Any

    def __init__(
        self,
        rates: List[Rate],
        items: List[RateItem],
        mp_lock: RLock,
        algorithm: Optional[LogAlgorithm] = None,
    ) -> None:
        if not isinstance(items, ListProxy):
            raise ValueError("items must be a ListProxy")
        self._items: Any = items
        self.mp_lock = mp_lock
        if algorithm is not None:
            self._algorithm = algorithm
        self.rates = rates
        self._log = self._proxy_log()

    @classmethod
    def init(cls, rates: List[Rate], algorithm: Optional[LogAlgorithm] = None) -> MultiprocessBucket:
        """A bucket with a list and a lock of a new manager."""
        manager = Manager()
        return cls(rates, cast(List[RateItem], manager.list()), cast(RLock, manager.RLock()), algorithm)

    def now(self) -> int:
        now: int = self._clock.now()  # type: ignore[assignment]
        return Reading(now) if type(self._clock) is MonotonicClock else now

    @property
    def items(self) -> List[RateItem]:
        """What the bucket holds, one entry for each unit, the oldest first: the list that processes share."""
        return cast(List[RateItem], self._items)

    def limiter_lock(self) -> Optional[object]:
        return cast(object, self.mp_lock)

    def _decide_by(self, algorithm: LogAlgorithm) -> None:
        self.__dict__["_algorithm"] = algorithm
        self._log = self._proxy_log()

    def _proxy_log(self) -> ProxyLog:
        return ProxyLog(self._items, self.mp_lock, log_algorithm(self._algorithm), MonotonicClock().now)
