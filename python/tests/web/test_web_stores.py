"""The middleware over limiters by name, and over a store that is there and then is not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
import scupper.asgi
from scupper import Duration, Limiter, Rate, StoreError
from web_calls import PEER, Site, application_answering, http_scope, run_asgi, seen

from support.servers import Redis

BOUND = 60.0
HOUR = Rate(1, Duration.HOUR)


@pytest.fixture
def in_loop(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The site, whose ASGI requests are made in an event loop, since a store may have to be waited for."""
    monkeypatch.setattr("web_calls.at_once", asyncio.run)
    return site


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis() as server:
        yield server


def held(limiter: Limiter) -> int:
    """How many names take room."""
    factory: Any = limiter.bucket_factory
    return int(factory.bucket.count())


def test_each_client_has_a_bucket_of_its_own(in_loop: Site) -> None:
    in_loop.limited(Limiter.per_key(HOUR))
    assert [in_loop.ask(peer=peer).status for peer in (PEER, PEER, "192.0.2.1", "192.0.2.1")] == [200, 429, 200, 429]


@pytest.mark.parametrize("name", ["k" * 70_000, "\xff" * 40_000, "lone \ud800"])
def test_nobody_gets_past_the_limit_by_a_name_that_no_store_takes(in_loop: Site, name: str) -> None:
    in_loop.limited(Limiter.per_key(HOUR), key=lambda _: name, on_outage="allow")
    assert [in_loop.ask().status for _ in range(3)] == [200, 429, 429]


def test_the_fields_tell_of_the_clients_own_bucket(in_loop: Site) -> None:
    in_loop.limited(Limiter.per_key([Rate(2, Duration.HOUR), Rate(3, Duration.DAY)]))
    in_loop.ask(peer="192.0.2.1")
    answer = in_loop.ask()
    assert str(answer["RateLimit"]).startswith('"2/h";r=1;t=')
    assert answer["RateLimit-Policy"] == '"2/h";q=2;w=3600, "3/d";q=3;w=86400'


async def many(middleware: Any, peers: list[str]) -> list[int]:
    return [seen(await run_asgi(middleware, http_scope("/", "GET", [], peer))).status for peer in peers]


def test_thousands_of_clients_leave_no_trace_when_they_have_gone() -> None:
    limiter = Limiter.per_key(Rate(1, 3_000))
    middleware = scupper.asgi.RateLimitMiddleware(application_answering("asgi", 200, b""), limiter)
    peers = [f"10.{number >> 8}.{number & 255}.1" for number in range(3_000)]
    assert set(asyncio.run(many(middleware, peers))) == {200}
    assert held(limiter) > 0
    end = time.monotonic() + BOUND
    while held(limiter):
        assert time.monotonic() < end, "idle clients still take room"
        time.sleep(0.05)


def test_a_client_with_a_network_of_ipv6_takes_the_room_of_one() -> None:
    limiter = Limiter.per_key(HOUR)
    middleware = scupper.asgi.RateLimitMiddleware(application_answering("asgi", 200, b""), limiter)
    statuses = asyncio.run(many(middleware, [f"2001:db8:1:2::{number:x}" for number in range(1, 1_000)]))
    assert (statuses.count(200), held(limiter)) == (1, 1)


def test_sites_that_share_a_store_share_the_limits_of_their_clients(redis: Redis) -> None:
    statuses = []
    for kind in ("wsgi", "wsgi"):
        limiter = Limiter.per_key(HOUR, store=redis.url, prefix="site:", call_timeout=BOUND)
        statuses.append(Site(kind).limited(limiter).ask().status)
        limiter.close()
    assert statuses == [200, 429]


@pytest.mark.parametrize("policy", ["deny", "allow", "raise"])
def test_when_the_store_goes_down_requests_are_answered_as_was_chosen(in_loop: Site, redis: Redis, policy: str) -> None:
    limiter = Limiter.per_key(HOUR, store=redis.url, call_timeout=BOUND)
    in_loop.limited(limiter, on_outage=policy)
    assert in_loop.ask().status == 200
    redis.kill()
    if policy == "raise":
        with pytest.raises(StoreError):
            in_loop.ask()
    else:
        assert in_loop.ask("/again").status == {"deny": 503, "allow": 200}[policy]
    limiter.close()


@pytest.mark.parametrize(("outage", "status"), [("fail-open", 200), ("fail-closed", 429), (Rate(5, 1000), 200)])
def test_what_the_limiter_itself_decides_in_an_outage_is_a_verdict_like_any_other(
    in_loop: Site, redis: Redis, outage: Any, status: int
) -> None:
    limiter = Limiter.per_key(HOUR, store=redis.url, outage=outage, call_timeout=BOUND)
    in_loop.limited(limiter, headers="both")
    assert in_loop.ask().status == 200
    redis.kill()
    assert in_loop.ask(peer="192.0.2.1").status == status
    limiter.close()


@pytest.mark.parametrize("pause", [0, 0.05])
def test_a_client_that_goes_away_while_the_store_is_asked_takes_no_units(redis: Redis, pause: float) -> None:
    limiter = Limiter.per_key(HOUR, store=redis.url, call_timeout=BOUND)
    calls: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        calls.append(scope)
        await application_answering("asgi", 200, b"")(scope, receive, send)

    middleware = scupper.asgi.RateLimitMiddleware(app, limiter)

    async def main() -> None:
        assert await many(middleware, ["192.0.2.1"]) == [200]
        redis.stall()
        gone = asyncio.create_task(many(middleware, [PEER]))
        await asyncio.sleep(pause)  # before the request is sent, and on its way
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        redis.go_on()
        end = time.monotonic() + BOUND
        while await many(middleware, [PEER]) != [200]:
            assert time.monotonic() < end, "its unit is still taken"
            await asyncio.sleep(0.01)

    asyncio.run(main())
    assert [scope["client"][0] for scope in calls] == ["192.0.2.1", PEER]
    limiter.close()
