"""What the reference's README and our own page show of the HTTP clients, against a server on loopback."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
import httpx2
import pytest
from scupper import Duration, limiter_factory
from scupper.extras import httpx2_limiter
from scupper.extras.aiohttp_limiter import RateLimitedSession
from scupper.extras.httpx_limiter import AsyncRateLimiterTransport, RateLimiterTransport
from scupper.extras.requests_limiter import RateLimitedRequestsSession

from support.http_servers import Server, refusal
from support.pages import examples
from support.programs import run

TENTH = Duration.SECOND * 0.1


def test_aiohttp() -> None:
    limiter = limiter_factory.create_inmemory_limiter(rate_per_duration=2, duration=TENTH)

    async def main(url: str) -> list[int]:
        session = RateLimitedSession(limiter)
        responses = [await session.get(url) for _ in range(3)]
        for response in responses:
            await response.read()
        await session.close()
        return [response.status for response in responses]

    began = time.monotonic()
    with Server() as server:
        assert asyncio.run(main(server.url)) == [200] * 3
    assert time.monotonic() - began >= 0.1
    limiter.close()


def test_httpx() -> None:
    limiter = limiter_factory.create_inmemory_limiter(rate_per_duration=1, duration=TENTH)

    async def main(url: str) -> None:
        async with httpx.AsyncClient(transport=AsyncRateLimiterTransport(limiter=limiter)) as client:
            assert (await client.get(url)).status_code == 200

    began = time.monotonic()
    with Server() as server:
        with httpx.Client(transport=RateLimiterTransport(limiter=limiter)) as client:
            assert client.get(server.url).status_code == 200
        asyncio.run(main(server.url))
    assert time.monotonic() - began >= 0.1
    limiter.close()


def test_httpx2() -> None:
    limiter = limiter_factory.create_inmemory_limiter(rate_per_duration=1, duration=TENTH)
    began = time.monotonic()
    with Server() as server:
        with httpx2.Client(transport=httpx2_limiter.RateLimiterTransport(limiter=limiter)) as client:
            assert [client.get(server.url).status_code for _ in range(2)] == [200, 200]
    assert time.monotonic() - began >= 0.1
    limiter.close()


def test_requests() -> None:
    limiter = limiter_factory.create_inmemory_limiter(rate_per_duration=2, duration=TENTH)
    session = RateLimitedRequestsSession(limiter)
    began = time.monotonic()
    with Server() as server:
        assert [session.get(server.url).status_code for _ in range(3)] == [200] * 3
    assert time.monotonic() - began >= 0.1
    session.close()
    limiter.close()


BLOCKS = examples("docs/python/http-clients.md")


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_an_example_of_the_page_about_http_clients(number: int, tmp_path: Path) -> None:
    with Server([refusal("0.01")]) as server:
        assert run(tmp_path, BLOCKS[number].replace("https://api.example.com", server.url)) == []
        assert len(server.seen) >= 1
