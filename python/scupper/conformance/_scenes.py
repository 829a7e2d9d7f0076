"""Rates and requests that the checks are made of."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import List, Tuple

from ..abstracts.rate import Rate

SEEDS = range(25)
STEPS = 60

_ONE = ((1, 10), (3, 10), (5, 40), (2, 7))
_SEVERAL = (((2, 10), (4, 60)), ((3, 8), (5, 20), (8, 100)), ((1, 5), (3, 50)))


def rate_lists() -> List[List[Rate]]:
    """Lists of one rate and of several."""
    one = [[Rate(limit, interval)] for limit, interval in _ONE]
    return one + [[Rate(limit, interval) for limit, interval in rates] for rates in _SEVERAL]


def requests(rates: List[Rate], random: Random, start: int) -> Iterator[Tuple[int, int]]:
    """Times and weights: many at one time, many about the edge of a window, and now and then a long rest."""
    now, edges = start, [edge for rate in rates for edge in (rate.interval - 1, rate.interval, rate.interval + 1)]
    heaviest = min(rate.limit for rate in rates)
    for _ in range(STEPS):
        now += random.choice((0, 0, 0, 1, 1, 2, random.choice(edges)))
        if random.random() < 0.02:
            now += 5 * rates[-1].interval
        yield now, random.choice((1, 1, 1, 2, random.randint(1, heaviest + 1)))
