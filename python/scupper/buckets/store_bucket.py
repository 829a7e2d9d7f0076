"""Buckets in a store that a URL names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from numbers import Real
from typing import Any, List, Optional, Tuple, Union

from .._fork import begins_anew
from .._now import Now
from .._places import rate_at
from .._scupper import StoreBucket as NativeBucket
from ..abstracts._rate_list import Rates, is_rates, not_rates
from ..abstracts.algorithm import GCRA, Algorithm, FixedWindow, SlidingWindowLog, TokenBucket
from ..abstracts.bucket import AbstractBucket
from ..abstracts.rate import Rate, RateItem
from ._as_made import AsMade
from ._rereading import RereadingBucket
from ._watched import WatchedBucket, numbers, units

_ALGORITHMS: dict[str, tuple[str, Algorithm]] = {
    "sliding-window-log": ("sliding_window_log", SlidingWindowLog()),
    "fixed-window": ("fixed_window", FixedWindow()),
    "gcra": ("gcra", GCRA()),
    "token-bucket": ("gcra", TokenBucket()),
}
_NAMES = {type(algorithm): name for name, (_, algorithm) in _ALGORITHMS.items()}

Outage = Union[str, Rates]
"""What becomes of requests while the store cannot tell: ``"error"``, ``"fail-open"``, ``"fail-closed"``, or the
rates by which this process decides by itself meanwhile."""


class StoreBucket(RereadingBucket, WatchedBucket):
    """A bucket in the store at ``url``, which all have in common that use the same store and ``key``.

    ``memory:``, ``sqlite:file``, ``shm:name``, ``redis://host`` and ``postgres://host/database`` are stores. Time is the
    store's, unless items bring times that no clock of ours has read. A name is a label that is not kept. With
    ``key=None`` each name has its own bucket, whose key is ``prefix`` and the name.

    When the store cannot tell, ``outage`` decides: ``"error"`` raises :class:`~scupper.StoreError`, ``"fail-open"`` lets
    pass, ``"fail-closed"`` denies, and with a rate or a list of rates this process decides by itself meanwhile.
    ``call_timeout`` (1) and ``denial_cache`` (0.1, for how long a denial is believed) are seconds; of ``max_waiting``
    (65536) on one key, the next is refused.

    Pickled, it takes along how to reach the store, and not what is in it.

    Raises ``ValueError`` for a URL, rates or options that cannot be.
    """

    is_async = False
    _native: Optional[NativeBucket] = None
    _kept_with: Optional[Tuple[int, int, int]] = None

    def __init__(
        self,
        url: str,
        rates: Rates,
        *,
        key: Optional[str] = "default",
        prefix: str = "",
        algorithm: Union[str, Algorithm] = "sliding-window-log",
        outage: Outage = "error",
        call_timeout: Optional[float] = None,
        max_waiting: Optional[int] = None,
        denial_cache: Optional[float] = None,
    ) -> None:
        _check(url, rates, key, outage)
        _check_types(str, "a str", prefix=prefix)
        _check_types(Real, "a number of seconds", call_timeout=call_timeout, denial_cache=denial_cache)
        _check_types(int, "a whole number", max_waiting=max_waiting)
        if max_waiting is not None and max_waiting < 0:
            raise ValueError(f"max_waiting is {max_waiting}; it must be a whole number >= 0")
        self._url = url
        self._algorithm_name = _name_of(algorithm)
        self._options = (key, prefix, outage, call_timeout, max_waiting, denial_cache)
        self.__dict__["_algorithm"] = _ALGORITHMS[self._algorithm_name][1]
        self.rates = rates
        self._open()
        if not all(self._is_ours(name) for name in _ASKED):
            self._decide_in_python()

    @property
    def key(self) -> Optional[str]:
        """The key of the bucket in the store; None if each name has its own."""
        key: Optional[str] = self._options[0]
        return key

    def _open(self) -> None:
        key, prefix, outage, call_timeout, max_waiting, denial_cache = self._options
        self._native = NativeBucket(
            self._url,
            numbers(self._rates),
            _ALGORITHMS[self._algorithm_name][0],
            key,
            prefix,
            outage if isinstance(outage, str) else numbers([outage] if isinstance(outage, Rate) else list(outage)),
            call_timeout,
            max_waiting,
            denial_cache,
        )
        begins_anew(self)

    def _after_fork(self) -> None:
        self._inside().begin_anew()

    def now(self) -> Any:
        """The time by the store's clock, in milliseconds, as far as it is known without asking."""
        clock = self._clock
        return Now(self._inside().now()) if clock is AbstractBucket._clock else clock.now()

    def put(self, item: RateItem) -> bool:
        denial = self._inside().put(item.name, _time_of(item), units(item.weight))
        return self._decided(item, denial)

    async def _put_async(self, item: RateItem) -> bool:
        return self._decided(item, await self._inside().put_async(item.name, _time_of(item), units(item.weight)))

    def _decided(self, item: RateItem, denial: Optional[tuple[int, int]]) -> bool:
        place, wait = (None, 0) if denial is None else denial
        item = item if denial is None else self._denied_now(item)
        self.__dict__.update(
            _failing_rate=None if place is None else rate_at(self._rates, place),
            _kept_wait=None if place is None else (item.weight, item.timestamp + wait if wait >= 0 else _NEVER),
            _kept_with=self._inside().last_denial(),
        )
        return place is None

    def waiting(self, item: RateItem) -> int:
        if self.failing_rate is None:
            return 0
        if item.weight <= 0:
            raise AssertionError("Item's weight must > 0")
        wait = self._recorded_wait(item)
        return -1 if wait is None else wait

    def _recorded_wait(self, item: RateItem) -> Optional[int]:
        """By the time of the item that was put, unless a limiter has asked since."""
        wait = self._kept_wait if self._kept_with == self._inside().last_denial() else self._last_wait
        return None if wait is None or wait[1] == _NEVER else max(0, wait[1] - self._dated(item).timestamp)

    def _time_now(self) -> int:
        return self._inside().now()

    def leak(self, current_timestamp: Optional[int] = None) -> int:
        """Nothing: what counts no more leaves by itself."""
        return 0

    def flush(self) -> None:
        self._inside().flush()
        self.failing_rate = self._last_wait = self._kept_with = None

    async def _flush_async(self) -> None:
        await self._inside().flush_async()
        self.failing_rate = self._last_wait = self._kept_with = None

    def count(self) -> int:
        """Units in use. With ``key=None``, how many names have any."""
        return self._inside().count()

    def peek(self, index: int) -> Optional[RateItem]:
        """``NotImplementedError``: a store keeps no names of what it counted."""
        raise NotImplementedError("a store counts units and keeps no items; count() says how many units there are")

    def close(self) -> None:
        self._inside().close()

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_algorithm":
            raise TypeError("the algorithm of a bucket in a store is chosen when it is made, by the argument algorithm")
        super().__setattr__(name, value)

    def _put_in(self, in_loop: bool) -> Callable[[RateItem], Union[bool, Awaitable[bool]]]:
        return self._put_async if in_loop and self._is_ours("put") else self.put

    def _count_in(self, in_loop: bool) -> Callable[[], Union[int, Awaitable[int]]]:
        return self._inside().count_async if in_loop and self._is_ours("count") else self.count

    def _flush_in(self, in_loop: bool) -> Callable[[], Optional[Awaitable[None]]]:
        return self._flush_async if in_loop and self._is_ours("flush") else self.flush

    def _is_ours(self, name: str) -> bool:
        return name not in self.__dict__ and _AS_MADE.is_kept(type(self), name)

    def _inside(self) -> NativeBucket:
        if self._native is None:
            raise RuntimeError(f"{type(self).__name__}.__init__ must call that of StoreBucket first")
        return self._native

    def _handle(self) -> Optional[NativeBucket]:
        return self._native

    def _follow(self, rates: List[Rate]) -> None:
        if self._native is not None:
            self._native.set_rates(numbers(rates))

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        native = state.pop("_native", None)
        return {**state, "_is_plain": native is not None and native.is_plain}

    def __setstate__(self, state: dict[str, Any]) -> None:
        is_plain = state.pop("_is_plain")
        super().__setstate__(state)
        self._open()
        if not is_plain:
            self._decide_in_python()


