"""The schema: made if it may be, checked, and kept apart from the reference's tables."""

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from postgres.shared import DAY, bucket, limiter, told
from support.packages import ORACLE, SCUPPER
from support.servers import Postgres
from support.threads import BOUND, together


@pytest.fixture
def guest(server: Postgres) -> Iterator[str]:
    """A role that may make nothing."""
    told(server.url_as("postgres"), "CREATE ROLE guest LOGIN; REVOKE CREATE ON DATABASE scupper FROM PUBLIC")
    yield server.url_as("guest")
    told(server.url_as("postgres"), "DROP OWNED BY guest; DROP ROLE guest")


def schemas(server: Postgres) -> set[str]:
    return {name for (name,) in told(server.url, "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_'")}


def test_the_schema_is_made_by_many_at_once(server: Postgres, pool: Any, table: str) -> None:
    def made(_: int) -> bool:
        with ConnectionPool(server.url, min_size=1, max_size=1) as own:
            return bool(limiter(own, table, (8, DAY), schema="made_at_once").try_acquire("x", blocking=False))

    assert together(8, made) == [True] * 8
    assert bucket(pool, table, (8, DAY), schema="made_at_once").count() == 8


@pytest.mark.parametrize("name", ['we"ird; name', "Capitals", "o'clock", "per%cent {s} {id}", "ünï"])
def test_any_name_will_do(server: Postgres, pool: Any, name: str) -> None:
    made = bucket(pool, name, (2, DAY), schema=name)
    limits = SCUPPER.Limiter(made)
    assert [limits.try_acquire(name, blocking=False) for _ in range(3)] == [True, True, False]
    made.rates = [SCUPPER.Rate(3, DAY)]
    assert limits.try_acquire(name, blocking=False), "the other way of deciding"
    assert (made.count(), made.peek(0).name) == (3, name)
    assert name in schemas(server)
    keys = told(server.url, sql.SQL("SELECT key FROM {}.bucket").format(sql.Identifier(name)).as_string())
    assert [bytes(key).decode() for (key,) in keys] == [name]


def test_names_that_differ_in_case_are_two_buckets(pool: Any, table: str) -> None:
    assert limiter(pool, table, (1, DAY)).try_acquire("x", blocking=False)
    assert limiter(pool, table.upper(), (1, DAY)).try_acquire("x", blocking=False)


def test_a_name_that_no_schema_can_have_is_refused(pool: Any, table: str) -> None:
    with pytest.raises(ValueError, match="the name of the schema has 0 bytes"):
        bucket(pool, table, (1, DAY), schema="")


def test_who_may_not_make_it_is_told_what_to_run(guest: str, table: str) -> None:
    with ConnectionPool(guest, min_size=1, max_size=1) as pool:
        with pytest.raises(ValueError) as error:
            bucket(pool, table, (1, DAY), schema="not there")
    assert '`scupper schema postgres --schema "not there" | psql -v ON_ERROR_STOP=1 -d "scupper"`' in str(error.value)
    assert 'GRANT USAGE ON SCHEMA "not there" TO "guest"' in str(error.value)


def test_who_may_not_use_it_is_told_what_to_grant(server: Postgres, guest: str, pool: Any, table: str) -> None:
    bucket(pool, table, (1, DAY), schema="granted")
    for _ in range(4):
        try:
            with ConnectionPool(guest, min_size=1, max_size=1) as own:
                assert limiter(own, table, (1, DAY), schema="granted").try_acquire("x", blocking=False)
            return
        except ValueError as error:
            grants = str(error).partition("have its owner run: ")[2]
            assert grants, error
            told(server.url, grants)
    pytest.fail("what it says is not enough")


def test_who_may_not_make_it_is_told_at_the_first_use_of_a_pool_to_await(guest: str, table: str) -> None:
    async def main() -> None:
        async with AsyncConnectionPool(guest, min_size=1, max_size=1) as pool:
            made = bucket(pool, table, (1, DAY), schema="not there")
            with pytest.raises(ValueError, match="have an owner of the database run"):
                await made.put(SCUPPER.RateItem("x", 1))

    asyncio.run(asyncio.wait_for(main(), BOUND))


def test_a_schema_of_another_version_is_left_alone(server: Postgres, pool: Any, table: str) -> None:
    bucket(pool, table, (1, DAY), schema="newer")
    told(server.url, "CREATE OR REPLACE FUNCTION newer.version() RETURNS int LANGUAGE sql IMMUTABLE RETURN 2")
    with ConnectionPool(server.url, min_size=1, max_size=1) as own:
        with pytest.raises(ValueError, match='the schema "newer" is of version 2, and this library knows 1'):
            bucket(own, table, (1, DAY), schema="newer")


def test_a_schema_that_is_removed_is_an_error_and_is_made_again(server: Postgres, pool: Any, table: str) -> None:
    limits = limiter(pool, table, (1, DAY), schema="removed")
    assert limits.try_acquire("x", blocking=False)
    told(server.url, "DROP SCHEMA removed CASCADE")
    with pytest.raises(psycopg.errors.InvalidSchemaName):
        limits.try_acquire("x", blocking=False)
    assert limits.try_acquire("x", blocking=False)


@pytest.mark.parametrize("name", ["Moved", 'mo"ved', "mo-ved"])
def test_a_table_of_the_reference_is_refused_with_the_ways_to_move(server: Postgres, pool: Any, name: str) -> None:
    theirs = ORACLE.PostgresBucket(pool, name, [ORACLE.Rate(3, 60_000)])
    assert theirs.put(ORACLE.RateItem("x", theirs.now(), 2))
    with pytest.raises(ValueError) as error:
        bucket(pool, name, (3, 60_000))
    told_table = "ratelimit___" + name.lower()
    assert told_table.replace('"', '""') in str(error.value) and "ignore_old_table=True" in str(error.value)
    beside = bucket(pool, name, (3, 60_000), ignore_old_table=True)
    assert beside.put(SCUPPER.RateItem("x", beside.now(), 2))
    assert (theirs.count(), beside.count()) == (2, 2), "neither sees the other"
    quoted = sql.Identifier(told_table).as_string()
    told(server.url, f"DROP TABLE {quoted}")
    assert bucket(pool, name, (3, 60_000)).count() == 2


def test_counts_of_the_reference_are_carried_over(server: Postgres, pool: Any, table: str) -> None:
    theirs = ORACLE.PostgresBucket(pool, table, [ORACLE.Rate(5, 3_600_000)])
    assert all(theirs.put(ORACLE.RateItem("x", theirs.now())) for _ in range(4))
    made = bucket(pool, table, (5, 3_600_000), ignore_old_table=True)
    count = "SELECT count(*) FROM ratelimit___{} WHERE item_timestamp >= localtimestamp - interval '1 hour'"
    with pool.connection() as connection:
        used = connection.execute(count.format(table)).fetchone()[0]
    assert made.put(SCUPPER.RateItem("moved", made.now(), used))
    limits = SCUPPER.Limiter(made)
    assert [limits.try_acquire("x", blocking=False) for _ in range(2)] == [True, False]


def test_a_table_of_that_name_and_another_form_is_nobodys_matter(server: Postgres, pool: Any, table: str) -> None:
    told(server.url, f"CREATE TABLE ratelimit___{table} (name text, note text)")
    assert limiter(pool, table, (1, DAY)).try_acquire("x", blocking=False)
