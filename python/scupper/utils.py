"""Small helpers."""

from __future__ import annotations

import sqlite3
from uuid import uuid4

from ._home import known_by
from .abstracts._rate_list import enforce_rate_list, validate_rate_list

__all__ = ["dedicated_sqlite_clock_connection", "enforce_rate_list", "id_generator", "validate_rate_list"]


def dedicated_sqlite_clock_connection() -> sqlite3.Connection:
    """A connection to a database of its own, in memory, to read the time by from any thread."""
    return sqlite3.connect(":memory:", check_same_thread=False)


def id_generator(size: int = 10) -> str:
    """A random text of ``size`` hexadecimal digits, at most 32."""
    return uuid4().hex[:size]


known_by(__name__, enforce_rate_list, validate_rate_list)
