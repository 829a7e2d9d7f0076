"""A bucket as a user may write it, in the plainest way that is right."""

from __future__ import annotations

import threading
from typing import List, Optional, Union

from scupper import AbstractBucket, Rate, RateItem


class PlainBucket(AbstractBucket):
    """A log of units, each with its item. Wrong buckets replace one of its small steps."""

    is_async = False

    def __init__(self, rates: List[Rate]) -> None:
        self.rates = rates
        self.log: List[RateItem] = []
        self.lock: Union[threading.RLock, "NoLock"] = threading.RLock()  # type: ignore[valid-type]

    def in_window(self, rate: Rate, now: int) -> int:
        return sum(1 for unit in self.log if unit.timestamp >= now - rate.interval)

    def has_room(self, rate: Rate, item: RateItem) -> bool:
        return self.in_window(rate, item.timestamp) + item.weight <= rate.limit

    def add(self, item: RateItem) -> None:
        self.log += [item] * item.weight

    def put(self, item: RateItem) -> bool:
        with self.lock:
            self.failing_rate = next((rate for rate in self.rates if not self.has_room(rate, item)), None)
            if self.failing_rate is not None:
                return False
            self.add(item)
            return True

    def leak(self, current_timestamp: Optional[int] = None) -> int:
        assert current_timestamp is not None
        with self.lock:
            before = len(self.log)
            since = current_timestamp - self.rates[-1].interval
            self.log = [unit for unit in self.log if unit.timestamp >= since]
            return before - len(self.log)

    def flush(self) -> None:
        self.log.clear()
        self.failing_rate = None

    def count(self) -> int:
        return len(self.log)

    def peek(self, index: int) -> Optional[RateItem]:
        return self.log[-1 - index] if index < len(self.log) else None


class NoLock:
    """Keeps nobody off."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass
