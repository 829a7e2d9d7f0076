"""The bucket that the processes of one program share."""

from __future__ import annotations

from multiprocessing import Manager
from multiprocessing.managers import ListProxy
from multiprocessing.synchronize import RLock
from typing import Any, List, Optional, cast

from ..abstracts.algorithm import LogAlgorithm
from ..abstracts._rate_list import Rates
from ..abstracts.rate import Rate, RateItem
from ._as_made import AsMade
from ._counts import log_algorithm
from ._owned_file import OwnedFile, new_shared_memory
from ._proxy_log import ProxyLog
from ._shared_bucket import SharedBucket
from ._store_log import StoreLog, can_decide, shared_memory_url
from .in_memory_bucket import InMemoryBucket


class MultiprocessBucket(SharedBucket, InMemoryBucket):
    """A log in ``items``, a list of a ``multiprocessing`` manager, which processes use under ``mp_lock``, one at a time.

    Its clock is that of ``time.monotonic``, which all processes of a host share. It is handed to another process as
    ``multiprocessing`` allows it: as an argument of a process, or of a pool's initializer. :meth:`init` makes one that
    needs no manager, and is a hundred times as fast.

    Raises ``ValueError`` if ``items`` is no such list, or the rates are not a list that can be enforced.
    """

    def __init__(
        self,
        rates: Rates,
        items: List[RateItem],
        mp_lock: RLock,
        algorithm: Optional[LogAlgorithm] = None,
    ) -> None:
        shared = cast(object, items)
        if not isinstance(shared, (ListProxy, OwnedFile)):
            raise ValueError("items must be a ListProxy")
        if algorithm is not None:
            self._algorithm = algorithm
        self.rates = rates
        if isinstance(shared, OwnedFile):
            self._log = StoreLog(shared_memory_url(shared.path, self._rates), _KEY, self._rates, self._algorithm, shared)
        else:
            self._items, self._mp_lock = shared, mp_lock
            self._log = ProxyLog(shared, mp_lock, log_algorithm(self._algorithm))
        if self._store_log() is not None and not _AS_MADE.is_kept_by(self):
            self._decide_in_python()

    @classmethod
    def init(cls, rates: Rates, algorithm: Optional[LogAlgorithm] = None) -> MultiprocessBucket:
        """A bucket in shared memory, of which native code decides.

        It may be pickled, forked, and handed to processes that are started in any way. The memory belongs to this
        process: when it closes the bucket, forgets it or ends, others can use it no more. It keeps no names:
        :meth:`peek` raises ``NotImplementedError``. With an ``algorithm`` of the user's own, it is a list of a new manager
        instead.

        Raises ``StoreError`` if there is no room for it in ``/dev/shm``.
        """
        if algorithm is None or can_decide(log_algorithm(algorithm)):
            return cls(rates, cast(Any, new_shared_memory()), cast(Any, None), algorithm)
        manager = Manager()
        return cls(rates, cast(List[RateItem], manager.list()), cast(RLock, manager.RLock()), algorithm)

    def now(self) -> int:
        log = self._store_log()
        now: int = log.now() if log is not None and "_clock" not in self.__dict__ else super().now()
        return now

    @property
    def items(self) -> List[RateItem]:
        """What the bucket holds, one entry for each unit, the oldest first: the list that processes share."""
        return cast(List[RateItem], self._of_manager("items", "_items"))

    @property
    def mp_lock(self) -> Any:
        """The lock under which processes use the list."""
        return self._of_manager("mp_lock", "_mp_lock")

    def _of_manager(self, name: str, attribute: str) -> Any:
        if self._store_log() is not None:
            raise AttributeError(
                f"a bucket by MultiprocessBucket.init has no {name!r}: it is shared memory without a list or a lock; make "
                "MultiprocessBucket(rates, manager.list(), manager.RLock()) if you need them"
            )
        return self.__dict__[attribute]

    def limiter_lock(self) -> Optional[object]:
        return cast(Optional[object], self.__dict__.get("_mp_lock"))

    def close(self) -> None:
        """Removes the shared memory, if this process has made it; a list belongs to its manager."""
        log = self._store_log()
        if log is not None:
            log.close()

    def _bounds_itself(self) -> bool:
        return self._store_log() is not None and self._is_as_made("leak")

    def _is_as_made(self, name: str) -> bool:
        return _AS_MADE.is_kept(type(self), name)


_KEY = "bucket"
_AS_MADE = AsMade(MultiprocessBucket, "_algorithm")
