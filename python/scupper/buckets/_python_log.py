"""A log for an algorithm of the user's own."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from typing import Any, List, Optional

from .._fork import begins_anew
from ..abstracts._decision import ADMITTED, Decision
from ..abstracts._log_algorithm import FixedWindow, LogAlgorithm, SlidingWindowLog
from ..abstracts.rate import Rate, RateItem
from ._counts import Counts

# These look at nothing but the counts and the limits.
_OUR_ADMITS = (SlidingWindowLog.admit, FixedWindow.admit)


class PythonLog:
    """What was admitted, by time, one entry for each unit. The algorithm decides from the counts of its windows."""

    def __init__(self, algorithm: LogAlgorithm) -> None:
        self._algorithm = algorithm
        self._limits_alone = type(algorithm).admit in _OUR_ADMITS and type(algorithm).decide is LogAlgorithm.decide
        self._ticks: List[int] = []
        self._items: List[RateItem] = []
        self._after_fork()
        begins_anew(self)

    def _after_fork(self) -> None:
        self._lock = threading.RLock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._after_fork()
        begins_anew(self)

    def put(self, rates: List[Rate], item: RateItem) -> Decision:
        if item.weight < 0:
            raise ValueError(f"item's weight is {item.weight}; it must be >= 0")
        if item.weight == 0:
            return ADMITTED
        with self._lock:
            decision = self._decide(rates, item)
            if decision.allowed:
                at = bisect_right(self._ticks, item.timestamp)
                self._ticks[at:at] = [item.timestamp] * item.weight
                self._items[at:at] = [item] * item.weight
        return decision

    def peek(self, index: int) -> Optional[RateItem]:
        return self._items[-1 - index] if 0 <= index < len(self._items) else None

    def items(self) -> List[RateItem]:
        """One entry for each unit, the oldest first."""
        return list(self._items)

    def count(self) -> int:
        return len(self._items)

    def leak(self, rates: List[Rate], now: int) -> int:
        with self._lock:
            old = bisect_left(self._ticks, self._algorithm.leak_bound(rates, now))
            del self._ticks[:old], self._items[:old]
        return old

    def flush(self) -> None:
        with self._lock:
            self._ticks.clear()
            self._items.clear()

    def set_rates(self, rates: List[Rate]) -> None:
        """The rates come with each put; there is nothing to change."""

    def take_over(self, items: List[RateItem]) -> None:
        """Begins with what another log holds."""
        self._items = sorted(items, key=lambda item: item.timestamp)
        self._ticks = [item.timestamp for item in self._items]

    def _decide(self, rates: List[Rate], item: RateItem) -> Decision:
        counts = Counts(rates, lambda rate: self._count(rate, item))
        return self._algorithm.decide(rates, counts, item.weight, item.timestamp, self._tick)

    def _count(self, rate: Rate, item: RateItem) -> int:
        held = len(self._ticks)
        if self._limits_alone and held + item.weight < rate.limit:
            return held  # there is room, wherever the window starts
        return held - bisect_left(self._ticks, self._algorithm.window_start(rate, item.timestamp))

    def _tick(self, offset: int) -> Optional[int]:
        item = self.peek(offset)
        return None if item is None else item.timestamp
