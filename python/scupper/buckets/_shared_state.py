"""The state of one bucket that the processes of one program share."""

from __future__ import annotations

from typing import Any, List, Optional, cast

from .._fork import begins_anew
from .._now import Now
from .._scupper import StoreBucket
from ..abstracts.algorithm import GCRA, Decision, State, StateAlgorithm, TokenBucket
from ..abstracts.rate import Rate
from ..abstracts.store import StateStore
from ..clocks import AbstractClock, MonotonicClock
from ._owned_file import OwnedFile, new_shared_memory
from ._reading import OwnTimes
from ._state_file import StateFile
from ._store_log import decision_of, shared_memory_url
from ._watched import numbers, units

_NATIVE = (GCRA, TokenBucket)  # of these types exactly: one derived from them may decide otherwise
_KEY = "state"


class MultiprocessStateStore(StateStore):
    """Keeps the state of one bucket in ``values``, a list of a ``multiprocessing`` manager, used under ``lock``.

    :meth:`init` makes one that needs no manager, and is a hundred times as fast.
    """

    _native: Optional[StoreBucket] = None

    def __init__(self, values: Any, lock: Any) -> None:
        self._values = values
        self._lock = lock
        if isinstance(values, _Shared):
            self.default_clock = ItsClock(self)
            begins_anew(self)

    @classmethod
    def init(cls) -> MultiprocessStateStore:
        """A store in shared memory, of which native code decides under :class:`GCRA` and :class:`TokenBucket`.

        It may be pickled, forked, and handed to processes that are started in any way. The memory belongs to this
        process: when it closes the store, forgets it or ends, others can use it no more.
        """
        return cls(_Shared(), None)

    def check(self, algorithm: StateAlgorithm, rates: List[Rate], now: int, weight: int) -> Decision:
        native = self._native_for(algorithm, rates)
        if native is not None and isinstance(self._values, _Shared):
            at = self._values.times.of(now, native.now, None)
            return decision_of(rates, native.put(None, at, units(weight)))
        if isinstance(self._values, _Shared):
            return self._values.check(algorithm, rates, now, weight)
        with self._lock:
            state, decision = algorithm.step(rates, self._listed(algorithm, rates), now, weight)
            if decision.allowed:
                self._values[:] = list(state)
        return decision

    def read(self, algorithm: StateAlgorithm, rates: List[Rate]) -> State:
        native = self._native_for(algorithm, rates)
        if native is not None:
            return _arrivals(native, rates)
        if isinstance(self._values, _Shared):
            return self._values.read(algorithm, rates)
        with self._lock:
            return self._listed(algorithm, rates)

    def _listed(self, algorithm: StateAlgorithm, rates: List[Rate]) -> State:
        kept: State = tuple(self._values[:])
        return kept or algorithm.initial(rates)

    def reset(self) -> None:
        if isinstance(self._values, _Shared):
            self._values.reset()
            if self._native is not None:
                self._native.flush()
                self._values.times.forget()
            return
        with self._lock:
            del self._values[:]

    def close(self) -> None:
        """Removes the shared memory, if this process has made it; a list belongs to its manager."""
        if isinstance(self._values, _Shared):
            if self._native is not None:
                self._native.close()
            self._values.close()

    def _native_for(self, algorithm: StateAlgorithm, rates: List[Rate]) -> Optional[StoreBucket]:
        """The native bucket that keeps the state, if ``algorithm`` is what it can do; held to ``rates``."""
        if not isinstance(self._values, _Shared) or type(algorithm) not in _NATIVE:
            return None
        if self._native is None:
            self._native = self._values.open(rates)
        elif self._values.rates != numbers(rates):
            self._native.set_rates(numbers(rates))
            self._values.rates = numbers(rates)
        return self._native

    def _keeps_time(self, algorithm: StateAlgorithm) -> bool:
        return isinstance(self._values, _Shared) and type(algorithm) in _NATIVE

    def _follow(self, before: List[Rate], followed: list[tuple[int, int, int]], rates: List[Rate]) -> None:
        """The rates of a bucket over this store change, which were ``followed`` until now."""
        if self._native is not None and isinstance(self._values, _Shared):
            self._native.set_rates(numbers(rates))
            self._values.rates = numbers(rates)

    def _after_fork(self) -> None:
        if self._native is not None:
            self._native.begin_anew()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_native": None if self._native is None else self._native.is_plain}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        is_plain = state.get("_native")
        self._native = None
        if isinstance(self._values, _Shared):
            if is_plain is not None:
                self._native = self._values.reopen()
                self._native.is_plain = is_plain
            begins_anew(self)


class _Shared:
    """Shared memory for native code, and a file beside it for algorithms of the user's own."""

    def __init__(self) -> None:
        self._memory = new_shared_memory()
        self._file = OwnedFile(f"{self._memory.path}-state")
        self._state = StateFile.create(self._file.path)
        self.rates: list[tuple[int, int, int]] = []
        self.times = OwnTimes()
        self._url = ""

    def open(self, rates: List[Rate]) -> StoreBucket:
        self.rates = numbers(rates)
        self._url = shared_memory_url(self._memory.path)
        return self.reopen()

    def reopen(self) -> StoreBucket:
        return StoreBucket(self._url, self.rates, "gcra", _KEY)

    def check(self, algorithm: StateAlgorithm, rates: List[Rate], now: int, weight: int) -> Decision:
        with self._state.locked() as held:
            kept = held.read()
            state = algorithm.initial(rates) if kept is None else algorithm.decode(kept)
            state, decision = algorithm.step(rates, state, now, weight)
            if decision.allowed:
                held.write([str(number) for number in state])
        return decision

    def read(self, algorithm: StateAlgorithm, rates: List[Rate]) -> State:
        with self._state.locked() as held:
            kept = held.read()
        return algorithm.initial(rates) if kept is None else algorithm.decode(kept)

    def reset(self) -> None:
        with self._state.locked() as held:
            held.write(None)

    def close(self) -> None:
        self._memory.close()
        self._file.close()


class ItsClock(AbstractClock):
    """The clock of the shared memory, once native code has it; before, and for other algorithms, the monotonic one."""

    def __init__(self, store: MultiprocessStateStore) -> None:
        self._store = store

    def now(self) -> int:
        native = self._store._native
        return MonotonicClock().now() if native is None else Now(native.now())


def _arrivals(native: StoreBucket, rates: List[Rate]) -> State:
    """When all that was counted will have flowed off, for each rate, in microseconds."""
    now = native.now() * 1000
    usage = cast(Any, native.usage(None))[1]
    return tuple(now + round(reset_after * 1_000_000) if used else 0 for used, _, reset_after in usage)
