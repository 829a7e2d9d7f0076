"""One server for the tests of Postgres, and pools that end with their test."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg_pool import ConnectionPool

from support.servers import Postgres

_numbers = itertools.count()


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    with Postgres() as postgres:
        yield postgres


@pytest.fixture
def pool(server: Postgres) -> Iterator[ConnectionPool[Any]]:
    with ConnectionPool(server.url, min_size=1, max_size=10) as made:
        yield made


@pytest.fixture
def table() -> str:
    """The name of a bucket that no other test has."""
    return f"bucket_{next(_numbers)}"
