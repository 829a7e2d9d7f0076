"""Where a state algorithm's numbers are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable
from typing import Any, List, Optional, Union

from ..clocks import AbstractClock, MonotonicClock
from ._decision import Decision
from ._state_algorithm import State, StateAlgorithm
from .rate import Rate


class StateStore(ABC):
    """Keeps the state of one bucket and takes its steps one at a time.

    ``is_async`` says whether the methods give awaitables; None if that is only known from their results.
    ``default_clock`` tells the time for a bucket over this store that was given no clock.
    """

    is_async: Optional[bool] = False
    default_clock: AbstractClock = MonotonicClock()

    @abstractmethod
    def check(
        self, algorithm: StateAlgorithm, rates: List[Rate], now: int, weight: int
    ) -> Union[Decision, Awaitable[Decision]]:
        """Takes one step of ``algorithm`` at ``now`` (milliseconds), atomically, and keeps the state after it."""

    @abstractmethod
    def read(self, algorithm: StateAlgorithm, rates: List[Rate]) -> Union[State, Awaitable[State]]:
        """The state as it is."""

    @abstractmethod
    def reset(self) -> Union[None, Awaitable[None]]:
        """Forgets everything that was counted."""

    def close(self) -> None:
        """Gives back what the store holds. Nothing, unless a store says otherwise."""

    def _keeps_time(self, algorithm: StateAlgorithm) -> bool:
        """Whether it decides at a time of its own where it is asked at a reading of a clock."""
        return False

    def _owed(self, algorithm: StateAlgorithm, rates: List[Rate], now: Any) -> Any:
        """The units owed at ``now``, or an awaitable of them, where the store knows better than :meth:`read` tells; or None."""
        return None
