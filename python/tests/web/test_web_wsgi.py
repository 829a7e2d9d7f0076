"""What is particular to WSGI: how an application starts its response, gives its body, and is closed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from scupper.wsgi import Answer, RateLimitMiddleware
from web_calls import PEER, Scripted, ask_wsgi, denied, environ

TEXT = [("Content-Type", "text/plain")]


def get(path: str = "/", **more: Any) -> dict[str, Any]:
    return {**environ(path, "GET", [], PEER), **more}


class Body:
    """An iterable that knows whether it was closed."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = iter(chunks)
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self.chunks

    def close(self) -> None:
        self.closed += 1


def test_the_applications_own_iterable_is_given_to_the_server() -> None:
    body = Body(b"a", b"b")

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", TEXT)
        return body

    middleware = RateLimitMiddleware(app, Scripted())
    assert middleware(get(), lambda *_: None) is body, "with its close, and whatever else a server knows of it"
    assert ask_wsgi(middleware, get()).body == b"ab"
    assert body.closed == 1


def test_an_application_may_start_its_response_as_late_as_its_body() -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"late"

    answer = ask_wsgi(RateLimitMiddleware(app, Scripted()), get())
    assert (answer.body, answer["RateLimit"]) == (b"late", '"5/min";r=4;t=60')


def test_write_reaches_the_server() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", TEXT)(b"written ")
        return [b"given"]

    assert ask_wsgi(RateLimitMiddleware(app, Scripted()), get()).body == b"written given"


def test_a_response_that_is_started_anew_after_an_error_has_our_fields_once() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", TEXT)
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            start_response("500 Oops", TEXT, sys.exc_info())
        return [b"oops"]

    answer = ask_wsgi(RateLimitMiddleware(app, Scripted()), get())
    assert (answer.status, answer["RateLimit"]) == (500, '"5/min";r=4;t=60')


def test_exc_info_is_handed_to_the_server_as_it_was_given() -> None:
    calls: list[tuple[Any, ...]] = []

    def start(*arguments: Any) -> None:
        calls.append(arguments)

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        start_response("500 Oops", [], None)
        return []

    RateLimitMiddleware(app, Scripted(), headers=None)(get(), start)
    RateLimitMiddleware(app, Scripted())(get(), start)
    assert calls[:2] == [("200 OK", []), ("500 Oops", [], None)]
    assert [(status, *rest) for status, _, *rest in calls[2:]] == [("200 OK",), ("500 Oops", None)]


def test_exc_info_may_be_given_by_its_name() -> None:
    given: list[Any] = []

    def start(status: str, headers: Any, exc_info: Any = None) -> None:
        given.append(exc_info)

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("500 Oops", TEXT, exc_info=(ValueError, None, None))
        return []

    RateLimitMiddleware(app, Scripted())(get(), start)
    assert given == [(ValueError, None, None)]


def test_the_list_of_headers_of_the_application_is_not_changed() -> None:
    headers = list(TEXT)

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", headers)
        return [b""]

    ask_wsgi(RateLimitMiddleware(app, Scripted()), get())
    assert headers == TEXT


def test_a_path_is_the_whole_path_decoded() -> None:
    limiter = Scripted()
    middleware = RateLimitMiddleware(lambda *_: [], limiter, key=lambda request: request.path)
    for script, path in (("/app", "/a"), ("", ""), ("", "/caf\xc3\xa9"), ("", "/\xff")):
        middleware(get(SCRIPT_NAME=script, PATH_INFO=path), lambda *_: None)
    assert limiter.names == ["/app/a", "/", "/caf\u00e9", "/\ufffd"]


def test_headers_that_wsgi_keeps_apart_are_found_too() -> None:
    found: list[Any] = []
    names = ("Content-Type", "content-length", "X-A")

    def key(request: Any) -> str:
        found.extend(request.header(name) for name in names)
        return ""

    RateLimitMiddleware(lambda *_: [], Scripted(), key=key)(
        get(CONTENT_TYPE="text/csv", CONTENT_LENGTH="7", HTTP_X_A="b"), lambda *_: None
    )
    assert found == ["text/csv", "7", "b"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("option", ["key", "weight", "skip", "response"])
def test_what_must_be_awaited_is_refused_as_an_error_of_the_program(option: str) -> None:
    async def later(*_: Any) -> Any: ...

    options: dict[str, Any] = {option: later}
    with pytest.raises(TypeError, match="not async"):
        RateLimitMiddleware(lambda *_: [], Scripted(denied()), on_outage="allow", **options)(get(), lambda *_: None)


@pytest.mark.filterwarnings("error")
def test_a_bucket_that_must_be_awaited_is_refused_too() -> None:
    class Later(Scripted):
        decide = Scripted.decide_async  # type: ignore[assignment]

    with pytest.raises(TypeError, match="not async"):
        RateLimitMiddleware(lambda *_: [], Later(), on_outage="allow")(get(), lambda *_: None)


@pytest.mark.parametrize(("status", "line"), [(429, "429 Too Many Requests"), (299, "299 Status 299")])
def test_a_status_has_a_reason_even_where_nobody_knows_one(status: int, line: str) -> None:
    lines: list[str] = []
    middleware = RateLimitMiddleware(lambda *_: [], Scripted(denied()), response=lambda *_: Answer(status))
    middleware(get(), lambda line, headers: lines.append(line))
    assert lines == [line]
