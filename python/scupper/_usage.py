"""How a bucket is: what a look at it tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional, Tuple

from .abstracts.rate import Rate


@dataclass(frozen=True)
class RateUsage:
    """One rate of a bucket. Times are seconds."""

    rate: Rate
    used: int
    """Units in use: more than the limit after a penalty."""
    remaining: int
    """Units that fit now as far as this rate goes."""
    reset_after: Optional[float]
    """How long until nothing is in use, if nobody comes. None where a bucket of your own cannot tell."""


@dataclass(frozen=True)
class Usage:
    """A bucket as it is now. Times are seconds."""

    limit: int
    """Of the rate with least room, the first of equals."""
    remaining: int
    """Units that fit now, under all rates; none while the bucket is held."""
    used: int
    """Units in use under that rate."""
    reset_after: Optional[float]
    """How long until nothing is in use under any rate, if nobody comes. None where a bucket of your own cannot tell."""
    rates: Tuple[RateUsage, ...]
    """Each rate, by growing interval."""
    held_for: float = 0.0
    """For how long nobody is admitted, whatever room there is."""

    @classmethod
    def _of(cls, rates: Sequence[RateUsage], held_for: float = 0.0) -> Usage:
        tightest = tightest_of(rates)
        resets = [usage.reset_after for usage in rates]
        return cls(
            limit=tightest.rate.limit,
            remaining=0 if held_for > 0 else tightest.remaining,
            used=tightest.used,
            reset_after=None if None in resets else max(reset for reset in resets if reset is not None),
            rates=tuple(rates),
            held_for=held_for,
        )


def tightest_of(rates: Sequence[RateUsage]) -> RateUsage:
    """The rate with least room, the first of equals."""
    return min(rates, key=lambda usage: usage.remaining)
