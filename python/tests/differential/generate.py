"""Scenarios from a seed."""

import random

from differential.scenario import Scenario, Step

ALGORITHMS = ("sliding_window_log", "fixed_window", "gcra", "token_bucket")
ALGORITHMS_OF = {"sqlite": ALGORITHMS[:2], "file": ALGORITHMS[:2]}
# These keep no items, and count what is in use.
COUNTING = {"file", "shared memory"}


def scenario(seed: int, kind: str = "memory") -> Scenario:
    """A short scenario in which time never goes back. The same seed gives the same one."""
    chance = random.Random(seed)
    algorithm = chance.choice(ALGORITHMS_OF.get(kind, ALGORITHMS))
    rates = _rates(chance, algorithm)
    steps = _steps(chance, rates)
    return Scenario(algorithm, rates, tuple(_without_looks(steps) if kind in COUNTING else steps), kind)


def _without_looks(steps: list[Step]) -> list[Step]:
    """Without a look at items, or a question about another request than the one before."""
    pairs = zip(steps, [("at", 0), *steps])
    asked = [step for step, before in pairs if step[0] != "waiting" or before == ("put", *step[1:])]
    return [step for step in asked if step[0] not in ("leak", "count", "peek")]


def _rates(chance: random.Random, algorithm: str) -> tuple[tuple[int, int, int | None], ...]:
    unit = chance.choice((1, 3, 10, 1000))
    limit, interval = chance.randint(1, 5), chance.randint(1, 4)
    rates = [(limit, interval * unit)]
    while len(rates) < 3 and chance.random() < 0.5:
        # Both grow, the interval at least as fast.
        limit, interval = limit + chance.randint(1, 3), interval * (limit + 3)
        rates.append((limit, interval * unit))
    if algorithm in ("gcra", "token_bucket"):
        # Intervals that the limits divide: the reference rounds the rest, see python/DIFFERENCES.md.
        bursts = [chance.choice((None, 1, limit, limit + chance.randint(1, 4))) for limit, _ in rates]
        return _whole([(limit, interval * 840, burst) for (limit, interval), burst in zip(rates, bursts)])
    return tuple((limit, interval, None) for limit, interval in rates)


def _whole(rates: list[tuple[int, int, int | None]]) -> tuple[tuple[int, int, int | None], ...]:
    """Those whose emission interval is a whole number of microseconds."""
    return tuple(rate for rate in rates if rate[1] * 1000 % rate[0] == 0) or ((1, 1000, None),)


def _steps(chance: random.Random, rates: tuple[tuple[int, int, int | None], ...]) -> list[Step]:
    now = chance.choice((0, 1, chance.randrange(10**6), 10**12))
    steps: list[Step] = [("at", now)]
    heaviest = max(limit for limit, _, _ in rates) + 2
    for _ in range(chance.randint(4, 14)):
        if chance.random() < 0.6:
            now += _gap(chance, rates)
            steps.append(("at", now))
        weight = chance.choice((1, 1, 1, 2, 0, chance.randint(1, heaviest)))
        steps += _deed(chance, now, weight)
    return steps


def _gap(chance: random.Random, rates: tuple[tuple[int, int, int | None], ...]) -> int:
    limit, interval, _ = chance.choice(rates)
    emission = interval // limit
    edge = chance.choice((interval, interval, emission, interval // 2)) + chance.choice((-1, 0, 1))
    return max(0, chance.choice((edge, chance.randint(0, interval + 1), 0)))


def _deed(chance: random.Random, now: int, weight: int) -> list[Step]:
    verb = chance.choice(
        ("put", "put", "put", "put", "acquire", "acquire_at_once", "decide", "waiting", "look", "flush")
    )
    if verb == "put":
        # After a denial, the same request asks how long; after a grant, there is nothing to wait for.
        return [("put", now, weight)] + ([("waiting", now, weight)] if weight > 0 else [])
    if verb == "waiting":
        # Another request asks, or the same one later.
        return [
            ("put", now, max(1, weight)),
            ("waiting", now + chance.randint(0, 3), chance.choice((max(1, weight), 1, 2))),
        ]
    if verb == "look":
        leak = [("leak", now)] if chance.random() < 0.4 else []
        return [*leak, ("count",), ("peek", chance.randint(0, 4))]
    if verb == "flush":
        return [("flush",)] if chance.random() < 0.3 else [("put", now, weight)]
    if verb == "decide":
        return [("decide", now, weight)]
    return [(verb, weight)]
