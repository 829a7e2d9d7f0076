"""A server that says how long to wait is left alone so long, by everybody over the limiter."""

from __future__ import annotations

import asyncio
import importlib
import time
from pathlib import Path
from typing import Any

import pytest
from requests.adapters import HTTPAdapter
from scupper import Duration, Limiter, Rate
from scupper.extras._holds import Holds, holds_of

from support.http_clients import ALL, Told, all_clients, async_clients, async_httpx, async_httpx2, httpx, httpx2, requests
from support.http_servers import OK, Answer, Server, redirect, refusal
from support.threads import BOUND, eventually

LONG = refusal("3000")


def wide() -> Limiter:
    return Limiter(Rate(1000, Duration.HOUR))


def left(limiter: Limiter, host: str) -> float:
    """For how many seconds a host is held still."""
    end = holds_of(limiter).end(host)
    assert end is not None
    return end - time.monotonic()


@all_clients
def test_nobody_asks_a_host_before_the_time_it_said(client: Any) -> None:
    limiter = wide()
    with Server([refusal("0.08")]) as server, client(limiter, learn=True) as one, client(limiter) as other:
        assert one.ask(server.url).status == 429
        assert other.ask(server.url).status == 200
    assert server.seen[1].came - server.answered[0] >= 0.08
    limiter.close()


def test_threads_and_tasks_and_clients_of_all_kinds_share_what_one_learns() -> None:
    limiter = wide()
    with Server([LONG]) as server, requests(limiter, learn=True) as learner:
        assert learner.ask(server.url).status == 429
        drivers = [client(limiter).__enter__() for client in ALL]
        waiting = [driver.start(server.url) for driver in drivers]
        assert len(server.seen) == 1
        limiter.close()
        for each in waiting:
            with pytest.raises(RuntimeError, match="limiter is closed"):
                each.result()
        for driver in drivers:
            driver.__exit__(None, None, None)
    assert len(server.seen) == 1


@all_clients
def test_other_hosts_and_other_limiters_are_not_held(client: Any) -> None:
    limiter, apart = wide(), wide()
    with Server([LONG]) as held, Server() as free, client(limiter, learn=True) as driver, client(apart) as other:
        assert driver.ask(held.url).status == 429
        assert driver.ask(free.url).status == 200
        assert other.ask(held.url).status == 200
    limiter.close()
    apart.close()


@all_clients
def test_a_client_that_is_not_told_to_learn_holds_nothing(client: Any) -> None:
    limiter = wide()
    with Server([LONG]) as server, client(limiter) as driver:
        assert [driver.ask(server.url).status for _ in range(2)] == [429, 200]
    limiter.close()


@all_clients
def test_a_server_may_say_in_advance_that_nothing_remains(client: Any) -> None:
    limiter = wide()
    used_up = Answer(200, {"RateLimit": '"default";r=0;t=3000'})
    with Server([used_up]) as server, client(limiter, learn=True) as driver:
        assert driver.ask(server.url).status == 200
        assert 2900 < left(limiter, server.url) < 3000
    limiter.close()


@all_clients
def test_no_hold_is_longer_than_the_longest(client: Any) -> None:
    limiter = wide()
    with Server([refusal("9" * 200)]) as server, client(limiter, learn=True, longest_hold=60.0) as driver:
        assert driver.ask(server.url).status == 429
        assert 30 < left(limiter, server.url) <= 60
    limiter.close()


@all_clients
def test_what_cannot_be_read_holds_nothing(client: Any) -> None:
    limiter = wide()
    answers = [refusal(value) for value in ("-5", "soon", "", "1e9", "Mon, 99 Foo 2050 00:00:00 GMT", "5, 6")]
    with Server(answers) as server, client(limiter, learn=True, resends=3) as driver:
        assert [driver.ask(server.url).status for _ in answers] == [429] * len(answers)
    assert len(server.seen) == len(answers)
    limiter.close()


@all_clients
def test_a_unit_that_was_taken_before_a_hold_does_not_count_after_it(client: Any) -> None:
    began = time.monotonic()

    def hold_at_first() -> None:
        if len(told.names) == 1:
            holds_of(told).hold(server.url, 0.25)

    told = Told(on_call=hold_at_first)
    with Server() as server, client(told) as driver:
        assert driver.ask(server.url).status == 200
    assert len(told.names) == 2
    assert server.seen[0].came - began >= 0.25


