"""The table of a bucket in a database of the user's."""

from __future__ import annotations

import sqlite3
from typing import List

from ._sqlite_queries import Queries
from ._sqlite_transaction import Rows, reading, writing

_OURS = ["total", "name", "tick", "weight"]
THEIRS = {"name", "item_timestamp"}

# What marks a file whose tables native code keeps: "Scup".
_NATIVE_FILE = 0x53637570


def quoted(table: str) -> str:
    """The name of a table as it stands between two ``"``."""
    return table.replace('"', '""')


def prepare(connection: sqlite3.Connection, table: str) -> None:
    """Makes the table of a bucket, and its index, where they are not there.

    Raises ``ValueError`` if there is a table of that name with other columns, or if native code keeps the file.
    """
    if is_ready(connection, table):
        return
    with writing(connection, "") as rows:
        rows.run(Queries.CREATE_BUCKET_TABLE.format(table=quoted(table)))
        if not _has_index(rows, table):
            index = quoted(f"idx_{table}_tick")
            rows.run(Queries.CREATE_INDEX_ON_TIMESTAMP.format(index_name=index, table_name=quoted(table)))


def is_ready(connection: sqlite3.Connection, table: str) -> bool:
    """Whether the table and its index are there. ``ValueError`` if something else is in their place."""

    def look(rows: Rows) -> bool:
        check_file(rows)
        columns = columns_of(rows, table)
        if columns and columns != _OURS:
            raise ValueError(_foreign(table, columns))
        return bool(columns) and _has_index(rows, table)

    return bool(reading(connection, look))


def check_file(rows: Rows) -> None:
    """Raises ``ValueError`` if the tables of the file are kept by native code."""
    application = rows.first("PRAGMA application_id")
    if application == (_NATIVE_FILE,):
        raise ValueError(
            "this database is the file of native buckets, and no other connection may use it; take "
            "SQLiteBucket.init_from_file(rates, table, path) for it, or another file for this connection"
        )


def columns_of(rows: Rows, table: str) -> List[str]:
    """The names of its columns, in their order; none if there is no such table."""
    return [row[1] for row in rows.all(f'PRAGMA table_info("{quoted(table)}")')]


def _has_index(rows: Rows, table: str) -> bool:
    indexes = rows.all(f'PRAGMA index_list("{quoted(table)}")')
    firsts = (rows.first(f'PRAGMA index_info("{quoted(index[1])}")') for index in indexes)
    return any(first is not None and first[2] == "tick" for first in firsts)


def _foreign(table: str, columns: List[str]) -> str:
    if set(columns) == THEIRS:
        return (
            f"the table {table!r} has the form of pyrate-limiter, which cannot be shared with it; name another table, "
            f"and have scupper.migration.import_sqlite_table(conn, {table!r}, <that table>) take over what it counted"
        )
    return f"the table {table!r} is of something else, with columns {', '.join(columns)}; name another table"