_NEVER = -1
_AS_MADE = AsMade(StoreBucket)
_ASKED = "_clock put now waiting leak flush count close limiter_lock put_decision rates _record _decision".split()


def _check(url: object, rates: object, key: object, outage: object) -> None:
    if not isinstance(url, str):
        raise TypeError(f"url must be a str, such as 'redis://127.0.0.1', and the rates come after it; not {url!r}")
    if not is_rates(rates):
        raise TypeError(not_rates(rates))
    if key is not None and not isinstance(key, str):
        raise TypeError(f"key must be a str, not {key!r}")
    if not isinstance(outage, str) and not is_rates(outage):
        raise TypeError(
            f'outage is {outage!r}; it must be "error", "fail-open", "fail-closed", or rates to hold to in this process '
            "meanwhile"
        )


def _check_types(kind: type, words: str, **options: object) -> None:
    for name, value in options.items():
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{name} must be {words}, not {value!r}")


def _time_of(item: RateItem) -> Optional[int]:
    """A time of the user's own; None where it is that of a clock, as then the store's counts."""
    return None if isinstance(item.timestamp, Now) else item.timestamp


def _name_of(algorithm: Union[str, Algorithm]) -> str:
    name = algorithm if isinstance(algorithm, str) else _NAMES.get(type(algorithm), "")
    name = name.replace("_", "-")
    if name not in _ALGORITHMS:
        raise ValueError(f"a store does not decide by {algorithm!r}; there are {', '.join(_ALGORITHMS)}")
    return name
