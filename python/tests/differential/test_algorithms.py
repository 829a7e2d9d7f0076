"""The algorithms by themselves, and the store of states: the same arguments, the same results."""

import random
from types import ModuleType
from typing import Any

import pytest

from differential.differences import same_but_for_pythons_words
from differential.scenario import outcome, plain
from support.packages import ORACLE, SCUPPER

LOGS = ("SlidingWindowLog", "FixedWindow")
STATES = ("GCRA", "TokenBucket")
ROUNDS = 400

Call = tuple[str, tuple[Any, ...]]
"""A method and its arguments; rates are given as triples."""


def rates(package: ModuleType, triples: Any) -> list[Any]:
    return [package.Rate(*triple) for triple in triples]


def log_call(chance: random.Random) -> Call:
    triples = [
        (limit, 10**index * chance.randint(2, 9), None)
        for index, limit in enumerate(sorted(chance.sample(range(1, 12), 2)))
    ]
    now, weight = chance.randint(-5, 10**4), chance.randint(0, 14)
    counts = [chance.randint(0, 12) for _ in range(chance.choice((2, 2, 2, 1, 3)))]
    timestamp = chance.choice((None, now - chance.randint(0, 100), now + 5))
    return chance.choice(
        [
            ("admit", (triples, counts, weight)),
            ("window_start", (triples[0], now)),
            ("retry_after", (triples[0], now, timestamp)),
            ("blocking_offset", (triples[1], weight)),
            ("leak_bound", (triples, now)),
            ("max_weight", (triples[0],)),
            ("decide", (triples, counts, weight, now, timestamp)),
        ]
    )


def state_call(chance: random.Random) -> Call:
    # Intervals that the limits divide: what the reference rounds is another matter.
    limits = (chance.randint(1, 4), chance.randint(5, 8))[: chance.randint(1, 2)]
    triples = [(limit, 2520 * 10**index, chance.choice((None, 1, 5, 20))) for index, limit in enumerate(limits)]
    now, weight = chance.randint(0, 10**4), chance.randint(1, 12)
    state = tuple(now * 1000 + chance.randint(-(10**6), 10**7) for _ in triples)
    return chance.choice(
        [
            ("initial", (triples,)),
            ("step", (triples, state, now, weight)),
            ("consumed", (triples, state, now)),
            ("decode", ([str(value) for value in state],)),
            ("redis_args", (triples,)),
            ("max_weight", (triples[0],)),
        ]
    )


def done(package: ModuleType, algorithm: str, call: Call) -> tuple[Any, ...]:
    method, arguments = call
    asked: list[int] = []
    given = [rated(package, each) for each in arguments]
    if method == "decide":
        timestamp = given[-1]
        given[-1] = lambda offset: asked.append(offset) or timestamp
    return (outcome(lambda: getattr(getattr(package, algorithm)(), method)(*given)), asked)


def rated(package: ModuleType, argument: Any) -> Any:
    if isinstance(argument, tuple) and len(argument) == 3:
        return package.Rate(*argument)
    if isinstance(argument, list) and isinstance(argument[0], tuple):
        return rates(package, argument)
    return argument


@pytest.mark.parametrize("algorithm", LOGS + STATES)
def test_an_algorithm_gives_the_results_of_the_reference(algorithm: str) -> None:
    chance = random.Random(algorithm)
    for _ in range(ROUNDS):
        call = log_call(chance) if algorithm in LOGS else state_call(chance)
        ours, theirs = done(SCUPPER, algorithm, call), done(ORACLE, algorithm, call)
        if call[0] == "step" and len(call[1][0]) > 1:
            # The reference's wait is for the first rate that fails.
            ours, theirs = without_wait(ours), without_wait(theirs)
        if not same_but_for_pythons_words(ours[0], theirs[0]):
            assert ours == theirs, call


def without_wait(result: Any) -> Any:
    (how, (kind, state, decision)), asked = result
    return (how, (kind, state, decision[:3])), asked


