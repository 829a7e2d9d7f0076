"""Deciding from a log of which only parts are looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import List, Optional, Protocol, Union, overload

from ..abstracts._base_algorithm import Algorithm
from ..abstracts._decision import ADMITTED, Decision
from ..abstracts._log_algorithm import FixedWindow, LogAlgorithm, SlidingWindowLog
from ..abstracts.rate import Rate, RateItem

# Of these types exactly. Their windows only empty while nobody comes, so that the longest wait is that over all rates.
EXACT: tuple[type[Algorithm], ...] = (SlidingWindowLog, FixedWindow)


class Log(Protocol):
    """What a bucket that decides from a log keeps it in."""

    def put(self, rates: List[Rate], item: RateItem) -> Decision: ...

    def peek(self, index: int) -> Optional[RateItem]: ...

    def items(self) -> List[RateItem]: ...

    def count(self) -> int: ...

    def leak(self, rates: List[Rate], now: int) -> int: ...

    def flush(self) -> None: ...

    def set_rates(self, rates: List[Rate]) -> None: ...


class Units(Protocol):
    """A log in which ticks never fall, as an algorithm needs to see it."""

    def held(self) -> int:
        """All units in the log."""

    def before(self, tick: int) -> int:
        """The units of earlier ticks."""

    def tick(self, offset: int) -> Optional[int]:
        """The tick of the unit so many before the newest; None if there are not so many."""


def decided(algorithm: LogAlgorithm, rates: List[Rate], units: Units, weight: int, now: int) -> Decision:
    """What ``algorithm`` says of ``weight`` more units at ``now``. The wait is over all rates, if it is one of ours."""
    is_exact = type(algorithm) in EXACT
    held = units.held()

    def in_window(rate: Rate) -> int:
        if is_exact and held + weight <= rate.limit:
            return held  # there is room, wherever the window starts
        return held - units.before(algorithm.window_start(rate, now))

    counts = Counts(rates, in_window)
    if not is_exact:
        return algorithm.decide(rates, counts, weight, now, units.tick)
    failing = [rate for rate, count in zip(rates, counts, strict=True) if count + weight > rate.limit]
    if not failing:
        return ADMITTED
    if any(weight > rate.limit for rate in rates):
        return Decision(failing[0], None)
    return Decision(failing[0], max(_wait(algorithm, rate, units, weight, now) for rate in failing))


def _wait(algorithm: LogAlgorithm, rate: Rate, units: Units, weight: int, now: int) -> int:
    offset = algorithm.blocking_offset(rate, weight)
    return algorithm.retry_after(rate, now, None if offset is None else units.tick(offset))


def counted_from(decision: Decision, now: int, timestamp: int) -> Decision:
    """A decision that was made at ``now``, with its wait reckoned from ``timestamp``."""
    wait = decision.retry_after_ms
    if wait is None or now == timestamp:
        return decision
    return Decision(decision.failing_rate, wait + now - timestamp)


def log_algorithm(algorithm: Algorithm) -> LogAlgorithm:
    if not isinstance(algorithm, LogAlgorithm):
        raise TypeError(f"the algorithm must decide from a log, as {SlidingWindowLog.__name__} does; not {algorithm!r}")
    return algorithm


def checked(item: RateItem) -> int:
    """The weight of ``item``. Raises ``ValueError`` if that or its timestamp is negative."""
    if item.weight < 0:
        raise ValueError(f"item's weight is {item.weight}; it must be >= 0")
    if item.weight != int(item.weight):
        raise TypeError(f"item's weight is {item.weight!r}; it must be a whole number")
    if item.timestamp < 0:
        raise ValueError(f"item's timestamp is {item.timestamp}; it must be >= 0")
    return int(item.weight)


class Counts(Sequence[int]):
    """The units in the window of each rate, counted when they are asked for: few ask beyond the first misfit."""

    def __init__(self, rates: List[Rate], count: Callable[[Rate], int]) -> None:
        self._rates = rates
        self._count = count

    def __len__(self) -> int:
        return len(self._rates)

    @overload
    def __getitem__(self, index: int) -> int: ...

    @overload
    def __getitem__(self, index: slice) -> List[int]: ...

    def __getitem__(self, index: Union[int, slice]) -> Union[int, List[int]]:
        if isinstance(index, slice):
            return [self._count(rate) for rate in self._rates[index]]
        return self._count(self._rates[index])
