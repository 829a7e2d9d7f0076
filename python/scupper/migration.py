"""Taking over what pyrate-limiter has counted."""

from __future__ import annotations

import sqlite3

from .buckets._sqlite_queries import Queries
from .buckets._sqlite_table import THEIRS, columns_of, prepare, quoted
from .buckets._sqlite_transaction import ConnectionLock, writing

__all__ = ["import_sqlite_table"]


def import_sqlite_table(conn: sqlite3.Connection, source: str, table: str) -> int:
    """Copies what pyrate-limiter counted in the table ``source`` into ``table``, for an ``SQLiteBucket`` over it.

    ``table`` is made if it is not there. ``source`` is left as it is: stop whoever counts in it before, and drop it
    when you like. Says how many units that were.

    Raises ``ValueError`` if ``source`` is no table of pyrate-limiter's, or if ``table`` is of another form or has
    counted something already.
    """
    with ConnectionLock.of(conn).lock:
        prepare(conn, table)
        into, of = quoted(table), quoted(source)
        with writing(conn, f'DELETE FROM "{into}" WHERE total < 0') as rows:
            columns = columns_of(rows, source)
            if set(columns) != THEIRS:
                found = f"has columns {', '.join(columns)}" if columns else "is not there"
                raise ValueError(f"the table {source!r} {found}; one of pyrate-limiter has name and item_timestamp")
            if rows.first(Queries.COUNT_ALL.format(table=into)) is not None:
                raise ValueError(f"the table {table!r} has counted something already; import into a new one")
            rows.run(
                f'INSERT INTO "{into}" (total, name, tick, weight) '
                f'SELECT row_number() OVER (ORDER BY item_timestamp, rowid), name, item_timestamp, 1 FROM "{of}"'
            )
            newest = rows.first(Queries.COUNT_ALL.format(table=into))
            return 0 if newest is None else int(newest[0])
