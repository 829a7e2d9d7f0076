"""Algorithms that decide from the log of what was admitted."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import List, Optional

from ._base_algorithm import Algorithm
from ._decision import ADMITTED, Decision
from .rate import Rate


class LogAlgorithm(Algorithm):
    """Decides from how many units the log holds in each rate's window. All times are milliseconds."""

    @abstractmethod
    def admit(self, rates: List[Rate], counts: Sequence[int], weight: int) -> Decision:
        """Whether ``weight`` more units fit, where ``counts`` has the units in the window of each rate, in order."""

    @abstractmethod
    def window_start(self, rate: Rate, now: int) -> int:
        """The first tick that still counts against ``rate`` at ``now``."""

    @abstractmethod
    def retry_after(self, rate: Rate, now: int, blocking_timestamp: Optional[int]) -> int:
        """How long after ``now`` a request that ``rate`` denied would pass.

        ``blocking_timestamp`` is the tick of the unit in the way, if :meth:`blocking_offset` named one.
        """

    def blocking_offset(self, rate: Rate, weight: int) -> Optional[int]:
        """Which unit is in the way of ``weight`` units, counted back from the newest (0); None if no single one is."""
        return None

    def leak_bound(self, rates: List[Rate], now: int) -> int:
        """The first tick that counts against any of ``rates``: what is older may be dropped."""
        return min(self.window_start(rate, now) for rate in rates)

    def decide(
        self,
        rates: List[Rate],
        counts: Sequence[int],
        weight: int,
        now: int,
        peek_timestamp: Callable[[int], Optional[int]],
    ) -> Decision:
        """:meth:`admit`, and on a denial the time to wait.

        ``peek_timestamp`` gives the tick of a unit counted back from the newest, or None if there is no such unit.
        """
        decision = self.admit(rates, counts, weight)
        rate = decision.failing_rate
        if rate is None:
            return decision
        if weight > self.max_weight(rate):
            return Decision(rate, None)
        offset = self.blocking_offset(rate, weight)
        blocking = None if offset is None else peek_timestamp(offset)
        return Decision(rate, self.retry_after(rate, now, blocking))


class SlidingWindowLog(LogAlgorithm):
    """Exact: in no interval of a rate's length, both ends included, do more than its limit pass."""

    def admit(self, rates: List[Rate], counts: Sequence[int], weight: int) -> Decision:
        return _first_misfit(rates, counts, weight)

    def window_start(self, rate: Rate, now: int) -> int:
        return now - rate.interval

    def blocking_offset(self, rate: Rate, weight: int) -> Optional[int]:
        return rate.limit - weight

    def retry_after(self, rate: Rate, now: int, blocking_timestamp: Optional[int]) -> int:
        if blocking_timestamp is None:
            return 0
        return blocking_timestamp + rate.interval + 1 - now


class FixedWindow(LogAlgorithm):
    """Counts anew in each window ``[k * interval, (k + 1) * interval)``: around an edge twice the limit may pass."""

    def admit(self, rates: List[Rate], counts: Sequence[int], weight: int) -> Decision:
        return _first_misfit(rates, counts, weight)

    def window_start(self, rate: Rate, now: int) -> int:
        return now // rate.interval * rate.interval

    def retry_after(self, rate: Rate, now: int, blocking_timestamp: Optional[int]) -> int:
        return self.window_start(rate, now) + rate.interval - now


def _first_misfit(rates: List[Rate], counts: Sequence[int], weight: int) -> Decision:
    for rate, count in zip(rates, counts, strict=True):
        if count + weight > rate.limit:
            return Decision(rate)
    return ADMITTED
