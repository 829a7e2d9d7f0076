"""Statements through a pool of the user's own, one connection for a task: plain or to await, as the pool is."""

from __future__ import annotations

import inspect
from collections.abc import Generator
from typing import Any, NamedTuple, Optional, TypeVar

T = TypeVar("T")


class Ask(NamedTuple):
    """One statement, or several without parameters. The answer is the rows of the last."""

    sql: str
    parameters: Optional[tuple[str, ...]] = None


# What yields statements, is sent their rows, and may catch what they raise.
Steps = Generator[Ask, list[Any], T]


def is_async_pool(pool: Any) -> bool:
    """Whether connections of ``pool`` have to be awaited."""
    return inspect.iscoroutinefunction(getattr(pool, "getconn", None))


def run(pool: Any, steps: Steps[T]) -> T:
    """Sends what ``steps`` yields on one connection, on which each statement is a transaction unless one was begun."""
    with pool.connection() as connection:
        was_autocommit = connection.autocommit
        if not was_autocommit:
            connection.autocommit = True
        try:
            with _cursor(connection) as cursor:
                return _send_all(cursor, steps)
        finally:
            steps.close()
            try:
                if not connection.closed:
                    if _is_inside(connection):
                        connection.rollback()
                    connection.autocommit = was_autocommit
            except BaseException:
                connection.pgconn.finish()  # rather than to give it back otherwise than it came
                raise


async def run_async(pool: Any, steps: Steps[T]) -> T:
    """:func:`run` for a pool to await."""
    async with pool.connection() as connection:
        was_autocommit = connection.autocommit
        if not was_autocommit:
            await connection.set_autocommit(True)
        try:
            async with _cursor(connection) as cursor:
                return await _send_all_async(cursor, steps)
        finally:
            steps.close()
            try:
                if not connection.closed:
                    if _is_inside(connection):
                        await connection.rollback()
                    await connection.set_autocommit(was_autocommit)
            except BaseException:
                connection.pgconn.finish()
                raise


def _send_all(cursor: Any, steps: Steps[T]) -> T:
    try:
        ask = next(steps)
        while True:
            try:
                cursor.execute(ask.sql, ask.parameters, prepare=_prepares(ask))
                rows = _last(cursor).fetchall() if _has_rows(cursor) else []
            except Exception as error:
                ask = steps.throw(error)
            else:
                ask = steps.send(rows)
    except StopIteration as end:
        result: T = end.value
        return result


async def _send_all_async(cursor: Any, steps: Steps[T]) -> T:
    try:
        ask = next(steps)
        while True:
            try:
                await cursor.execute(ask.sql, ask.parameters, prepare=_prepares(ask))
                rows = await _last(cursor).fetchall() if _has_rows(cursor) else []
            except Exception as error:
                ask = steps.throw(error)
            else:
                ask = steps.send(rows)
    except StopIteration as end:
        result: T = end.value
        return result


def _cursor(connection: Any) -> Any:
    """One that numbers its parameters, whatever the user's connection makes by itself."""
    import psycopg
    from psycopg.rows import tuple_row

    kind = psycopg.AsyncRawCursor if isinstance(connection, psycopg.AsyncConnection) else psycopg.RawCursor
    return kind(connection, row_factory=tuple_row)


def _prepares(ask: Ask) -> Optional[bool]:
    """As the user's connection does; several statements at once cannot be prepared."""
    return False if ask.parameters is None else None


def _last(cursor: Any) -> Any:
    while cursor.nextset():
        pass
    return cursor


def _has_rows(cursor: Any) -> bool:
    return _last(cursor).description is not None


def _is_inside(connection: Any) -> bool:
    from psycopg.pq import TransactionStatus

    return bool(connection.info.transaction_status != TransactionStatus.IDLE)
