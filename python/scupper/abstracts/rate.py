"""How much may pass in how long: durations, rates, and the items that are counted."""

from __future__ import annotations

import weakref
from enum import Enum
from math import ceil
from typing import Any, Optional, Union


class Duration(Enum):
    """A span of time by name. Values are whole milliseconds.

    Members multiply and add with numbers and with each other, and give whole numbers: ``Duration.MINUTE * 2`` is
    ``120000``. They equal the number that they stand for.
    """

    SECOND = 1000
    MINUTE = 60 * 1000
    HOUR = 60 * 60 * 1000
    DAY = 24 * 60 * 60 * 1000
    WEEK = 7 * 24 * 60 * 60 * 1000

    def __mul__(self, factor: Any) -> int:
        return int(self.value * _number(factor))

    __rmul__ = __mul__

    def __add__(self, other: Any) -> int:
        return int(self.value + _number(other))

    __radd__ = __add__

    def __int__(self) -> int:
        return int(self.value)

    def __eq__(self, other: object) -> bool:
        return bool(self.value == _number(other))

    def __hash__(self) -> int:
        return hash(self.value)

    @staticmethod
    def readable(value: int) -> str:
        """``value`` milliseconds for a reader: one decimal in the largest unit that it reaches, such as ``1.5m``."""
        for unit, letter in _LETTERS:
            if value >= unit:
                return f"{value / unit:.1f}{letter}"
        return f"{value}ms"


_LETTERS = ((604_800_000, "w"), (86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"))


def _number(value: Any) -> Any:
    return value.value if isinstance(value, Duration) else value


class Rate:
    """At most ``limit`` units in any ``interval`` milliseconds, of which part of one counts as one.

    ``burst`` is how many units may come at once under the token bucket (``GCRA``); it is ``limit`` unless given, and
    the logs do not read it. The three attributes may be changed later: buckets that use the rate follow at once, and
    a change that would make their list of rates ill-formed raises ``ValueError`` and leaves the rate as it was.

    Raises ``AssertionError`` if the limit, the interval or the burst is less than one.
    """

    def __init__(self, limit: int, interval: Union[int, Duration], burst: Optional[int] = None) -> None:
        self._users: dict[int, weakref.ref[Any]] = {}
        self._limit = _limit(limit)
        self._interval = _interval(interval)
        self._burst = _burst(limit if burst is None else burst)

    @property
    def limit(self) -> int:
        """Units that may pass in one interval."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._change("_limit", _limit(limit))

    @property
    def interval(self) -> int:
        """Length of the interval in milliseconds."""
        return self._interval

    @interval.setter
    def interval(self, interval: Union[int, Duration]) -> None:
        self._change("_interval", _interval(interval))

    @property
    def burst(self) -> int:
        """Units that may come at once under the token bucket."""
        return self._burst

    @burst.setter
    def burst(self, burst: int) -> None:
        self._change("_burst", _burst(burst))

    def _used_by(self, user: object) -> None:
        """Tells ``user``, while it lives, of every change through its ``_rate_changed()``."""
        users, identity = self._users, id(user)
        users[identity] = weakref.ref(user, lambda _: users.pop(identity, None))

    def _change(self, name: str, value: int) -> None:
        before = getattr(self, name)
        setattr(self, name, value)
        told = []
        try:
            for reference in list(self._users.values()):
                user = reference()
                if user is not None:
                    told.append(user)
                    user._rate_changed()
        except Exception:
            setattr(self, name, before)
            for user in told[:-1]:
                user._rate_changed()
            raise

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_users"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._users = {}

    def __str__(self) -> str:
        return f"limit={self._limit}/{Duration.readable(self._interval)}{self._burst_suffix()}"

    def __repr__(self) -> str:
        return f"limit={self._limit}/{self._interval}{self._burst_suffix()}"

    def _burst_suffix(self) -> str:
        return "" if self._burst == self._limit else f", burst={self._burst}"


def _limit(limit: int) -> int:
    if not limit or not limit >= 1:
        raise AssertionError(f"Rate's limit must be >= 1, not {limit!r}")
    return limit


def _interval(interval: Union[int, Duration]) -> int:
    try:
        milliseconds = int(interval)
    except (TypeError, ValueError) as error:
        raise type(error)(f"Rate's interval is milliseconds or a Duration, not {interval!r}") from None
    if milliseconds < 1:
        raise AssertionError(f"Rate's interval must be >= 1 millisecond, not {interval!r}")
    # Up, as an interval that is cut short lets more pass.
    return milliseconds if isinstance(interval, (int, str, bytes, Duration)) else ceil(interval)


def _burst(burst: int) -> int:
    if not burst >= 1:
        raise AssertionError("Rate's burst must be >= 1")
    return burst


class RateItem:
    """Something to be counted: who asks (``name``), at which tick (``timestamp``, milliseconds), for how many units."""

    def __init__(self, name: str, timestamp: int, weight: int = 1) -> None:
        self.name = name
        self.timestamp = timestamp
        self.weight = weight

    def __str__(self) -> str:
        return f"RateItem(name={self.name}, weight={self.weight}, timestamp={self.timestamp})"
