"""The bucket in Postgres, over a pool of connections that the user has made."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from time import time_ns
from typing import TYPE_CHECKING, Any, List, Optional, TypeVar, Union

from .._now import Now
from .._places import rate_at
from ..abstracts.algorithm import GCRA, Algorithm, Decision, FixedWindow, SlidingWindowLog, TokenBucket
from ..abstracts.bucket import AbstractBucket
from ..abstracts._rate_list import Rates
from ..abstracts.rate import Rate, RateItem
from ..clocks import AbstractClock, PostgresClock
from ._postgres_ready import MAKING
from ._postgres_session import Steps, is_async_pool, run, run_async
from ._postgres_steps import Asked, Judged, PostgresSteps
from ._postgres_texts import Queries
from ._watched import numbers

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool, ConnectionPool

__all__ = ["PostgresBucket", "Queries", "advisory_lock_id", "logger"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

_NAMES: dict[type[Algorithm], str] = {
    SlidingWindowLog: "sliding_window_log",
    FixedWindow: "fixed_window",
    GCRA: "gcra",
    TokenBucket: "gcra",
}


def advisory_lock_id(table: str) -> int:
    """The number of the advisory lock under which what the bucket needs is made: one for all tables."""
    return MAKING


class PostgresBucket(AbstractBucket):
    """A bucket in Postgres, decided on the server by one call, at the server's time.

    ``pool`` is a ``psycopg_pool.ConnectionPool``; over an ``AsyncConnectionPool`` all methods give awaitables. The bucket
    is the one of the key ``table`` in ``schema``, which every program shares that names them, in whatever language. The
    schema is made if it is not there and the role may make it.

    An item whose timestamp is what :meth:`now` gave, or a clock of this package, is counted at the server's time of the
    decision. Any other timestamp is one of the caller's own, in milliseconds; then all who use the bucket must bring theirs.

    Exceptions of psycopg pass through: such a request was not admitted, but if its answer was lost it may have been
    counted. Raises ``ValueError`` if the rates cannot be enforced, if the role may not make or use the schema, or if the
    reference keeps a bucket of this name here (unless ``ignore_old_table``); ``TypeError`` for an algorithm of one's own,
    and ``ModuleNotFoundError`` without psycopg.
    """

    def __init__(
        self,
        pool: Union[ConnectionPool[Any], AsyncConnectionPool[Any]],
        table: str,
        rates: Rates,
        algorithm: Optional[Algorithm] = None,
        *,
        schema: str = "scupper",
        ignore_old_table: bool = False,
    ) -> None:
        _require_psycopg()
        self.pool: Any = pool
        self.table = table
        self.schema = schema
        self.is_async = is_async_pool(pool)
        self._clock = PostgresClock(pool)
        if algorithm is not None:
            self._algorithm = algorithm
        self.rates = rates
        # The latest time that a caller of this object brought, since the last that was the server's.
        self._latest: Optional[int] = None
        self._read: Optional[int] = None  # the time of the item that was put last
        self._steps = PostgresSteps(pool, schema, table, self._asked(), ignore_old_table)
        if not self.is_async:
            run(pool, self._steps.ready())

    def put(self, item: RateItem) -> Union[bool, Awaitable[bool]]:
        if item.weight < 0:
            raise ValueError(f"item's weight is {item.weight}; it must be >= 0")
        if item.weight == 0:
            return self._given(self._record(item, Decision()))
        if self._is_too_heavy(item):
            tightest = min(self._rates, key=self._algorithm.max_weight)
            return self._given(self._record(item, Decision(tightest)))
        return self._done(self._put(item))

    def waiting(self, item: RateItem) -> Union[int, Awaitable[int]]:
        if self.failing_rate is None:
            return self._given(0)
        if item.weight <= 0:
            raise AssertionError("Item's weight must > 0")
        recorded = -1 if self._is_too_heavy(item) else self._recorded_wait(item)
        return self._done(self._tried(item)) if recorded is None else self._given(recorded)

    def leak(self, current_timestamp: Optional[int] = None) -> Union[int, Awaitable[int]]:
        """Sweeps rows of buckets that owe nothing, of whatever key. 0: what counts no more is not counted anyhow.

        Raises ``AssertionError`` without ``current_timestamp``, which is not read: rows leave by the server's time.
        """
        if current_timestamp is None:
            raise AssertionError("current-time must be passed on for leak")
        return self._done(self._steps.swept())

    def flush(self) -> Optional[Awaitable[None]]:
        self.failing_rate = None
        self._last_wait = None
        return self._done(self._current().reset(self._time()))

    def count(self) -> Union[int, Awaitable[int]]:
        """How many units are in use now, by the rate that has the most."""
        return self._done(self._steps.looked(lambda bucket: self._current().call.used(self._time(), bucket)))

    def peek(self, index: int) -> Union[RateItem, None, Awaitable[Optional[RateItem]]]:
        """The unit ``index`` places before the newest (0) that is in use, under the name of the bucket; None if there are
        not so many, and where no log is kept."""
        if index < 0:
            return self._given(None)
        return self._done(self._steps.looked(lambda bucket: self._unit(index, bucket)))

    def close(self) -> None:
        """Closes the pool, unless it is one to await."""
        if not self.is_async:
            self.pool.close()

    def _put(self, item: RateItem) -> Steps[bool]:
        at = None if isinstance(item.timestamp, Now) else item.timestamp
        if at is None or self._latest is None:
            self._latest = at
        else:
            self._latest = max(self._latest, at)
        judged = yield from self._current().acquire(item.weight, at)
        return self._record(item, self._decided(judged))

    def _tried(self, item: RateItem) -> Steps[int]:
        """How long ``item`` would have to wait, taking nothing."""
        steps = self._current()
        at = self._time() if isinstance(item.timestamp, Now) else item.timestamp
        judged, _ = yield from steps.looked(lambda bucket: steps.call.acquire_in(item.weight, at, bucket))
        decision = self._decided(judged)
        if decision.allowed:
            return 0
        return -1 if decision.retry_after_ms is None else max(0, decision.retry_after_ms)

    def _unit(self, index: int, bucket: str) -> Optional[RateItem]:
        taken_at = self._current().call.taken_at(self._time(), bucket, index)
        return None if taken_at is None else RateItem(self.table, taken_at, 1)

    def _record(self, item: RateItem, decision: Decision) -> bool:
        self._read = item.timestamp
        return super()._record(item, decision)

    def _recorded_wait(self, item: RateItem) -> Optional[int]:
        """What was told at a reading is told again at none but that: other clocks are not the server's."""
        if item.timestamp != self._read and (isinstance(item.timestamp, Now) or isinstance(self._read, Now)):
            return None
        return super()._recorded_wait(item)

    def _current(self) -> PostgresSteps:
        return self._steps.under(self._asked())

    def _asked(self) -> Asked:
        return numbers(self._rates), _name_of(self._algorithm)

    def _decided(self, judged: Judged) -> Decision:
        allowed, rate, wait = judged
        if allowed:
            return Decision()
        # A hold, which another program may have set, is no rate's.
        return Decision(rate_at(self._rates, rate or 0), wait)

    def _time(self) -> Optional[int]:
        """The caller's own time, if it keeps time: that of its clock, or the latest that it brought. None: the server's."""
        if self._latest is None and self._keeps_servers_time():
            return None
        now: Any = None if self._keeps_servers_time() else self.now()
        return now if isinstance(now, (int, float)) and not isinstance(now, Now) else self._latest  # type: ignore[return-value]

    def _keeps_servers_time(self) -> bool:
        is_asked = type(self).now is PostgresBucket.now and "now" not in self.__dict__
        return is_asked and _is_of_server(self._clock)

    def _time_of_request(self) -> Any:
        return Now(time_ns() // 1_000_000) if self._keeps_servers_time() else self.now()

    def _done(self, steps: Steps[T]) -> Union[T, Awaitable[T]]:
        return run_async(self.pool, steps) if self.is_async else run(self.pool, steps)

    def _given(self, value: T) -> Union[T, Awaitable[T]]:
        return _later(value) if self.is_async else value

    def _never_fits(self, item: RateItem) -> bool:
        return type(self).put is PostgresBucket.put and self._is_too_heavy(item)

    def _is_too_heavy(self, item: RateItem) -> bool:
        return any(item.weight > self._algorithm.max_weight(rate) for rate in self._rates)

    def _rate_changed(self) -> None:
        self.rates = self._rates

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_algorithm":
            _name_of(value)
        elif name == "_rates":
            for rate in value:
                rate._used_by(self)
        super().__setattr__(name, value)


async def _later(value: T) -> T:
    return value


def _is_of_server(clock: AbstractClock) -> bool:
    return isinstance(clock, PostgresClock) and type(clock).now is PostgresClock.now and "now" not in clock.__dict__


def _name_of(algorithm: Algorithm) -> str:
    # Of these types exactly: one derived from them may decide otherwise.
    name = _NAMES.get(type(algorithm))
    if name is None:
        known = ", ".join(each.__name__ for each in _NAMES)
        raise TypeError(f"the server decides by one of {known}; not by {algorithm!r}")
    return name


def _require_psycopg() -> None:
    try:
        import psycopg  # noqa: F401
    except ModuleNotFoundError as error:
        what = "a bucket in Postgres needs psycopg and its pool, which the extra postgres of scupper brings"
        raise ModuleNotFoundError(what, name=error.name) from error
