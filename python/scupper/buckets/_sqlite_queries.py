"""The SQL of a bucket in a table of the user's."""

from __future__ import annotations


class Queries:
    """Texts for ``str.format``; ``table`` and the names of indexes are to be given with ``"`` doubled.

    A row is one request: ``total`` is all units up to and with it since the table was last empty, so that the units
    between two rows are a difference, and ``tick`` is in milliseconds and never falls as ``total`` grows.
    """

    CREATE_BUCKET_TABLE = (
        'CREATE TABLE IF NOT EXISTS "{table}" '
        "(total INTEGER PRIMARY KEY, name VARCHAR, tick INTEGER NOT NULL, weight INTEGER NOT NULL)"
    )
    CREATE_INDEX_ON_TIMESTAMP = 'CREATE INDEX IF NOT EXISTS "{index_name}" ON "{table_name}" (tick)'
    DROP_TABLE = 'DROP TABLE IF EXISTS "{table}"'
    DROP_INDEX = 'DROP INDEX IF EXISTS "{index}"'

    PUT_ITEM = 'INSERT INTO "{table}" (total, name, tick, weight) VALUES (?, ?, ?, ?)'
    FLUSH = 'DELETE FROM "{table}"'
    # Takes the last total that goes.
    LEAK = 'DELETE FROM "{table}" WHERE total <= ?'

    # Total and tick of the newest request.
    COUNT_ALL = 'SELECT total, tick FROM "{table}" ORDER BY total DESC LIMIT 1'
    # The total of the last request before a tick.
    COUNT_BEFORE_INSERT = 'SELECT total FROM "{table}" WHERE tick < ? ORDER BY tick DESC, total DESC LIMIT 1'
    # The total of the last of so many of the oldest requests that came before a tick.
    COUNT_BEFORE_LEAK = (
        'SELECT max(total) FROM (SELECT total FROM "{table}" WHERE tick < ? ORDER BY tick, total LIMIT ?)'
    )
    # The total before the oldest request.
    GET_FIRST_ITEM = 'SELECT total - weight, name, tick FROM "{table}" ORDER BY total LIMIT 1'
    GET_ALL_ITEM = 'SELECT name, tick, weight FROM "{table}" ORDER BY total'
    # The request with the unit of which so many came up to and with it.
    PEEK = 'SELECT name, tick FROM "{table}" WHERE total >= ? ORDER BY total LIMIT 1'
    # How far the oldest request lies behind a tick.
    GET_LAG = 'SELECT ? - tick FROM "{table}" ORDER BY total LIMIT 1'


# What else a log needs: to take the write lock, to count from 0 again in two steps, and to bring times back to now.
LOCK = 'DELETE FROM "{table}" WHERE total < 0'
RENUMBER = ('UPDATE "{table}" SET total = -(total - ?)', 'UPDATE "{table}" SET total = -total')
REBASE = 'UPDATE "{table}" SET tick = ? WHERE tick > ?'
