"""Scenarios written by hand: the edges that a generator meets too seldom."""

import pytest

from differential.compare import disagreement
from differential.scenario import Scenario

LOG, FIXED, GCRA, TOKENS = "sliding_window_log", "fixed_window", "gcra", "token_bucket"


def puts(*pairs: tuple[int, int]) -> tuple[tuple[str, int, int], ...]:
    return tuple(("put", timestamp, weight) for timestamp, weight in pairs)


SCENARIOS = {
    "an entry counts until one tick after its window": Scenario(
        LOG, ((1, 1000, None),), (*puts((0, 1), (999, 1), (1000, 1), (1001, 1), (2001, 1), (2002, 1)),)
    ),
    "the wait is to the first tick that admits": Scenario(
        LOG,
        ((1, 1000, None),),
        (*puts((0, 1), (700, 1)), ("waiting", 700, 1), ("waiting", 1000, 1), ("waiting", 1001, 1)),
    ),
    "an interval of one tick": Scenario(
        LOG, ((2, 1, None),), puts((5, 1), (5, 1), (5, 1), (6, 1), (7, 1), (7, 2), (9, 2))
    ),
    "the first tick of all": Scenario(LOG, ((1, 10, None),), (*puts((0, 1), (0, 1)), ("count",), ("peek", 0))),
    "thousands in one tick": Scenario(
        LOG, ((2000, 1000, None),), (*(("put", 7, 1),) * 2001, ("waiting", 7, 1), ("count",), ("put", 1008, 2000))
    ),
    "weight zero takes no room": Scenario(
        LOG, ((1, 1000, None),), (*puts((0, 0), (0, 1), (0, 0)), ("acquire", 0), ("count",))
    ),
    "weight of the limit": Scenario(LOG, ((3, 100, None),), (*puts((0, 3), (0, 1), (100, 3), (101, 3)), ("count",))),
    "weight over the limit never fits": Scenario(
        LOG,
        ((3, 100, None),),
        (*puts((0, 4)), ("waiting", 0, 4), ("decide", 0, 4), ("acquire", 4), ("acquire_at_once", 4), ("count",)),
    ),
    "weight that fits one rate and not the other": Scenario(
        LOG,
        ((2, 100, None), (4, 1000, None)),
        (*puts((0, 3)), ("waiting", 0, 3), ("decide", 0, 5), ("put", 0, 2), ("put", 101, 3)),
    ),
    "all of a heavy request or nothing": Scenario(
        LOG,
        ((5, 100, None),),
        (*puts((0, 3), (10, 3), (20, 2), (30, 1)), ("count",), *puts((101, 3), (111, 1), (121, 2))),
    ),
    "the rate that failed is the first of the list": Scenario(
        LOG, ((2, 100, None), (3, 1000, None)), puts((0, 2), (50, 1), (101, 1), (150, 1), (300, 1), (1001, 1))
    ),
    "a grant takes the failing rate away": Scenario(LOG, ((1, 10, None),), puts((0, 1), (5, 1), (11, 1))),
    "a flush forgets all": Scenario(
        LOG,
        ((2, 100, None),),
        (*puts((0, 2), (1, 1)), ("flush",), ("count",), ("peek", 0), ("waiting", 1, 1), ("put", 1, 2)),
    ),
    "a flush of an empty bucket": Scenario(LOG, ((2, 100, None),), (("flush",), ("count",), ("flush",))),
    "leaking takes what lies before the longest window": Scenario(
        LOG,
        ((3, 100, None), (5, 1000, None)),
        (
            *puts((0, 1), (10, 2)),
            ("leak", 0),
            ("leak", 1000),
            ("count",),
            ("leak", 1001),
            ("count",),
            ("leak", 1010),
            ("leak", 1011),
            ("count",),
        ),
    ),
    "leaking needs a time": Scenario(LOG, ((3, 100, None),), (("leak",), ("put", 0, 1), ("leak",), ("count",))),
    "leaking an empty bucket": Scenario(LOG, ((3, 100, None),), (("leak", 0), ("leak", 10**12))),
    "peek shows units, the newest first": Scenario(
        LOG,
        ((5, 1000, None),),
        (*puts((0, 2), (3, 1), (9, 2)), *(("peek", index) for index in range(7)), ("count",)),
    ),
    "peek of an empty bucket": Scenario(LOG, ((5, 1000, None),), (("peek", 0), ("peek", 3))),
    "three rates, each in turn": Scenario(
        LOG,
        ((2, 10, None), (3, 100, None), (4, 1000, None)),
        puts(
            (0, 1),
            (0, 1),
            (0, 1),
            (10, 1),
            (11, 1),
            (22, 1),
            (100, 1),
            (101, 1),
            (102, 1),
            (1000, 1),
            (1001, 2),
            (1002, 1),
        ),
    ),
    "rates in any order": Scenario(LOG, ((6, 2000, None), (5, 1000, None)), puts((0, 5), (0, 1), (1001, 1), (1002, 1))),
    "rates made tighter while in use": Scenario(
        LOG,
        ((5, 1000, None),),
        (*puts((0, 3)), ("set_rates", (2, 1000, None)), *puts((10, 1), (1000, 1), (1001, 2), (1001, 1))),
    ),
    "rates made looser while in use": Scenario(
        LOG,
        ((1, 1000, None),),
        (*puts((0, 1), (1, 1)), ("set_rates", (3, 1000, None)), *puts((2, 1), (3, 1), (4, 1), (1001, 1))),
    ),
    "more rates while in use": Scenario(
        LOG,
        ((3, 100, None),),
        (*puts((0, 2)), ("set_rates", (3, 100, None), (4, 1000, None)), *puts((50, 1), (101, 1), (200, 1), (1001, 2))),
    ),
    "fewer rates while in use": Scenario(
        LOG,
        ((2, 100, None), (3, 1000, None)),
        (*puts((0, 2), (101, 1), (202, 1)), ("set_rates", (2, 100, None)), *puts((203, 2), (204, 1))),
    ),
    "rates that are none are refused and change nothing": Scenario(
        LOG, ((1, 1000, None),), (("set_rates",), ("set_rates", (1, 10, None), (1, 20, None)), *puts((0, 1), (0, 1)))
    ),
    "far timestamps": Scenario(LOG, ((1, 1000, None),), puts((10**12, 1), (10**12 + 1000, 1), (10**12 + 1001, 1))),
    "limiter and puts in one timeline": Scenario(
        LOG,
        ((2, 1000, None),),
        (
            ("at", 100),
            ("acquire", 1),
            ("put", 150, 1),
            ("acquire", 1),
            ("peek", 0),
            ("peek", 1),
            ("at", 1101),
            ("acquire", 1),
            ("put", 1150, 1),
            ("put", 1151, 1),
        ),
    ),
    "async and sync callers share the bucket": Scenario(
        LOG,
        ((2, 1000, None),),
        (("at", 5), ("acquire", 1), ("acquire_async", 1), ("acquire_async", 1), ("acquire", 1), ("count",)),
    ),
    "fixed windows begin at multiples": Scenario(
        FIXED, ((2, 1000, None),), (*puts((999, 2), (999, 1), (1000, 2), (1999, 1), (2000, 1)), ("waiting", 1999, 1))
    ),
    "the wait of a fixed window is to its end": Scenario(
        FIXED,
        ((1, 1000, None),),
        (*puts((1400, 1), (1400, 1)), ("waiting", 1400, 1), ("waiting", 1999, 1), ("decide", 1000, 1)),
    ),
    "two fixed windows": Scenario(
        FIXED,
        ((2, 100, None), (3, 1000, None)),
        puts((0, 2), (99, 1), (100, 1), (200, 1), (999, 1), (1000, 2), (1050, 1)),
    ),
    "a weight over the limit of a fixed window": Scenario(FIXED, ((2, 100, None),), (*puts((0, 3)), ("waiting", 0, 3))),
    "leaking of fixed windows": Scenario(
        FIXED, ((3, 100, None),), (*puts((10, 1), (90, 1)), ("leak", 99), ("count",), ("leak", 100), ("count",))
    ),
    "GCRA admits its burst and then one at a time": Scenario(
        GCRA,
        ((5, 1000, 10),),
        (*puts((0, 10), (0, 1), (199, 1), (200, 1), (200, 1), (600, 2), (600, 1)), ("waiting", 600, 1)),
    ),
    "GCRA without a burst": Scenario(
        GCRA, ((2, 1000, None),), puts((0, 1), (0, 1), (0, 1), (499, 1), (500, 1), (1000, 1), (3000, 2), (3000, 1))
    ),
    "GCRA with a burst of one": Scenario(GCRA, ((5, 1000, 1),), puts((0, 1), (0, 1), (199, 1), (200, 1), (200, 2))),
    "GCRA over the burst never fits": Scenario(
        GCRA, ((2, 1000, 4),), (*puts((0, 5)), ("waiting", 0, 5), ("decide", 0, 5), ("acquire", 5))
    ),
    "GCRA counts what is owed": Scenario(
        GCRA,
        ((4, 1000, None),),
        (
            ("count",),
            *puts((0, 3)),
            ("count",),
            ("at", 250),
            ("count",),
            ("at", 251),
            ("count",),
            ("at", 10**6),
            ("count",),
            ("peek", 0),
            ("leak",),
            ("leak", 7),
        ),
    ),
    "GCRA forgets by a flush": Scenario(
        GCRA, ((1, 1000, None),), (*puts((0, 1), (0, 1)), ("flush",), *puts((0, 1)), ("count",))
    ),
    "GCRA says what another request waits": Scenario(
        GCRA,
        ((2, 1000, 4),),
        (*puts((0, 4), (0, 1)), ("waiting", 0, 1), ("waiting", 0, 2), ("waiting", 300, 1), ("waiting", 0, 5)),
    ),
    "GCRA weight zero": Scenario(GCRA, ((1, 1000, None),), (*puts((0, 0), (0, 1), (0, 0)), ("count",))),
    "GCRA with two rates": Scenario(
        GCRA, ((2, 100, 2), (4, 1000, 4)), puts((0, 2), (50, 1), (100, 1), (100, 1), (150, 1), (250, 1), (500, 1))
    ),
    "a token bucket is GCRA by another name": Scenario(
        TOKENS, ((5, 1000, 10),), (*puts((0, 10), (0, 1), (200, 1)), ("count",))
    ),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_written_scenario_gives_the_results_of_the_reference(name: str) -> None:
    assert disagreement(SCENARIOS[name]) is None, disagreement(SCENARIOS[name])
