"""What is said to the server about one bucket, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional, TypeVar

from .._scupper import PostgresCall
from ._postgres_ready import forget, made_ready
from ._postgres_session import Ask, Steps

T = TypeVar("T")

# Whether it passed; if not, the place of the rate in the way, if one is, and the wait in milliseconds, if any will do.
Judged = tuple[bool, Optional[int], Optional[int]]
# Rates and the name of the algorithm, as native code takes them.
Asked = tuple[list[tuple[int, int, int]], str]

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE"
_TRIES = 4
_ROWS_A_SWEEP = 400
_FIRST = "0" * 32


class PostgresSteps:
    """Each method gives the steps of one task, for one connection."""

    def __init__(self, pool: Any, schema: str, table: str, asked: Asked, ignores_old_table: bool) -> None:
        self._asked = asked
        self.call = PostgresCall(schema, table, *asked)
        self._place = (pool, schema)
        self._old_table = None if ignores_old_table else table
        self._acquire_sql = self.call.acquire_sql()
        self._is_ready = False
        self._begins = False
        self._swept_to = _FIRST

    def under(self, asked: Asked) -> PostgresSteps:
        """The same from now on under these rates and this algorithm."""
        if asked != self._asked:
            self.call, self._asked = self.call.under(*asked), asked
        return self

    def ready(self) -> Steps[None]:
        """Sees that all is there, once."""
        if not self._is_ready:
            pool, schema = self._place
            yield from made_ready(pool, self.call, schema, self._old_table)
            self._is_ready = True

    def acquire(self, weight: int, at: Optional[int]) -> Steps[Judged]:
        """Takes the units if there is room, at the caller's time or else at the server's."""
        yield from self.ready()
        call, judged = self.call, None
        if at is None:
            judged = yield from self._repeated(lambda: self._asked_alone(call, weight))
        if judged is None:
            judged = yield from self._changed(lambda bucket: call.acquire_in(weight, at, bucket))
        return judged

    def reset(self, at: Optional[int]) -> Steps[None]:
        """Forgets all that was taken."""
        yield from self.ready()
        yield from self._changed(lambda bucket: (None, self.call.reset_in(at, bucket)))

    def looked(self, look: Callable[[str], T]) -> Steps[T]:
        """What ``look`` says of the bucket, which nobody has to wait for."""
        yield from self.ready()
        return look(_text((yield Ask(self.call.load_sql()))))

    def swept(self) -> Steps[int]:
        """Deletes rows of buckets that owe nothing, of whatever key; a part of all rows each time. Always 0."""
        yield from self.ready()
        rows = yield Ask(self.call.sweep_sql(self._swept_to, _ROWS_A_SWEEP))
        self._swept_to = str(rows[0][0] or _FIRST)
        return 0

    def _asked_alone(self, call: PostgresCall, weight: int) -> Steps[Optional[Judged]]:
        """The server's own decision; None where it must be made here, in a transaction."""
        from psycopg import errors

        ask = Ask(self._acquire_sql, tuple(call.acquire(weight)))
        if not self._begins:
            try:
                return call.judged(weight, _text((yield ask)))
            except (errors.InvalidTransactionState, errors.ReadOnlySqlTransaction):
                self._begins = True  # the user's connections have other defaults, and nothing was done
        yield Ask(_BEGIN)
        answer = _text((yield ask))
        yield Ask("COMMIT")
        return call.judged(weight, answer)

    def _changed(self, change: Callable[[str], tuple[T, str]]) -> Steps[T]:
        """What ``change`` says of the bucket, after its statements were carried out while nobody else had it."""

        def transaction() -> Steps[T]:
            result, statements = change(_text((yield Ask(self.call.begin_sql()))))
            yield Ask(f"{statements}COMMIT")
            return result

        return (yield from self._repeated(transaction))

    def _repeated(self, make: Callable[[], Steps[T]]) -> Steps[T]:
        """Tries again what the server is certain to have undone."""
        from psycopg import errors

        tried = 1
        while True:
            try:
                return (yield from make())
            except (errors.SerializationFailure, errors.DeadlockDetected):
                if tried == _TRIES:
                    raise
                tried += 1
                yield Ask("ROLLBACK")
            except (errors.InvalidSchemaName, errors.UndefinedFunction, errors.UndefinedTable):
                self._is_ready = False  # somebody has removed it
                forget(*self._place)
                raise


def _text(rows: list[Any]) -> str:
    value = rows[0][0]
    return value.decode() if isinstance(value, bytes) else str(value)
