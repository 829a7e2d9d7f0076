"""The examples of the pages that say what there is run as they stand, against servers of the tests."""

import ast
import asyncio
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import scupper
from psycopg_pool import AsyncConnectionPool

from support.pages import ROOT, examples
from support.servers import Postgres, Redis


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    with Redis() as server:
        yield server.url


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with Postgres() as server:
        yield server.url


def play(example: str, names: dict[str, Any]) -> None:
    """Runs it, in an event loop where it awaits anything."""
    code = compile(example, "example", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(eval(code, names))
    else:
        exec(code, names)


def test_the_examples_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for example in examples("README.md"):
        play(example, names)
    assert names["verdict"].allowed and names["verdict"].remaining == 99
    assert (tmp_path / "limits.db").exists()
    names["shared"].close()


def test_the_example_of_the_page_for_users_of_the_reference_runs() -> None:
    names: dict[str, Any] = {}
    [example] = examples("docs/python.md")
    play(example, names)
    assert names["limiter"].peek("my-resource").used >= 2


def test_the_page_for_users_of_the_reference_leads_to_every_other() -> None:
    page = (ROOT / "docs/python.md").read_text()
    for other in (ROOT / "docs/python").glob("*.md"):
        assert f"(python/{other.name})" in page


def test_the_example_of_the_page_about_stores_runs(redis: str, postgres: str) -> None:
    names: dict[str, Any] = {}
    [example] = examples("docs/python/stores.md")
    play(example.replace("redis://localhost", redis).replace("postgres://app@db/app", postgres), names)
    assert names["limiter"].peek().used == 1
    assert names["by_user"].peek("user-42").used == 1
    names["limiter"].close()
    names["by_user"].close()


def test_the_examples_of_the_page_about_postgres_run(postgres: str) -> None:
    names: dict[str, Any] = {"AsyncConnectionPool": AsyncConnectionPool, "RateItem": scupper.RateItem}
    names["rates"] = [scupper.Rate(3, 3_600_000)]
    over_a_pool, over_an_async_one, moving = (
        example.replace("postgresql://app@10.0.0.1/app", postgres) for example in examples("docs/python/postgres.md")
    )
    play(over_a_pool, names)
    play(over_an_async_one, dict(names))
    with names["pool"].connection() as connection:
        connection.execute("CREATE TABLE ratelimit___calls (name varchar, weight smallint, item_timestamp timestamp)")
        connection.execute("INSERT INTO ratelimit___calls VALUES ('item', 1, localtimestamp)")
    names["bucket"].flush()
    play(moving, names)
    assert names["bucket"].count() == names["used"] == 1
    names["limiter"].close()
