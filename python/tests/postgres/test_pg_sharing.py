"""A bucket over the user's pool, and one by URL: who names the same key shares it, in whatever language it is decided."""

from typing import Any

import pytest

from postgres.shared import DAY, bucket, limiter, rates
from support.packages import SCUPPER
from support.servers import Postgres
from support.threads import BOUND, together

ALGORITHMS = {
    "sliding-window-log": SCUPPER.SlidingWindowLog(),
    "fixed-window": SCUPPER.FixedWindow(),
    "gcra": SCUPPER.GCRA(),
}


def opened(server: Postgres, table: str, *pairs: Any, schema: str = "scupper", **named: Any) -> Any:
    url = f"{server.url}?schema={schema}"
    return SCUPPER.Limiter.open(url, rates(*pairs), key=table, call_timeout=BOUND, **named)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_limiter_by_url_counts_in_the_same_bucket(server: Postgres, pool: Any, table: str, name: str) -> None:
    mine = limiter(pool, table, (5, DAY), algorithm=ALGORITHMS[name])
    with opened(server, table, (5, DAY), algorithm=name) as other:
        answers = [limits.try_acquire("x", blocking=False) for _ in range(4) for limits in (mine, other)]
        assert answers == [True] * 5 + [False] * 3
        other.reset("x")
        assert mine.try_acquire("x", weight=5, blocking=False) is True
        assert other.try_acquire("x", blocking=False) is False


def test_a_schema_that_one_has_made_is_the_others(server: Postgres, pool: Any, table: str) -> None:
    with opened(server, table, (1, DAY), schema="of_the_url") as other:
        assert other.try_acquire("x", blocking=False) is True
        assert limiter(pool, table, (1, DAY), schema="of_the_url").try_acquire("x", blocking=False) is False


def test_both_at_once_are_exact_also_with_other_rates(server: Postgres, pool: Any, table: str) -> None:
    mine = [limiter(pool, table, (60, DAY)) for _ in range(4)]
    with opened(server, table, (60, DAY)) as one, opened(server, table, (60, DAY), (90, DAY * 2)) as other:
        limits = [*mine, one, one, other, other]
        admitted = together(8, lambda index: sum(limits[index].try_acquire("x", blocking=False) for _ in range(12)))
        assert sum(admitted) == 60
        assert bucket(pool, table, (60, DAY)).count() == 60


def test_what_is_given_back_or_held_by_url_counts_here(server: Postgres, pool: Any, table: str) -> None:
    made = bucket(pool, table, (3, DAY))
    mine = SCUPPER.Limiter(made)
    with opened(server, table, (3, DAY)) as other:
        verdict = other.decide("x", weight=3)
        assert verdict and not mine.try_acquire("x", blocking=False)
        assert other.refund(verdict) == 3
        assert mine.try_acquire("x", blocking=False)
        other.hold("x", 600.0)
        assert not mine.try_acquire("x", blocking=False)
        assert 500_000 < made.waiting(SCUPPER.RateItem("x", made.now())) <= 600_000
        assert other.peek("x").used == made.count() == 1
