"""Limiters whose time a test sets by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import List

from beyond.right_bucket import PlainBucket
from scupper import AbstractBucket, BucketFactory, FixedWindow, InMemoryBucket, Limiter, Rate, RateItem, StateBucket
from scupper.conformance import DrainingModel, FixedWindowModel, Model, SlidingWindowModel
from support.clocks import HandClock

Make = Callable[[List[Rate]], AbstractBucket]


class Timed(BucketFactory):
    """One bucket for each name, and the time of a clock."""

    def __init__(self, clock: HandClock, make: Callable[[], AbstractBucket]) -> None:
        self.clock = clock
        self.make = make
        self.made: dict[str, AbstractBucket] = {}

    def wrap_item(self, name: str, weight: int = 1) -> RateItem:
        return RateItem(name, self.clock.now(), weight)

    def get(self, item: RateItem) -> AbstractBucket:
        return self.made.setdefault(item.name, self.made.get(item.name) or self.make())


def timed(make: Make, rates: List[Rate], clock: HandClock) -> Limiter:
    return Limiter(Timed(clock, lambda: make(rates)))


# A bucket as it was made, and what decides as it should.
MADE: dict[str, tuple[Make, type[Model]]] = {
    "log": (InMemoryBucket, SlidingWindowModel),
    "windows": (lambda rates: InMemoryBucket(rates, FixedWindow()), FixedWindowModel),
    "gcra": (StateBucket, DrainingModel),
}

# The same, and one of a user's own.
ALL: dict[str, tuple[Make, type[Model]]] = {**MADE, "own": (PlainBucket, SlidingWindowModel)}
