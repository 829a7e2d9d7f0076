"""A rate limit in front of any ASGI 3 application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Optional

from ._http.answer import Answer
from ._http.fields import Fields, missing_from
from ._http.gate import Gate, Outcome
from ._http.request import Request, client_address

__all__ = ["Answer", "RateLimitMiddleware", "Request", "client_address"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# Codes by which a WebSocket is closed, where a server does not answer its handshake otherwise: over its limit, and
# "try again later".
_POLICY_VIOLATION, _TRY_AGAIN_LATER = 1008, 1013


class RateLimitMiddleware(Gate[Application]):
    """Lets requests pass to ``app`` as ``limiter`` decides, and answers 429 in its place where it denies.

    HTTP requests and handshakes of WebSockets are limited; everything else passes. Requests never wait for room.
    """

    _asks = "decide_async"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        outcome = await self._outcome(_AsgiRequest(scope, self._rules))
        if outcome.fields:
            send = _adding(outcome.fields, send)
        if outcome.answer is None:
            await self.app(scope, receive, send)
        else:
            await _give(outcome.answer, scope, receive, send)

    async def _outcome(self, request: Request) -> Outcome:
        steps = self._steps(request, self.limiter.decide_async)
        try:
            step = next(steps)
            while True:
                try:
                    result = await step
                except BaseException as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome


class _AsgiRequest(Request):
    __slots__ = ()

    @property
    def kind(self) -> str:
        return str(self.raw["type"])

    @property
    def method(self) -> str:
        return str(self.raw.get("method", "GET"))

    @property
    def path(self) -> str:
        return str(self.raw["path"])

    def header(self, name: str) -> Optional[str]:
        wanted = name.lower().encode("latin-1", "replace")
        lines = [value.decode("latin-1") for key, value in self.raw.get("headers", ()) if key.lower() == wanted]
        # HTTP/2 cuts cookies into lines that go together otherwise than all others.
        return ("; " if wanted == b"cookie" else ", ").join(lines) if lines else None

    def _peer(self) -> Optional[str]:
        client = self.raw.get("client")
        return str(client[0]) if client and client[0] else None


def _adding(fields: Fields, send: Send) -> Send:
    """``send``, with our fields added to the response where it has none of their kind."""

    async def send_with_fields(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = list(message.get("headers", ()))
            missing = missing_from((bytes(name).decode("latin-1") for name, _ in headers), fields)
            message = {**message, "headers": [*headers, *_encoded(missing)]}
        await send(message)

    return send_with_fields


async def _give(answer: Any, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        if "websocket.http.response" not in (scope.get("extensions") or ()):
            return await send({"type": "websocket.close", "code": _code_of(answer), "reason": ""})
        send = _in_handshake(send)
    if not isinstance(answer, Answer):
        await answer(scope, receive, send)
        return
    headers = _encoded(answer.all_headers())
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body_to(scope.get("method", "GET"))})


def _code_of(answer: Any) -> int:
    is_outage = isinstance(answer, Answer) and answer.status == 503
    return _TRY_AGAIN_LATER if is_outage else _POLICY_VIOLATION


def _in_handshake(send: Send) -> Send:
    """``send``, for an HTTP response to the handshake of a WebSocket."""

    async def send_in_handshake(message: Message) -> None:
        if message["type"].startswith("http.response."):
            message = {**message, "type": f"websocket.{message['type']}"}
        await send(message)

    return send_in_handshake


def _encoded(fields: Fields) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields]
