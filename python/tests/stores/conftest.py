"""Each kind of store, by its URL."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.packages import SCUPPER
from support.servers import Postgres, Redis
from support.threads import BOUND

# All that outlive a process.
SHARED = ("shm", "sqlite", "redis", "postgres")
KINDS = ("memory", *SHARED)

_numbers = itertools.count()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    with Redis() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture
def url_of(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """The URL of a store of that kind; one that is empty, or has many other keys."""

    def url(kind: str) -> str:
        if kind == "shm":
            return f"shm:{tmp_path}/limits.shm?size=4MiB"
        if kind == "sqlite":
            return f"sqlite:{tmp_path}/limits.db"
        if kind in ("redis", "postgres"):
            return str(request.getfixturevalue(f"{kind}_server").url)
        return "memory:"

    return url


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, url_of: Callable[[str], str]) -> str:
    return url_of(request.param)


@pytest.fixture(params=SHARED)
def shared_url(request: pytest.FixtureRequest, url_of: Callable[[str], str]) -> str:
    return url_of(request.param)


@pytest.fixture
def key() -> str:
    """A key that nobody else has."""
    return f"test-{os.getpid()}-{next(_numbers)}"


class Make:
    """Makes limiters whose units are counted in a bucket of this test alone."""

    def __init__(self, url: str, key: str, is_per_key: bool) -> None:
        self.url, self.key, self.is_per_key = url, key, is_per_key

    def __call__(self, *pairs: tuple[int, Any], **options: Any) -> Any:
        rates = [SCUPPER.Rate(limit, interval) for limit, interval in pairs]
        # A machine that is busy is no outage.
        options.setdefault("call_timeout", BOUND)
        if self.is_per_key:
            return SCUPPER.Limiter.per_key(rates, store=self.url, prefix=self.key, **options)
        return SCUPPER.Limiter.open(self.url, rates, key=self.key, **options)


@pytest.fixture(params=["one bucket", "per key"])
def make(request: pytest.FixtureRequest, url: str, key: str) -> Make:
    return Make(url, key, request.param == "per key")


@pytest.fixture
def one(url: str, key: str) -> Make:
    return Make(url, key, False)


@pytest.fixture
def shared(shared_url: str, key: str) -> Make:
    return Make(shared_url, key, False)
