"""Both kinds of middleware before a small application, called as a strict server would call them."""

from __future__ import annotations

import io
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Optional
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import scupper.asgi
import scupper.wsgi
from scupper import BucketFactory, InMemoryBucket, MonotonicClock, Rate, RateItem, Verdict

PEER = "203.0.113.7"
FIVE_A_MINUTE = Rate(5, 60_000)


def said(**more: Any) -> Verdict:
    """A verdict that is made up: an admission, unless said otherwise."""
    usual = {"allowed": True, "name": PEER, "weight": 1, "limit": 5, "remaining": 4, "reset_after": 60.0}
    return Verdict(**{**usual, "rate": FIVE_A_MINUTE, **more})


def denied(retry_after: Optional[float] = 2.5, **more: Any) -> Verdict:
    return said(**{"allowed": False, "remaining": 0, "retry_after": retry_after, **more})


ADMITTED = said()


class ScriptedLimiter:
    """A limiter that says what it was told to, and remembers what it was asked."""

    def __init__(self, answer: Any = ADMITTED) -> None:
        self.answer = answer
        self.asked: list[tuple[str, int]] = []

    def decide(self, name: str = "pyrate", weight: int = 1) -> Any:
        self.asked.append((name, weight))
        answer = self.answer(name) if callable(self.answer) else self.answer
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def decide_async(self, name: str = "pyrate", weight: int = 1) -> Any:
        return self.decide(name, weight)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.asked]


# Stands for a limiter, of which it is none.
Scripted: Any = ScriptedLimiter


@dataclass
class Seen:
    """A response as the client sees it."""

    status: int
    lines: list[tuple[str, str]]
    body: bytes

    def __getitem__(self, name: str) -> Optional[str]:
        values = [value for key, value in self.lines if key.lower() == name.lower()]
        assert len(values) <= 1, f"{name} is there {len(values)} times"
        return values[0] if values else None


@dataclass
class Site:
    """An application behind a middleware, and how often it was called."""

    kind: str
    app: Any = None
    calls: list[Any] = field(default_factory=list)
    status: int = 200
    lines: list[tuple[str, str]] = field(default_factory=lambda: [("Content-Type", "text/plain")])
    body: bytes = b"hello"

    def limited(self, limiter: Any, **options: Any) -> Site:
        if self.kind == "asgi":
            self.app = scupper.asgi.RateLimitMiddleware(self._asgi, limiter, **options)
        else:
            self.app = validator(scupper.wsgi.RateLimitMiddleware(validator(self._wsgi), limiter, **options))
        return self

    def ask(
        self,
        path: str = "/",
        *,
        method: str = "GET",
        headers: Optional[list[tuple[str, str]]] = None,
        peer: Optional[str] = PEER,
    ) -> Seen:
        if self.kind == "asgi":
            scope = http_scope(path, method, headers or [], peer)
            return seen(at_once(run_asgi(self.app, scope)))
        return ask_wsgi(self.app, environ(path, method, headers or [], peer))

    async def _asgi(self, scope: Any, receive: Any, send: Any) -> None:
        self.calls.append(scope)
        lines = [(name.encode(), value.encode()) for name, value in self.lines]
        await send({"type": "http.response.start", "status": self.status, "headers": lines})
        await send({"type": "http.response.body", "body": self.body[:2], "more_body": True})
        await send({"type": "http.response.body", "body": self.body[2:]})

    def _wsgi(self, environ: Any, start_response: Any) -> Any:
        self.calls.append(environ)
        start_response(f"{self.status} Fine", list(self.lines))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [self.body[:2], self.body[2:]]


def application_answering(kind: str, status: int, body: bytes) -> Any:
    """An application that a framework's response is: it answers by itself."""

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": body})

    def wsgi(environ: Any, start_response: Any) -> Any:
        start_response(f"{status} Fine", [("Content-Type", "text/plain")])
        return [body]

    return asgi if kind == "asgi" else wsgi


def http_scope(path: str, method: str, headers: list[tuple[str, str]], peer: Optional[str]) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": None if peer is None else (peer, 50123),
        "server": ("127.0.0.1", 80),
    }


async def run_asgi(app: Callable[..., Any], scope: dict[str, Any]) -> list[dict[str, Any]]:
    """All that the application sends."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that never waits, so that it needs no event loop."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise AssertionError("it waited")


def seen(messages: list[dict[str, Any]], prefix: str = "http") -> Seen:
    """The response that messages make; a failure where they are not as ASGI would have them."""
    start, *rest = messages
    assert start["type"] == f"{prefix}.response.start"
    assert type(start["status"]) is int
    for name, value in start.get("headers", ()):
        assert type(name) is bytes and type(value) is bytes
        assert name == name.strip() and not name.startswith(b":")
    assert rest, "a response without a body message does not end"
    for place, message in enumerate(rest):
        assert message["type"] == f"{prefix}.response.body"
        assert type(message.get("body", b"")) is bytes
        assert message.get("more_body", False) == (place < len(rest) - 1)
    lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start.get("headers", ())]
    return Seen(start["status"], lines, b"".join(message.get("body", b"") for message in rest))


def environ(path: str, method: str, headers: list[tuple[str, str]], peer: Optional[str]) -> dict[str, Any]:
    variables: dict[str, Any] = {"PATH_INFO": path.encode().decode("latin-1"), "REQUEST_METHOD": method}
    setup_testing_defaults(variables)
    variables.update(SCRIPT_NAME="", QUERY_STRING="")
    variables["wsgi.input"] = io.BytesIO(b"")
    variables["wsgi.errors"] = io.StringIO()
    if peer is not None:
        variables["REMOTE_ADDR"] = peer
    for name, value in headers:
        key = "HTTP_" + name.upper().replace("-", "_")
        variables[key] = f"{variables[key]},{value}" if key in variables else value
    return variables


def ask_wsgi(app: Callable[..., Any], variables: dict[str, Any]) -> Seen:
    started: list[tuple[str, list[tuple[str, str]]]] = []
    body: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        assert not started or exc_info, "a response is started once"
        started[:] = [(status, headers)]
        return body.append

    chunks = app(variables, start_response)
    try:
        for chunk in chunks:
            assert started, "a body comes after the start"
            body.append(chunk)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    [(status, lines)] = started
    return Seen(int(status.split()[0]), lines, b"".join(body))


class PerName(BucketFactory):
    """Gives each name a bucket of its own."""

    def __init__(self, *rates: Rate) -> None:
        self.rates = list(rates)
        self.named: dict[str, InMemoryBucket] = {}
        self.clock = MonotonicClock()

    def wrap_item(self, name: str, weight: int = 1) -> RateItem:
        return RateItem(name, self.clock.now(), weight)

    def get(self, item: RateItem) -> InMemoryBucket:
        return self.named.setdefault(item.name, InMemoryBucket(self.rates))
