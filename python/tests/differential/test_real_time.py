"""Both packages on their own clocks, with windows so long that no time passes: what a limiter with nothing overridden decides."""

import asyncio
import random
from types import ModuleType
from typing import Any

import pytest

from differential.places import LOGS, STATES
from differential.scenario import outcome, plain
from support.packages import ORACLE, SCUPPER

Step = tuple[str, str, int]


def limiter(package: ModuleType, algorithm: str, limits: list[int]) -> Any:
    week = package.Duration.WEEK
    rates = [package.Rate(limit, week * 10**index) for index, limit in enumerate(limits)]
    if algorithm in STATES:
        bucket = package.StateBucket(rates, getattr(package, STATES[algorithm])())
    else:
        bucket = package.InMemoryBucket(rates, getattr(package, LOGS[algorithm])())
    if package is ORACLE:
        # Its limiter would start a thread each time.
        return package.Limiter(package.SingleBucketFactory(bucket, schedule_leak=False))
    return package.Limiter(bucket)


def take(limiter: Any, step: Step) -> Any:
    verb, name, weight = step
    bucket = limiter.bucket_factory.bucket
    if verb == "acquire":
        result = outcome(lambda: limiter.try_acquire(name, weight, blocking=False))
    elif verb == "waiting allowed":
        result = outcome(lambda: limiter.try_acquire(name, weight=weight, timeout=0))
    elif verb == "async":
        result = outcome(lambda: asyncio.run(limiter.try_acquire_async(name, weight, blocking=False)))
    elif verb == "put":
        result = outcome(lambda: bucket.put(limiter.bucket_factory.wrap_item(name, weight)))
    elif verb == "peek":
        shown = bucket.peek(weight)
        result = shown and (shown.name, shown.weight)
    else:
        result = outcome(bucket.count)
    return result, plain(bucket.failing_rate)


def record(package: ModuleType, algorithm: str, limits: list[int], steps: list[Step]) -> list[Any]:
    made = limiter(package, algorithm, limits)
    taken = [take(made, step) for step in steps]
    made.close()
    return taken


def steps(chance: random.Random, limits: list[int]) -> list[Step]:
    verbs = ("acquire", "acquire", "acquire", "waiting allowed", "async", "put", "peek", "count")
    return [
        (chance.choice(verbs), chance.choice("abc"), chance.choice((1, 1, 1, 2, 0, limits[0], limits[-1] + 1)))
        for _ in range(chance.randint(5, 15))
    ]


@pytest.mark.parametrize("first", range(0, 400, 50))
def test_a_plain_limiter_decides_as_the_reference_does(first: int) -> None:
    for seed in range(first, first + 50):
        chance = random.Random(f"real time {seed}")
        algorithm = chance.choice((*LOGS, *STATES))
        # With GCRA, a longer rate of equal burst: all units of the first come at once.
        limits = sorted(chance.sample(range(1, 9), chance.randint(1, 2)))
        taken = steps(chance, limits)
        ours, theirs = (record(package, algorithm, limits, taken) for package in (SCUPPER, ORACLE))
        for index, step in enumerate(taken):
            assert ours[index] == theirs[index], f"seed {seed}: {algorithm} {limits} {taken[: index + 1]} at {step}"