def test_an_algorithm_of_a_user_has_the_defaults_of_the_reference() -> None:
    def defaults(package: ModuleType) -> list[Any]:
        class Log(package.LogAlgorithm):
            def admit(self, rates: Any, counts: Any, weight: int) -> Any:
                full = [rate for rate, count in zip(rates, counts) if count + weight > rate.limit]
                return package.Decision(*full[:1])

            def window_start(self, rate: Any, now: int) -> int:
                return now - rate.interval

            def retry_after(self, rate: Any, now: int, blocking_timestamp: Any) -> int:
                return 7

        class State(package.StateAlgorithm):
            def initial(self, rates: Any) -> Any:
                return (0.0,)

            def step(self, rates: Any, state: Any, now: int, weight: int) -> Any:
                return state, package.Decision()

        rate, log, state = package.Rate(3, 10, 5), Log(), State()
        return [
            log.max_weight(rate),
            log.blocking_offset(rate, 2),
            log.leak_bound([rate, package.Rate(4, 100)], 50),
            plain(log.decide([rate], [1], 1, 5, lambda offset: offset)),
            plain(log.decide([rate], [3], 1, 5, lambda offset: offset)),
            plain(log.decide([rate], [3], 9, 5, lambda offset: offset)),
            state.max_weight(rate),
            plain(state.decode(["1", "2.5"])),
            state.consumed([rate], (1.0,), 5),
            state.redis_script(),
            state.redis_args([rate]),
        ]

    assert defaults(SCUPPER) == defaults(ORACLE)


@pytest.mark.parametrize("kind", ["log", "state"])
def test_an_algorithm_of_a_user_decides(kind: str) -> None:
    def verdicts(package: ModuleType) -> list[Any]:
        class EveryOther(package.StateAlgorithm):
            """Admits the first, the third, ...; says that the others wait 5 ms."""

            def initial(self, rates: Any) -> Any:
                return (0,)

            def step(self, rates: Any, state: Any, now: int, weight: int) -> Any:
                odd = state[0] % 2 == 1
                return (state[0] + 1,), package.Decision(rates[0], 5) if odd else package.Decision()

            def consumed(self, rates: Any, state: Any, now: int) -> int:
                return int(state[0])

        class Half(package.SlidingWindowLog):
            """Half of what the rates say."""

            def max_weight(self, rate: Any) -> int:
                return int(rate.limit) // 2

            def window_start(self, rate: Any, now: int) -> int:
                return now - rate.interval // 2

        made = [package.Rate(4, 100)]
        bucket = package.StateBucket(made, EveryOther()) if kind == "state" else package.InMemoryBucket(made, Half())
        shown: list[Any] = []
        for timestamp in (0, 0, 0, 0, 0, 51, 51, 120):
            item = package.RateItem("x", timestamp)
            shown += [bucket.put(item), bucket.waiting(item), plain(bucket.failing_rate), bucket.count()]
        return shown

    assert verdicts(SCUPPER) == verdicts(ORACLE)


def test_a_store_keeps_the_state_of_the_reference() -> None:
    def kept(package: ModuleType) -> list[Any]:
        store, algorithm = package.InMemoryStateStore(), package.GCRA()
        made = [package.Rate(2, 1000), package.Rate(4, 5000)]
        shown = [plain(store.read(algorithm, made))]
        for now, weight in ((0, 1), (10, 1), (20, 1), (510, 1), (510, 9)):
            shown += [plain(store.check(algorithm, made, now, weight)), plain(store.read(algorithm, made))]
        store.reset()
        return [*shown, plain(store.read(algorithm, made)), store.is_async, type(store.default_clock).__name__]

    assert kept(SCUPPER) == kept(ORACLE)


def test_two_buckets_share_a_store() -> None:
    def verdicts(package: ModuleType) -> list[bool]:
        store, made = package.InMemoryStateStore(), [package.Rate(2, 1000)]
        buckets = [package.StateBucket(made, store=store) for _ in range(2)]
        return [bucket.put(package.RateItem("x", 5)) for bucket in buckets * 2]

    assert verdicts(SCUPPER) == verdicts(ORACLE) == [True, True, False, False]
