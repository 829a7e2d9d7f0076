"""How a bucket is: what a look at it tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional, Tuple

from .abstracts.rate import Rate


@dataclass(frozen=True)
class RateUsage:
    """One rate of a bucket. Times are seconds.

    Attributes:
        rate: The rate itself: one of those that the bucket was made with.
        used: Units in use: more than the limit after a penalty.
        remaining: Units that fit now as far as this rate goes.
        reset_after: How long until nothing is in use, if nobody comes. None where a bucket that is not native cannot
            tell.
    """

    rate: Rate
    used: int
    remaining: int
    reset_after: Optional[float]


@dataclass(frozen=True)
class Usage:
    """A bucket as it is now. Times are seconds.

    Attributes:
        limit: Of the rate with least room, the first of equals.
        remaining: Units that fit now, under all rates; none while the bucket is held.
        used: Units in use under the rate with least room.
        reset_after: How long until nothing is in use under any rate, if nobody comes. None where a bucket that is not
            native cannot tell.
        rates: Each rate, by growing interval.
        held_for: For how long nobody is admitted, whatever room there is.
    """

    limit: int
    remaining: int
    used: int
    reset_after: Optional[float]
    rates: Tuple[RateUsage, ...]
    held_for: float = 0.0

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
