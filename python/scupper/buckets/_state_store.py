"""The state of one bucket in the memory of this process."""

from __future__ import annotations

import threading
from typing import Any, List, Optional

from .._fork import begins_anew
from .._places import rate_at
from .._scupper import MemoryBucket
from ..abstracts.algorithm import GCRA, Decision, State, StateAlgorithm, TokenBucket
from ..abstracts.rate import Rate
from ..abstracts.store import StateStore
from ._watched import numbers, units

_NATIVE = (GCRA, TokenBucket)  # of these types exactly: one derived from them may decide otherwise


class InMemoryStateStore(StateStore):
    """Keeps the state of one bucket in memory. Buckets over the same store count together.

    Pickled, it takes the state along.
    """

    def __init__(self) -> None:
        self._state: Optional[State] = None
        self._native: Optional[MemoryBucket] = None
        self._rates: list[tuple[int, int, int]] = []
        self._replaced: Optional[List[Rate]] = None
        self._after_fork()
        begins_anew(self)

    def _after_fork(self) -> None:
        self._lock = threading.RLock()

    def check(self, algorithm: StateAlgorithm, rates: List[Rate], now: int, weight: int) -> Decision:
        native = self._native_for(algorithm, rates)
        if native is not None:
            denial = native.put(None, now, units(weight))
            return _decision(rates, now, denial)
        with self._lock:
            state = algorithm.initial(rates) if self._state is None else self._state
            self._state, decision = algorithm.step(rates, state, now, weight)
        return decision

    def read(self, algorithm: StateAlgorithm, rates: List[Rate]) -> State:
        native = self._native
        if native is not None:
            return tuple(native.arrivals())
        with self._lock:
            return algorithm.initial(rates) if self._state is None else self._state

    def reset(self) -> None:
        native = self._native
        if native is not None:
            native.flush()
        with self._lock:
            self._state = None

    def _native_for(self, algorithm: StateAlgorithm, rates: List[Rate]) -> Optional[MemoryBucket]:
        """The native bucket that keeps the state while ``algorithm`` and ``rates`` are what it can do."""
        wanted = numbers(rates)
        native = self._native
        # Who put while the rates of the bucket were replaced brings those that were found before.
        is_held_to = self._rates == wanted or rates is self._replaced
        if native is not None and is_held_to and type(algorithm) in _NATIVE:
            return native
        if type(self) is not InMemoryStateStore:
            return None
        with self._lock:
            if self._native is None and self._state is None and type(algorithm) in _NATIVE:
                self._native, self._rates = MemoryBucket(wanted, "gcra"), wanted
            elif self._native is not None:
                self._state = tuple(self._native.arrivals())
                self._native.is_plain = False
                self._native = None
            return self._native

    def _follow(self, before: List[Rate], followed: list[tuple[int, int, int]], rates: List[Rate]) -> None:
        """The rates of a bucket over this store change, which were ``followed`` until now."""
        if self._native is not None and self._rates == followed:
            self._native.set_rates(numbers(rates))
            self._rates, self._replaced = numbers(rates), before

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_lock", "_replaced")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._replaced = None
        self._after_fork()
        begins_anew(self)


def _decision(rates: List[Rate], now: int, denial: Optional[tuple[int, int]]) -> Decision:
    if denial is None:
        return Decision()
    index, retry_at = denial
    return Decision(rate_at(rates, index), None if retry_at < 0 else retry_at - now)
