"""A log in a table of a user's database."""

from __future__ import annotations

import os
import sqlite3
from time import monotonic
from typing import Any, List, Optional

from .._now import Now
from ..abstracts._decision import ADMITTED, Decision
from ..abstracts._log_algorithm import LogAlgorithm
from ..abstracts.rate import Rate, RateItem
from ._counts import checked, counted_from, decided
from ._reading import Again, read_again
from ._sqlite_place import used_in_python
from ._sqlite_queries import LOCK, REBASE, RENUMBER, Queries
from ._sqlite_table import prepare, quoted
from ._sqlite_transaction import ConnectionLock, Rows, reading, writing
from ._watched import units

_SWEEP_SECONDS = 10.0
_SWEPT_AT_ONCE = 1000
_HIGHEST_TOTAL = 2**62


class SQLiteLog:
    """What was admitted, one row for each request, in a table that other processes may use as well.

    All of a decision is in one transaction that locks out other writers. It takes a few steps down a tree for each
    rate, whatever the weight. What counts no more is dropped in passing, some rows every few seconds.
    """

    def __init__(self, connection: sqlite3.Connection, table: str, algorithm: LogAlgorithm) -> None:
        if getattr(connection, "autocommit", None) is False:
            raise ValueError(
                "this connection commits nothing by itself (autocommit=False), so that others would wait for its next "
                "commit; give the bucket a connection of its own that is made without that"
            )
        self._connection: Optional[sqlite3.Connection] = connection
        self._table = quoted(table)
        self._algorithm = algorithm
        self._of_connection = ConnectionLock.of(connection)
        self._swept = -_SWEEP_SECONDS
        self._process = os.getpid()
        with self._of_connection.lock:
            path = reading(connection, _path)
            self._is_in_memory = path is None
            prepare(connection, table)
        if path is not None:
            used_in_python(self._of_connection, path)

    @property
    def lock(self) -> Any:
        """What a thread holds while it uses the connection."""
        return self._of_connection.lock

    def decide_by(self, algorithm: LogAlgorithm) -> None:
        """Has another algorithm decide from what the table holds."""
        self._algorithm = algorithm

    def put(self, rates: List[Rate], item: RateItem, again: Again) -> Decision:
        weight = units(checked(item))
        if weight == 0:
            return ADMITTED
        with self.lock, writing(self._open(), self._sql(LOCK)) as rows:
            read = read_again(item.timestamp, again)
            now = self._time(rows, rates, read)
            log = _Units(rows, self._table)
            decision = decided(self._algorithm, rates, log, weight, now)
            if decision.allowed:
                total = self._room(rows, log, weight)
                rows.run(self._sql(Queries.PUT_ITEM), total + weight, item.name, int(now), weight)
                self._sweep(rows, self._algorithm.leak_bound(rates, now))
        return counted_from(decision, now, read)

    def peek(self, index: int) -> Optional[RateItem]:
        with self.lock:
            row = reading(self._open(), lambda rows: _Units(rows, self._table).row(index))
        return None if row is None else RateItem(row[0], row[1])

    def items(self) -> List[RateItem]:
        """One entry for each unit, the oldest first."""
        with self.lock:
            found = reading(self._open(), lambda rows: rows.all(self._sql(Queries.GET_ALL_ITEM)))
        return [item for name, tick, weight in found for item in [RateItem(name, tick)] * weight]

    def count(self) -> int:
        with self.lock:
            held: int = reading(self._open(), lambda rows: _Units(rows, self._table).held())
        return held

    def leak(self, rates: List[Rate], now: int) -> int:
        with self.lock, writing(self._open(), self._sql(LOCK)) as rows:
            before = _Units(rows, self._table).held()
            old = rows.first(self._sql(Queries.COUNT_BEFORE_INSERT), self._algorithm.leak_bound(rates, now))
            if old is not None:
                rows.run(self._sql(Queries.LEAK), old[0])
            return before - _Units(rows, self._table).held()

    def flush(self) -> None:
        with self.lock, writing(self._open(), self._sql(LOCK)) as rows:
            rows.run(self._sql(Queries.FLUSH))

    def set_rates(self, rates: List[Rate]) -> None:
        """The rates come with each put; there is nothing to change."""

    def check_pickled(self) -> None:
        """Raises ``TypeError``: it cannot be."""
        raise TypeError(
            "a bucket over an SQLite connection cannot be pickled, as the connection is of this process alone; make one "
            "in each process, or use SQLiteBucket.init_from_file, which can be handed over"
        )

    def close(self) -> None:
        """Closes the connection. A child process leaves that of its parent alone."""
        with self.lock:
            connection, self._connection = self._connection, None
            if connection is not None and self._process == os.getpid():
                connection.close()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RuntimeError("bucket is closed")
        if self._process != os.getpid() and not self._is_in_memory:
            raise RuntimeError(
                "this SQLite connection was opened before the process was forked, and SQLite does not allow to use it "
                "in a child; make the connection and the bucket in the child, or use SQLiteBucket.init_from_file"
            )
        return self._connection

    def _sql(self, query: str) -> str:
        return query.format(table=self._table)

    def _time(self, rows: Rows, rates: List[Rate], now: int) -> int:
        """When to decide: never before what was admitted last."""
        newest = rows.first(self._sql(Queries.COUNT_ALL))
        latest = 0 if newest is None else newest[1]
        if not isinstance(now, Now):
            return max(now, latest)
        if latest > now + max(rate.interval for rate in rates):
            # The wall clock was wrong, and was set back since: nobody is to wait until it comes there again.
            rows.run(self._sql(REBASE), now, now)
            latest = now
        return max(now, latest)

    def _room(self, rows: Rows, log: _Units, weight: int) -> int:
        """The total so far, such that there is room for the next."""
        total = log.total()
        if total <= _HIGHEST_TOTAL:
            return total
        base = log.base()
        rows.run(self._sql(RENUMBER[0]), base)
        rows.run(self._sql(RENUMBER[1]))
        return total - base

    def _sweep(self, rows: Rows, bound: int) -> None:
        if monotonic() < self._swept + _SWEEP_SECONDS:
            return
        last = rows.first(self._sql(Queries.COUNT_BEFORE_LEAK), bound, _SWEPT_AT_ONCE)
        if last is None or last[0] is None:
            self._swept = monotonic()
        else:
            rows.run(self._sql(Queries.LEAK), last[0])


