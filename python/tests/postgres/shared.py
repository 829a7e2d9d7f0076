"""What the tests of Postgres share."""

from typing import Any

import psycopg

from support.packages import SCUPPER
from support.threads import eventually

DAY = SCUPPER.Duration.DAY


def rates(*pairs: tuple[int, Any]) -> list[Any]:
    return [SCUPPER.Rate(limit, interval) for limit, interval in pairs]


def bucket(pool: Any, table: str, *pairs: tuple[int, Any], **named: Any) -> Any:
    return SCUPPER.PostgresBucket(pool, table, rates(*pairs), **named)


def limiter(pool: Any, table: str, *pairs: tuple[int, Any], **named: Any) -> Any:
    return SCUPPER.Limiter(bucket(pool, table, *pairs, **named), buffer_ms=0)


def items(*ticks: int) -> list[Any]:
    return [SCUPPER.RateItem("x", tick) for tick in ticks]


def told(url: str, sql: str, *parameters: Any) -> list[Any]:
    """The rows of a statement on a connection of its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql, parameters or None)
        return cursor.fetchall() if cursor.description else []


def waits_for_a_lock(url: str) -> bool:
    return bool(told(url, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))


def until_one_waits(url: str) -> None:
    eventually(lambda: waits_for_a_lock(url), "somebody waits for a bucket")


LOCK = "SELECT pg_advisory_xact_lock(scupper.lock_of(%s::uuid))"


def id_of(table: str) -> str:
    return str(SCUPPER._scupper.PostgresCall("scupper", table, [(1, 1, 1)], "gcra").id)
