"""Buckets, and the factories that find the bucket for an item."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, List, Optional, Tuple, Type, TypeVar, Union

from .._await import awaitable
from .._home import known_by
from .._leaker import Leaker
from .._scupper import MemoryBucket, StoreBucket
from ..clocks import AbstractClock, MonotonicClock
from ._decision import Decision
from ._log_algorithm import LogAlgorithm, SlidingWindowLog
from ._rate_list import Rates, enforce_rate_list, ordered
from .algorithm import Algorithm
from .rate import Rate, RateItem

__all__ = ["AbstractBucket", "BucketFactory", "Leaker", "logger"]

logger = logging.getLogger("scupper")

_Self = TypeVar("_Self", bound="AbstractBucket")


class AbstractBucket(ABC):
    """Counts items against a list of rates. Ticks and times are whole milliseconds of the bucket's clock.

    A bucket of your own implements :meth:`put`, :meth:`leak`, :meth:`flush`, :meth:`count` and :meth:`peek`, all of
    which may also give awaitables; ``is_async`` says so (None: find out from the results). A limiter calls the methods
    of one bucket one at a time.
    """

    failing_rate: Optional[Rate] = None
    is_async: Optional[bool] = None
    _clock: AbstractClock = MonotonicClock()
    _algorithm: Algorithm = SlidingWindowLog()
    _last_wait: Optional[Tuple[int, int]] = None
    _rates: List[Rate]

    @property
    def rates(self) -> List[Rate]:
        """The rates, by growing interval. Assign another list to change them; what was counted stays.

        Raises ``ValueError`` if the list is not one that a bucket can enforce.
        """
        try:
            return self._rates
        except AttributeError:
            raise AttributeError(f"{type(self).__name__} has no rates: set self.rates in __init__") from None

    @rates.setter
    def rates(self, rates: Rates) -> None:
        by_interval = ordered(rates)
        enforce_rate_list(by_interval)
        self._rates = by_interval

    def now(self) -> Any:
        """The time by the bucket's clock: milliseconds, or an awaitable of them."""
        return self._clock.now()

    @abstractmethod
    def put(self, item: RateItem) -> Union[bool, Awaitable[bool]]:
        """Counts all of ``item`` if it fits every rate at its timestamp, and says whether it did. Never part of it."""

    @abstractmethod
    def leak(self, current_timestamp: Optional[int] = None) -> Union[int, Awaitable[int]]:
        """Drops what counts against no rate any more, and says how many units that were."""

    @abstractmethod
    def flush(self) -> Optional[Awaitable[None]]:
        """Forgets everything that was counted."""

    @abstractmethod
    def count(self) -> Union[int, Awaitable[int]]:
        """How many units the bucket holds."""

    @abstractmethod
    def peek(self, index: int) -> Union[RateItem, None, Awaitable[Optional[RateItem]]]:
        """The item of the unit ``index`` places before the newest (0); None if there are not so many."""

    def waiting(self, item: RateItem) -> Union[int, Awaitable[int]]:
        """How long after its timestamp ``item``, which was just denied, would pass; -1 if it never would.

        Raises ``AssertionError`` if the weight of the item is not positive.
        """
        rate = self.failing_rate
        if rate is None:
            return 0
        if item.weight <= 0:
            raise AssertionError("Item's weight must > 0")
        if item.weight > self._algorithm.max_weight(rate):
            return -1
        recorded = self._recorded_wait(item)
        if recorded is not None:
            return recorded
        if not isinstance(self._algorithm, LogAlgorithm):
            raise TypeError(f"a bucket whose algorithm is no LogAlgorithm must implement waiting: {self!r}")
        offset = self._algorithm.blocking_offset(rate, item.weight)
        blocking = None if offset is None else self.peek(offset)
        if awaitable(blocking):
            return self._waiting_for_peek(rate, item, blocking)
        return self._wait_behind(rate, item, blocking)

    async def _waiting_for_peek(self, rate: Rate, item: RateItem, peeked: Any) -> int:
        return self._wait_behind(rate, item, await peeked)

    def _wait_behind(self, rate: Rate, item: RateItem, blocking: Any) -> int:
        timestamp = None if blocking is None else blocking.timestamp
        wait: int = self._algorithm.retry_after(rate, item.timestamp, timestamp)  # type: ignore[attr-defined]
        return wait

    def put_decision(self, item: RateItem) -> Union[Decision, Awaitable[Decision]]:
        """:meth:`put`, telling the rate in the way and the wait as well."""
        admitted = self.put(item)
        if awaitable(admitted):
            return self._decision_of_put(item, admitted)
        return self._decision(item)

    async def _decision_of_put(self, item: RateItem, admitted: Any) -> Decision:
        await admitted
        return self._decision(item)

    def _decision(self, item: RateItem) -> Decision:
        if self.failing_rate is None:
            return Decision()
        return Decision(self.failing_rate, self._recorded_wait(item))

    def _record(self, item: RateItem, decision: Decision) -> bool:
        """Keeps what :attr:`failing_rate` and :meth:`waiting` tell of ``decision``, and gives the verdict."""
        self.failing_rate = decision.failing_rate
        wait = decision.retry_after_ms
        self._last_wait = None if decision.allowed or wait is None else (item.weight, item.timestamp + wait)
        return decision.allowed

    def _recorded_wait(self, item: RateItem) -> Optional[int]:
        last = self._last_wait  # read once: others may put meanwhile
        return None if last is None or last[0] != item.weight else max(0, last[1] - item.timestamp)

    def limiter_lock(self) -> Optional[object]:
        """A lock that a limiter over this bucket holds around its calls, beside its own; None for no such lock."""
        return None

    def close(self) -> None:
        """Gives back what the bucket holds. Nothing, unless a bucket says otherwise."""

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        tb: Optional[TracebackType],
    ) -> None:
        self.close()

    def _uses(self) -> Any:
        """Units in use of each rate, or an awaitable of them, if the bucket can tell at once; None if not."""
        return None

    def _time_of_request(self) -> Any:
        """The time of an item that is put at once: :meth:`now`, unless the bucket reads its clock better when it is put."""
        return self.now()

    def _dated(self, item: RateItem) -> RateItem:
        """``item`` as the bucket takes it: at its own time, if it keeps time itself and that of the item was a reading."""
        return item

    def _stands_for(self) -> AbstractBucket:
        """The bucket in whose line callers of this one wait."""
        return self

    def _never_fits(self, item: RateItem) -> bool:
        """Whether it is known without a put that no wait will do."""
        return False

    def _put_in(self, in_loop: bool) -> Callable[[RateItem], Union[bool, Awaitable[bool]]]:
        """What puts an item, where there is a loop not to be blocked or where there is none."""
        return self.put

    def _count_in(self, in_loop: bool) -> Callable[[], Union[int, Awaitable[int]]]:
        """What counts, likewise."""
        return self.count

    def _flush_in(self, in_loop: bool) -> Callable[[], Optional[Awaitable[None]]]:
        """What forgets everything, likewise."""
        return self.flush

    def _bounds_itself(self) -> bool:
        """Whether the bucket drops by itself what has left every window."""
        return False

    def _native_bucket(self) -> Union[None, MemoryBucket, StoreBucket]:
        """The native bucket that decides alone in the place of this one, while nothing is overridden; or None."""
        return None

    def _decide_in_python(self) -> None:
        """Has all requests come through this object from now on. They do anyway, unless a bucket says otherwise."""


