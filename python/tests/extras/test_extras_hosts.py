"""A limit of its own for each host, or for whatever the user counts by."""

from __future__ import annotations

from typing import Any

import pytest
from scupper import (
    BucketAsyncWrapper,
    BucketFactory,
    Duration,
    InMemoryBucket,
    Limiter,
    MonotonicClock,
    Rate,
    RateItem,
    SingleBucketFactory,
)
from scupper.buckets import StoreBucket
from scupper.extras._origin import origin_of

from support.http_clients import Told, all_clients, async_clients, requests
from support.http_servers import OK, Server, redirect
from support.threads import eventually


class PerName(BucketFactory):
    """A bucket for each name."""

    def __init__(self, limit: int) -> None:
        self.made: dict[Any, InMemoryBucket] = {}
        self.limit = limit

    def wrap_item(self, name: str, weight: int = 1) -> RateItem:
        return RateItem(name, MonotonicClock().now(), weight)

    def get(self, item: RateItem) -> InMemoryBucket:
        return self.made.setdefault(item.name, InMemoryBucket([Rate(self.limit, Duration.HOUR)]))


@all_clients
def test_each_host_has_a_limit_of_its_own(client: Any) -> None:
    factory = PerName(2)
    limiter = Limiter(factory)
    with Server() as one, Server() as other, client(limiter, per_host=True) as driver:
        for _ in range(2):
            assert driver.ask(one.url).status == 200
        assert driver.start(one.url).ended is False
        assert driver.ask(other.url).status == 200
        assert (len(one.seen), len(other.seen)) == (2, 1)
        assert {name: bucket.count() for name, bucket in factory.made.items()} == {one.url: 2, other.url: 1}
        limiter.close()


def test_hosts_that_are_asked_no_more_leave() -> None:
    bucket = StoreBucket("memory:", [Rate(2, 100)], key=None)
    limiter = Limiter(bucket)
    with Server() as one, Server() as other, requests(limiter, per_host=True) as driver:
        for server in (one, other):
            assert driver.ask(server.url).status == 200
        eventually(lambda: bucket.count() == 0, "both are gone")
    limiter.close()


@all_clients
def test_hosts_wait_each_for_itself_with_a_limiter_per_key(client: Any) -> None:
    limiter = Limiter.per_key([Rate(1, Duration.HOUR)])
    with Server() as one, Server() as other, client(limiter, per_host=True) as driver:
        assert driver.ask(one.url).status == 200
        waiting = driver.start(one.url)
        assert driver.ask(other.url).status == 200
        assert not waiting.ended
        limiter.close()
        with pytest.raises(RuntimeError, match="limiter is closed"):
            waiting.result()


@all_clients
def test_case_path_and_query_make_no_difference_to_the_host(client: Any) -> None:
    told = Told()
    with Server() as server, client(told, per_host=True) as driver:
        for url in (server.url, f"{server.url}/path?query=1", server.url.replace("http:", "HTTP:") + "/other"):
            assert driver.ask(url).status == 200
    assert told.names == [server.url] * 3


@all_clients
def test_a_redirect_to_another_host_counts_there(client: Any) -> None:
    told = Told()
    with Server() as other, Server([redirect(f"{other.url}/there")]) as one:
        with client(told, per_host=True) as driver:
            assert driver.ask(one.url).status == 200
        assert told.names == [one.url, other.url]
        assert other.paths == ["/there"]


@all_clients
def test_a_function_says_what_a_request_counts_by(client: Any) -> None:
    told = Told()

    def by(request: Any) -> str:
        return f"{request.method} {request.headers['X-Account']}"

    with Server() as server, client(told, key=by) as driver:
        driver.ask(server.url, headers={"X-Account": "red"})
        driver.ask(server.url, "POST", headers={"X-Account": "blue"}, content=b"x")
    assert told.names == ["GET red", "POST blue"]


