"""What each client keeps of its own: streams, measured times, pickles and interrupts."""

from __future__ import annotations

import asyncio
import copy
import pickle
import signal
import threading
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import aiohttp
import httpx
import httpx2
import pytest
import requests
from scupper import Duration, InMemoryBucket, Limiter, Rate
from scupper.extras.aiohttp_limiter import RateLimitedSession
from scupper.extras.requests_limiter import RateLimitedRequestsSession
from yarl import URL

from support import http_clients
from support.http_clients import all_clients, extra
from support.http_servers import OK, Answer, Server, redirect, refusal
from support.packages import SCUPPER
from support.programs import Program
from support.threads import BOUND, Running

Told: Any = http_clients.Told  # by its type it is no limiter
BIG = Answer(200, {}, b"x" * 300_000)
BIG_REFUSAL = Answer(429, {"Retry-After": "0.01"}, b"y" * 300_000)


@pytest.mark.parametrize("answer", [BIG, BIG_REFUSAL], ids=["a good one", "one that is learned from"])
def test_requests_streams_an_answer(answer: Answer) -> None:
    with Server([answer]) as server, RateLimitedRequestsSession(Told(), learn=True) as session:
        with session.get(server.url, stream=True) as response:
            assert b"".join(response.iter_content(10_000)) == answer.body


@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: str(library.__name__))
@pytest.mark.parametrize("answer", [BIG, BIG_REFUSAL], ids=["a good one", "one that is learned from"])
def test_httpx_streams_an_answer(library: Any, answer: Answer) -> None:
    module = extra(SCUPPER, library.__name__)

    async def stream(url: str) -> bytes:
        transport = module.AsyncRateLimiterTransport(Told(), learn=True)
        async with library.AsyncClient(transport=transport) as client, client.stream("GET", url) as response:
            return b"".join([part async for part in response.aiter_bytes()])

    with Server([answer, answer]) as server:
        with library.Client(transport=module.RateLimiterTransport(Told(), learn=True)) as client:
            with client.stream("GET", server.url) as response:
                assert b"".join(response.iter_bytes()) == answer.body
        assert asyncio.run(stream(server.url)) == answer.body


@pytest.mark.parametrize("answer", [BIG, BIG_REFUSAL], ids=["a good one", "one that is learned from"])
def test_aiohttp_streams_an_answer(answer: Answer) -> None:
    async def stream(url: str) -> bytes:
        async with RateLimitedSession(Told(), learn=True) as session:
            response = await session.get(url)
            return b"".join([part async for part in response.content.iter_any()])

    with Server([answer]) as server:
        assert asyncio.run(stream(server.url)) == answer.body


def test_requests_measures_the_answer_and_not_the_wait() -> None:
    limiter = Limiter(Rate(1, 2000))
    with Server() as server, RateLimitedRequestsSession(limiter) as session:
        session.get(server.url)
        assert session.get(server.url).elapsed.total_seconds() < 2
    limiter.close()


def test_a_prepared_request_is_limited_too() -> None:
    told = Told()
    with Server() as server, RateLimitedRequestsSession(told) as session:
        prepared = session.prepare_request(requests.Request("GET", server.url))
        assert session.send(prepared).status_code == 200
    assert told.names == ["scupper.extras.requests_limiter"]


def test_an_overridden_request_of_requests_is_called() -> None:
    class Session(RateLimitedRequestsSession):
        base = ""

        def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
            return super().request(method, self.base + url, *args, **kwargs)

    with Server() as server, Session(Told(), "name") as session:
        session.base = server.url
        assert session.get("/path").status_code == 200
    assert server.paths == ["/path"]


def test_a_session_of_requests_is_pickled_with_its_limiter_and_what_it_counted() -> None:
    bucket = InMemoryBucket([Rate(3, Duration.HOUR)])
    limiter = Limiter(bucket)
    with Server() as server:
        with RateLimitedRequestsSession(limiter, learn=True, longest_hold=5.0) as session:
            session.headers["X-Kept"] = "yes"
            session.get(server.url)
            twin = pickle.loads(pickle.dumps(session))
        with twin:
            assert twin.get(server.url).status_code == 200
            assert [bucket.count() for bucket in twin._limiter.buckets()] == [2]
        assert server.seen[1].headers["X-Kept"] == "yes"
    assert bucket.count() == 1
    limiter.close()
    twin._limiter.close()


def test_a_session_of_requests_is_copied() -> None:
    told = Told()
    with Server() as server, RateLimitedRequestsSession(told, "both") as session, copy.copy(session) as twin:
        session.get(server.url)
        twin.get(server.url)
    assert told.names == ["both", "both"]


VERBS = ("get", "post", "put", "patch", "delete", "head", "options")


def test_aiohttp_limits_all_verbs() -> None:
    async def main(url: str) -> None:
        async with RateLimitedSession(told, base_url=url) as session:
            for verb in VERBS:
                response = await getattr(session, verb)("/path", params={"query": "1"})
                assert response.status == 200
                await response.read()

    told = Told()
    with Server() as server:
        asyncio.run(main(server.url))
    assert [asked.method for asked in server.seen] == [verb.upper() for verb in VERBS]
    assert {asked.path for asked in server.seen} == {"/path?query=1"}
    assert told.names == ["pyrate"] * len(VERBS)


