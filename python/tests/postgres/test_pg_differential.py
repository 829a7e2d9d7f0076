"""The reference's bucket and ours on one server, with the same items and clocks set by hand."""

import random
from typing import Any

import pytest

from differential import model
from differential.scenario import plain
from support.clocks import HandClock
from support.packages import ORACLE, SCUPPER

LOGS = {"sliding_window_log": "SlidingWindowLog", "fixed_window": "FixedWindow"}
LISTS: list[list[tuple[int, int]]] = [
    [(1, 1)],
    [(3, 1000)],
    [(5, 250)],
    [(2, 100), (3, 1000)],
    [(3, 300), (5, 1000), (8, 5000)],
]


class Pair:
    """A bucket of each package. Times only grow: what came before is decided otherwise on purpose."""

    def __init__(self, pool: Any, table: str, algorithm: str, rates: list[tuple[int, int]]) -> None:
        self.rates, self.algorithm = rates, algorithm
        self.clock = HandClock(20_000)
        self.admitted: list[tuple[int, int]] = []
        self.ours = self._made(SCUPPER, pool, table + "_ours")
        self.theirs = self._made(ORACLE, pool, table + "_theirs")

    def _made(self, package: Any, pool: Any, table: str) -> Any:
        rates = [package.Rate(*rate) for rate in self.rates]
        made = package.PostgresBucket(pool, table, rates, getattr(package, LOGS[self.algorithm])())
        made._clock = self.clock
        return made

    def put(self, weight: int) -> None:
        now = self.clock.time
        ours, theirs = (
            plain(made.put(package.RateItem("x", made.now(), weight)))
            for made, package in ((self.ours, SCUPPER), (self.theirs, ORACLE))
        )
        assert ours == theirs, f"{self.algorithm} {self.rates} {self.admitted} at {now}, weight {weight}"
        if ours[1]:
            self.admitted.append((now, weight))
        elif weight > 0:
            self.compare_waits(weight)

    def compare_waits(self, weight: int) -> None:
        now = self.clock.time
        waits = [
            made.waiting(package.RateItem("x", now, weight))
            for made, package in ((self.ours, SCUPPER), (self.theirs, ORACLE))
        ]
        exact = model.wait(self.algorithm, tuple((*rate, None) for rate in self.rates), self.admitted, now, weight)
        assert waits[0] == (-1 if exact is None else exact), (self.admitted, now, weight)
        if len(self.rates) == 1:
            # Of several rates, the reference looks at one.
            assert waits[0] == waits[1]
            assert self.ours._last_wait == self.theirs._last_wait or self.theirs._last_wait is None
            assert plain(self.ours.failing_rate) == plain(self.theirs.failing_rate)

    def compare_contents(self) -> None:
        self.theirs.leak(self.clock.time)
        assert self.ours.leak(self.clock.time) == 0
        if self.algorithm == "sliding_window_log":
            assert self.ours.count() == self.theirs.count()
            for place in range(3):
                ours, theirs = self.ours.peek(place), self.theirs.peek(place)
                assert (ours and ours.timestamp) == (theirs and theirs.timestamp)
        elif len(self.rates) == 1:
            assert self.ours.count() == self.theirs.count()


@pytest.mark.parametrize("algorithm", sorted(LOGS))
@pytest.mark.parametrize("number", range(len(LISTS)))
def test_both_decide_alike_on_random_items(pool: Any, table: str, algorithm: str, number: int) -> None:
    rates = LISTS[number]
    pair = Pair(pool, table, algorithm, rates)
    chance = random.Random(f"{algorithm} {number}")
    longest = rates[-1][1]
    for _ in range(60):
        pair.clock.time += chance.choice([0, 0, 1, chance.randrange(1, longest // 3 + 2), longest])
        pair.put(chance.choice([1, 1, 1, 2, 3, 0, rates[0][0] + 1]))
        if chance.random() < 0.15:
            pair.compare_contents()
        if chance.random() < 0.03:
            assert pair.ours.flush() is pair.theirs.flush() is None
            pair.admitted.clear()
            assert pair.ours.failing_rate is pair.theirs.failing_rate is None


def test_both_limiters_answer_alike(pool: Any, table: str) -> None:
    pair = Pair(pool, table, "sliding_window_log", [(3, 1000), (5, 4000)])
    limits = [
        package.Limiter(package.SingleBucketFactory(made, schedule_leak=False))
        for package, made in ((SCUPPER, pair.ours), (ORACLE, pair.theirs))
    ]
    for step in (0, 0, 0, 0, 500, 501, 0, 0, 2000, 1500, 0, 4001):
        pair.clock.time += step
        ours, theirs = (limit.try_acquire("x", blocking=False) for limit in limits)
        assert ours == theirs, pair.clock.time


def test_windows_are_closed_in_both(pool: Any, table: str) -> None:
    pair = Pair(pool, table, "sliding_window_log", [(1, 1000)])
    for step in (0, 1000, 1, 1000, 1):
        pair.clock.time += step
        pair.put(1)
    assert [tick for tick, _ in pair.admitted] == [20_000, 21_001, 22_002]
