"""Transactions on a connection that belongs to the user."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any, Optional, Tuple

from .._fork import begins_anew

# How long a file that others have locked is waited for, beyond what the connection waits by itself.
_PATIENCE_SECONDS = 10.0
_LONGEST_REST_SECONDS = 0.02
_BUSY = 5
_LOCKED = 6


class ConnectionLock:
    """One lock for all buckets over a connection: a transaction is the connection's, whichever of them began it."""

    def __init__(self) -> None:
        self._after_fork()
        begins_anew(self)

    def _after_fork(self) -> None:
        self.lock = threading.RLock()

    @staticmethod
    def of(connection: sqlite3.Connection) -> ConnectionLock:
        """That of ``connection``, to be kept as long as the connection is."""
        with _guard:
            found = _of_connections.get(id(connection))
            if found is None:
                found = _of_connections[id(connection)] = ConnectionLock()
            return found


_guard = threading.Lock()
_of_connections: weakref.WeakValueDictionary[int, ConnectionLock] = weakref.WeakValueDictionary()


class Rows:
    """Runs statements on a connection, whose factories for rows and texts are left alone."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._cursor = connection.cursor()
        self._cursor.row_factory = None

    def run(self, statement: str, *values: Any) -> None:
        self._cursor.execute(statement, values)

    def first(self, statement: str, *values: Any) -> Optional[Tuple[Any, ...]]:
        """The first row; None if there is none."""
        row: Optional[Tuple[Any, ...]] = self._cursor.execute(statement, values).fetchone()
        self._cursor.fetchall()  # a statement that is not at its end holds locks
        return row

    def all(self, statement: str, *values: Any) -> list[Tuple[Any, ...]]:
        return self._cursor.execute(statement, values).fetchall()


@contextmanager
def writing(connection: sqlite3.Connection, take_lock: str) -> Iterator[Rows]:
    """A transaction that no other connection writes within; what it wrote is kept unless an exception leaves it.

    Where the user has a transaction open, it is a part of that one, and is kept or undone with it; ``take_lock`` is
    then run first. A file that is locked is waited for, and ``sqlite3.OperationalError`` is raised if it stays so.
    """
    rows = Rows(connection)
    deadline = monotonic() + _PATIENCE_SECONDS
    is_part = connection.in_transaction
    keep, undo = "COMMIT", ["ROLLBACK"]
    if is_part:
        keep, undo = "RELEASE scupper", ["ROLLBACK TO scupper", "RELEASE scupper"]
        rows.run("SAVEPOINT scupper")
    try:
        if not is_part:
            # Within the try: Ctrl-C that comes while it waits is raised once it has begun.
            _patiently(lambda: rows.run("BEGIN IMMEDIATE"), deadline)
        elif take_lock:
            rows.run(take_lock)
        yield rows
        _patiently(lambda: rows.run(keep), deadline)
    except BaseException:
        if connection.in_transaction:  # else it never began, or SQLite has rolled it back
            for statement in undo:
                rows.run(statement)
        raise


def reading(connection: sqlite3.Connection, work: Callable[[Rows], Any]) -> Any:
    """What ``work`` reads, once the file can be read."""
    rows = Rows(connection)
    found: list[Any] = []
    _patiently(lambda: found.append(work(rows)), monotonic() + _PATIENCE_SECONDS)
    return found[0]


def _patiently(work: Callable[[], None], deadline: float) -> None:
    rest = 0.0005
    while True:
        try:
            return work()
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or monotonic() >= deadline:
                raise
        sleep(rest)
        rest = min(2 * rest, _LONGEST_REST_SECONDS)


def _is_busy(error: sqlite3.OperationalError) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # Python 3.10 tells it in words alone
        return "is locked" in str(error)
    return code & 0xFF in (_BUSY, _LOCKED)
