"""Single calls: what is made of which arguments, and what is refused with which words."""

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from differential import differences
from differential.scenario import outcome
from support.packages import ORACLE, SCUPPER

Call = Callable[[ModuleType], Any]


def rate_lists(p: ModuleType) -> dict[str, Any]:
    return {
        "one": [p.Rate(5, 1000)],
        "good": [p.Rate(5, 1000), p.Rate(8, 2000)],
        "none": [],
        "unsorted": [p.Rate(8, 2000), p.Rate(5, 1000)],
        "equal intervals": [p.Rate(5, 1000), p.Rate(6, 1000)],
        "equal limits": [p.Rate(5, 1000), p.Rate(5, 2000)],
        "falling limits": [p.Rate(5, 1000), p.Rate(4, 2000)],
        "rising density": [p.Rate(5, 1000), p.Rate(11, 2000)],
        "equal density": [p.Rate(5, 1000), p.Rate(10, 2000)],
        "a tuple": (p.Rate(5, 1000), p.Rate(8, 2000)),
        "three, the last is bad": [p.Rate(5, 1000), p.Rate(8, 2000), p.Rate(8, 3000)],
    }


def limiter(p: ModuleType, *rates: Any, **named: Any) -> Any:
    bucket = p.InMemoryBucket(list(rates) or [p.Rate(2, p.Duration.WEEK)])
    return p.Limiter(p.SingleBucketFactory(bucket, schedule_leak=False), **named)


def decorated(p: ModuleType, *, weight: int = 1, name: Any = "n") -> Any:
    @limiter(p).as_decorator(name=name, weight=weight)
    def double(x: int) -> int:
        """Twice x."""
        return 2 * x

    return double


