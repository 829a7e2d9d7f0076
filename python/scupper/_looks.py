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
    """What the bucket tells by its own methods, at the time of the item; None if that is not enough."""
    rates, algorithm = errand.bucket.rates, errand.bucket._algorithm
    uses: Optional[List[int]] = yield from errand.call(errand.bucket._uses)
    count = errand.bucket._count_in(errand.is_in_loop)
    units: int = (yield from errand.call(count)) if uses is None else max(uses)
    newest = (yield from _peek(errand, 0)) if units > 0 and isinstance(algorithm, LogAlgorithm) else None
    if uses is None and newest is not None:
        uses = yield from _uses_by_peeking(errand, algorithm, units)
    elif uses is None and (units == 0 or len(rates) == 1):
        uses = [units] * len(rates)
    if uses is None:
        return None
    return Usage._of([_of_rate(errand, rate, used, newest) for rate, used in zip(rates, uses)])


def _of_rate(errand: Errand, rate: Rate, used: int, newest: Any) -> RateUsage:
    algorithm: Any = errand.bucket._algorithm
    reset_after: Optional[float] = 0.0
    if used > 0:
        reset_after = None
        if newest is not None:
            rest = algorithm.retry_after(rate, errand.bucket._dated(errand.item).timestamp, newest.timestamp)
            # No unit counts for longer, whatever a clock elsewhere shows.
            reset_after = min(max(rest, 0), rate.interval + 1) / 1000
    return RateUsage(rate, used, max(0, algorithm.max_weight(rate) - used), reset_after)


def _uses_by_peeking(errand: Errand, algorithm: Any, units: int) -> Generator[Any, Any, List[int]]:
    uses: List[int] = []
    for rate in errand.bucket.rates:
        start = algorithm.window_start(rate, errand.bucket._dated(errand.item).timestamp)
        uses.append((yield from _units_since(errand, start, units)))
    return uses


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
