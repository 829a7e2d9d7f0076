"""What a bucket in Postgres tells and does besides deciding."""

import logging
import pickle
import sys
from typing import Any

import pytest

from postgres.shared import DAY, bucket, id_of, items, limiter, rates, told
from support.packages import ORACLE, SCUPPER
from support.servers import Postgres
from support.threads import eventually


def test_a_flush_forgets_all_and_says_nothing(pool: Any, table: str) -> None:
    made = bucket(pool, table, (1, DAY))
    limits = SCUPPER.Limiter(made)
    assert limits.try_acquire("x", blocking=False) and not limits.try_acquire("x", blocking=False)
    assert made.failing_rate is made.rates[0]
    assert made.flush() is None
    assert (made.failing_rate, made.count(), made._last_wait) == (None, 0, None)
    assert limits.try_acquire("x", blocking=False)


def test_a_unit_that_is_looked_at_has_the_name_of_the_bucket(pool: Any, table: str) -> None:
    made = bucket(pool, table, (9, 1000))
    assert made.put(SCUPPER.RateItem("somebody", 100, 2))
    found = [made.peek(place) for place in (0, 1, 2, -1)]
    assert [(each.name, each.timestamp, each.weight) for each in found[:2]] == [(table, 100, 1)] * 2
    assert found[2:] == [None, None]


def test_no_log_shows_no_units(pool: Any, table: str) -> None:
    made = bucket(pool, table, (9, 1000), algorithm=SCUPPER.FixedWindow())
    assert made.put(items(100)[0]) and made.count() == 1
    assert made.peek(0) is None


def test_what_counts_no_more_is_not_counted_before_it_is_leaked(pool: Any, table: str) -> None:
    made = bucket(pool, table, (3, 1000))
    clock = made._clock = type("At", (), {"now": lambda self: self.time, "time": 5000})()
    assert [made.put(item) for item in items(5000, 5500)] == [True, True]
    clock.time = 6100
    assert (made.count(), made.leak(clock.time), made.count()) == (1, 0, 1)
    with pytest.raises(AssertionError, match="current-time must be passed on for leak"):
        made.leak()


def test_rows_of_buckets_that_owe_nothing_leave(server: Postgres, pool: Any, table: str) -> None:
    made = bucket(pool, table, (3, 100))
    limits = SCUPPER.Limiter(made)
    assert limits.try_acquire("x")

    def is_gone() -> bool:
        made.leak(0)
        return not told(server.url, "SELECT 1 FROM scupper.bucket WHERE id = %s::uuid", id_of(table))

    eventually(is_gone, "the row leaves")
    assert limits.try_acquire("x")
    limits.close()


def test_the_wait_of_another_weight_is_exact(pool: Any, table: str) -> None:
    made = bucket(pool, table, (3, 1000), (4, 2000))
    assert [made.put(item) for item in items(1000, 1500, 1800, 1900)] == [True, True, True, False]
    heavier = SCUPPER.RateItem("x", 1900, 3)
    assert made.waiting(items(1900)[0]) == 101
    # There, one rate after the other is looked at.
    assert made.waiting(heavier) == 3501 - 1900
    assert made.waiting(SCUPPER.RateItem("x", 1900, 4)) == -1
    with pytest.raises(AssertionError, match="weight must > 0"):
        made.waiting(SCUPPER.RateItem("x", 1900, 0))
    assert made.put(SCUPPER.RateItem("x", 3500, 3)) is False
    assert made.put(SCUPPER.RateItem("x", 3501, 3)) is True
    assert made.waiting(heavier) == 0, "nothing failed last"


def test_a_denial_by_several_rates_names_the_one_that_lasts(pool: Any, table: str) -> None:
    made = bucket(pool, table, (2, 1000), (3, 5000))
    assert [made.put(item) for item in items(1000, 2500, 2600, 2700)] == [True, True, True, False]
    assert made.failing_rate is made.rates[1]


def test_weights_that_take_nothing(pool: Any, table: str) -> None:
    made = bucket(pool, table, (1, 1000))
    assert made.put(SCUPPER.RateItem("x", 1, 0)) is True
    assert made.put(SCUPPER.RateItem("x", 1, 2**70)) is False
    with pytest.raises(ValueError, match="weight is -1; it must be >= 0"):
        made.put(SCUPPER.RateItem("x", 1, -1))
    assert made.count() == 0


def test_a_weight_may_be_larger_than_a_smallint(pool: Any, table: str) -> None:
    made = bucket(pool, table, (100_000, DAY))
    assert made.put(SCUPPER.RateItem("x", 1, 70_000)) and not made.put(SCUPPER.RateItem("x", 1, 30_001))
    assert made.count() == 70_000


