"""Both middlewares in a real server, before real clients."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import uvicorn
from scupper import Duration, Limiter, Rate
from web_calls import PerName, Site

BOUND = 60.0


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # so that a connection serves one request after another

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def wsgi_server(app: Any) -> Iterator[int]:
    server = make_server("127.0.0.1", 0, app, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join(BOUND)
        server.server_close()


@contextmanager
def asgi_server(app: Any, listener: socket.socket) -> Iterator[None]:
    config = uvicorn.Config(app, log_level="error", lifespan="off", ws="none", proxy_headers=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        end = time.monotonic() + BOUND
        while not server.started:
            assert time.monotonic() < end and thread.is_alive(), "the server never started"
            time.sleep(0.001)
        yield
    finally:
        server.should_exit = True
        thread.join(BOUND)
        listener.close()


@contextmanager
def served(site: Site) -> Iterator[int]:
    """The port of a server with the site's application."""
    if site.kind == "wsgi":
        with wsgi_server(site.app) as port:
            yield port
        return
    listener = socket.create_server(("127.0.0.1", 0))
    with asgi_server(site.app, listener):
        yield int(listener.getsockname()[1])


class Client:
    """One connection that is kept for several requests."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=BOUND)

    def ask(self, method: str = "GET", **headers: str) -> tuple[int, Any, bytes]:
        self.connection.request(method, "/", headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = self.connection.getresponse()
        return response.status, response.headers, response.read()


@contextmanager
def client(port: int) -> Iterator[Client]:
    made = Client(port)
    try:
        yield made
    finally:
        made.connection.close()


def test_a_server_answers_as_the_limiter_decides(site: Site) -> None:
    site.lines.append(("Content-Length", "5"))
    site.limited(Limiter([Rate(2, Duration.HOUR), Rate(9, Duration.DAY)]))
    with served(site) as port, client(port) as one:
        answers = [one.ask() for _ in range(3)]
        assert [status for status, _, _ in answers] == [200, 200, 429]
        assert [body for _, _, body in answers[:2]] == [b"hello", b"hello"]
        assert [headers["RateLimit"].partition(";t=")[0] for _, headers, _ in answers] == [
            '"2/h";r=1', '"2/h";r=0', '"2/h";r=0',
        ]  # fmt: skip
        _, headers, body = answers[2]
        assert headers["RateLimit-Policy"] == '"2/h";q=2;w=3600, "9/d";q=9;w=86400'
        assert 3_500 < int(headers["Retry-After"]) <= 3_601
        assert json.loads(body)["status"] == 429


def test_the_connection_of_a_denied_head_serves_the_next_request(site: Site) -> None:
    site.lines.append(("Content-Length", "5"))
    site.limited(Limiter(Rate(1, Duration.HOUR)), skip=lambda request: request.header("X-Free") is not None)
    with served(site) as port, client(port) as one:
        assert one.ask("HEAD")[0] == 200
        status, headers, body = one.ask("HEAD")
        assert (status, body) == (429, b"") and int(headers["Content-Length"]) > 0
        assert one.ask(X_Free="yes")[::2] == (200, b"hello")


def test_clients_behind_a_proxy_are_limited_each_by_its_own_address(site: Site) -> None:
    site.lines.append(("Content-Length", "5"))
    site.limited(Limiter(PerName(Rate(1, Duration.HOUR))), trusted_proxies=["127.0.0.1"])
    with served(site) as port, client(port) as proxy:
        fours, sixes = ["192.0.2.1", "192.0.2.2", "192.0.2.9, 192.0.2.1"], ["2001:db8::1", "2001:db8::2"]
        chains = [*fours, *sixes, "[2001:db8:0:1::1]:80"]
        statuses = [proxy.ask(X_Forwarded_For=chain)[0] for chain in chains]
        assert statuses == [200, 200, 429, 200, 429, 200]


def test_of_many_clients_at_once_exactly_as_many_pass_as_may(site: Site) -> None:
    site.lines.append(("Content-Length", "5"))
    site.limited(Limiter(Rate(7, Duration.HOUR)))
    statuses: list[int] = []

    def asks(port: int) -> None:
        with client(port) as one:
            statuses.extend(one.ask()[0] for _ in range(1 if site.kind == "wsgi" else 3))

    with served(site) as port:
        threads = [threading.Thread(target=asks, args=(port,)) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND)
    assert len(statuses) == (10 if site.kind == "wsgi" else 30)
    assert (statuses.count(200), set(statuses)) == (7, {200, 429})


def over_unix(path: Path, lines: str = "") -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(BOUND)
        connection.connect(str(path))
        connection.sendall(f"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n".encode())
        received = b""
        while piece := connection.recv(65_536):
            received += piece
    return received.partition(b"\r\n")[0]


@pytest.mark.parametrize("is_trusted", [False, True])
def test_at_a_unix_socket_clients_are_those_that_a_trusted_proxy_reports(tmp_path: Path, is_trusted: bool) -> None:
    site = Site("asgi").limited(Limiter(PerName(Rate(1, Duration.HOUR))), trusted_proxies=["unix"] * is_trusted)
    path = tmp_path / "socket"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    with asgi_server(site.app, listener):
        lines = [f"X-Forwarded-For: {address}\r\n" for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2")]
        answers = [over_unix(path, line).split()[1] for line in [*lines, "", ""]]
    assert answers == [b"200", b"429" if is_trusted else b"200", b"200", b"200", b"200"]
