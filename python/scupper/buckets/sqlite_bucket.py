"""The bucket in an SQLite database, and SQLite's clock."""

from __future__ import annotations

import logging
import sqlite3
from typing import Any, List, Optional, Union

from .._home import known_by
from .._scupper import MemoryBucket
from ..abstracts.algorithm import LogAlgorithm
from ..abstracts.rate import Rate, RateItem
from ..clocks import AbstractClock
from ..utils import dedicated_sqlite_clock_connection
from . import _reading
from ._counts import EXACT, log_algorithm
from ._reading import Reading
from ._sqlite_log import SQLiteLog
from ._sqlite_queries import Queries
from ._watched import WatchedBucket

__all__ = ["Queries", "SQLiteBucket", "SQLiteClock", "logger"]

logger = logging.getLogger(__name__)


class SQLiteBucket(WatchedBucket):
    """A log in ``table`` of the database behind ``conn``, which other processes may share. It is made if it is not there.

    Each decision is a transaction of its own, or a part of the one that the user has open on ``conn`` then. Buckets over
    one connection use it one at a time. SQLite lets only the thread that made a connection use it, unless that was made
    with ``check_same_thread=False``. Its clock is the wall's, in milliseconds.

    ``lock``, if given, is held by limiters around their calls. :meth:`close` closes the connection.

    Raises ``ValueError`` if the rates are not a list that can be enforced, if the table is of another form, or if the
    connection has ``autocommit=False``; and ``sqlite3.Error`` for what is wrong with the database.
    """

    is_async = False
    table: str
    use_limiter_lock: bool
    _log: Optional[SQLiteLog] = None

    def __init__(
        self,
        rates: List[Rate],
        conn: sqlite3.Connection,
        table: str,
        lock: Optional[Any] = None,
        algorithm: Optional[LogAlgorithm] = None,
    ) -> None:
        if algorithm is not None:
            self._algorithm = algorithm
        self.rates = rates
        self.table = table
        self.use_limiter_lock = lock is not None
        self._given_lock = lock
        self._log = SQLiteLog(conn, table, log_algorithm(self._algorithm))

    @property
    def conn(self) -> Optional[sqlite3.Connection]:
        """The connection; None once it is closed."""
        return self._log_inside()._connection

    @property
    def lock(self) -> Any:
        """The lock that was given, or else the one that buckets over this connection hold while they use it."""
        return self._log_inside().lock if self._given_lock is None else self._given_lock

    def now(self) -> int:
        """The wall's time in milliseconds, unless a clock was assigned to the bucket."""
        if "_clock" in self.__dict__:
            time: int = self._clock.now()  # type: ignore[assignment]
            return time
        return Reading(_reading.wall_ms())

    def limiter_lock(self) -> Optional[object]:
        return self._given_lock

    def put(self, item: RateItem) -> bool:
        return self._record(item, self._log_inside().put(self._rates, item))

    def leak(self, current_timestamp: Optional[int] = None) -> int:
        """Drops what counts against no rate at ``current_timestamp``; ``AssertionError`` without one."""
        if current_timestamp is None:
            raise AssertionError("leak needs the current timestamp, in milliseconds")
        return self._log_inside().leak(self._rates, current_timestamp)

    def flush(self) -> None:
        self._log_inside().flush()
        self.failing_rate = None
        self._last_wait = None

    def count(self) -> int:
        return self._log_inside().count()

    def peek(self, index: int) -> Optional[RateItem]:
        return self._log_inside().peek(index)

    def close(self) -> None:
        self._log_inside().close()

    def _peek_timestamp(self, offset: int) -> Optional[int]:
        item = self.peek(offset)
        return None if item is None else item.timestamp

    def _log_inside(self) -> SQLiteLog:
        if self._log is None:
            raise RuntimeError(f"{type(self).__name__}.__init__ must call that of SQLiteBucket first")
        return self._log

    def _handle(self) -> Optional[MemoryBucket]:
        return None

    def _follow(self, rates: List[Rate]) -> None:
        """The log is told the rates with each put."""

    def _bounds_itself(self) -> bool:
        return True

    def _never_fits(self, item: RateItem) -> bool:
        ours = type(self).put is SQLiteBucket.put and type(self._algorithm) in EXACT
        return ours and any(item.weight > rate.limit for rate in self._rates)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_algorithm" and self._log is not None:
            self._log.decide_by(log_algorithm(value))
        super().__setattr__(name, value)

    def __reduce__(self) -> Any:
        raise TypeError(
            "a bucket over an SQLite connection cannot be pickled, as the connection is of this process alone; make one "
            "in each process, or use SQLiteBucket.init_from_file, which can be handed over"
        )


class SQLiteClock(AbstractClock):
    """The wall's time as SQLite tells it, in milliseconds, through a connection or that of a bucket."""

    time_query = (
        "SELECT CAST(strftime('%s', 'now') AS INTEGER) * 1000 + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER)"
    )

    def __init__(self, conn: Union[sqlite3.Connection, SQLiteBucket]) -> None:
        self.conn = conn.conn if isinstance(conn, SQLiteBucket) else conn

    @classmethod
    def default(cls) -> SQLiteClock:
        """A clock with a connection of its own."""
        return cls(dedicated_sqlite_clock_connection())

    def now(self) -> int:
        assert self.conn is not None, "the connection is closed"
        cursor = self.conn.cursor()
        cursor.row_factory = None
        return int(cursor.execute(self.time_query).fetchone()[0])


known_by(__name__, Queries)
