"""A scenario is data: rates, an algorithm and steps. It is played on either package, with the same inputs."""

import asyncio
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from differential.places import make_bucket, rates_of
from support.clocks import HandClock

Step = tuple[Any, ...]

@dataclass(frozen=True)
class Scenario:
    """`rates` are triples (limit, interval in ms, burst or None); `kind` is where the bucket keeps what it counts."""

    algorithm: str
    rates: tuple[tuple[int, int, int | None], ...]
    steps: tuple[Step, ...]
    kind: str = "memory"


def outcome(call: Callable[[], Any]) -> tuple[Any, ...]:
    """What a call returned or raised, in words that both packages share."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ("returned", plain(call()))
    except Exception as error:  # noqa: BLE001 - the error is what is compared
        return ("raised", type(error).__name__, str(error).replace("pyrate_limiter", "scupper"))


def plain(value: Any) -> Any:
    """A value without its package: the type's name is kept, so that 1 is not True."""
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, *(plain(each) for each in value)]
    kind = type(value).__name__
    if kind == "RateItem":
        return (kind, value.name, value.timestamp, value.weight)
    if kind == "Decision":
        return (kind, value.allowed, plain(value.failing_rate), value.retry_after_ms)
    if kind == "Rate":
        return repr(value)
    return (kind, value if isinstance(value, (bool, int, float, str, type(None))) else "...")


class Player:
    """One bucket and one limiter of one package, under a clock that the steps set."""

    def __init__(self, package: ModuleType, scenario: Scenario) -> None:
        self.package = package
        self.clock = HandClock()
        self.bucket = make_bucket(package, scenario, self.clock)
        # Without leaks in the background: those come when they like.
        self.limiter = package.Limiter(package.SingleBucketFactory(self.bucket, schedule_leak=False))

    def rates(self, triples: Any) -> list[Any]:
        return rates_of(self.package, triples)

    def item(self, timestamp: int, weight: int) -> Any:
        return self.package.RateItem("a name", timestamp, weight)

    def take(self, step: Step) -> tuple[Any, ...]:
        """Do a step; what came of it, and what the bucket then says of the rate that failed."""
        verb, *arguments = step
        result = outcome(lambda: getattr(self, verb)(*arguments))
        return (result, plain(self.bucket.failing_rate))

    # The steps.

    def at(self, now: int) -> None:
        self.clock.time = now

    def put(self, timestamp: int, weight: int) -> Any:
        return self.bucket.put(self.item(timestamp, weight))

    def decide(self, timestamp: int, weight: int) -> Any:
        return self.bucket.put_decision(self.item(timestamp, weight))

    def waiting(self, timestamp: int, weight: int) -> Any:
        return self.bucket.waiting(self.item(timestamp, weight))

    def acquire(self, weight: int) -> Any:
        return self.limiter.try_acquire("a name", weight, blocking=False)

    def acquire_at_once(self, weight: int) -> Any:
        return self.limiter.try_acquire("a name", weight, timeout=0)

    def acquire_async(self, weight: int) -> Any:
        return asyncio.run(self.limiter.try_acquire_async("a name", weight, blocking=False))

    def count(self) -> Any:
        return self.bucket.count()

    def peek(self, index: int) -> Any:
        return self.bucket.peek(index)

    def leak(self, *timestamp: int) -> Any:
        return self.bucket.leak(*timestamp)

    def flush(self) -> Any:
        return self.bucket.flush()

    def set_rates(self, *triples: tuple[int, int, int | None]) -> Any:
        self.bucket.rates = self.rates(triples)
        return self.bucket.rates


def play(package: ModuleType, scenario: Scenario) -> list[tuple[Any, ...]]:
    player = Player(package, scenario)
    try:
        return [player.take(step) for step in scenario.steps]
    finally:
        player.bucket.close()