def test_aiohttp_resolves_hosts_of_a_base_and_takes_a_url_by_name() -> None:
    async def main(url: str) -> None:
        async with RateLimitedSession(told, base_url=url, per_host=True) as session:
            for call in (session.get("path"), session.get(url="path"), session.get(URL(url + "/path"))):
                await (await call).read()

    told = Told()
    with Server() as server:
        asyncio.run(main(server.url + "/"))
        assert told.names == [server.url] * 3


def test_middlewares_of_aiohttp_stay_outside_and_each_of_their_requests_takes_a_unit() -> None:
    async def twice(request: Any, handler: Any) -> Any:
        (await handler(request)).release()
        return await handler(request)

    async def main(url: str) -> None:
        async with RateLimitedSession(told, middlewares=[twice]) as session:
            await (await session.get(url)).read()
            await (await session.get(url, middlewares=())).read()

    told = Told()
    with Server() as server:
        asyncio.run(main(server.url))
    assert (len(told.names), len(server.seen)) == (3, 3)


def test_a_middleware_of_aiohttp_that_asks_another_host_takes_a_unit_there() -> None:
    async def elsewhere(request: Any, handler: Any) -> Any:
        request.url = type(request.url)(other.url)
        return await handler(request)

    async def main(url: str) -> None:
        async with RateLimitedSession(told, per_host=True, middlewares=[elsewhere]) as session:
            await (await session.get(url)).read()

    told = Told()
    with Server() as one, Server() as other:
        asyncio.run(main(one.url))
        assert (len(one.seen), len(other.seen)) == (0, 1)
        assert told.names == [one.url, other.url]


def test_the_first_wait_of_aiohttp_does_not_count_against_its_timeout() -> None:
    async def main(url: str) -> int:
        async with RateLimitedSession(limiter, timeout=aiohttp.ClientTimeout(total=2.0)) as session:
            response = await session.get(url)
            await response.read()
            return response.status

    limiter = Limiter(Rate(1, 2100))
    assert limiter.try_acquire("x")
    with Server() as server:
        assert asyncio.run(main(server.url)) == 200
    limiter.close()


def test_aiohttp_refuses_a_url_in_its_own_words() -> None:
    async def main() -> None:
        async with RateLimitedSession(Told(), per_host=True) as session:
            with pytest.raises(aiohttp.InvalidURL):
                await session.get("http://")
            with pytest.raises(TypeError):
                await session.get()
            with pytest.raises(TypeError):
                await session.get(None)

    asyncio.run(main())


@all_clients
def test_a_request_that_is_sent_again_gives_its_connection_back(client: Any) -> None:
    """There is room for one connection, and the answer to the first request has not been read."""
    with Server([BIG_REFUSAL, redirect("/there"), BIG_REFUSAL, OK]) as server:
        with client(Told(), resends=2, **_one_connection(client)) as driver:
            if client is http_clients.requests:
                driver.client.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=1, pool_block=True))
            if client is http_clients.aiohttp:
                driver.client._session.connector._limit = 1
            options = {"stream": True} if client is http_clients.requests else {}
            assert driver.ask(f"{server.url}/here", **options).status == 200
    assert server.paths == ["/here", "/here", "/there", "/there"]


def _one_connection(client: Any) -> dict[str, Any]:
    if client in (http_clients.requests, http_clients.aiohttp):
        return {}
    library = httpx2 if "2" in client.__name__ else httpx
    return {"limits": library.Limits(max_connections=1)}


def test_two_event_loops_share_a_limiter() -> None:
    bucket = InMemoryBucket([Rate(10, Duration.HOUR)])
    limiter = Limiter(bucket)
    with Server() as server, http_clients.aiohttp(limiter) as one, http_clients.async_httpx(limiter) as other:
        gate = threading.Barrier(2)

        def ask(driver: Any) -> None:
            gate.wait(BOUND)
            for _ in range(5):
                assert driver.ask(server.url).status == 200

        running = [Running(partial(ask, driver)) for driver in (one, other)]
        for each in running:
            each.result()
    assert bucket.count() == 10
    limiter.close()


def test_an_interrupt_ends_the_wait_for_a_host(tmp_path: Path) -> None:
    program = Program(
        tmp_path,
        """
        from scupper import Limiter, Rate
        from scupper.extras._holds import holds_of
        from scupper.extras.requests_limiter import RateLimitedRequestsSession

        limiter = Limiter(Rate(1, 1000))
        holds_of(limiter).hold("http://127.0.0.1:1", 3000)
        print("ready")
        with RateLimitedRequestsSession(limiter) as session:
            try:
                session.get("http://127.0.0.1:1")
            except KeyboardInterrupt:
                print("interrupted", len(limiter._tickets), limiter.try_acquire("x", blocking=False))
        """,
    )
    assert program.line() == "ready"
    program.until_asleep()
    program.signal(signal.SIGINT)
    assert program.end().split() == ["interrupted", "0", "True"]


@pytest.mark.parametrize("client", http_clients.ALL, ids=http_clients.named)
def test_mocks_of_limiters_will_do(client: Any) -> None:
    for mock in (MagicMock(), MagicMock(spec=Limiter)):
        mock.try_acquire_async = AsyncMock()
        with Server() as server, client(mock) as driver:
            assert driver.ask(server.url).status == 200
        assert mock.try_acquire.call_count + mock.try_acquire_async.call_count == 1
