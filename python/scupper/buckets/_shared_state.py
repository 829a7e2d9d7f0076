"""The state of one bucket that the processes of one program share."""

from __future__ import annotations

from multiprocessing import Manager
from typing import Any, List

from ..abstracts.algorithm import Decision, State, StateAlgorithm
from ..abstracts.rate import Rate
from ..abstracts.store import StateStore


class MultiprocessStateStore(StateStore):
    """Keeps the state of one bucket in ``values``, a list of a ``multiprocessing`` manager, used under ``lock``."""

    def __init__(self, values: Any, lock: Any) -> None:
        self._values = values
        self._lock = lock

    @classmethod
    def init(cls) -> MultiprocessStateStore:
        """A store with a list and a lock of a new manager."""
        manager = Manager()
        return cls(manager.list(), manager.RLock())

    def check(self, algorithm: StateAlgorithm, rates: List[Rate], now: int, weight: int) -> Decision:
        with self._lock:
            state, decision = algorithm.step(rates, self.read(algorithm, rates), now, weight)
            if decision.allowed:
                self._values[:] = list(state)
        return decision

    def read(self, algorithm: StateAlgorithm, rates: List[Rate]) -> State:
        kept: State = tuple(self._values[:])
        return kept or algorithm.initial(rates)

    def reset(self) -> None:
        del self._values[:]
