"""The HTTP clients of both packages, with the same requests against servers of the same kind."""

from __future__ import annotations

import inspect
import time
from types import ModuleType
from typing import Any

import pytest
import requests

from differential.scenario import outcome
from support import http_clients as clients
from support.http_clients import ALL, Told, all_clients, extra, named
from support.http_servers import OK, Answer, Server, redirect
from support.packages import BOTH, ORACLE, SCUPPER, label

HOUR = 3_600_000
REQUESTS = [
    ("GET", "/", None),
    ("POST", "/made", b"a body"),
    ("GET", "/missing", None),
    ("POST", "/made", b""),
    ("GET", "/failing", None),
]
STATUS = {"/missing": 404, "/failing": 500}


def limiter(package: ModuleType, limit: int, interval: int) -> Any:
    return package.Limiter(package.InMemoryBucket([package.Rate(limit, interval)]))


def unpackaged(names: list[Any], package: ModuleType) -> list[Any]:
    return [name.replace(package.__name__, "package") for name in names]


def played(package: ModuleType, client: Any) -> tuple[Any, ...]:
    """What the client got, what the server saw, and how many units went."""
    made = limiter(package, 100, HOUR)
    with Server(answer=lambda asked: Answer(STATUS.get(asked.path, 200), {}, asked.path.encode())) as server:
        with client(made, package=package) as driver:
            options = [{} if body is None else {"content": body} for _, _, body in REQUESTS]
            replies = [driver.ask(server.url + path, verb, **more) for (verb, path, _), more in zip(REQUESTS, options)]
    units = made.bucket_factory.bucket.count()
    made.close()
    return replies, [(asked.method, asked.path, asked.body) for asked in server.seen], units


@all_clients
def test_the_same_requests_give_the_same_answers_and_take_as_many_units(client: Any) -> None:
    ours, theirs = played(SCUPPER, client), played(ORACLE, client)
    assert ours == theirs
    assert ours[2] == len(REQUESTS)


@pytest.mark.parametrize("package", BOTH, ids=label)
@all_clients
def test_both_let_as_many_pass_in_a_window(client: Any, package: ModuleType) -> None:
    made = limiter(package, 2, 100)
    with Server() as server, client(made, package=package) as driver:
        began = time.monotonic()
        assert [driver.ask(server.url).status for _ in range(5)] == [200] * 5
        assert time.monotonic() - began >= 0.2
    made.close()


@all_clients
def test_both_ask_the_limiter_by_the_same_name_and_argument(client: Any) -> None:
    names = {}
    for package in BOTH:
        told = Told()
        with Server() as server, client(told, package=package) as driver:
            driver.ask(server.url)
        names[label(package)] = unpackaged(told.names, package)
    assert names["scupper"] == names["oracle"]


class Failing(Told):
    def try_acquire(self, *arguments: Any) -> Any:
        raise LookupError("the limiter failed")


def in_use(driver: Any, *arguments: Any, **options: Any) -> Any:
    with driver:
        return driver.ask(*arguments, **options)


CALLS = {
    "refused connection": lambda make: in_use(make(Told()), "http://127.0.0.1:1"),
    "no scheme": lambda make: in_use(make(Told()), "nowhere"),
    "an unknown scheme": lambda make: in_use(make(Told()), "gopher://127.0.0.1"),
    "an unknown argument of a call": lambda make: in_use(make(Told()), "http://127.0.0.1:1", nonsense=1),
    "an unknown argument": lambda make: in_use(make(Told(), nonsense=1), "http://127.0.0.1:1"),
    "a limiter that fails": lambda make: in_use(make(Failing()), "http://127.0.0.1:1"),
}


@pytest.mark.parametrize("call", CALLS)
@all_clients
def test_both_fail_in_the_same_way(client: Any, call: str) -> None:
    made = {package: outcome(lambda: CALLS[call](lambda *a, **k: client(*a, package=package, **k))) for package in BOTH}
    ours, theirs = made[SCUPPER], made[ORACLE]
    assert ours[:2] == theirs[:2]
    assert ours[0] == "raised"


@all_clients
def test_what_is_no_limiter_is_found_out_when_the_client_is_made(client: Any) -> None:
    with pytest.raises(TypeError, match="limiter must be a Limiter, not None"), client(None, package=SCUPPER):
        pass
    found = outcome(lambda: in_use(client(None, package=ORACLE), "http://127.0.0.1:1"))
    assert found[:2] == ("raised", "AttributeError")


def classes(package: ModuleType) -> list[tuple[str, type]]:
    found = []
    for client in ("aiohttp", "httpx", "httpx2", "requests"):
        module = extra(package, client)
        own = [each for each in vars(module).values() if inspect.isclass(each) and each.__module__ == module.__name__]
        found += [(f"{client} {each.__name__}", each) for each in own if not each.__name__.startswith("_")]
    return sorted(found, key=lambda pair: pair[0])


@pytest.mark.parametrize("arguments", [(), (None, "a name", "more"), (None, 1, 2, 3)], ids=str)
def test_both_take_the_same_arguments_by_position(arguments: tuple[Any, ...]) -> None:
    def bound(package: ModuleType) -> list[tuple[str, str]]:
        return [(name, outcome(lambda: inspect.signature(each).bind(*arguments))[0]) for name, each in classes(package)]

    assert bound(SCUPPER) == bound(ORACLE)


@pytest.mark.parametrize("client", ALL, ids=named)
def test_attributes_of_the_reference_are_there(client: Any) -> None:
    attributes: dict[ModuleType, set[str]] = {}
    for package in BOTH:
        with client(Told(), package=package) as driver:
            limited = getattr(driver.client, "_transport", driver.client)
            attributes[package] = {name for name in vars(limited)}
    assert attributes[ORACLE] - attributes[SCUPPER] == set()


COUNTED_ONCE = {"aiohttp", "requests"}


@all_clients
def test_a_redirect_takes_a_unit_here_and_in_the_reference_not_by_every_client(client: Any) -> None:
    units = {}
    for package in BOTH:
        told = Told()
        with Server([redirect("/there"), OK]) as server, client(told, package=package) as driver:
            assert driver.ask(server.url).status == 200
        units[label(package)] = len(told.names)
    assert units == {"scupper": 2, "oracle": 1 if client.__name__ in COUNTED_ONCE else 2}


@all_clients
def test_who_is_denied_is_sent_by_the_reference_and_not_here(client: Any) -> None:
    seen = {}
    for package in BOTH:
        with Server() as server, client(Told(False), package=package) as driver:
            outcome(lambda: driver.ask(server.url))
        seen[label(package)] = len(server.seen)
    assert seen == {"scupper": 0, "oracle": 1}


def test_send_of_requests_takes_a_unit_here_and_none_in_the_reference() -> None:
    units = {}
    for package in BOTH:
        told = Told()
        with Server() as server, clients.requests(told, package=package) as driver:
            session = driver.client
            assert session.send(session.prepare_request(requests.Request("GET", server.url))).status_code == 200
        units[label(package)] = len(told.names)
    assert units == {"scupper": 1, "oracle": 0}


def test_a_url_that_means_nothing_takes_no_unit_of_requests_here() -> None:
    units = {}
    for package in BOTH:
        told = Told()
        with clients.requests(told, package=package) as driver, pytest.raises(requests.exceptions.MissingSchema):
            driver.ask("nowhere")
        units[label(package)] = len(told.names)
    assert units == {"scupper": 0, "oracle": 1}