@all_clients
def test_every_redirect_is_learned_from_for_its_own_host(client: Any) -> None:
    limiter = wide()
    with Server([LONG]) as other, Server([redirect(other.url)]) as one, client(limiter, learn=True) as driver:
        assert driver.ask(one.url).status == 429
        assert holds_of(limiter).end(other.url) is not None
        assert holds_of(limiter).end(one.url) is None
    limiter.close()


@all_clients
def test_a_refused_request_is_sent_again_when_the_server_said(client: Any) -> None:
    told = Told()
    answers = [refusal("0.03"), refusal("0.02", 503), OK]
    with Server(answers) as server, client(told, resends=2) as driver:
        assert driver.ask(f"{server.url}/it", "PUT", content=b"body").status == 200
    assert [(asked.path, asked.body) for asked in server.seen] == [("/it", b"body")] * 3
    assert server.seen[1].came - server.answered[0] >= 0.03
    assert server.seen[2].came - server.answered[1] >= 0.02
    assert len(told.names) == 3, "each takes a unit"


@all_clients
def test_a_request_is_not_sent_again_too_early_though_its_host_was_forgotten(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Holds, "hold", lambda *_: None)
    with Server([refusal("0.05")]) as server, client(Told(), resends=1) as driver:
        assert driver.ask(server.url).status == 200
    assert server.seen[1].came - server.answered[0] >= 0.05


@all_clients
def test_the_last_answer_is_given_when_there_are_no_resends_left(client: Any) -> None:
    with Server([refusal("0.01")] * 5) as server, client(Told(), resends=2) as driver:
        reply = driver.ask(server.url)
        assert (reply.status, reply.body) == (429, b"later")
    assert len(server.seen) == 3


def stream() -> Any:
    yield b"a"
    yield b"b"


async def async_stream() -> Any:
    yield b"a"
    yield b"b"


REFUSED_FOR_GOOD = {
    "no time said": (Answer(429), "GET", None),
    "longer than the longest hold": (refusal("3601"), "GET", None),
    "503 to what may have been done": (refusal("0.01", 503), "POST", b"x"),
    "503 to a patch": (refusal("0.01", 503), "PATCH", b"x"),
    "a body that is gone": (refusal("0.01"), "PUT", "stream"),
    "another status": (refusal("0.01", 500), "GET", None),
    "nothing remains, but not refused": (Answer(200, {"RateLimit": "a;r=0;t=1"}), "GET", None),
}


@pytest.mark.parametrize("case", REFUSED_FOR_GOOD)
@all_clients
def test_a_request_is_not_sent_again(client: Any, case: str) -> None:
    answer, method, body = REFUSED_FOR_GOOD[case]
    with Server([answer, answer]) as server, client(Told(), resends=3) as driver:
        content = (async_stream if driver.is_async else stream)() if body == "stream" else body
        options = {} if content is None else {"content": content}
        assert driver.ask(server.url, method, **options).status == answer.status
    assert len(server.seen) == 1


@all_clients
def test_a_post_that_was_refused_with_429_is_sent_again(client: Any) -> None:
    with Server([refusal("0.01")]) as server, client(Told(), resends=1) as driver:
        assert driver.ask(server.url, "POST", content=b"once").status == 200
    assert [asked.body for asked in server.seen] == [b"once", b"once"]


