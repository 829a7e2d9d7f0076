"""One server for a module, and a key for each test."""

from collections.abc import Iterator
from typing import Any

import pytest

from support.redis_ways import PLAIN, WAYS, Way, fresh_key
from support.servers import Redis


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    with Redis() as server:
        yield server


@pytest.fixture
def key() -> str:
    return fresh_key()


@pytest.fixture(params=WAYS, ids=lambda way: way.name)
def way(request: Any) -> Iterator[Way]:
    yield request.param
    request.param.close()


@pytest.fixture(params=PLAIN, ids=lambda way: way.name)
def plain_way(request: Any) -> Iterator[Way]:
    yield request.param
    request.param.close()
