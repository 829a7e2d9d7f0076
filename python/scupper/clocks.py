"""Sources of time. All of them count whole milliseconds."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from time import monotonic_ns, time_ns
from typing import TYPE_CHECKING, Any, Union

from ._now import Now

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool, ConnectionPool

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


class PostgresClock(AbstractClock):
    """Milliseconds since 1970 on the server of ``pool``; an awaitable of them if the pool is one to await.

    Exceptions of psycopg pass through.
    """

    def __init__(self, pool: Union[ConnectionPool[Any], AsyncConnectionPool[Any]]) -> None:
        self.pool: Any = pool

    def now(self) -> Union[int, Awaitable[int]]:
        from .buckets._postgres_session import is_async_pool, run, run_async

        return run_async(self.pool, _time_told()) if is_async_pool(self.pool) else run(self.pool, _time_told())


def _time_told() -> Any:
    from .buckets._postgres_session import Ask

    rows = yield Ask("SELECT pg_catalog.floor(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::text")
    return Now(rows[0][0])
