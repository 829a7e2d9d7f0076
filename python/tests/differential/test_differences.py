"""What differs from the reference on purpose: both outcomes are written down. `python/DIFFERENCES.md` says why."""

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from differential.scenario import Scenario, Step, outcome, plain, play
from support.packages import ORACLE, SCUPPER

LIST = Path(__file__).parents[2] / "DIFFERENCES.md"
TESTS = Path(__file__).parents[1]


def puts(*pairs: tuple[int, int]) -> tuple[Step, ...]:
    return tuple(("put", timestamp, weight) for timestamp, weight in pairs)


def results(package: ModuleType, scenario: Scenario) -> list[Any]:
    """What the steps returned, or the types of what they raised."""
    return [
        value[1] if how == "returned" and isinstance(value, tuple) else value
        for (how, value, *_), _ in play(package, scenario)
    ]


def differ(scenario: Scenario, *, ours: list[Any], theirs: list[Any]) -> None:
    assert (results(SCUPPER, scenario), results(ORACLE, scenario)) == (ours, theirs)
    assert ours != theirs


def differ_in_call(call: Callable[[ModuleType], Any], *, ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> None:
    assert (outcome(lambda: call(SCUPPER)), outcome(lambda: call(ORACLE))) == (ours, theirs)
    assert ours != theirs


def test_a_wait_is_over_all_rates() -> None:
    differ(
        Scenario(
            "sliding_window_log",
            ((1, 10, None), (2, 1000, None)),
            (*puts((0, 1), (100, 1), (105, 1)), ("waiting", 105, 1), *puts((111, 1))),
        ),
        ours=[True, True, False, 896, False],
        theirs=[True, True, False, 6, False],
    )


def test_a_put_of_an_earlier_time_counts_from_the_latest_time() -> None:
    """An earlier time frees nothing and takes nothing back: what is put late counts as put at the latest time seen."""
    times = (5000, 4000, 4500, 3000, 4200, 5500, 3500, 6001, 6500, 7000, 4100, 9500, 10001)
    differ(
        Scenario("sliding_window_log", ((3, 1000, None), (5, 5000, None)), puts(*((time, 1) for time in times))),
        ours=[True, True, True, False, False, False, False, True, True, False, False, False, True],
        theirs=[True, True, True, False, False, True, False, True, False, False, False, True, True],
    )


def test_gcra_decides_an_earlier_time_as_the_latest_time() -> None:
    differ(
        Scenario("gcra", ((4, 1000, None),), puts((1000, 2), (500, 1), (500, 1), (500, 1))),
        ours=[True, True, True, False],
        theirs=[True, False, False, False],
    )


def test_gcra_loses_nothing_by_rounding() -> None:
    differ(
        Scenario("gcra", ((3_000_000, 1000, None),), puts((0, 3_000_000), (1, 3000), (1, 1))),
        ours=[True, True, False],
        theirs=[True, False, True],
    )


def test_the_number_of_rates_of_a_state_may_change_while_in_use() -> None:
    differ(
        Scenario(
            "gcra",
            ((2, 100, None),),
            (*puts((0, 1)), ("set_rates", (2, 100, None), (3, 1000, None)), *puts((0, 1), (0, 1))),
        ),
        ours=[True, ["list", "limit=2/100", "limit=3/1000"], True, False],
        theirs=[True, ["list", "limit=2/100", "limit=3/1000"], "ValueError", "ValueError"],
    )


def test_a_longer_fixed_window_counts_from_its_change() -> None:
    differ(
        Scenario(
            "fixed_window", ((4, 100, None),), (*puts((7, 1)), ("set_rates", (1, 3000, None)), *puts((8, 1), (9, 1)))
        ),
        ours=[True, ["list", "limit=1/3000"], True, False],
        theirs=[True, ["list", "limit=1/3000"], False, False],
    )


def test_a_negative_weight_is_refused_by_a_bucket() -> None:
    for make in (lambda p: p.InMemoryBucket([p.Rate(1, 1000)]), lambda p: p.StateBucket([p.Rate(1, 1000)])):
        differ_in_call(
            lambda p, make=make: make(p).put(p.RateItem("x", 0, -1)),
            ours=("raised", "ValueError", "item's weight is -1; it must be >= 0"),
            theirs=("returned", ("bool", True)),
        )


def test_a_negative_time_is_refused_by_a_bucket() -> None:
    assert outcome(lambda: ORACLE.InMemoryBucket([ORACLE.Rate(1, 1)]).put(ORACLE.RateItem("x", -5))) == (
        "returned",
        ("bool", True),
    )
    with pytest.raises(ValueError, match="^the timestamp is -5; it must be at least 0"):
        SCUPPER.InMemoryBucket([SCUPPER.Rate(1, 1)]).put(SCUPPER.RateItem("x", -5))


def test_a_negative_index_shows_nothing() -> None:
    differ(
        Scenario("sliding_window_log", ((3, 1000, None),), (*puts((0, 1), (5, 1)), ("peek", -1))),
        ours=[True, True, None],
        theirs=[True, True, "a name"],
    )


def test_a_log_refuses_an_algorithm_that_keeps_a_state() -> None:
    assert ORACLE.InMemoryBucket([ORACLE.Rate(1, 1)], ORACLE.GCRA()) is not None
    with pytest.raises(TypeError, match="must decide from a log"):
        SCUPPER.InMemoryBucket([SCUPPER.Rate(1, 1)], SCUPPER.GCRA())


def test_the_list_of_items_is_a_copy() -> None:
    def emptied(package: ModuleType) -> Any:
        bucket = package.InMemoryBucket([package.Rate(2, 1000)])
        bucket.put(package.RateItem("x", 0, 2))
        shown = [plain(item) for item in bucket.items]
        assert shown == [("RateItem", "x", 0, 2)] * 2
        bucket.items.clear()
        return bucket.count()

    differ_in_call(emptied, ours=("returned", ("int", 2)), theirs=("returned", ("int", 0)))


def test_the_list_of_rates_is_changed_by_assignment() -> None:
    def appended(package: ModuleType) -> Any:
        bucket = package.InMemoryBucket([package.Rate(2, 1000)])
        bucket.rates.append(package.Rate(3, 5000))
        return [bucket.put(package.RateItem("x", time)) for time in (0, 0, 1001, 1001)]

    verdicts = (("bool", True),) * 3
    differ_in_call(
        appended,
        ours=("returned", ["list", *verdicts, ("bool", True)]),
        theirs=("returned", ["list", *verdicts, ("bool", False)]),
    )


def test_peek_shows_an_equal_item_and_not_the_same() -> None:
    def same(package: ModuleType) -> bool:
        bucket, item = package.InMemoryBucket([package.Rate(2, 1000)]), package.RateItem("x", 3)
        bucket.put(item)
        assert plain(bucket.peek(0)) == plain(item)
        return bucket.peek(0) is item

    differ_in_call(same, ours=("returned", ("bool", False)), theirs=("returned", ("bool", True)))


def test_a_test_that_the_list_names_is_there() -> None:
    named = set(re.findall(r"\btest_\w+", LIST.read_text()))
    files = list(TESTS.rglob("test_*.py"))
    there = {name for path in files for name in re.findall(r"def (test_\w+)", path.read_text())} | {
        path.stem for path in files
    }
    assert len(named) >= 10
    assert named - there == set()


def test_every_difference_is_on_the_list() -> None:
    here = set(re.findall(r"^def (test_\w+)", Path(__file__).read_text(), re.MULTILINE))
    about_the_list = {"test_a_test_that_the_list_names_is_there", "test_every_difference_is_on_the_list"}
    assert here - about_the_list - set(re.findall(r"\btest_\w+", LIST.read_text())) == set()


def test_part_of_a_millisecond_of_an_interval_counts_as_one() -> None:
    differ_in_call(lambda p: p.Rate(5, 1.5).interval, ours=("returned", ("int", 2)), theirs=("returned", ("int", 1)))
    assert all(package.Rate(5, 2.0).interval == 2 for package in (SCUPPER, ORACLE))
    for package in (SCUPPER, ORACLE):
        with pytest.raises(AssertionError):
            package.Rate(5, 0.5)


def test_a_second_rate_is_not_taken_for_the_buffer() -> None:
    def made(package: ModuleType) -> str:
        with package.Limiter(package.Rate(5, 1000), package.Rate(100, 60_000)) as limiter:
            return str(limiter.buffer_ms)

    with pytest.raises(TypeError, match="buffer_ms must be a number, not a Rate; give the rates as one list"):
        made(SCUPPER)
    assert made(ORACLE) == "limit=100/1.0m"


def test_one_rate_makes_a_bucket_and_a_tuple_a_limiter() -> None:
    rate = SCUPPER.Rate(5, 1000)
    assert SCUPPER.InMemoryBucket(rate).rates == SCUPPER.Limiter((rate,)).buckets()[0].rates == [rate]
    with pytest.raises(TypeError):
        ORACLE.InMemoryBucket(ORACLE.Rate(5, 1000))
    with pytest.raises(AssertionError):
        ORACLE.Limiter((ORACLE.Rate(5, 1000),))
