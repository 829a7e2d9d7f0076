"""What each algorithm decides, in the plainest way: everything is kept, and counted anew for each question."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from typing import List, Optional, Tuple

from ..abstracts.algorithm import GCRA, Algorithm, FixedWindow, SlidingWindowLog
from ..abstracts.rate import Rate


class Model(ABC):
    """A bucket that cannot be wrong. Times are whole milliseconds and never go back."""

    keeps_items = True
    """Whether there is a log, so that units can be looked at and leaked one by one."""

    def __init__(self, rates: Sequence[Rate]) -> None:
        self.rates = list(rates)

    @abstractmethod
    def wait_for(self, rate: Rate, now: int, weight: int) -> Optional[int]:
        """How long until ``weight`` units fit this rate; 0 if they do now, None if they never will."""

    @abstractmethod
    def take(self, now: int, weight: int) -> None:
        """Counts units, whether or not they fit."""

    @abstractmethod
    def clear(self) -> None:
        """Forgets everything."""

    def used(self, rate: Rate, now: int) -> int:
        """Units in use under this rate: so many fewer than its limit fit now."""
        most = self.most(rate)
        return next(used for used in range(most + 1) if self.wait_for(rate, now, most - used) == 0)

    def most(self, rate: Rate) -> int:
        """The heaviest request that ever fits."""
        return rate.limit

    def in_the_way(self, now: int, weight: int) -> List[Rate]:
        """The rates that have no room."""
        return [rate for rate in self.rates if self.wait_for(rate, now, weight) != 0]

    def wait(self, now: int, weight: int) -> Optional[int]:
        """How long until all rates have room; None if they never will."""
        waits = [self.wait_for(rate, now, weight) for rate in self.rates]
        return None if None in waits else max(wait for wait in waits if wait is not None)


class _Log(Model):
    def __init__(self, rates: Sequence[Rate]) -> None:
        super().__init__(rates)
        self.units: List[int] = []

    def take(self, now: int, weight: int) -> None:
        self.units += [now] * weight

    def clear(self) -> None:
        self.units.clear()

    def counting(self, now: int) -> int:
        """Units that count against any rate."""
        return max(self._in_window(rate, now) for rate in self.rates)

    def wait_for(self, rate: Rate, now: int, weight: int) -> Optional[int]:
        if weight > rate.limit:
            return None
        in_window = self._in_window(rate, now)
        if in_window + weight <= rate.limit:
            return 0
        return self._until_room(rate, now, self.units[-in_window:][in_window + weight - rate.limit - 1])

    def _in_window(self, rate: Rate, now: int) -> int:
        return sum(1 for unit in self.units if unit >= self._start(rate, now))

    @abstractmethod
    def _start(self, rate: Rate, now: int) -> int: ...

    @abstractmethod
    def _until_room(self, rate: Rate, now: int, leaving: int) -> int: ...


class SlidingWindowModel(_Log):
    """A unit counts up to and with one interval later."""

    def _start(self, rate: Rate, now: int) -> int:
        return now - rate.interval

    def _until_room(self, rate: Rate, now: int, leaving: int) -> int:
        return leaving + rate.interval + 1 - now


class FixedWindowModel(_Log):
    """A unit counts until the next multiple of the interval."""

    def _start(self, rate: Rate, now: int) -> int:
        return now - now % rate.interval

    def _until_room(self, rate: Rate, now: int, leaving: int) -> int:
        return rate.interval - now % rate.interval


class DrainingModel(Model):
    """Units drain evenly, one after the other: GCRA, or a bucket of tokens seen from the other side."""

    keeps_items = False

    def __init__(self, rates: Sequence[Rate]) -> None:
        super().__init__(rates)
        self.clear()

    def clear(self) -> None:
        self.drained = [Fraction(0) for _ in self.rates]

    def most(self, rate: Rate) -> int:
        return rate.burst

    def take(self, now: int, weight: int) -> None:
        of_units = [Fraction(rate.interval * weight, rate.limit) for rate in self.rates]
        self.drained = [max(until, Fraction(now)) + more for until, more in zip(self.drained, of_units)]

    def wait_for(self, rate: Rate, now: int, weight: int) -> Optional[int]:
        if weight > rate.burst:
            return None
        until = max(self.drained[self.rates.index(rate)], Fraction(now))
        return max(0, math.ceil(until - now - Fraction(rate.interval * (rate.burst - weight), rate.limit)))


_MODELS: Tuple[Tuple[type[Algorithm], type[Model]], ...] = (
    (SlidingWindowLog, SlidingWindowModel),
    (FixedWindow, FixedWindowModel),
    (GCRA, DrainingModel),
)


def model_of(algorithm: Algorithm, rates: Sequence[Rate]) -> Model:
    """The model of an algorithm of this package."""
    for kind, model in _MODELS:
        if isinstance(algorithm, kind):
            return model(rates)
    raise TypeError(
        f"there is no model of {type(algorithm).__name__}; override BucketConformance.model so that it gives one, "
        "derived from scupper.conformance.Model"
    )
