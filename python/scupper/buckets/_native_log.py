"""A log that is kept and decided natively."""

from __future__ import annotations

from typing import List, Optional

from .._places import rate_at
from .._scupper import MemoryBucket
from ..abstracts._base_algorithm import Algorithm
from ..abstracts._decision import ADMITTED, Decision
from ..abstracts._log_algorithm import FixedWindow, SlidingWindowLog
from ..abstracts.rate import Rate, RateItem
from ._watched import numbers, units

# Of these types exactly: one derived from them may decide otherwise.
_NATIVE_NAMES: dict[type[Algorithm], str] = {SlidingWindowLog: "sliding_window_log", FixedWindow: "fixed_window"}


def is_native(algorithm: Algorithm) -> bool:
    """Whether there is native code for ``algorithm``."""
    return type(algorithm) in _NATIVE_NAMES


class NativeLog:
    """The log of a bucket in native code."""

    def __init__(self, rates: List[Rate], algorithm: Algorithm) -> None:
        self.bucket = MemoryBucket(numbers(rates), _NATIVE_NAMES[type(algorithm)])

    def put(self, rates: List[Rate], item: RateItem) -> Decision:
        denial = self.bucket.put(item.name, item.timestamp, units(item.weight))
        if denial is None:
            return ADMITTED
        index, retry_at = denial
        return Decision(rate_at(rates, index), None if retry_at < 0 else retry_at - item.timestamp)

    def peek(self, index: int) -> Optional[RateItem]:
        found = self.bucket.peek(index)
        return None if found is None else RateItem(*found)

    def items(self) -> List[RateItem]:
        """One entry for each unit, the oldest first."""
        return [item for found in self.bucket.items() for item in [RateItem(*found)] * found[2]]

    def count(self) -> int:
        return self.bucket.count()

    def leak(self, rates: List[Rate], now: int) -> int:
        return self.bucket.leak(now)

    def flush(self) -> None:
        self.bucket.flush()

    def set_rates(self, rates: List[Rate]) -> None:
        self.bucket.set_rates(numbers(rates))
