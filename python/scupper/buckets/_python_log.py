"""A log for an algorithm of the user's own."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import List, Optional

from ..abstracts._decision import ADMITTED, Decision
from ..abstracts._log_algorithm import LogAlgorithm
from ..abstracts.rate import Rate, RateItem


class PythonLog:
    """What was admitted, by time, one entry for each unit. The algorithm decides from the counts of its windows."""

    def __init__(self, algorithm: LogAlgorithm) -> None:
        self._algorithm = algorithm
        self._ticks: List[int] = []
        self._items: List[RateItem] = []

    def put(self, rates: List[Rate], item: RateItem) -> Decision:
        if item.weight < 0:
            raise ValueError(f"item's weight is {item.weight}; it must be >= 0")
        if item.weight == 0:
            return ADMITTED
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
        old = bisect_left(self._ticks, self._algorithm.leak_bound(rates, now))
        del self._ticks[:old], self._items[:old]
        return old

    def flush(self) -> None:
        self._ticks.clear()
        self._items.clear()

    def set_rates(self, rates: List[Rate]) -> None:
        """The rates come with each put; there is nothing to change."""

    def take_over(self, items: List[RateItem]) -> None:
        """Begins with what another log holds."""
        self._items = sorted(items, key=lambda item: item.timestamp)
        self._ticks = [item.timestamp for item in self._items]

    def _decide(self, rates: List[Rate], item: RateItem) -> Decision:
        starts = (self._algorithm.window_start(rate, item.timestamp) for rate in rates)
        counts = [len(self._ticks) - bisect_left(self._ticks, start) for start in starts]
        return self._algorithm.decide(rates, counts, item.weight, item.timestamp, self._tick)

    def _tick(self, offset: int) -> Optional[int]:
        item = self.peek(offset)
        return None if item is None else item.timestamp
