"""Rounds: how sides that take turns become rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .rows import Row, Spread, Target

PEER = "pyrate-limiter"


@dataclass(frozen=True)
class Pace:
    """How long to measure."""

    rounds: int
    # Seconds of one side in one round.
    batch: float
    is_quick: bool

    @classmethod
    def full(cls) -> Pace:
        return cls(rounds=15, batch=0.1, is_quick=False)

    @classmethod
    def quick(cls) -> Pace:
        """Enough to see that everything runs."""
        return cls(rounds=3, batch=0.01, is_quick=True)


# Makes so many requests, checks each answer, and says how many seconds they took.
Run = Callable[[int], float]


@dataclass(frozen=True)
class Contest:
    """One kind of request on both packages, ours first."""

    case: str
    ours: Run
    peer: Run
    unit: str = "us"
    target: Target | None = None

    def row(self, pace: Pace) -> Row:
        """Sides take turns within a round, and rounds begin with either: a ratio compares what ran beside each other."""
        sides = (self.ours, self.peer)
        counts = [_count_for(side, pace.batch) for side in sides]
        rounds: tuple[list[float], list[float]] = ([], [])
        for number in range(pace.rounds):
            for side in (0, 1) if number % 2 == 0 else (1, 0):
                rounds[side].append(self._figure(sides[side](counts[side]), counts[side]))
        ours, peer = rounds
        ratio = Spread.of(mine / theirs for mine, theirs in zip(ours, peer))
        return Row(self.case, Spread.of(ours), PEER, Spread.of(peer), self.unit, ratio, self.target)

    def _figure(self, seconds: float, count: int) -> float:
        return {"us": 1e6 * seconds / count, "ns": 1e9 * seconds / count, "k/s": count / seconds / 1e3}[self.unit]


def _count_for(run: Run, batch: float) -> int:
    """How many requests fill a batch; warms the side up."""
    count = 1
    while True:
        seconds = run(count)
        if seconds >= batch / 4:
            return max(1, int(count * batch / seconds))
        count *= 4


def is_faster(times: float) -> Target:
    """Of what costs time."""
    return Target(1 / times)
