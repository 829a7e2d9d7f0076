"""Sources of time. All of them count whole milliseconds."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from time import monotonic_ns, time_ns
from typing import Union

from ._now import Now

logger = logging.getLogger(__name__)


class AbstractClock(ABC):
    """Tells the time to a bucket or a factory."""

    @abstractmethod
    def now(self) -> Union[int, Awaitable[int]]:
        """Milliseconds since a moment of the clock's own choice, or an awaitable of them."""

    @staticmethod
    def _get_monotonic_ms() -> int:
        return Now(monotonic_ns() // 1_000_000)

    @staticmethod
    def _get_wall_ms() -> int:
        return Now(time_ns() // 1_000_000)


class MonotonicClock(AbstractClock):
    """The time of this machine since some moment in the past; never steps back. The clock of a bucket by default."""

    def now(self) -> int:
        return self._get_monotonic_ms()


class MonotonicAsyncClock(AbstractClock):
    """:class:`MonotonicClock` for a caller that awaits the time."""

    async def now(self) -> int:
        return self._get_monotonic_ms()


class WallClock(AbstractClock):
    """Milliseconds since 1970, as this machine believes; steps when the machine's time is set."""

    def now(self) -> int:
        return self._get_wall_ms()
