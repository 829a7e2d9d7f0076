"""The native bucket: decisions at times of the caller's, names, and what is refused."""

import time

import pytest

from scupper._scupper import LimiterBase, MemoryBucket

HOUR = 3_600_000


def bucket_of(*rates, algorithm="sliding_window_log"):
    return MemoryBucket([(limit, interval, limit) for limit, interval in rates], algorithm)


class Limiter(LimiterBase):
    def __init__(self, bucket=None):
        self.asked = []
        self._bind(bucket)

    def _try_acquire(self, **arguments):
        self.asked.append(arguments)
        return "asked in Python"


def test_its_clock_is_that_of_python():
    bucket = bucket_of((1, HOUR))
    before = time.monotonic_ns() // 1_000_000
    now = bucket.now()
    after = time.monotonic_ns() // 1_000_000
    # The two are compared to a microsecond.
    assert before - 1 <= now <= after + 1


def test_native_decisions_and_puts_are_of_one_time():
    bucket = bucket_of((2, HOUR))
    assert bucket.try_now("now", 1)
    assert bucket.put("put", bucket.now(), 1) is None
    rate, retry_at = bucket.put("late", bucket.now(), 1)
    (_, first, _), _ = bucket.items()
    assert rate == 0
    assert retry_at - HOUR - first in (1, 2)


@pytest.mark.parametrize(("tick", "denial"), [(999, (0, 1001)), (1000, (0, 1001)), (1000.0, (0, 1001)), (1000.001, None), (1001, None)])
def test_windows_are_closed(tick, denial):
    bucket = bucket_of((1, 1000))
    assert bucket.put("first", 0, 1) is None
    assert bucket.put("second", tick, 1) == denial


def test_the_first_rate_without_room_is_named_and_the_wait_is_that_of_all():
    bucket = bucket_of((2, 100), (3, 1000))
    assert [bucket.put("x", tick, 1) for tick in (0, 500, 501)] == [None, None, None]
    assert bucket.put("x", 502, 1) == (0, 1001)
    assert bucket.put("x", 700, 1) == (1, 1001)
    assert bucket.last_denial() == (1, 1, 1001)


def test_what_never_fits_says_so():
    bucket = bucket_of((2, 100))
    assert bucket.put("x", 0, 3) == (0, -1)
    assert bucket.put("x", 0, 10**15) == (0, -1)
    assert bucket.try_now("x", 3) is False
    assert bucket.last_denial() == (3, 0, -1)
    assert bucket.wait("x", 3) is False


@pytest.mark.parametrize("weight", [10**12 + 1, 2**62, 2**64 - 1])
def test_what_is_heavier_than_the_largest_limit_never_fits(weight):
    bucket = bucket_of((10**12, HOUR))
    for _ in ("alone", "behind one who waits"):
        assert bucket.put("x", bucket.now(), min(weight, 2**62)) == (0, -1)
        assert bucket.try_now("x", weight) is False
        assert bucket.last_denial() == (weight, 0, -1)
        assert bucket.wait("x", weight) is False
        assert bucket.reserve("x", weight) is None
        allowed, _, retry_after, never, *_ = bucket.decide_fully("x", weight)
        assert (allowed, retry_after, never) == (False, None, True)
        waiting = bucket.wait_async("x", 1)
    waiting.leave()
    assert bucket.count() == 0 and bucket.try_now("x", 10**12)
    bucket.close()
    with pytest.raises(RuntimeError, match="closed"):
        bucket.try_now("x", weight)


def test_weight_zero_takes_nothing_and_is_no_denial():
    bucket = bucket_of((1, 100))
    assert bucket.put("x", 0, 1) is None
    assert bucket.put("x", 0, 1) is not None
    assert bucket.put("x", 0, 0) is None
    assert bucket.last_denial() is None
    assert bucket.count() == 1