def test_a_put_that_tells_more(pool: Any, table: str) -> None:
    made = bucket(pool, table, (1, 1000))
    first, second = (made.put_decision(item) for item in items(10, 20))
    assert first.allowed and (second.failing_rate, second.retry_after_ms) == (made.rates[0], 991)


@pytest.mark.parametrize("base", [SCUPPER.SlidingWindowLog, SCUPPER.GCRA])
def test_an_algorithm_of_ones_own_is_refused(pool: Any, table: str, base: Any) -> None:
    with pytest.raises(TypeError, match="the server decides by one of SlidingWindowLog"):
        bucket(pool, table, (1, 1000), algorithm=type("Mine", (base,), {})())
    made = bucket(pool, table, (1, 1000))
    with pytest.raises(TypeError, match="the server decides"):
        made._algorithm = type("Mine", (base,), {})()


def test_a_bucket_of_another_algorithm_is_not_counted_on(pool: Any, table: str) -> None:
    assert limiter(pool, table, (1, DAY)).try_acquire("x", blocking=False)
    other = limiter(pool, table, (1, DAY), algorithm=SCUPPER.GCRA())
    with pytest.raises(RuntimeError, match="kept by sliding-window-log, the request asks for gcra"):
        other.try_acquire("x", blocking=False)


def test_closing_a_limiter_closes_the_pool(pool: Any, table: str) -> None:
    limiter(pool, table, (1, 1000)).close()
    assert pool.closed


def test_a_bucket_in_postgres_is_not_pickled(pool: Any, table: str) -> None:
    for package in (ORACLE, SCUPPER):
        with pytest.raises(TypeError):
            pickle.dumps(package.PostgresBucket(pool, table + "_pickled", [package.Rate(1, 1000)], **_beside(package)))


def _beside(package: Any) -> dict[str, bool]:
    """Both have a bucket of the same name here."""
    return {"ignore_old_table": True} if package is SCUPPER else {}


def test_without_psycopg_it_says_what_to_install(pool: Any, table: str, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for package in (ORACLE, SCUPPER):
        with pytest.raises(ModuleNotFoundError):
            package.PostgresBucket(pool, table, [package.Rate(1, 1000)])
    with pytest.raises(ModuleNotFoundError, match="the extra postgres of scupper"):
        bucket(pool, table, (1, 1000))


def test_a_bucket_has_the_attributes_of_the_reference(pool: Any, table: str) -> None:
    ours = SCUPPER.PostgresBucket(pool, table, rates((1, 1000)))
    theirs = ORACLE.PostgresBucket(pool, table + "_theirs", [ORACLE.Rate(1, 1000)])
    assert {name for name in vars(theirs) if not name.startswith("_")} - {"failing_rate"} <= set(vars(ours))
    assert (ours.table, ours.pool, ours.is_async, ours.limiter_lock()) == (table, pool, False, None)
    assert SCUPPER.buckets.postgres.logger.name == "scupper.buckets.postgres"
    assert isinstance(SCUPPER.buckets.postgres.logger, logging.Logger)


def test_the_statements_can_be_asked_by_hand(server: Postgres, pool: Any, table: str) -> None:
    limits = limiter(pool, table, (5, 1000))
    assert limits.try_acquire("x", weight=2)
    texts = {name: text.format(schema='"scupper"') for name, text in vars(SCUPPER.PgQueries).items() if name.isupper()}
    call = SCUPPER._scupper.PostgresCall("scupper", table, [(5, 1000, 5)], "sliding_window_log")
    values = {
        "id": call.id,
        "microseconds": [10**12],
        "after": "0" * 32,
        "most": 10,
        **{"ids": [call.id], "keys": [table.encode()], "quota_of": [1], "op_key": [1], "weights": [1]},
        **{"quotas": call.acquire(1)[2], "counts": [1], "standings": [0]},
    }
    with pool.connection() as connection:
        answers = {}
        for name, text in texts.items():
            cursor = connection.execute(text, values if "%(" in text else None)
            answers[name] = cursor.fetchall() if cursor.description else None
            connection.commit()
    assert set(answers) == {name for name in vars(ORACLE.PgQueries) if name.isupper()}
    assert answers["COUNT"] == [(2,)] and answers["COUNT_WINDOW"] == [([2],)]
    assert answers["PUT"][0][0][:2] == [1, 1]


def test_the_number_of_the_lock_is_that_under_which_the_schema_is_made() -> None:
    number = SCUPPER.buckets.postgres.advisory_lock_id("any")
    assert f"pg_advisory_xact_lock({number})" in SCUPPER.PgQueries.CREATE_BUCKET_TABLE


def test_one_rate_and_a_tuple_make_a_bucket_too(pool: Any, table: str) -> None:
    rate = SCUPPER.Rate(2, 1000)
    for given in (rate, (rate,)):
        assert SCUPPER.PostgresBucket(pool, table, given).rates == [rate]