@all_clients
def test_the_function_is_asked_once_for_each_redirect(client: Any) -> None:
    told = Told()
    asked: list[str] = []

    def by(request: Any) -> str:
        asked.append(str(request.url))
        return "x"

    with Server([redirect("/second"), OK]) as server, client(told, key=by) as driver:
        driver.ask(f"{server.url}/first")
    assert asked == [f"{server.url}/first", f"{server.url}/second"]


@all_clients
def test_an_error_of_the_function_passes_through_and_nothing_is_sent(client: Any) -> None:
    told = Told()

    def by(request: Any) -> str:
        raise KeyError("no account")

    with Server() as server, client(told, key=by) as driver:
        with pytest.raises(KeyError, match="no account"):
            driver.ask(server.url)
    assert (server.seen, told.names) == ([], [])


@all_clients
def test_hosts_are_not_counted_each_for_itself_by_a_limiter_that_counts_all_together(client: Any) -> None:
    limiter = Limiter(Rate(1, Duration.HOUR))
    with pytest.raises(ValueError, match="per_host needs a limiter with a bucket for each name"):
        with client(limiter, per_host=True):
            pass
    limiter.close()


@async_clients
def test_hosts_are_counted_through_a_wrapper(client: Any) -> None:
    limiter = Limiter(BucketAsyncWrapper(StoreBucket("memory:", [Rate(1, Duration.HOUR)], key=None)))
    with Server() as one, Server() as other, client(limiter, per_host=True) as driver:
        assert [driver.ask(server.url).status for server in (one, other)] == [200, 200]
    limiter.close()


def test_a_factory_of_ones_own_may_be_a_single_one_that_finds_more() -> None:
    class More(SingleBucketFactory):
        def get(self, item: RateItem) -> Any:
            return found.setdefault(item.name, InMemoryBucket([Rate(1, Duration.HOUR)]))

    found: dict[str, Any] = {}
    limiter = Limiter(More(InMemoryBucket([Rate(1, Duration.HOUR)])))
    with Server() as server, requests(limiter, per_host=True) as driver:
        assert driver.ask(server.url).status == 200
    assert list(found) == [server.url]
    limiter.close()


@all_clients
def test_one_may_not_count_by_host_and_by_a_function(client: Any) -> None:
    with pytest.raises(ValueError, match="give one of them"):
        with client(Told(), per_host=True, key=str):
            pass


@all_clients
def test_a_request_through_a_proxy_counts_for_the_host_it_is_for(client: Any) -> None:
    told = Told()
    with Server() as proxy:
        by_call, by_client = _proxied(client, proxy.url)
        with client(told, per_host=True, **by_client) as driver:
            assert driver.ask("http://far.example/path", **by_call).status == 200
    assert told.names == ["http://far.example"]
    assert proxy.paths == ["http://far.example/path"]


def _proxied(client: Any, url: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """How to have a request go through a proxy: by arguments of the call, or of the client."""
    if client.__name__ == "requests":
        return {"proxies": {"http": url}}, {}
    return ({"proxy": url}, {}) if client.__name__ == "aiohttp" else ({}, {"proxy": url})


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://example.com", "http://example.com"),
        ("HTTP://User:secret@Example.COM.:80/path?query#part", "http://example.com"),
        ("https://example.com:443", "https://example.com"),
        ("https://example.com:80", "https://example.com:80"),
        ("http://example.com:08080", "http://example.com:8080"),
        ("https://BÜCHER.example", "https://xn--bcher-kva.example"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("http://[0:0::1]:8080", "http://[::1]:8080"),
        ("http://[::1%25lo]", "http://[::1%25lo]"),
        ("https://example.com:99999", "https://example.com:99999"),
        ("https://" + "ü" * 80, "https://" + "ü" * 80),
        ("wss://example.com:443", "wss://example.com"),
        ("", "://"),
    ],
)
def test_a_host_has_one_name(url: str, origin: str) -> None:
    assert origin_of(url) == origin
