"""Every client waits for its units, in turn, and sends nothing without."""

from __future__ import annotations

import time
from typing import Any

import pytest
from scupper import BucketAsyncWrapper, Duration, InMemoryBucket, Limiter, Rate

from support.http_clients import SYNC, Told, all_clients, async_clients, named, sync_clients
from support.http_servers import OK, Server, redirect
from support.kinds import MAKE
from support.threads import eventually, together

DEFAULT_NAMES = {
    "requests": "scupper.extras.requests_limiter",
    "httpx": "scupper.extras.httpx_limiter",
    "async httpx": "scupper.extras.httpx_limiter",
    "httpx2": "scupper.extras.httpx2_limiter",
    "async httpx2": "scupper.extras.httpx2_limiter",
    "aiohttp": "pyrate",
}
MS = 0.001


@all_clients
def test_a_request_takes_one_unit_under_the_name_of_the_reference(client: Any) -> None:
    told = Told()
    with Server() as server, client(told) as driver:
        reply = driver.ask(f"{server.url}/path", "POST", content=b"body")
        assert (reply.status, reply.body) == (200, b"ok")
    assert told.names == [DEFAULT_NAMES[named(client)]]
    assert [(asked.method, asked.path, asked.body) for asked in server.seen] == [("POST", "/path", b"body")]


@all_clients
def test_requests_wait_for_room(client: Any) -> None:
    limiter = Limiter(Rate(2, 60))
    with Server() as server, client(limiter) as driver:
        began = time.monotonic()
        replies = [driver.ask(server.url).status for _ in range(5)]
        assert time.monotonic() - began >= 120 * MS
    assert replies == [200] * 5
    assert len(server.seen) == 5
    limiter.close()


@all_clients
def test_requests_that_wait_go_out_in_the_order_in_which_they_came(client: Any) -> None:
    bucket = InMemoryBucket([Rate(1, Duration.HOUR)])
    limiter = Limiter(bucket)
    with Server() as server, client(limiter, key=lambda request: str(request.url)[-1]) as driver:
        assert limiter.try_acquire("first of all")
        waiting = [driver.start(f"{server.url}/{number}") for number in range(4)]
        bucket.rates = [Rate(1, 40), Rate(100, Duration.HOUR)]
        assert [each.result().status for each in waiting] == [200] * 4
    assert [item.name for item in bucket.items[1:]] == ["0", "1", "2", "3"]
    limiter.close()


@all_clients
def test_no_number_of_requests_at_once_exceeds_the_limit(client: Any) -> None:
    limiter = Limiter(Rate(4, Duration.HOUR))
    with Server() as server, client(limiter) as driver:
        together(4, lambda number: driver.ask(server.url))
        fifth = driver.start(server.url)
        assert not fifth.ended
        assert len(server.seen) == 4
        limiter.close()
        with pytest.raises(RuntimeError, match="limiter is closed"):
            fifth.result()
    assert len(server.seen) == 4


@all_clients
def test_two_clients_share_a_limiter(client: Any) -> None:
    bucket = InMemoryBucket([Rate(10, Duration.HOUR)])
    limiter = Limiter(bucket)
    with Server() as server, client(limiter) as one, client(limiter) as other:
        one.ask(server.url)
        other.ask(server.url)
    assert bucket.count() == 2
    limiter.close()


@all_clients
def test_a_client_that_is_closed_leaves_the_limiter_open(client: Any) -> None:
    limiter = Limiter(Rate(10, Duration.HOUR))
    with Server() as server:
        for _ in range(2):
            with client(limiter) as driver:
                assert driver.ask(server.url).status == 200
    assert limiter.try_acquire("x", blocking=False) is True
    limiter.close()


@all_clients
def test_what_can_never_be_admitted_is_not_sent(client: Any) -> None:
    with Server() as server, client(Told(False)) as driver:
        with pytest.raises(RuntimeError, match="can never admit"):
            driver.ask(server.url)
    assert server.seen == []


@sync_clients
def test_a_client_that_is_not_async_refuses_a_limiter_that_must_be_awaited(client: Any) -> None:
    limiter = Limiter(BucketAsyncWrapper(InMemoryBucket([Rate(1, Duration.HOUR)])))
    with Server() as server, client(limiter) as driver:
        with pytest.raises(RuntimeError, match="async bucket"):
            driver.ask(server.url)
    assert server.seen == []
    limiter.close()


@async_clients
def test_an_async_client_takes_a_limiter_that_must_be_awaited(client: Any) -> None:
    bucket = InMemoryBucket([Rate(3, Duration.HOUR)])
    limiter = Limiter(BucketAsyncWrapper(bucket))
    with Server() as server, client(limiter) as driver:
        assert [driver.ask(server.url).status for _ in range(3)] == [200] * 3
    assert bucket.count() == 3
    limiter.close()


@pytest.mark.parametrize("kind", MAKE)
@all_clients
def test_each_kind_of_limiter_will_do(client: Any, kind: str) -> None:
    space: dict[str, Any] = {}
    exec("from scupper import *\n" + MAKE[kind], space)
    limiter = space["limiter"]
    with Server() as server, client(limiter) as driver:
        assert [driver.ask(server.url).status for _ in range(2)] == [200] * 2
    assert limiter.try_acquire("x", blocking=False) is False
    limiter.close()


@all_clients
def test_every_redirect_takes_a_unit(client: Any) -> None:
    told = Told()
    with Server([redirect("/second"), redirect("/third"), OK]) as server, client(told) as driver:
        assert driver.ask(f"{server.url}/first").status == 200
    assert server.paths == ["/first", "/second", "/third"]
    assert len(told.names) == 3


@async_clients
def test_a_request_that_is_cancelled_leaves_its_place(client: Any) -> None:
    bucket = InMemoryBucket([Rate(1, Duration.HOUR)])
    limiter = Limiter(bucket)
    with Server() as server, client(limiter) as driver:
        assert limiter.try_acquire("x")
        first, second = driver.start(f"{server.url}/first"), driver.start(f"{server.url}/second")
        first.cancel()
        bucket.rates = [Rate(2, Duration.HOUR)]
        assert second.result().status == 200
    assert server.paths == ["/second"]
    limiter.close()


@all_clients
def test_errors_of_the_limiter_pass_through(client: Any) -> None:
    def fail() -> None:
        raise KeyError("of the user's own")

    with Server() as server, client(Told(on_call=fail)) as driver:
        with pytest.raises(KeyError, match="of the user's own"):
            driver.ask(server.url)
    assert server.seen == []


@all_clients
def test_errors_of_the_client_pass_through_and_the_unit_stays_spent(client: Any) -> None:
    told = Told()
    with client(told) as driver:
        with pytest.raises(Exception) as failed:
            driver.ask("http://127.0.0.1:1")
    assert "Connect" in type(failed.value).__name__
    assert len(told.names) == 1


@pytest.mark.parametrize("client", SYNC, ids=named)
def test_threads_wait_for_units_without_holding_each_other_up(client: Any) -> None:
    limiter = Limiter(Rate(1, Duration.HOUR))
    with Server() as server, client(limiter) as driver:
        assert driver.ask(server.url).status == 200
        waiting = [driver.start(server.url) for _ in range(3)]
        eventually(lambda: len(server.seen) == 1, "one went out")
        limiter.close()
        for each in waiting:
            with pytest.raises(RuntimeError, match="limiter is closed"):
                each.result()
