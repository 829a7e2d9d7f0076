"""The bucket in the memory of this process."""

from __future__ import annotations

from typing import Any, List, Optional, Union

from .._scupper import MemoryBucket, StoreBucket
from ..abstracts.algorithm import Algorithm, LogAlgorithm
from ..abstracts._rate_list import Rates
from ..abstracts.rate import Rate, RateItem
from ._as_made import AsMade
from ._counts import Log, log_algorithm
from ._native_log import NativeLog, is_native
from ._python_log import PythonLog
from ._watched import WatchedBucket


class InMemoryBucket(WatchedBucket):
    """A log in memory, exact under :class:`~scupper.SlidingWindowLog`, which is the default.

    Its clock is that of ``time.monotonic``, in milliseconds. It needs no leak: it drops by itself what can count no
    more. Pickled, it takes its contents along; they mean something only until the machine is started again.

    Raises ``ValueError`` if the rates are not a list that can be enforced, and ``TypeError`` if the algorithm does not
    decide from a log.
    """

    is_async = False
    _log: Optional[Log] = None

    def __init__(self, rates: Rates, algorithm: Optional[LogAlgorithm] = None) -> None:
        if algorithm is not None:
            self._algorithm = algorithm
        self.rates = rates
        self._log = _log_for(self._algorithm, self._rates)
        if not _AS_MADE.is_kept_by(self):
            self._decide_in_python()

    def put(self, item: RateItem) -> bool:
        return self._record(item, self._log_inside().put(self._rates, item))

    def leak(self, current_timestamp: Optional[int] = None) -> int:
        """Drops what counts against no rate at ``current_timestamp``; ``AssertionError`` without one."""
        if current_timestamp is None:
            raise AssertionError("leak needs the current timestamp, in milliseconds")
        return self._log_inside().leak(self._rates, current_timestamp)

    def flush(self) -> None:
        self._log_inside().flush()
        self.failing_rate = None
        self._last_wait = None

    def count(self) -> int:
        return self._log_inside().count()

    def peek(self, index: int) -> Optional[RateItem]:
        return self._log_inside().peek(index)

    @property
    def items(self) -> List[RateItem]:
        """What the bucket holds, one entry for each unit, the oldest first. A copy: changing it changes nothing."""
        return self._log_inside().items()

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_algorithm":
            self._decide_by(log_algorithm(value))
        super().__setattr__(name, value)

    def _decide_by(self, algorithm: LogAlgorithm) -> None:
        if self._log is not None:
            self._decide_in_python()
            log = PythonLog(algorithm)
            log.take_over(self._log.items())
            self._log = log

    def _log_inside(self) -> Log:
        if self._log is None:
            raise RuntimeError(f"{type(self).__name__}.__init__ must call that of InMemoryBucket first")
        return self._log

    def _handle(self) -> Union[None, MemoryBucket, StoreBucket]:
        return self._log.bucket if isinstance(self._log, NativeLog) else None

    def _follow(self, rates: List[Rate]) -> None:
        if self._log is not None:
            self._log.set_rates(rates)

    def _bounds_itself(self) -> bool:
        return super()._bounds_itself() and _AS_MADE.is_kept(type(self), "leak")

    def _never_fits(self, item: RateItem) -> bool:
        ours = self._handle() is not None and _AS_MADE.is_kept(type(self), "put")
        return ours and any(item.weight > rate.limit for rate in self._rates)


_AS_MADE = AsMade(InMemoryBucket, "_algorithm")


def _log_for(algorithm: Algorithm, rates: List[Rate]) -> Log:
    return NativeLog(rates, algorithm) if is_native(algorithm) else PythonLog(log_algorithm(algorithm))
