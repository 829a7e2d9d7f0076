"""How a bucket of the user's own is, as far as its own methods tell."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, List, Optional

from ._usage import RateUsage, Usage
from .abstracts.algorithm import LogAlgorithm
from .abstracts.rate import Rate

if TYPE_CHECKING:
    from ._errand import Errand


def usage_by_looking(errand: Errand) -> Generator[Any, Any, Optional[Usage]]:
    """What ``count`` and ``peek`` of the bucket tell at the time of the item; None if that is not enough."""
    bucket, now = errand.bucket, errand.item.timestamp
    units: int = yield from errand.call(bucket.count)
    algorithm = bucket._algorithm
    if isinstance(algorithm, LogAlgorithm) and units > 0:
        newest = yield from _peek(errand, 0)
        if newest is not None:
            return (yield from _usage_by_peeking(errand, algorithm, units, newest, now))
    if units > 0 and len(bucket.rates) > 1:
        return None
    reset_after = None if units > 0 else 0.0
    return Usage._of([RateUsage(rate, units, _left(algorithm, rate, units), reset_after) for rate in bucket.rates])


def _usage_by_peeking(
    errand: Errand, algorithm: LogAlgorithm, units: int, newest: Any, now: int
) -> Generator[Any, Any, Usage]:
    rates: List[RateUsage] = []
    for rate in errand.bucket.rates:
        used = yield from _units_since(errand, algorithm.window_start(rate, now), units)
        reset_after = algorithm.retry_after(rate, now, newest.timestamp) / 1000 if used > 0 else 0.0
        rates.append(RateUsage(rate, used, _left(algorithm, rate, used), reset_after))
    return Usage._of(rates)


def _units_since(errand: Errand, start: int, units: int) -> Generator[Any, Any, int]:
    """How many of the newest ``units`` are not older than ``start``."""
    least, most = 0, units
    while least < most:
        middle = (least + most) // 2
        item = yield from _peek(errand, middle)
        if item is not None and item.timestamp >= start:
            least = middle + 1
        else:
            most = middle
    return least


def _peek(errand: Errand, index: int) -> Generator[Any, Any, Any]:
    try:
        return (yield from errand.call(errand.bucket.peek, index))
    except NotImplementedError:
        return None


def _left(algorithm: Any, rate: Rate, used: int) -> int:
    left: int = max(0, algorithm.max_weight(rate) - used)
    return left
