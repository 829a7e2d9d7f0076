"""The stores that these tests use, made when the first of them asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from beyond import stores
from support.servers import Redis


@pytest.fixture(scope="session", autouse=True)
def every_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("stores")
    with Redis() as redis:
        stores.URLS.update(sqlite=f"sqlite:{folder}/limits.db", shm=f"shm:{folder}/limits.shm", redis=redis.url)
        yield
        stores.URLS.clear()
