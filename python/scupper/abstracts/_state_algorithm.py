"""Algorithms that decide from a few numbers."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from typing import List, Optional, Tuple, Union

from .._scupper import RedisCalls
from ._base_algorithm import Algorithm
from ._decision import ADMITTED, Decision
from .rate import Rate

State = Tuple[float, ...]


class StateAlgorithm(Algorithm):
    """Decides from a tuple of numbers that a store keeps between requests. Times are milliseconds."""

    @abstractmethod
    def initial(self, rates: List[Rate]) -> State:
        """The state of a bucket in which nothing was ever counted."""

    @abstractmethod
    def step(self, rates: List[Rate], state: State, now: int, weight: int) -> Tuple[State, Decision]:
        """Decides a request of ``weight`` units at ``now``, and says what the state is afterwards."""

    def decode(self, values: Sequence[str]) -> State:
        """The state from the texts in which a store kept its numbers."""
        return tuple(float(value) for value in values)

    def consumed(self, rates: List[Rate], state: State, now: int) -> int:
        """How many units are still owed at ``now``."""
        return 0

    def redis_script(self) -> Optional[str]:
        """The script that takes this algorithm's step inside Redis; None if there is none."""
        return None

    def redis_args(self, rates: List[Rate]) -> List[Union[int, float]]:
        """What that script is given of ``rates``."""
        return []


class GCRA(StateAlgorithm):
    """The generic cell rate algorithm, which is a token bucket.

    ``burst`` units may come at once, and ``limit`` per ``interval`` in the long run. The state is one time per rate,
    in microseconds: when everything counted so far will have flowed off. It is exact: where the time of one unit is
    no whole number of microseconds, so is the state.
    """

    def initial(self, rates: List[Rate]) -> State:
        return (0,) * len(rates)

    def step(self, rates: List[Rate], state: State, now: int, weight: int) -> Tuple[State, Decision]:
        if weight == 0:
            return state, ADMITTED
        tick = now * 1000
        after = []
        failing: Optional[Rate] = None
        wait = Fraction(0)
        for rate, arrival in zip(rates, state, strict=True):
            unit = _unit(rate)
            then = max(Fraction(arrival), Fraction(tick)) + weight * unit
            ahead = then - rate.burst * unit - tick
            if ahead > 0:
                failing = failing or rate
                wait = max(wait, ahead)
            after.append(_plain(then))
        if failing is None:
            return tuple(after), ADMITTED
        fits = all(weight <= rate.burst for rate in rates)
        return state, Decision(failing, math.ceil(wait / 1000) if fits else None)

    def decode(self, values: Sequence[str]) -> State:
        return tuple(_plain(Fraction(value)) for value in values)

    def consumed(self, rates: List[Rate], state: State, now: int) -> int:
        owed = (
            math.ceil((Fraction(arrival) - now * 1000) / _unit(rate))
            for rate, arrival in zip(rates, state, strict=True)
        )
        return max(0, *owed)

    def redis_script(self) -> Optional[str]:
        """The script of Scupper's own buckets in Redis, which knows this algorithm."""
        return RedisCalls.SCRIPT

    def redis_args(self, rates: List[Rate]) -> List[Union[int, float]]:
        return [number for rate in rates for number in (math.ceil(_unit(rate)), rate.burst)]

    def max_weight(self, rate: Rate) -> int:
        return rate.burst


class TokenBucket(GCRA):
    """:class:`GCRA` by the name under which most people know it."""


def _unit(rate: Rate) -> Fraction:
    """The microseconds in which one unit flows off."""
    return Fraction(rate.interval * 1000) / Fraction(rate.limit)


def _plain(value: Fraction) -> float:
    """A whole number as an int; anything else stays the exact fraction, which counts as a number where it is used."""
    return value.numerator if value.denominator == 1 else value  # type: ignore[return-value]
