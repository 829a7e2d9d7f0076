"""The bucket that keeps a few numbers instead of a log."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, List, Optional, Tuple, Union

from .._await import awaitable
from .._home import known_by
from .._scupper import MemoryBucket, StoreBucket
from ..abstracts.algorithm import GCRA, State, StateAlgorithm
from ..abstracts._rate_list import Rates
from ..abstracts.rate import Rate, RateItem
from ..abstracts.store import StateStore
from ..clocks import AbstractClock, MonotonicClock
from ._as_made import AsMade
from ._rereading import RereadingBucket
from ._shared_state import ItsClock, MultiprocessStateStore
from ._state_store import InMemoryStateStore
from ._watched import WatchedBucket, numbers

__all__ = ["InMemoryStateStore", "MultiprocessStateStore", "StateBucket"]


class StateBucket(RereadingBucket, WatchedBucket):
    """Decides by a :class:`~scupper.StateAlgorithm` (by default :class:`~scupper.GCRA`) whose state a store keeps.

    ``store`` is one in memory unless given; ``clock`` is the store's ``default_clock`` unless given. There are no items
    to peek at and nothing to leak.

    Raises ``ValueError`` if the rates are not a list that can be enforced.
    """

    algorithm: StateAlgorithm
    store: StateStore
    _alone = False
    # What the rates were when the store was last told of them: a rate may be changed in place.
    _followed: List[Tuple[int, int, int]]

    def __init__(
        self,
        rates: Rates,
        algorithm: Optional[StateAlgorithm] = None,
        store: Optional[StateStore] = None,
        clock: Optional[AbstractClock] = None,
    ) -> None:
        self.algorithm = GCRA() if algorithm is None else algorithm
        self.store = InMemoryStateStore() if store is None else store
        self._clock = self.store.default_clock if clock is None else clock
        self.is_async = self.store.is_async
        self.rates = rates
        self._alone = clock is None and self._is_as_made()
        if isinstance(self.store, _MAY_BE_NATIVE):
            self.store._native_for(self.algorithm, self._rates)

    def _is_as_made(self) -> bool:
        """Whether the bucket, its store and the clock of that are ours, and nothing of theirs is replaced."""
        is_store_ours = type(self.store) in _MAY_BE_NATIVE and type(self._clock) in _NATIVE_CLOCKS
        return is_store_ours and _AS_MADE.is_kept_by(self)

    def put(self, item: RateItem) -> Union[bool, Awaitable[bool]]:
        decision = self.store.check(self.algorithm, self._rates, item.timestamp, item.weight)
        if awaitable(decision):
            return self._put_later(item, decision)
        return self._record(item, decision)  # type: ignore[arg-type]

    async def _put_later(self, item: RateItem, decision: Any) -> bool:
        return self._record(item, await decision)

    def waiting(self, item: RateItem) -> Union[int, Awaitable[int]]:
        rate = self.failing_rate
        if rate is None:
            return 0
        if item.weight <= 0:
            raise AssertionError("Item's weight must > 0")
        if any(item.weight > self.algorithm.max_weight(rate) for rate in self._rates):
            return -1
        item = self._dated(item)
        recorded = self._recorded_wait(item)
        if recorded is not None:
            return recorded
        state = self.store.read(self.algorithm, self._rates)
        if awaitable(state):
            return self._replay_later(state, item)
        return self._replay(state, item)  # type: ignore[arg-type]

    async def _replay_later(self, state: Any, item: RateItem) -> int:
        return self._replay(await state, item)

    def _replay(self, state: State, item: RateItem) -> int:
        """How long ``item`` would have to wait in that state; -1 for ever."""
        _, decision = self.algorithm.step(self._rates, state, item.timestamp, item.weight)
        if decision.allowed:
            return 0
        return -1 if decision.retry_after_ms is None else decision.retry_after_ms

    def _time_now(self) -> Any:
        return self.store.default_clock.now()

    def _keeps_time(self) -> bool:
        return self.store._keeps_time(self.algorithm)

    def leak(self, current_timestamp: Optional[int] = None) -> int:
        return 0

    def flush(self) -> Optional[Awaitable[None]]:
        self.failing_rate = None
        self._last_wait = None
        return self.store.reset()

    def count(self) -> Union[int, Awaitable[int]]:
        """Units that are still owed; part of one counts as one."""
        native = self._native_bucket()
        if native is not None:
            return native.count()  # its clock is finer than milliseconds
        now = self.now()
        owed = self.store._owed(self.algorithm, self._rates, now)
        if owed is not None:
            return owed  # type: ignore[no-any-return]
        state = self.store.read(self.algorithm, self._rates)
        if awaitable(now) or awaitable(state):
            return self._count_later(now, state)
        return self._owed(now, state)  # type: ignore[arg-type]

    async def _count_later(self, now: Any, state: Any) -> int:
        now = (await now) if awaitable(now) else now
        return self._owed(now, (await state) if awaitable(state) else state)

    def _owed(self, now: int, state: State) -> int:
        return self.algorithm.consumed(self._rates, state, now)

    def peek(self, index: int) -> Optional[RateItem]:
        return None

    def close(self) -> None:
        self.store.close()

    def _handle(self) -> Union[None, MemoryBucket, StoreBucket]:
        store = self.__dict__.get("store")
        return store._native if isinstance(store, _MAY_BE_NATIVE) else None

    def _native_bucket(self) -> Union[None, MemoryBucket, StoreBucket]:
        return super()._native_bucket() if self._alone else None

    def _decide_in_python(self) -> None:
        native = self._native_bucket()
        if native is not None:
            super()._decide_in_python()
            self._alone = False

    def _follow(self, rates: List[Rate]) -> None:
        if isinstance(self.store, _MAY_BE_NATIVE):
            if "_rates" in self.__dict__:
                self.store._follow(self._rates, self._followed, rates)
            self._followed = numbers(rates)

    def _bounds_itself(self) -> bool:
        return True


_MAY_BE_NATIVE = (InMemoryStateStore, MultiprocessStateStore)
_NATIVE_CLOCKS = (MonotonicClock, ItsClock)
_AS_MADE = AsMade(StateBucket, "algorithm", "store", "_clock", "is_async")

known_by(__name__, InMemoryStateStore, MultiprocessStateStore)
