"""When a request of a weight would be admitted, over all rates: ten lines for each algorithm."""

from bisect import bisect_left
from collections.abc import Sequence

Rate = tuple[int, int, int | None]
Admitted = Sequence[tuple[int, int]]
"""What was admitted: pairs (timestamp, weight)."""


def fits(algorithm: str, rates: Sequence[Rate], admitted: Admitted, now: int, weight: int) -> bool:
    return all(fits_rate(algorithm, rate, admitted, now, weight) for rate in rates)


def fits_rate(algorithm: str, rate: Rate, admitted: Admitted, now: int, weight: int) -> bool:
    limit, interval, burst = rate
    if algorithm in ("gcra", "token_bucket"):
        return owed_us(rate, admitted, now) + weight * emission_us(rate) <= (burst or limit) * emission_us(rate)
    start = now - interval if algorithm == "sliding_window_log" else now // interval * interval
    return sum(units for timestamp, units in admitted if timestamp >= start) + weight <= limit


def owed_us(rate: Rate, admitted: Admitted, now: int) -> int:
    arrival = 0
    for timestamp, units in admitted:
        arrival = max(arrival, timestamp * 1000) + units * emission_us(rate)
    return max(0, arrival - now * 1000)


def emission_us(rate: Rate) -> int:
    limit, interval, _ = rate
    assert interval * 1000 % limit == 0, "a rate whose emission interval is not whole is no matter of this model"
    return interval * 1000 // limit


def wait(algorithm: str, rates: Sequence[Rate], admitted: Admitted, now: int, weight: int) -> int | None:
    """The shortest wait in ms after which the request fits; `None` where it never does.

    What fits goes on fitting while nobody else comes, so the edge is found by halving.
    """
    reach = range(2 * max(interval * -(-(burst or limit) // limit) for limit, interval, burst in rates) + 2)
    shortest = bisect_left(reach, True, key=lambda ms: fits(algorithm, rates, admitted, now + ms, weight))
    return shortest if shortest < len(reach) else None