LISTS = tuple(rate_lists(ORACLE))
CALLS: dict[str, Call] = {
    # Durations.
    **{f"Duration.{name}": lambda p, name=name: p.Duration[name].value for name in ORACLE.Duration.__members__},
    **{
        f"readable {value}": lambda p, value=value: p.Duration.readable(value)
        for value in (
            0,
            1,
            -5,
            500,
            999,
            1000,
            1500,
            59999,
            60000,
            90000,
            3600000,
            86400000,
            86399999,
            604800000,
            10**11,
            1000.0,
            1.5,
        )
    },
    "readable of a duration": lambda p: p.Duration.readable(p.Duration.SECOND),
    "duration times int": lambda p: p.Duration.SECOND * 2,
    "int times duration": lambda p: 2 * p.Duration.SECOND,
    "duration times float": lambda p: p.Duration.SECOND * 1.5,
    "duration times duration": lambda p: p.Duration.SECOND * p.Duration.MINUTE,
    "duration plus int": lambda p: p.Duration.SECOND + 5,
    "int plus duration": lambda p: 5 + p.Duration.SECOND,
    "duration plus duration": lambda p: p.Duration.SECOND + p.Duration.MINUTE,
    "duration as int": lambda p: int(p.Duration.HOUR),
    "duration as float": lambda p: float(p.Duration.HOUR),
    "duration equals its value": lambda p: p.Duration.SECOND == 1000,
    "duration equals itself": lambda p: p.Duration.SECOND == p.Duration.SECOND,
    "duration differs": lambda p: p.Duration.SECOND == p.Duration.MINUTE,
    "duration from value": lambda p: p.Duration(60000).name,
    "duration from a wrong value": lambda p: p.Duration(7),
    "duration minus": lambda p: p.Duration.SECOND - 1,
    "duration divided": lambda p: p.Duration.SECOND / 2,
    "duration compared": lambda p: p.Duration.SECOND < p.Duration.MINUTE,
    "duration hashed": lambda p: hash(p.Duration.SECOND),
    "duration times None": lambda p: p.Duration.SECOND * None,
    "duration times 1.0": lambda p: p.Duration.SECOND * 1.0,
    "duration plus a half": lambda p: p.Duration.SECOND + 0.5,
    "a half times duration": lambda p: 0.5 * p.Duration.SECOND,
    "a half plus duration": lambda p: 0.5 + p.Duration.SECOND,
    # Rates and items.
    "rate": lambda p: (p.Rate(5, 1000).limit, p.Rate(5, 1000).interval, p.Rate(5, 1000).burst),
    "rate of a duration": lambda p: p.Rate(5, p.Duration.MINUTE).interval,
    "rate of a product": lambda p: p.Rate(5, p.Duration.MINUTE * 1.5).interval,
    "rate with a burst": lambda p: p.Rate(5, 1000, 9).burst,
    "rate by names": lambda p: repr(p.Rate(interval=1000, limit=5, burst=2)),
    "rate as text": lambda p: str(p.Rate(5, 1000)),
    "rate as repr": lambda p: repr(p.Rate(5, 1000)),
    "rate with burst as text": lambda p: str(p.Rate(5, 1000, 9)),
    "rate with burst as repr": lambda p: repr(p.Rate(5, 1000, 9)),
    "rate with the limit as burst": lambda p: repr(p.Rate(5, 1000, 5)),
    "rate of a float interval": lambda p: p.Rate(5, 1.5).interval,
    "rate of a text interval": lambda p: p.Rate(5, "60").interval,
    "rate without limit": lambda p: p.Rate(0, 1000),
    "rate with limit None": lambda p: p.Rate(None, 1000),
    "rate without interval": lambda p: p.Rate(5, 0),
    "rate with interval None": lambda p: p.Rate(5, None),
    "rate with interval x": lambda p: p.Rate(5, "x"),
    "rate with burst 0": lambda p: p.Rate(5, 1000, 0),
    "rate with a negative burst": lambda p: p.Rate(5, 1000, -1),
    "rate with a negative limit": lambda p: p.Rate(-5, 1000),
    "rate with a text limit": lambda p: p.Rate("5", 1000),
    "rate without arguments": lambda p: p.Rate(),
    "rates compare by identity": lambda p: p.Rate(5, 1000) == p.Rate(5, 1000),
    "rates hash": lambda p: len({p.Rate(5, 1000), p.Rate(5, 1000)}),
    "rate takes attributes": lambda p: setattr(p.Rate(5, 1000), "note", 1),
    "item": lambda p: p.RateItem("a", 5),
    "item by names": lambda p: p.RateItem(weight=3, timestamp=1, name="x"),
    "item as text": lambda p: str(p.RateItem("a", 5)),
    "item of anything": lambda p: p.RateItem(None, "never", -1.5).timestamp,
    "items compare by identity": lambda p: p.RateItem("a", 5) == p.RateItem("a", 5),
    # Decisions.
    "a decision": lambda p: p.Decision(),
    "a decision is always true": lambda p: bool(p.Decision(p.Rate(1, 1), 5)),
    "a denial": lambda p: p.Decision(p.Rate(1, 1), 5),
    "decisions compare by value": lambda p: p.Decision() == p.Decision(),
    "decisions hash": lambda p: len({p.Decision(), p.Decision()}),
    "decisions have no order": lambda p: p.Decision() < p.Decision(),
    "decisions are frozen": lambda p: setattr(p.Decision(), "retry_after_ms", 5),
    # Lists of rates.
    **{f"validate {name}": lambda p, name=name: p.validate_rate_list(rate_lists(p)[name]) for name in LISTS},
    "validate None": lambda p: p.validate_rate_list(None),
    **{f"enforce {name}": lambda p, name=name: p.utils.enforce_rate_list(rate_lists(p)[name]) for name in LISTS},
    **{f"bucket of {name}": lambda p, name=name: p.InMemoryBucket(rate_lists(p)[name]).rates for name in LISTS},
    **{f"state bucket of {name}": lambda p, name=name: p.StateBucket(rate_lists(p)[name]).rates for name in LISTS},
    **{f"limiter of {name}": lambda p, name=name: p.Limiter(rate_lists(p)[name]).close() for name in LISTS},
    "bucket of a rate": lambda p: p.InMemoryBucket(p.Rate(1, 1)),
    "bucket of None": lambda p: p.InMemoryBucket(None),
    "bucket of a number": lambda p: p.InMemoryBucket([1]),
    "bucket of rates and a number": lambda p: p.InMemoryBucket([p.Rate(1, 1), 1]),
    "bucket without rates": lambda p: p.InMemoryBucket(),
    # Limiters.
    "limiter of a rate": lambda p: [str(each) for each in p.Limiter(p.Rate(1, 1)).buckets()[0].rates],
    "limiter of a number": lambda p: p.Limiter(5),
    "limiter of None": lambda p: p.Limiter(None),
    "limiter of a list of numbers": lambda p: p.Limiter([1]),
    "limiter of a rate and a number": lambda p: p.Limiter([p.Rate(1, 1), 1]),
    "limiter of an iterator": lambda p: p.Limiter(iter([p.Rate(1, 1)])),
    "limiter of a class": lambda p: p.Limiter(p.InMemoryBucket),
    "limiter of a limiter": lambda p: p.Limiter(limiter(p)),
    "limiter with a clock": lambda p: p.Limiter(p.Rate(1, 1), clock=1),
    "limiter by name": lambda p: p.Limiter(argument=p.Rate(1, 1), buffer_ms=7).buffer_ms,
    "limiter with a negative buffer": lambda p: limiter(p, buffer_ms=-1).buffer_ms,
    "the usual buffer": lambda p: limiter(p).buffer_ms,
    # Acquiring.
    "acquire": lambda p: limiter(p).try_acquire(),
    "acquire by names": lambda p: limiter(p).try_acquire(name="x", weight=2, blocking=True, timeout=-1),
    "acquire by position": lambda p: limiter(p).try_acquire("x", 1, True, 5),
    "acquire twice what there is": lambda p: [
        limiter(p).try_acquire("x", 3),
        limiter(p).try_acquire("x", 3, timeout=5),
    ],
    "acquire with a timeout below zero": lambda p: limiter(p).try_acquire("x", timeout=-2),
    "acquire with a timeout just below zero": lambda p: limiter(p).try_acquire("x", timeout=-0.5),
    "acquire with timeout -1.0": lambda p: limiter(p).try_acquire("x", timeout=-1.0),
    "acquire without waiting but with a timeout": lambda p: limiter(p).try_acquire("x", blocking=False, timeout=1),
    "acquire without waiting but with timeout 0": lambda p: limiter(p).try_acquire("x", blocking=False, timeout=0),
    "both wrong: the timeout is looked at first": lambda p: limiter(p).try_acquire("x", blocking=False, timeout=-2),
    "acquire with timeout None": lambda p: limiter(p).try_acquire("x", timeout=None),
    "acquire with a text as timeout": lambda p: limiter(p).try_acquire("x", timeout="x"),
    "acquire with an endless timeout": lambda p: limiter(p).try_acquire("x", timeout=float("inf")),
    "acquire with no number as timeout": lambda p: limiter(p).try_acquire("x", timeout=float("nan")),
    "acquire weight 0": lambda p: limiter(p).try_acquire("x", 0),
    "acquire weight 0 with a wrong timeout": lambda p: limiter(p).try_acquire("x", 0, timeout=-3),
    "acquire a negative weight": lambda p: limiter(p).try_acquire("x", -1),
    "acquire a text": lambda p: limiter(p).try_acquire("x", "1"),
    "acquire True": lambda p: limiter(p).try_acquire("x", True),
    "acquire a huge weight": lambda p: limiter(p).try_acquire("x", 10**30),
    **{
        f"acquire for {name!r}": lambda p, name=name: limiter(p).try_acquire(name)
        for name in (None, 5, len, "", "\0", "ü", "x" * 10240)
    },
    "an unknown argument": lambda p: limiter(p).try_acquire("x", wait=True),
    "too many arguments": lambda p: limiter(p).try_acquire("x", 1, True, -1, 5),
    # Puts and waits.
    "waiting of weight 0 after a denial": lambda p: denied(p).waiting(p.RateItem("x", 5, 0)),
    "waiting of a negative weight after a denial": lambda p: denied(p).waiting(p.RateItem("x", 5, -1)),
    "waiting before any denial": lambda p: p.InMemoryBucket([p.Rate(1, 1)]).waiting(p.RateItem("x", 5, 0)),
    "a wrapper of None": lambda p: p.BucketAsyncWrapper(None),
    "a context of a bucket": lambda p: enter(p.InMemoryBucket([p.Rate(1, 1)])),
    "a context of a limiter": lambda p: enter(limiter(p)),
    # Abstract things.
    **{
        f"make {name}": lambda p, name=name: getattr(p, name)()
        for name in ("AbstractBucket", "BucketFactory", "AbstractClock", "LogAlgorithm", "StateAlgorithm", "StateStore")
    },
    "make Algorithm": lambda p: p.Algorithm().max_weight(p.Rate(3, 4, 5)),
    # Decorators.
    "a decorated function": lambda p: decorated(p)(4),
    "its name": lambda p: [decorated(p).__name__, decorated(p).__doc__, str(inspect.signature(decorated(p)))],
    "a decorator by position": lambda p: limiter(p).as_decorator("x"),
    "a decorator of a function by position": lambda p: limiter(p).as_decorator(len),
    "a weight that never fits": lambda p: decorated(p, weight=3)(4),
    "a negative weight in a decorator": lambda p: decorated(p, weight=-1)(4),
    "weight 0 in a decorator": lambda p: decorated(p, weight=0)(4),
    "a number as name in a decorator": lambda p: decorated(p, name=7)(4),
    "a never-fitting weight under a number as name": lambda p: decorated(p, name=7, weight=9)(4),
    # Ready-made limiters.
    "the usual rate in memory": lambda p: [str(r) for r in made(p, p.limiter_factory.create_inmemory_limiter()).rates],
    "a rate in memory": lambda p: [
        str(r) for r in made(p, p.limiter_factory.create_inmemory_limiter(7, p.Duration.MINUTE, 9)).rates
    ],
    "no rate in memory": lambda p: p.limiter_factory.create_inmemory_limiter(0),
    "the usual token bucket": lambda p: [
        str(r) for r in made(p, p.limiter_factory.create_token_bucket_limiter()).rates
    ],
    "a token bucket": lambda p: [
        str(r) for r in made(p, p.limiter_factory.create_token_bucket_limiter(5, 1000, burst=10)).rates
    ],
    "the algorithm of a token bucket": lambda p: (
        type(made(p, p.limiter_factory.create_token_bucket_limiter()).algorithm).__name__
    ),
    "the global limiter before it is made": lambda p: p.limiter_factory.LIMITER,
    "ids": lambda p: [
        len(p.id_generator()),
        len(p.id_generator(5)),
        len(p.id_generator(size=40)),
        int(p.id_generator(), 16) >= 0,
    ],
}