class Holding(Told):
    """Can be told to hold a name, and fails at it if it is to."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.held: list[tuple[Any, float]] = []
        self._error = error

    def hold(self, name: Any, seconds: float) -> None:
        self.held.append((name, seconds))
        if self._error is not None:
            raise self._error

    async def hold_async(self, name: Any, seconds: float) -> None:
        self.hold(name, seconds)


@all_clients
def test_a_limiter_that_counts_by_host_is_told_to_hold_it(client: Any) -> None:
    limiter = Holding()
    answers = [refusal("0.01"), refusal("0"), refusal("9000")]
    with Server(answers) as server, client(limiter, per_host=True, learn=True) as driver:
        for _ in answers:
            assert driver.ask(server.url).status == 429
        assert limiter.held == [(server.url, 0.01), (server.url, 3600.0)]


@all_clients
def test_a_limiter_that_counts_otherwise_is_not(client: Any) -> None:
    limiter = Holding()
    with Server([LONG]) as server, client(limiter, learn=True) as driver:
        assert driver.ask(server.url).status == 429
    assert limiter.held == []


@pytest.mark.parametrize("error", [TypeError("own bucket"), OSError("no store")], ids=["never", "not now"])
@all_clients
def test_the_answer_is_given_though_the_limiter_cannot_hold(client: Any, error: Exception) -> None:
    limiter = Holding(error)
    with Server([LONG]) as server, client(limiter, per_host=True, learn=True) as driver:
        assert driver.ask(server.url).status == 429
        assert holds_of(limiter).end(server.url) is not None


@all_clients
def test_those_wait_too_who_share_a_store(client: Any, tmp_path: Path) -> None:
    rate, store = Rate(9, Duration.HOUR), f"sqlite:{tmp_path}/store"
    mine, theirs = (Limiter.per_key(rate, store=store, call_timeout=BOUND) for _ in range(2))
    with Server([LONG]) as server, client(mine, per_host=True, learn=True) as driver:
        assert driver.ask(server.url).status == 429
        assert theirs.try_acquire(server.url, blocking=False) is False
        assert theirs.try_acquire("https://another.example", blocking=False) is True
    mine.close()
    theirs.close()


class Slow(Told):
    """Is told to hold a name, and is not done with it before its task is cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.is_told = False

    def hold(self, name: Any, seconds: float) -> None:
        raise AssertionError("told in a loop")

    async def hold_async(self, name: Any, seconds: float) -> None:
        self.is_told = True
        await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("client", [async_httpx, async_httpx2], ids=["httpx", "httpx2"])
def test_a_task_that_is_cancelled_while_the_limiter_is_told_gives_its_connection_back(client: Any) -> None:
    limits = importlib.import_module(client.__name__.removeprefix("async_")).Limits(max_connections=1)
    limiter = Slow()
    with Server([refusal("0.01")]) as server, client(limiter, per_host=True, learn=True, limits=limits) as driver:
        pending = driver.start(server.url)
        eventually(lambda: limiter.is_told, "it was told")
        pending.cancel()
        assert driver.ask(server.url).status == 200


class Interrupted(Told):
    """Ctrl-C comes while it is told to hold a name."""

    def hold(self, name: Any, seconds: float) -> None:
        raise KeyboardInterrupt


@pytest.mark.parametrize("client", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_a_thread_that_is_interrupted_while_the_limiter_is_told_gives_its_connection_back(client: Any) -> None:
    limits = importlib.import_module(client.__name__).Limits(max_connections=1)
    limiter = Interrupted()
    with Server([refusal("0.01")]) as server, client(limiter, per_host=True, learn=True, limits=limits) as driver:
        with pytest.raises(KeyboardInterrupt):
            driver.ask(server.url)
        assert driver.ask(server.url).status == 200


def test_a_thread_that_is_interrupted_while_the_limiter_is_told_gives_its_connection_to_requests_back() -> None:
    class Kept(HTTPAdapter):
        def send(self, *args: Any, **kwargs: Any) -> Any:
            self.response = super().send(*args, **kwargs)
            return self.response

    kept = Kept()
    with Server([refusal("0.01")]) as server, requests(Interrupted(), per_host=True, learn=True) as driver:
        driver.client.mount("http://", kept)
        with pytest.raises(KeyboardInterrupt):
            driver.ask(server.url, stream=True)
        assert kept.response.raw.closed


@async_clients
def test_a_task_that_is_cancelled_while_its_host_is_held_waits_no_more(client: Any) -> None:
    limiter = wide()
    holds_of(limiter).hold("http://127.0.0.1:1", 3000)
    with client(limiter) as driver:
        pending = driver.start("http://127.0.0.1:1")
        assert len(limiter._tickets) == 1
        pending.cancel()
        eventually(lambda: not limiter._tickets, "it left")
    limiter.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"resends": -1}, "resends must be >= 0"),
        ({"learn": True, "longest_hold": 0}, "longest_hold must be a positive number"),
        ({"learn": True, "longest_hold": float("nan")}, "longest_hold must be a positive number"),
    ],
)
@all_clients
def test_options_that_make_no_sense_are_refused(client: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        with client(Told(), **options):
            pass


def test_connect_retries_of_httpx_are_still_its_own() -> None:
    with Server() as server, httpx(Told(), retries=2) as driver:
        assert driver.ask(server.url).status == 200
