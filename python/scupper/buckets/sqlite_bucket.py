"""The bucket in an SQLite database, and SQLite's clock."""

from __future__ import annotations

import logging
import sqlite3
import weakref
from typing import Any, List, Optional, Union, cast

from .._home import known_by
from .._now import Now
from ..abstracts.algorithm import LogAlgorithm
from ..abstracts._rate_list import Rates
from ..abstracts.rate import Rate, RateItem
from ..clocks import AbstractClock, WallClock
from ..utils import dedicated_sqlite_clock_connection
from ._as_made import AsMade
from ._counts import log_algorithm
from ._shared_bucket import SharedBucket
from ._sqlite_log import SQLiteLog
from ._sqlite_place import SQLitePlace, used_natively
from ._sqlite_queries import Queries
from ._store_log import StoreLog, can_decide

__all__ = ["Queries", "SQLiteBucket", "SQLiteClock", "logger"]

logger = logging.getLogger(__name__)

_WALL = WallClock()


class SQLiteBucket(SharedBucket):
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

    def __init__(
        self,
        rates: Rates,
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
        self._log = self._log_at(cast(object, conn))
        if self._store_log() is not None and not _AS_MADE.is_kept_by(self):
            self._decide_in_python()

    @classmethod
    def init_from_file(
        cls,
        rates: Rates,
        table: str = "rate_bucket",
        db_path: Optional[str] = None,
        create_new_table: bool = True,
        use_file_lock: bool = False,
        algorithm: Optional[LogAlgorithm] = None,
    ) -> SQLiteBucket:
        """A bucket in the file at ``db_path``, which native code keeps: of all processes that open it, one limit.

        ``table`` is the bucket's name in the file. Without a path there is a new file, which is removed when this process
        closes the bucket or ends; ``":memory:"`` is of this process alone. Unless ``create_new_table``, the file must be
        there, or ``sqlite3.OperationalError`` is raised. ``use_file_lock`` changes nothing: no other lock is needed.

        The bucket may be pickled, forked and handed to other processes, which open the file by its path. It keeps no
        names: :meth:`peek` raises ``NotImplementedError``. Nobody may use the file through Python's ``sqlite3`` in a
        process that has it open. With an ``algorithm`` of the user's own, it is a bucket over a connection instead.

        Raises ``ValueError`` if something else is in the file.
        """
        if use_file_lock and db_path is None:
            raise ValueError("db_path must be specified when using use_file_lock")
        place = SQLitePlace.at(db_path)
        if not create_new_table and not place.exists():
            raise sqlite3.OperationalError(f"no such table: {table}, as there is no file; let create_new_table be True")
        if algorithm is None or can_decide(log_algorithm(algorithm)):
            return cls(rates, cast(Any, place), table, algorithm=algorithm)
        connection = place.connect()
        try:
            bucket = cls(rates, connection, table, algorithm=algorithm)
        except BaseException:
            connection.close()
            raise
        bucket._owned = place.owned
        return bucket

    _owned: Any = None

    def _log_at(self, conn: object) -> Union[SQLiteLog, StoreLog]:
        if not isinstance(conn, SQLitePlace):
            return SQLiteLog(cast(sqlite3.Connection, conn), self.table, log_algorithm(self._algorithm))
        with conn.opening_natively():
            log = StoreLog(conn.url(), self.table, self._rates, self._algorithm, conn.owned)
        used_natively(log, conn.path)
        return log

    @property
    def conn(self) -> Optional[sqlite3.Connection]:
        """The connection; None once it is closed."""
        return self._over_connection("conn")._connection

    @property
    def lock(self) -> Any:
        """The lock that was given, or else the one that buckets over this connection hold while they use it."""
        return self._over_connection("lock").lock if self._given_lock is None else self._given_lock

    def _over_connection(self, name: str) -> SQLiteLog:
        log: Union[SQLiteLog, StoreLog] = self._log_inside()
        if isinstance(log, StoreLog):
            raise AttributeError(
                f"a bucket by init_from_file has no {name!r}: native code keeps its file, and Python's sqlite3 must not "
                "open it in the same process; for SQL of your own, make SQLiteBucket(rates, conn, table) over a connection"
            )
        return log

    def now(self) -> int:
        """The wall's time in milliseconds, unless a clock was assigned to the bucket; natively, that of the file."""
        if "_clock" in self.__dict__:
            time: int = self._clock.now()  # type: ignore[assignment]
            return time
        log = self._store_log()
        return _WALL.now() if log is None else log.now()

    def limiter_lock(self) -> Optional[object]:
        return cast(Optional[object], self._given_lock)

    def leak(self, current_timestamp: Optional[int] = None) -> int:
        """Drops what counts against no rate at ``current_timestamp``; ``AssertionError`` without one."""
        if current_timestamp is None:
            raise AssertionError("leak needs the current timestamp, in milliseconds")
        dropped: int = self._log_inside().leak(self._rates, current_timestamp)
        return dropped

    def flush(self) -> None:
        self._log_inside().flush()
        self.failing_rate = None
        self._last_wait = None

    def count(self) -> int:
        held: int = self._log_inside().count()
        return held

    def peek(self, index: int) -> Optional[RateItem]:
        item: Optional[RateItem] = self._log_inside().peek(index)
        return item

    def close(self) -> None:
        self._log_inside().close()
        if self._owned is not None:
            self._owned.close()

    def _bounds_itself(self) -> bool:
        return self._is_as_made("leak") and self._is_as_made("put")

    def _is_as_made(self, name: str) -> bool:
        return _AS_MADE.is_kept(type(self), name)


class SQLiteClock(AbstractClock):
    """The wall's time as SQLite tells it, in milliseconds, through a connection or that of a bucket."""

    time_query = (
        "SELECT CAST(strftime('%s', 'now') AS INTEGER) * 1000 + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER)"
    )

    def __init__(self, conn: Union[sqlite3.Connection, SQLiteBucket]) -> None:
        found = _connection_of(conn) if isinstance(conn, SQLiteBucket) else conn
        self.conn = dedicated_sqlite_clock_connection() if found is None else found
        if found is None:
            weakref.finalize(self, self.conn.close)

    @classmethod
    def default(cls) -> SQLiteClock:
        """A clock with a connection of its own."""
        connection = dedicated_sqlite_clock_connection()
        clock = cls(connection)
        weakref.finalize(clock, connection.close)
        return clock

    def now(self) -> int:
        cursor = self.conn.cursor()
        cursor.row_factory = None
        return Now(cursor.execute(self.time_query).fetchone()[0])


def _connection_of(bucket: SQLiteBucket) -> Optional[sqlite3.Connection]:
    return None if bucket._store_log() is not None else bucket.conn


_AS_MADE = AsMade(SQLiteBucket, "_algorithm")

known_by(__name__, Queries)
