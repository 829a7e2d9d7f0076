"""What buckets have in common that keep time by themselves, whatever clock an item's time was read from."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Optional, Tuple

from .._await import awaitable, drop
from .._now import Now
from ..abstracts.algorithm import Decision
from ..abstracts.bucket import AbstractBucket
from ..abstracts.rate import RateItem


class RereadingBucket(AbstractBucket):
    """A bucket to which a reading of any clock means now: waits are reckoned by its own time, as its decisions are."""

    # The reading that was denied last, and the bucket's own time then.
    _read: Optional[Tuple[int, int]] = None

    @abstractmethod
    def _time_now(self) -> Any:
        """The time by which the bucket decides when it is asked at a reading: milliseconds."""

    def _keeps_time(self) -> bool:
        """Whether a reading means now, and not the number that it is."""
        return True

    def _record(self, item: RateItem, decision: Decision) -> bool:
        return super()._record(item if decision.allowed else self._denied_now(item), decision)

    def _denied_now(self, item: RateItem) -> RateItem:
        """Keeps at which time of the bucket's own ``item`` was denied, and gives it at that."""
        self.__dict__["_read"] = None
        dated = self._dated(item)
        if dated is not item:
            self.__dict__["_read"] = (item.timestamp, dated.timestamp)
        return dated

    def _recorded_wait(self, item: RateItem) -> Optional[int]:
        return super()._recorded_wait(self._dated(item))

    def _dated(self, item: RateItem) -> RateItem:
        if not isinstance(item.timestamp, Now) or not self._keeps_time():
            return item
        read = self._read
        now = read[1] if read is not None and read[0] == item.timestamp else self._time_now()
        if awaitable(now):
            drop(now)
            return item
        return RateItem(item.name, int(now), item.weight)
