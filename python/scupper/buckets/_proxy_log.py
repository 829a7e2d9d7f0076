"""A log in a list that processes share through a manager."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, List, Optional

from ..abstracts._decision import ADMITTED, Decision
from ..abstracts._log_algorithm import LogAlgorithm
from ..abstracts.rate import Rate, RateItem
from ._counts import checked, counted_from, decided
from ._reading import Again, read_again


class ProxyLog:
    """What was admitted, by time, one entry for each unit, in ``items``, whoever else uses that list under ``lock``.

    Every look at the list is a message to another process, so windows are found by halving.
    """

    def __init__(self, items: Any, lock: Any, algorithm: LogAlgorithm) -> None:
        self._items = items
        self._lock = lock
        self._algorithm = algorithm

    def decide_by(self, algorithm: LogAlgorithm) -> None:
        """Has another algorithm decide from what the list holds."""
        self._algorithm = algorithm

    def check_pickled(self) -> None:
        """The list and the lock see to that themselves."""

    def put(self, rates: List[Rate], item: RateItem, again: Again) -> Decision:
        weight = checked(item)
        if weight == 0:
            return ADMITTED
        with self._lock:
            units = _Units(self._items)
            read = read_again(item.timestamp, again)
            now = max(read, units.tick(0) or 0)
            decision = decided(self._algorithm, rates, units, weight, now)
            if decision.allowed:
                self._items.extend([RateItem(item.name, int(now), weight)] * weight)
        return counted_from(decision, now, read)

    def peek(self, index: int) -> Optional[RateItem]:
        with self._lock:
            return _Units(self._items).item(index)

    def items(self) -> List[RateItem]:
        """One entry for each unit, the oldest first."""
        return list(self._items[:])

    def count(self) -> int:
        return len(self._items)

    def leak(self, rates: List[Rate], now: int) -> int:
        with self._lock:
            old = _Units(self._items).before(self._algorithm.leak_bound(rates, now))
            if old:
                del self._items[:old]
        return old

    def flush(self) -> None:
        with self._lock:
            del self._items[:]

    def set_rates(self, rates: List[Rate]) -> None:
        """The rates come with each put; there is nothing to change."""


class _Units:
    """The list during one decision, in which nobody else changes it."""

    def __init__(self, items: Any) -> None:
        self._items = items
        self._held = len(items)

    def held(self) -> int:
        return self._held

    def before(self, tick: int) -> int:
        return bisect_left(range(self._held), tick, key=lambda place: int(self._items[place].timestamp))

    def tick(self, offset: int) -> Optional[int]:
        item = self.item(offset)
        return None if item is None else item.timestamp

    def item(self, offset: int) -> Optional[RateItem]:
        if not 0 <= offset < self._held:
            return None
        item: RateItem = self._items[self._held - 1 - offset]
        return item
