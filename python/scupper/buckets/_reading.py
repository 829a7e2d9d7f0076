"""Times that were read of a clock, and times that a caller chose."""

from __future__ import annotations

from collections.abc import Callable
from math import lcm
from typing import Any, List, Optional

from .._now import Now

# The clock of a bucket, as it is read once more.
Again = Callable[[], Any]

_DAY = 24 * 60 * 60 * 1000


def read_again(timestamp: int, again: Again) -> int:
    """``timestamp``, if a caller chose it. A reading is read again: what waited for a lock must not be put in the past."""
    if not isinstance(timestamp, Now):
        return timestamp
    now = again()
    return now if isinstance(now, int) else timestamp


class OwnTimes:
    """Ticks of the callers' own choice on the time of a store, which forgets buckets by its own clock.

    A clock that is far from the store's goes on from the store's time when it was first met. Then no bucket is old to
    the store that is not to the caller.
    """

    def __init__(self) -> None:
        self._shift: Optional[int] = None

    def forget(self) -> None:
        """Begins anew, where nothing is counted any more. The store does that at its own time."""
        self._shift = None

    def of(self, timestamp: int, now: Callable[[], int], intervals: Optional[List[int]]) -> Optional[int]:
        """The store's time for ``timestamp``; None if it is a reading, for which the store reads its clock.

        ``now`` is the store's time. Where windows begin at multiples of ``intervals``, they do so still.
        """
        if isinstance(timestamp, Now):
            return None
        if timestamp < 0:
            raise ValueError(f"item's timestamp is {timestamp}; it must be >= 0")
        if self._shift is None:
            ahead = now() + 1 - timestamp  # behind all that the store has done
            self._shift = 0 if abs(ahead) < _DAY else _aligned(ahead, intervals)
        return timestamp + self._shift


def _aligned(shift: int, intervals: Optional[List[int]]) -> int:
    """The next multiple of all intervals, so that all windows stay as they are."""
    if not intervals:
        return shift
    step = lcm(*intervals)
    return -(-shift // step) * step
