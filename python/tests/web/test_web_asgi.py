"""What is particular to ASGI: other kinds of scopes, WebSockets, functions to await, and clients that go away."""

from __future__ import annotations

import asyncio
from typing import Any, Optional

import pytest
from scupper.asgi import Answer, RateLimitMiddleware
from web_calls import PEER, said, Scripted, application_answering, at_once, denied, http_scope, run_asgi, seen


class App:
    """An application that remembers its calls and sends what it was told to."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.calls: list[tuple[Any, Any, Any]] = []
        self.messages = messages or (
            {"type": "http.response.start", "status": 200},
            {"type": "http.response.body"},
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.calls.append((scope, receive, send))
        for message in self.messages:
            await send(message)


def websocket(*extensions: str) -> dict[str, Any]:
    scope = http_scope("/chat", "GET", [], PEER)
    del scope["method"]
    return {**scope, "type": "websocket", "subprotocols": [], "extensions": {name: {} for name in extensions}}


def get(**more: Any) -> dict[str, Any]:
    return {**http_scope("/", "GET", [], PEER), **more}


def call(app: Any, scope: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = at_once(run_asgi(app, scope))
    return sent


@pytest.mark.parametrize("kind", ["lifespan", "something.new"])
def test_what_is_neither_http_nor_a_websocket_passes_untouched(kind: str) -> None:
    app, limiter = App({"type": "lifespan.startup.complete"}), Scripted(denied())
    scope = {"type": kind, "asgi": {"version": "3.0"}}

    async def receive() -> Any: ...

    async def send(message: Any) -> None: ...

    at_once(RateLimitMiddleware(app, limiter)(scope, receive, send))
    assert app.calls == [(scope, receive, send)]
    assert list(scope) == ["type", "asgi"]
    assert limiter.asked == []


def test_a_response_may_have_no_headers_of_its_own() -> None:
    answer = seen(call(RateLimitMiddleware(App(), Scripted()), get()))
    assert answer["RateLimit"] == '"5/min";r=4;t=60'


def test_the_applications_own_messages_are_not_changed() -> None:
    start = {"type": "http.response.start", "status": 200, "headers": ((b"a", b"b"),), "trailers": True}
    body = {"type": "http.response.body", "body": b"x"}
    trailers = {"type": "http.response.trailers", "headers": []}
    sent = call(RateLimitMiddleware(App(start, body, trailers), Scripted()), get())
    assert start["headers"] == ((b"a", b"b"),), "the application may send it again"
    assert {**sent[0], "headers": sent[0]["headers"][:1]} == {**start, "headers": [(b"a", b"b")]}
    assert sent[1] is body and sent[2] is trailers


def test_receive_is_the_servers_own() -> None:
    app = App()

    async def receive() -> Any: ...

    async def send(message: Any) -> None: ...

    at_once(RateLimitMiddleware(app, Scripted())(get(), receive, send))
    assert app.calls[0][1] is receive


def test_names_of_our_fields_are_in_lower_case() -> None:
    sent = call(RateLimitMiddleware(App(), Scripted(denied()), headers="both"), get())
    assert all(name == name.lower() for name, _ in sent[0]["headers"])


@pytest.mark.parametrize("client", [None, [], ("", 0), (None, None)])
def test_a_scope_without_a_client_is_no_error(client: Any) -> None:
    app = App()
    assert seen(call(RateLimitMiddleware(app, Scripted(denied())), get(client=client))).status == 200


def test_a_scope_without_optional_entries_is_no_error() -> None:
    scope = {"type": "http", "method": "GET", "path": "/", "asgi": {"version": "3.0"}}
    limiter = Scripted(denied())
    sent = call(RateLimitMiddleware(App(), limiter, key=lambda r: f"{r.header('x')} {r.client}"), scope)
    assert (seen(sent).status, limiter.names) == (429, ["None None"])


def test_cookies_that_came_in_several_lines_are_one_cookie_header() -> None:
    limiter = Scripted()
    headers = [(b"cookie", b"a=1"), (b"x-list", b"c"), (b"cookie", b"b=2"), (b"x-list", b"d")]
    middleware = RateLimitMiddleware(App(), limiter, key=lambda r: f"{r.header('Cookie')} {r.header('X-List')}")
    call(middleware, get(headers=headers))
    assert limiter.names == ["a=1; b=2 c, d"]


def test_a_websocket_that_is_admitted_reaches_the_application_and_its_messages_stay() -> None:
    accept = {"type": "websocket.accept"}
    app = App(accept)
    assert call(RateLimitMiddleware(app, Scripted()), websocket()) == [accept]
    assert app.calls[0][0]["scupper.verdict"].allowed


def test_the_handshake_of_a_websocket_is_refused_by_a_close() -> None:
    app = App()
    sent = call(RateLimitMiddleware(app, Scripted(denied())), websocket())
    assert (app.calls, sent) == ([], [{"type": "websocket.close", "code": 1008, "reason": ""}])


def test_the_handshake_is_answered_429_where_the_server_can_do_so() -> None:
    sent = call(RateLimitMiddleware(App(), Scripted(denied(2.5))), websocket("websocket.http.response"))
    answer = seen(sent, "websocket.http")
    assert (answer.status, answer["Retry-After"], answer["RateLimit"]) == (429, "3", '"5/min";r=0;t=3')
    assert answer.body


def test_a_websocket_is_told_to_come_again_when_the_limiter_is_down() -> None:
    down = Scripted(RuntimeError())
    assert call(RateLimitMiddleware(App(), down), websocket())[0]["code"] == 1013
    sent = call(RateLimitMiddleware(App(), down), websocket("websocket.http.response"))
    assert seen(sent, "websocket.http").status == 503


def test_another_answer_is_given_to_a_handshake_as_to_a_request() -> None:
    answer = application_answering("asgi", 420, b"calm")
    middleware = RateLimitMiddleware(App(), Scripted(denied(2.5)), response=lambda *_: answer)
    sent = seen(call(middleware, websocket("websocket.http.response")), "websocket.http")
    assert (sent.status, sent.body, sent["Retry-After"]) == (420, b"calm", "3")
    assert call(middleware, websocket()) == [{"type": "websocket.close", "code": 1008, "reason": ""}]


def test_a_refusal_of_the_application_itself_tells_of_the_limit() -> None:
    refusal = application_answering("asgi", 403, b"no")

    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        async def send_in_websocket(message: Any) -> None:
            await send({**message, "type": f"websocket.{message['type']}"})

        await refusal(scope, receive, send_in_websocket)

    sent = call(RateLimitMiddleware(refusing, Scripted()), websocket("websocket.http.response"))
    assert seen(sent, "websocket.http")["RateLimit"] == '"5/min";r=4;t=60'


def test_a_websocket_can_be_told_from_a_request_by_a_key() -> None:
    limiter = Scripted()
    app = App({"type": "websocket.accept"})
    call(RateLimitMiddleware(app, limiter, key=lambda request: f"{request.kind} {request.method}"), websocket())
    assert limiter.names == ["websocket GET"]


def test_all_functions_may_be_async() -> None:
    async def skip(request: Any) -> bool:
        await asyncio.sleep(0)
        return bool(request.path == "/free")

    async def key(request: Any) -> Optional[str]:
        await asyncio.sleep(0)
        return "name"

    async def weight(request: Any) -> int:
        await asyncio.sleep(0)
        return 7

    async def response(request: Any, verdict: Any) -> Answer:
        await asyncio.sleep(0)
        return Answer(418)

    limiter = Scripted(denied())
    app = RateLimitMiddleware(App(), limiter, key=key, weight=weight, skip=skip, response=response)

    async def main() -> list[int]:
        return [seen(await run_asgi(app, get(path=path))).status for path in ("/", "/free")]

    assert asyncio.run(main()) == [418, 200]
    assert limiter.asked == [("name", 7)]


class Slow:
    """A limiter whose store takes its time; knows how many are asking it, and how many it counted."""

    def __init__(self) -> None:
        self.asking = self.counted = 0
        self.go_on = asyncio.Event()

    async def decide_async(self, name: str, weight: int) -> Any:
        self.asking += 1
        try:
            await self.go_on.wait()
            self.counted += weight
            return said()
        finally:
            self.asking -= 1


@pytest.mark.parametrize("policy", ["deny", "allow", "raise"])
def test_a_client_that_goes_away_while_the_limiter_is_asked_leaves_no_trace(
    policy: Any, caplog: pytest.LogCaptureFixture
) -> None:
    app = App()

    async def main() -> None:
        limiter: Any = Slow()
        middleware = RateLimitMiddleware(app, limiter, on_outage=policy)
        gone = asyncio.create_task(run_asgi(middleware, get()))
        stays = asyncio.create_task(run_asgi(middleware, get()))
        while limiter.asking < 2:
            await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert limiter.asking == 1
        limiter.go_on.set()
        assert seen(await stays).status == 200
        assert (limiter.asking, limiter.counted) == (0, 1)

    asyncio.run(main())
    assert len(app.calls) == 1
    assert caplog.records == [], "that somebody left is no outage"


def test_a_client_that_goes_away_while_it_is_answered_ends_the_application() -> None:
    async def gone(message: Any) -> None:
        raise OSError("gone")

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    for limiter in (Scripted(), Scripted(denied())):
        with pytest.raises(OSError, match="gone"):
            at_once(RateLimitMiddleware(App(), limiter)(get(), receive, gone))


def test_a_limiter_is_asked_in_many_tasks_and_two_loops() -> None:
    limiter = Scripted()
    middleware = RateLimitMiddleware(App(), limiter)

    async def main() -> None:
        await asyncio.gather(*(run_asgi(middleware, get()) for _ in range(50)))

    asyncio.run(main())
    asyncio.run(main())
    assert len(limiter.asked) == 100
