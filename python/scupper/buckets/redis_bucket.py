"""The bucket in Redis, reached through a client of the user's."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Dict, List, Optional, Tuple, Union

from .._await import drop
from .._now import Now
from .._places import rate_at
from .._scupper import RedisCalls
from ..abstracts.algorithm import ADMITTED, Algorithm, Decision, FixedWindow, SlidingWindowLog
from ..abstracts.bucket import AbstractBucket
from ..abstracts._rate_list import Rates
from ..abstracts.rate import Rate, RateItem
from ..clocks import AbstractClock, WallClock
from ._redis_link import Link, Steps
from ._redis_script import called, loaded
from ._rereading import RereadingBucket
from ._watched import numbers, units

__all__ = ["LuaScript", "RedisBucket"]

_WALL = WallClock()

# Of these types exactly: one derived from them may decide otherwise, which the script knows nothing of.
_ALGORITHMS: Dict[type, str] = {SlidingWindowLog: "sliding_window_log", FixedWindow: "fixed_window"}


class LuaScript:
    """The script that decides, inside Redis: the one by which the ``redis://`` stores of Scupper do."""

    PUT_ITEM = RedisCalls.SCRIPT


class RedisBucket(RereadingBucket):
    """One limit for all who use the Redis key ``bucket_key``, decided by one script on the server.

    ``redis`` is a client of ``redis-py`` for a server, for a cluster or behind Sentinel. With one of ``redis.asyncio``,
    the methods give awaitables. The key is as Redis has it: a limiter at ``redis://…`` shares the bucket if its prefix
    (``scupper:``) and its key together are the same. The client stays open when the bucket is closed.

    The server's clock decides. An item whose timestamp was not read from a clock (:meth:`now`, ``WallClock`` or
    ``MonotonicClock``) counts at that time instead, in milliseconds; then all who use the bucket should bring theirs.

    Names are not kept. ``algorithm`` is :class:`~scupper.SlidingWindowLog` unless given, or
    :class:`~scupper.FixedWindow`.

    What the client raises passes through; then it is not known whether anything was counted, and nothing is sent again.
    Raises ``ValueError`` if the rates are not a list that can be enforced, or ``script_hash`` is of another script, and
    ``TypeError`` for another algorithm, or a client of another kind.
    """

    _clock: AbstractClock = WallClock()
    _calls: Tuple[Any, Optional[RedisCalls]] = (None, None)
    _own_time: Optional[int] = None

    def __init__(
        self,
        rates: Rates,
        redis: Any,
        bucket_key: str,
        script_hash: str,
        algorithm: Optional[Algorithm] = None,
    ) -> None:
        if script_hash != RedisCalls.hash:
            raise ValueError(f"script_hash is {script_hash!r}; that of LuaScript.PUT_ITEM is {RedisCalls.hash!r}")
        self._link = Link(redis)
        self.is_async = self._link.is_async
        if algorithm is not None:
            self._algorithm = algorithm
        _name_of(self._algorithm)
        self.redis = redis
        self.bucket_key = bucket_key
        self.script_hash = script_hash
        self.rates = rates

    @classmethod
    def init(
        cls, rates: Rates, redis: Any, bucket_key: str, algorithm: Optional[Algorithm] = None
    ) -> Any:
        """The bucket under this key, or with a client to await an awaitable of it, once the server was asked to keep the script."""
        return Link(redis).carry_out(cls._begun(rates, redis, bucket_key, algorithm))

    @classmethod
    def _begun(
        cls, rates: Rates, redis: Any, bucket_key: str, algorithm: Optional[Algorithm]
    ) -> Steps[RedisBucket]:
        script_hash = yield from loaded(bucket_key, LuaScript.PUT_ITEM)
        return cls(rates, redis, bucket_key, script_hash, algorithm)

    @property
    def rates(self) -> List[Rate]:
        """The rates, by growing interval. Assign another list to change them; what was counted stays."""
        return self._rates

    @rates.setter
    def rates(self, rates: Rates) -> None:
        AbstractBucket.rates.fset(self, rates)  # type: ignore[attr-defined]
        for rate in self._rates:
            rate._used_by(self)

    def _rate_changed(self) -> None:
        self.rates = self._rates

    def put(self, item: RateItem) -> Union[bool, Awaitable[bool]]:
        return self._link.carry_out(self._put(item))

    def _put(self, item: RateItem) -> Steps[bool]:
        if item.weight < 0:
            raise ValueError(f"item's weight is {item.weight}; it must be >= 0")
        self._own_time = None if isinstance(item.timestamp, Now) else item.timestamp
        misfit = self._misfit(item)
        if misfit is not None or item.weight == 0:
            return self._record(item, ADMITTED if misfit is None else Decision(misfit))
        rates = self._rates
        denial = yield from called(self.bucket_key, self._calling().acquire(units(item.weight), self._own_time))
        if denial is None:
            return self._record(item, ADMITTED)
        place, wait = denial
        return self._record(item, Decision(rate_at(rates, place), None if wait < 0 else wait))

    def waiting(self, item: RateItem) -> Union[int, Awaitable[int]]:
        if self.failing_rate is not None and item.weight > 0 and self._misfit(item) is not None:
            return -1
        return super().waiting(item if self.failing_rate is None else self._dated(item))

    def _time_now(self) -> int:
        return _WALL.now()  # as near to the server's as is known without asking

    def leak(self, current_timestamp: Optional[int] = None) -> Union[int, Awaitable[int]]:
        """How many units that counted so far do not at ``current_timestamp``; or an awaitable of it.

        That is 0 at a reading of a clock. There is no need of it: who puts drops what counts no more, and a key that
        nobody uses expires.
        """
        if current_timestamp is None:
            raise AssertionError("leak needs the current timestamp, in milliseconds")
        return self._link.carry_out(self._leak(current_timestamp))

    def _leak(self, now: int) -> Steps[int]:
        if isinstance(now, Now):
            return 0
        before = yield from self._count()
        self._own_time = now if self._own_time is None else max(now, self._own_time)
        return before - (yield from self._count_at(self._own_time))

    def flush(self) -> Any:
        """Forgets all that was counted; gives 1 if anything still did, else 0, or an awaitable of it."""
        return self._link.carry_out(self._flush())

    def _flush(self) -> Steps[int]:
        self.failing_rate = self._last_wait = None
        return int((yield from called(self.bucket_key, self._calling().reset(self._present()))))

    def count(self) -> Union[int, Awaitable[int]]:
        """How many units count against the longest rate, or an awaitable of it."""
        return self._link.carry_out(self._count())

    def _count(self) -> Steps[int]:
        return (yield from self._count_at(self._present()))

    def _count_at(self, time: Optional[int]) -> Steps[int]:
        used = yield from self._look(time)
        return used[-1]

    def _look(self, time: Optional[int]) -> Steps[List[int]]:
        used: List[int] = yield from called(self.bucket_key, self._calling().look(time))
        return used

    def _uses(self) -> Union[List[int], Awaitable[List[int]]]:
        return self._link.carry_out(self._look(self._present()))

    def peek(self, index: int) -> Union[RateItem, None, Awaitable[Optional[RateItem]]]:
        """The unit ``index`` places before the newest (0), without its name, or an awaitable of it.

        None if the log does not have so many; a fixed window keeps none. A unit that counts no more may be there for a
        while.
        """
        return self._link.carry_out(self._peek(index))

    def _peek(self, index: int) -> Steps[Optional[RateItem]]:
        if index < 0:
            return None
        value = yield self.bucket_key, ("GET", self.bucket_key)
        tick = None if value is None else RedisCalls.unit(value, index)
        return None if tick is None else RateItem("", tick)

    def _calling(self) -> RedisCalls:
        """What makes the calls, for the rates and the algorithm as they are now."""
        wanted = (_name_of(self._algorithm), numbers(self._rates))
        made_for, calls = self._calls
        if calls is None or made_for != wanted:
            calls = RedisCalls(_text(self.bucket_key), wanted[1], wanted[0])
            self._calls = (wanted, calls)
        return calls

    def _present(self) -> Optional[int]:
        """The time of now where callers bring their own; None where the server's clock decides."""
        now = self.now()
        if isinstance(now, Now):
            return self._own_time
        if isinstance(now, int):
            return now
        drop(now)
        return self._own_time

    def _misfit(self, item: RateItem) -> Optional[Rate]:
        return next((rate for rate in self._rates if item.weight > rate.limit), None)

    def _never_fits(self, item: RateItem) -> bool:
        return self._misfit(item) is not None

    def _bounds_itself(self) -> bool:
        return True

    def __reduce__(self) -> Any:
        raise TypeError(
            f"a {type(self).__name__} cannot be pickled, as its client cannot: make one in each process. A limiter of "
            "Limiter.open(url) can"
        )


def _text(key: Any) -> str:
    return key.decode(errors="replace") if isinstance(key, bytes) else str(key)


def _name_of(algorithm: Algorithm) -> str:
    name = _ALGORITHMS.get(type(algorithm))
    if name is None:
        raise TypeError(
            "a bucket in Redis decides by SlidingWindowLog or FixedWindow, on the server; for GCRA or an algorithm with "
            f"a script of its own there is StateBucket over a RedisStateStore; not {algorithm!r}"
        )
    return name
