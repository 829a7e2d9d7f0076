"""Hosts that asked to be left alone for a while."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from time import monotonic
from typing import Any, Optional

from .._fork import begins_anew

_MOST_HOSTS = 10_000


class Holds:
    """Until when each host is held, by ``time.monotonic()``: shared by all clients over one limiter, whatever thread.

    It keeps no more than ``most`` hosts; the one that would be free soonest makes room for another.
    """

    def __init__(self, most: int = _MOST_HOSTS, clock: Callable[[], float] = monotonic) -> None:
        self._most = most
        self._clock = clock
        self._ends: dict[str, float] = {}
        self._after_fork()
        begins_anew(self)

    def _after_fork(self) -> None:
        # Taken again by the same thread if the handler of a signal asks a host, too.
        self._lock = threading.RLock()

    def hold(self, host: str, seconds: float) -> float:
        """Holds ``host`` for so long from now, if it is not held longer already. Gives the end."""
        with self._lock:
            now = self._clock()
            end = max(now + seconds, self._ends.pop(host, now))
            if len(self._ends) >= self._most:
                del self._ends[min(self._ends, key=self._ends.__getitem__)]
            self._ends[host] = end
            return end

    def end(self, host: str) -> Optional[float]:
        """When ``host`` will be free; None if it is."""
        if not self._ends:
            return None
        with self._lock:
            end = self._ends.get(host)
            if end is None or self._clock() < end:
                return end
            self._ends.pop(host, None)
            return None

    def __len__(self) -> int:
        return len(self._ends)


_known: weakref.WeakKeyDictionary[Any, Holds] = weakref.WeakKeyDictionary()
_of_others = Holds()


def holds_of(limiter: Any) -> Holds:
    """The holds that all clients over ``limiter`` share."""
    try:
        found = _known.get(limiter)
        return _known.setdefault(limiter, Holds()) if found is None else found
    except TypeError:  # something of the user's that has no weak references
        return _of_others