class _Units:
    """The table during one transaction."""

    def __init__(self, rows: Rows, table: str) -> None:
        self._rows = rows
        self._table = table
        self._total: Optional[int] = None
        self._base: Optional[int] = None

    def total(self) -> int:
        """All units up to the newest."""
        if self._total is None:
            self._total = self._number(Queries.COUNT_ALL)
        return self._total

    def base(self) -> int:
        """All units before the oldest that is there."""
        if self._base is None:
            self._base = self._number(Queries.GET_FIRST_ITEM)
        return self._base

    def held(self) -> int:
        return self.total() - self.base()

    def before(self, tick: int) -> int:
        found = self._rows.first(Queries.COUNT_BEFORE_INSERT.format(table=self._table), tick)
        return 0 if found is None else int(found[0]) - self.base()

    def tick(self, offset: int) -> Optional[int]:
        row = self.row(offset)
        return None if row is None else row[1]

    def row(self, offset: int) -> Any:
        if not 0 <= offset < self.held():
            return None
        return self._rows.first(Queries.PEEK.format(table=self._table), self.total() - offset)

    def _number(self, query: str) -> int:
        row = self._rows.first(query.format(table=self._table))
        return 0 if row is None else int(row[0])


def _path(rows: Rows) -> Optional[str]:
    """Where the database lies; None for one in memory."""
    return next((row[2] or None for row in rows.all("PRAGMA database_list") if row[1] == "main"), None)
