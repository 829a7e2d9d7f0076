"""The state of one bucket in Redis, reached through a client of the user's."""

from __future__ import annotations

from collections.abc import Awaitable
from fractions import Fraction
from hashlib import sha1
from typing import Any, List, Optional, Tuple, Union

from .._now import Now
from .._scupper import RedisCalls
from ..abstracts.algorithm import ADMITTED, Decision, State, StateAlgorithm
from ..abstracts.rate import Rate
from ..abstracts.store import StateStore
from ..clocks import AbstractClock, WallClock
from ._redis_link import Link, Steps
from ._redis_script import called, run
from ._watched import numbers, units

__all__ = ["RedisStateStore"]


class RedisStateStore(StateStore):
    """Keeps the state of one bucket under the Redis key ``key``, for a :class:`~scupper.StateBucket`.

    Under :class:`~scupper.GCRA` it is a bucket as the ``redis://`` stores of Scupper keep it, decided by their script
    at the server's time, or at the caller's where that was not read from a clock. The key expires when nothing is owed.

    An algorithm of your own brings its ``redis_script()``. That is run on the key with the arguments now, weight, time
    to live, how many rates, and those of ``redis_args(rates)``. It keeps a hash with one field a rate, ``tat1`` and so on,
    has it expire, and answers with the place of the rate in the way (from 0; -1 for none) and the milliseconds to wait
    (-1 for ever). ``ttl_ms`` is its time to live; twice the longest interval or burst unless given.

    ``redis`` is a client as for :class:`~scupper.RedisBucket`. With one of ``redis.asyncio`` the methods give
    awaitables.
    """

    default_clock: AbstractClock = WallClock()
    is_async: Optional[bool] = None

    def __init__(self, redis: Any, key: str, ttl_ms: Optional[int] = None) -> None:
        self._link = Link(redis)
        self.is_async = self._link.is_async
        self.redis = redis
        self.key = key
        self._ttl_ms = ttl_ms
        self._calls: Tuple[Any, Optional[RedisCalls]] = (None, None)

    def check(
        self, algorithm: StateAlgorithm, rates: List[Rate], now: int, weight: int
    ) -> Union[Decision, Awaitable[Decision]]:
        """Takes one step on the server. Raises ``TypeError`` if the algorithm has no script for Redis."""
        script = algorithm.redis_script()
        if script is None:
            raise TypeError(f"{type(algorithm).__name__} has no Redis implementation; use a local store instead")
        if script == RedisCalls.SCRIPT:
            return self._link.carry_out(self._check(rates, now, weight))
        arguments = [int(now), weight, self._time_to_live(rates), len(rates), *algorithm.redis_args(rates)]
        return self._link.carry_out(self._check_by(script, rates, arguments))

    def _check(self, rates: List[Rate], now: int, weight: int) -> Steps[Decision]:
        if weight < 0:
            raise ValueError(f"item's weight is {weight}; it must be >= 0")
        misfit = next((rate for rate in rates if weight > rate.burst), None)
        if misfit is not None or weight == 0:
            return Decision(misfit)
        call = self._calling(rates).acquire(units(weight), _time_of(now))
        denial = yield from called(self.key, call)
        if denial is None:
            return ADMITTED
        place, wait = denial
        return Decision(rates[place], None if wait < 0 else wait)

    def _check_by(self, script: str, rates: List[Rate], arguments: List[Any]) -> Steps[Decision]:
        name = sha1(script.encode(), usedforsecurity=False).hexdigest()
        return self._decision(rates, (yield from run(self.key, name, script, arguments)))

    @staticmethod
    def _decision(rates: List[Rate], reply: Any) -> Decision:
        """What the answer of an algorithm's own script says."""
        place, wait = int(reply[0]), int(reply[1])
        if place < 0:
            return ADMITTED
        return Decision(rates[place], None if wait < 0 else wait)

    def read(self, algorithm: StateAlgorithm, rates: List[Rate]) -> Union[State, Awaitable[State]]:
        if algorithm.redis_script() == RedisCalls.SCRIPT:
            return self._link.carry_out(self._read(rates))
        return self._link.carry_out(self._read_by(algorithm, rates))

    def _read(self, rates: List[Rate]) -> Steps[State]:
        value = yield self.key, ("GET", self.key)
        kept = [] if value is None else RedisCalls.drained(value)
        times = {rate: _plain(micros + Fraction(part, rate[0])) for rate, micros, part in kept}
        return tuple(times.get(rate, 0) for rate in numbers(rates))

    def _read_by(self, algorithm: StateAlgorithm, rates: List[Rate]) -> Steps[State]:
        fields = [f"tat{place}" for place in range(1, len(rates) + 1)]
        values: List[Optional[bytes]] = yield self.key, ("HMGET", self.key, *fields)
        texts = [value.decode() for value in values if value is not None]
        return algorithm.decode(texts) if len(texts) == len(rates) else algorithm.initial(rates)

    def _keeps_time(self, algorithm: StateAlgorithm) -> bool:
        return algorithm.redis_script() == RedisCalls.SCRIPT

    def _owed(self, algorithm: StateAlgorithm, rates: List[Rate], now: Any) -> Any:
        if not isinstance(now, Now) or algorithm.redis_script() != RedisCalls.SCRIPT:
            return None
        return self._link.carry_out(self._owed_now(rates))

    def _owed_now(self, rates: List[Rate]) -> Steps[int]:
        used: List[int] = yield from called(self.key, self._calling(rates).look())
        return max(used)

    def reset(self) -> Union[None, Awaitable[None]]:
        """Deletes the key."""
        return self._link.carry_out(self._reset())

    def _reset(self) -> Steps[None]:
        yield self.key, ("DEL", self.key)

    def _calling(self, rates: List[Rate]) -> RedisCalls:
        """What makes the calls for these rates."""
        wanted = numbers(rates)
        made_for, calls = self._calls
        if calls is None or made_for != wanted:
            key = self.key.decode(errors="replace") if isinstance(self.key, bytes) else str(self.key)
            calls = RedisCalls(key, wanted, "gcra")
            self._calls = (wanted, calls)
        return calls

    def _time_to_live(self, rates: List[Rate]) -> int:
        if self._ttl_ms is not None:
            return self._ttl_ms
        return 2 * max(max(rate.interval, -(-rate.burst * rate.interval // rate.limit)) for rate in rates)

    def __reduce__(self) -> Any:
        raise TypeError(f"a {type(self).__name__} cannot be pickled, as its client cannot: make one in each process")


def _time_of(now: int) -> Optional[int]:
    return None if isinstance(now, Now) else now


def _plain(time: Fraction) -> Any:
    return time.numerator if time.denominator == 1 else time
