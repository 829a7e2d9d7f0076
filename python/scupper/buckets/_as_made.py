"""Whether a bucket class is just as we made it, so that native code may decide alone in its place."""

from __future__ import annotations

from typing import Any

from ..clocks import MonotonicClock

# What a limiter would call or read of a bucket, and what these would call or read in turn.
WATCHED = frozenset(
    "put now waiting peek leak flush count close limiter_lock put_decision is_async rates failing_rate "
    "_clock _algorithm algorithm store _record _recorded_wait _decision _wait_behind _replay".split()
)

_CLOCK_METHODS = ("now", "_get_monotonic_ms")
_CLOCK_AS_MADE = [getattr(MonotonicClock, name) for name in _CLOCK_METHODS]


class AsMade:
    """The watched attributes of a class as it was defined, to tell what a subclass or a patch replaces.

    ``assigned`` are those that the class itself assigns to its buckets when they are made.
    """

    def __init__(self, cls: type, *assigned: str) -> None:
        self._attributes = {name: getattr(cls, name, None) for name in WATCHED}
        self._assigned = assigned

    def is_kept_by(self, bucket: object) -> bool:
        """Whether ``bucket``, which is being made, and its class replace nothing, and the clock is as it was too."""
        clock = [getattr(MonotonicClock, name) for name in _CLOCK_METHODS]
        replaced = WATCHED.intersection(bucket.__dict__).difference(self._assigned)
        return clock == _CLOCK_AS_MADE and not replaced and all(self.is_kept(type(bucket), name) for name in WATCHED)

    def is_kept(self, cls: type, name: str) -> bool:
        """Whether ``cls`` does not replace the attribute."""
        kept: Any = self._attributes[name]
        return getattr(cls, name, None) is kept