def denied(p: ModuleType) -> Any:
    bucket = p.InMemoryBucket([p.Rate(1, 1000)])
    bucket.put(p.RateItem("x", 0))
    bucket.put(p.RateItem("x", 0))
    return bucket


def enter(thing: Any) -> bool:
    with thing as entered:
        return entered is thing


def made(p: ModuleType, limiter: Any) -> Any:
    bucket = limiter.bucket_factory.bucket
    limiter.close()
    return bucket


@pytest.mark.parametrize("name", [name for name in CALLS if name not in differences.CALLS])
def test_a_call_has_the_outcome_of_the_reference(name: str) -> None:
    ours, theirs = outcome(lambda: CALLS[name](SCUPPER)), outcome(lambda: CALLS[name](ORACLE))
    if differences.same_but_for_pythons_words(ours, theirs):
        assert ours[2] != "", "the reference is silent; ours says what is wrong"
    else:
        assert ours == theirs


@pytest.mark.parametrize("name", differences.CALLS)
def test_a_call_differs_from_the_reference_on_purpose(name: str) -> None:
    expected = differences.CALLS[name]
    assert outcome(lambda: CALLS[name](SCUPPER)) == expected
    assert outcome(lambda: CALLS[name](ORACLE)) != expected, "it differs no more: take it off the table"