@pytest.mark.parametrize("tick", [-1, -0.5, 2**63 // 1000 + 1, float("inf"), float("nan")])
def test_a_time_that_cannot_be_is_refused(tick):
    with pytest.raises(ValueError, match="timestamp"):
        bucket_of((1, 100)).put("x", tick, 1)


def test_a_negative_weight_is_refused():
    with pytest.raises(ValueError, match="must be >= 0"):
        bucket_of((1, 100)).put("x", 0, -1)


@pytest.mark.parametrize(
    ("rates", "algorithm"),
    [([], "gcra"), ([(0, 1, 1)], "gcra"), ([(1, 0, 1)], "gcra"), ([(2, 9, 2), (1, 99, 1)], "gcra"), ([(1, 1, 1)], "x")],
)
def test_rates_that_cannot_be_are_refused(rates, algorithm):
    with pytest.raises(ValueError, match="rate|limit|interval|algorithm"):
        MemoryBucket(rates, algorithm)
    bucket = bucket_of((1, 100))
    if algorithm != "x":
        with pytest.raises(ValueError, match="rate|limit|interval"):
            bucket.set_rates(rates)
    assert bucket.put("x", 0, 1) is None


def test_names_are_found_by_the_unit_they_took():
    bucket = bucket_of((9, HOUR))
    for tick, (name, weight) in enumerate([("a", 2), ("b", 1), (None, 3)]):
        assert bucket.put(name, tick, weight) is None
    assert [bucket.peek(index) for index in (0, 2, 3, 4, 5, 6, -1)] == [
        (None, 2, 3),
        (None, 2, 3),
        ("b", 1, 1),
        ("a", 0, 2),
        ("a", 0, 2),
        None,
        None,
    ]
    assert bucket.count() == 6


def test_a_leak_gives_up_what_has_left_every_window():
    bucket = bucket_of((2, 10), (9, 100))
    for tick in (0, 20, 40):
        assert bucket.put("x", tick, 2) is None
    assert [bucket.leak(tick) for tick in (100, 101, 121)] == [0, 2, 2]
    assert bucket.count() == 2


def test_after_a_leak_of_all_the_caller_may_go_back_in_time():
    bucket = bucket_of((1, 100))
    assert bucket.put("x", 500, 1) is None
    assert bucket.leak(601) == 1
    assert bucket.put("x", 10, 1) is None
    assert bucket.put("x", 50, 1) == (0, 111)


def test_fixed_windows_begin_at_multiples_of_their_interval():
    bucket = bucket_of((1, 100), algorithm="fixed_window")
    assert bucket.put("x", 199, 1) is None
    assert bucket.put("x", 199, 1) == (0, 200)
    assert bucket.put("x", 200, 1) is None
    assert [bucket.leak(tick) for tick in (199, 299, 300)] == [0, 1, 1]


def test_the_names_of_many_do_not_stay_for_ever():
    bucket = bucket_of((10, 1))
    for tick in range(100_000):
        assert bucket.put("x", tick, 1) is None
    assert bucket.count() <= 1024


def test_gcra_keeps_no_names_but_knows_what_is_owed():
    bucket = MemoryBucket([(2, 1000, 4)], "gcra")
    assert bucket.arrivals() == [0]
    assert bucket.put("x", 0, 4) is None
    assert bucket.put("x", 0, 1) == (0, 500)
    assert (bucket.arrivals(), bucket.used(0), bucket.used(1001), bucket.peek(0)) == ([2_000_000], 4, 2, None)
    assert bucket.try_now("now", 4)
    assert bucket.count() == 4


def test_new_rates_count_what_was_taken():
    bucket = bucket_of((1, 1000))
    assert bucket.put("x", 0, 1) is None
    bucket.set_rates([(3, 1000, 3)])
    assert [bucket.put("x", 1, 1) for _ in range(3)] == [None, None, (0, 1001)]


def test_what_is_not_as_usual_is_left_to_python():
    limiter = Limiter(bucket_of((9, HOUR)))
    assert limiter.try_acquire() is True
    assert limiter.try_acquire("x", 2, False, -1.0) is True
    assert limiter.try_acquire("x", True, 0, -1.0) is True
    for odd in ({"weight": 0}, {"weight": 2**64}, {"weight": 1.5}, {"timeout": None}, {"timeout": -2}):
        assert limiter.try_acquire(**odd) == "asked in Python"
        assert limiter.asked.pop() == {"name": "pyrate", "weight": 1, "timeout": -1, "blocking": True, **odd}
        assert limiter._ask(**odd) is None
    assert limiter.try_acquire(blocking=False, timeout=0) == "asked in Python"


def test_a_limiter_decides_alone_only_while_its_bucket_is_plain():
    bucket = bucket_of((9, HOUR))
    limiter = Limiter(bucket)
    bucket.is_plain = False
    assert (limiter.try_acquire(None), limiter._ask()) == ("asked in Python", None)
    assert limiter.asked[0]["name"] is None
    bucket.is_plain = True
    assert limiter.try_acquire() is True
    limiter._bind(None)
    assert limiter.try_acquire() == "asked in Python"
    limiter._bind(bucket)
    assert limiter.try_acquire() is True


def test_a_limiter_is_of_one_bucket():
    limiter = Limiter(bucket_of((9, HOUR)))
    with pytest.raises(RuntimeError, match="another bucket"):
        limiter._bind(bucket_of((9, HOUR)))
