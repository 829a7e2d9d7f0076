"""What native code tells in numbers, as users see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional, Union

from ._arguments import counted
from ._places import rate_at
from ._taken import NotGivenBack, Taken
from ._usage import RateUsage, Usage, tightest_of
from ._verdict import Verdict
from .abstracts.bucket import AbstractBucket
from .abstracts.rate import Rate

# So many units as native code cannot count never pass.
COUNTLESS = 2**62


def verdict_of(
    name: str, weight: int, rates: Sequence[Rate], native: Any, told: Any, is_on_own_time: bool = False
) -> Verdict:
    """The verdict that ``decide_fully`` told."""
    allowed, remaining, retry_after, never, reset_after, place, permit, source = told
    rate = None if place is None else rate_at(rates, place)
    return Verdict(
        allowed,
        name,
        weight,
        limit_of(rate, rates),
        remaining,
        retry_after,
        never,
        reset_after,
        rate,
        source,
        None if permit is None else Taken(native, permit, is_on_own_time),
    )


def usage_of(rates: Sequence[Rate], told: Any) -> Usage:
    """The usage that ``usage`` told."""
    held_for, numbers = told
    return Usage._of([RateUsage(rate, *of_rate) for rate, of_rate in zip(rates, numbers)], held_for)


def verdict_of_nothing(name: str, usage: Usage) -> Verdict:
    """The verdict on no units, which always pass."""
    return verdict_by_usage(name, 0, usage.limit, usage)


def verdict_by_usage(
    name: str, weight: int, limit: int, usage: Optional[Usage], taken: Union[None, Taken, NotGivenBack] = None
) -> Verdict:
    """The verdict on what was admitted, by a look behind it; by none where the bucket cannot tell."""
    if usage is None:
        return Verdict(True, name, weight, limit, None, reset_after=None, _taken=taken)
    rate = tightest_of(usage.rates).rate
    return Verdict(
        True, name, weight, rate.limit, usage.remaining, reset_after=usage.reset_after, rate=rate, _taken=taken
    )


def limit_of(rate: Optional[Rate], rates: Sequence[Rate]) -> int:
    """The limit of the rate that binds; where none does, the least."""
    return rate.limit if rate is not None else min(each.limit for each in rates)


def not_reserved(bucket: AbstractBucket, weight: int, limit: Optional[float]) -> Exception:
    """Why there is no reservation: there never is room, or there was none in time."""
    algorithm = getattr(bucket, "algorithm", bucket._algorithm)
    most = getattr(algorithm, "max_weight", lambda rate: max(rate.limit, rate.burst))
    tightest = min(bucket.rates, key=most)
    if limit is None or weight > most(tightest):
        fit = "fits" if weight == 1 else "fit"
        return ValueError(f"{counted(weight, 'unit')} never {fit} {tightest}: reserve {most(tightest)} at the most")
    return TimeoutError(
        f"there is no room for {counted(weight, 'unit')} within {limit} seconds, as things stand: what a settle, refund or "
        "reset may give back until then is not foreseen"
    )