class BucketFactory(ABC):
    """Makes an item of a name and a weight, and finds the bucket for an item.

    A factory of your own implements :meth:`wrap_item` and :meth:`get`; both may also give awaitables.
    """

    _leaker: Optional[Leaker] = None
    _leak_interval: int = 10_000

    @property
    def leak_interval(self) -> int:
        """Milliseconds from one leak of a bucket to the next."""
        return self._leak_interval

    @leak_interval.setter
    def leak_interval(self, interval: int) -> None:
        self._leak_interval = interval
        if self._leaker is not None:
            self._leaker._set_interval(interval)

    @abstractmethod
    def wrap_item(self, name: str, weight: int = 1) -> Union[RateItem, Awaitable[RateItem]]:
        """The item for a request of ``weight`` units by ``name``, with the time of now."""

    @abstractmethod
    def get(self, item: RateItem) -> Union[AbstractBucket, Awaitable[AbstractBucket]]:
        """The bucket that counts ``item``."""

    def create(self, bucket_class: Type[Any], *args: Any, **kwargs: Any) -> Any:
        """Makes a bucket of the class from the other arguments, and has it leaked."""
        bucket = bucket_class(*args, **kwargs)
        self.schedule_leak(bucket)
        return bucket

    def schedule_leak(self, new_bucket: AbstractBucket) -> None:
        """Has ``new_bucket`` leaked every :attr:`leak_interval`, until it is disposed of or the factory is closed.

        Raises ``AssertionError`` if the bucket has no rates.
        """
        if not new_bucket.rates:
            raise AssertionError("Bucket rates are not set")
        if self._leaker is None:
            self._leaker = Leaker(self._leak_interval)
        self._leaker.register(new_bucket)

    def get_buckets(self) -> List[AbstractBucket]:
        """The buckets that are leaked."""
        return [] if self._leaker is None else self._leaker._buckets()

    def owned_buckets(self) -> List[AbstractBucket]:
        """The buckets that :meth:`close` closes."""
        return self.get_buckets()

    def dispose(self, bucket: Union[int, AbstractBucket]) -> bool:
        """Leaks ``bucket`` (or the one with that ``id()``) no more. False if it was not leaked."""
        if isinstance(bucket, AbstractBucket):
            bucket = id(bucket)
        if not isinstance(bucket, int):
            raise AssertionError("not valid bucket id")
        return self._leaker is not None and self._leaker.deregister(bucket)

    def close(self) -> None:
        """Closes the buckets and stops leaking. A bucket that cannot be closed is logged, and the others are."""
        for bucket in self.owned_buckets():
            logger.debug("Closing bucket %r", bucket)
            try:
                bucket.close()
            except Exception:
                logger.warning("Could not close bucket %r", bucket, exc_info=True)
        self._stop_leaking()

    def _stop_leaking(self) -> None:
        leaker, self._leaker = self._leaker, None
        if leaker is not None:
            leaker.close()

    def __del__(self) -> None:
        self._stop_leaking()

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        if state.pop("_leaker", None) is not None:
            state["_leaked"] = self.get_buckets()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        leaked = state.pop("_leaked", ())
        self.__dict__.update(state)
        for bucket in leaked:
            self.schedule_leak(bucket)


known_by(__name__, Leaker)
