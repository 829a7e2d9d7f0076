"""A log, or a state, that native code keeps in a store for several processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Optional

from .._fork import begins_anew
from .._now import Now
from .._places import rate_at
from .._scupper import StoreBucket
from ..abstracts._base_algorithm import Algorithm
from ..abstracts._decision import ADMITTED, Decision
from ..abstracts._log_algorithm import FixedWindow, SlidingWindowLog
from ..abstracts._state_algorithm import GCRA, TokenBucket
from ..abstracts.rate import Rate, RateItem
from ._owned_file import OwnedFile
from ._reading import Again, OwnTimes
from ._watched import numbers, units

_NATIVE_NAMES: dict[type[Algorithm], str] = {
    SlidingWindowLog: "sliding_window_log",
    FixedWindow: "fixed_window",
    GCRA: "gcra",
    TokenBucket: "gcra",
}


class StoreLog:
    """What one bucket of the store at ``url`` counts. ``owned`` goes when this is closed by the process that made it.

    Pickled, it takes along where the store is, and not what is in it.
    """

    def __init__(
        self, url: str, key: str, rates: List[Rate], algorithm: Algorithm, owned: Optional[OwnedFile] = None
    ) -> None:
        self._place = (url, key, _NATIVE_NAMES[type(algorithm)])
        self._numbers = numbers(rates)
        self._times = OwnTimes()
        self.owned = owned
        self._open()

    def _open(self) -> None:
        url, key, algorithm = self._place
        self.bucket = StoreBucket(url, self._numbers, algorithm, key)
        begins_anew(self)

    def _after_fork(self) -> None:
        self.bucket.begin_anew()

    def now(self) -> int:
        """The store's time in milliseconds."""
        return Now(self.bucket.now())

    def put(self, rates: List[Rate], item: RateItem, again: Again) -> Decision:
        return decision_of(rates, self.bucket.put(item.name, self._time(item), units(item.weight)))

    async def put_async(self, rates: List[Rate], item: RateItem) -> Decision:
        return decision_of(rates, await self.bucket.put_async(item.name, self._time(item), units(item.weight)))

    def _time(self, item: RateItem) -> Optional[int]:
        windows = [interval for _, interval, _ in self._numbers] if self._place[2] == "fixed_window" else None
        return self._times.of(item.timestamp, self.bucket.now, windows)

    def peek(self, index: int) -> Optional[RateItem]:
        raise NotImplementedError("this bucket counts units and keeps no items; count() says how many units there are")

    def items(self) -> List[RateItem]:
        raise NotImplementedError("this bucket counts units and keeps no items; count() says how many units there are")

    def count(self) -> int:
        return self.bucket.count()

    def leak(self, rates: List[Rate], now: int) -> int:
        """Nothing: what counts no more leaves by itself."""
        return 0

    def flush(self) -> None:
        self.bucket.flush()
        self._times.forget()

    async def flush_async(self) -> None:
        await self.bucket.flush_async()
        self._times.forget()

    def set_rates(self, rates: List[Rate]) -> None:
        self.bucket.set_rates(numbers(rates))
        self._numbers = numbers(rates)

    def close(self) -> None:
        """Lets nobody wait any more; and removes what is this process's own."""
        self.bucket.close()
        if self.owned is not None:
            self.owned.close()

    def check_pickled(self) -> None:
        """Raises ``TypeError`` if it is in the memory of this process, which no other could find."""
        if self._place[0] == "memory:":
            raise TypeError("a bucket in ':memory:' is of this process alone and cannot be pickled; name a file")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "bucket": self.bucket.is_plain}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        is_plain = state["bucket"]
        self._open()
        self.bucket.is_plain = is_plain


def can_decide(algorithm: Algorithm) -> bool:
    """Whether a store decides by ``algorithm``."""
    return type(algorithm) in _NATIVE_NAMES


def decision_of(rates: List[Rate], denial: Optional[tuple[int, int]]) -> Decision:
    """What a native bucket's answer to a put says."""
    if denial is None:
        return ADMITTED
    place, wait = denial
    return Decision(rate_at(rates, place), None if wait < 0 else wait)


def shared_memory_url(path: str, rates: Optional[List[Rate]] = None) -> str:
    """Shared memory with room for as many admissions as the longest window can hold, each of one unit."""
    most = 1 if rates is None else max(int(rate.limit) for rate in rates)
    # One log may take a quarter of it, in blocks whose sizes are powers of two, and grows by copying.
    size = min(max(256 << (most - 1).bit_length(), _LEAST_BYTES), _MOST_BYTES)
    return f"shm:{Path(path).name.removeprefix('scupper-')}?size={size}"


_LEAST_BYTES = 1 << 20
_MOST_BYTES = 1 << 30
