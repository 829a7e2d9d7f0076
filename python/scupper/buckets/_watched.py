"""What our buckets share: native code decides alone for them until something of theirs is replaced."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, List, Optional, Tuple, Union

from .._line import line_of
from .._places import rate_at
from .._scupper import MemoryBucket, StoreBucket
from ..abstracts.algorithm import Decision
from ..abstracts.bucket import AbstractBucket
from ..abstracts.rate import Rate, RateItem
from ._as_made import WATCHED

_COUNTLESS = 2**62
_TOO_LARGE = 2**64

# Assigned by our own code as well; native code is told of them.
_TOLD = frozenset(("rates", "failing_rate"))


def numbers(rates: List[Rate]) -> list[tuple[int, int, int]]:
    """The rates as native code takes them. Part of a unit never passes, so that part of a limit changes nothing.

    Raises ``ValueError`` for numbers that it has no room for.
    """
    taken = [(int(rate.limit), rate.interval, int(rate.burst)) for rate in rates]
    for rate, of_rate in zip(rates, taken):
        if max(of_rate) >= _TOO_LARGE:
            raise ValueError(f"the rate {rate!r} is too large; its limit, interval and burst must be less than {_TOO_LARGE}")
    return taken


def units(weight: int) -> int:
    """The weight as native code takes it. So many units as it cannot count never pass."""
    return weight if weight < _COUNTLESS else _COUNTLESS


class WatchedBucket(AbstractBucket):
    """A bucket that sees what is assigned to it.

    While nothing of it is replaced, and only then, :meth:`_native_bucket` gives the native bucket inside, by which a
    limiter decides without asking this one.
    """

    _failing_rate: Optional[Rate] = None
    _kept_wait: Optional[Tuple[int, int]] = None
    _recorded: Optional[Tuple[int, int, int]] = None

    @abstractmethod
    def _handle(self) -> Union[None, MemoryBucket, StoreBucket]:
        """The native bucket inside, whether or not it may decide alone; None if there is none."""

    @abstractmethod
    def _follow(self, rates: List[Rate]) -> None:
        """Has what decides enforce ``rates``, which are valid, from now on."""

    @property
    def failing_rate(self) -> Optional[Rate]:
        """The rate that denied the last request; None if it passed."""
        native = self._native_bucket()
        if native is None:
            return self._failing_rate
        denial = native.last_denial()
        return None if denial is None else rate_at(self._rates, denial[1])

    @failing_rate.setter
    def failing_rate(self, rate: Optional[Rate]) -> None:
        self._failing_rate = rate

    @property
    def _last_wait(self) -> Optional[Tuple[int, int]]:
        native = self._native_bucket()
        if native is None:
            return self._kept_wait
        denial = native.last_denial()
        if denial == self._recorded:
            return self._kept_wait  # reckoned from the item's own time
        return None if denial is None or denial[2] < 0 else (denial[0], denial[2])

    @_last_wait.setter
    def _last_wait(self, wait: Optional[Tuple[int, int]]) -> None:
        self._kept_wait = wait

    def _record(self, item: RateItem, decision: Decision) -> bool:
        wait = decision.retry_after_ms
        kept = None if decision.allowed or wait is None else (item.weight, item.timestamp + wait)
        native = self._native_bucket()
        recorded = None if native is None else native.last_denial()
        self.__dict__.update(_failing_rate=decision.failing_rate, _kept_wait=kept, _recorded=recorded)
        return decision.allowed

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_rates":
            self._follow(value)
            for rate in value:
                rate._used_by(self)
        elif name in WATCHED and name not in _TOLD:
            self._decide_in_python()
        object.__setattr__(self, name, value)

    def _rate_changed(self) -> None:
        self.rates = self._rates

    def _native_bucket(self) -> Union[None, MemoryBucket, StoreBucket]:
        native = self._handle()
        return native if native is not None and native.is_plain else None

    def _decide_in_python(self) -> None:
        """Has all requests come through this object from now on."""
        native = self._native_bucket()
        if native is not None:
            self._failing_rate, self._kept_wait = self.failing_rate, self._last_wait
            native.is_plain = False
            for limiter in list(line_of(self).limiters.values()):
                limiter._unbind()

    def _bounds_itself(self) -> bool:
        return self._handle() is not None

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for rate in self._rates:
            rate._used_by(self)
