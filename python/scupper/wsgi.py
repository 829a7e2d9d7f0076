"""A rate limit in front of any WSGI application."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Optional

from ._await import drop
from ._http.answer import Answer
from ._http.fields import Fields, missing_from
from ._http.gate import Gate, Outcome
from ._http.request import Request, client_address

__all__ = ["Answer", "RateLimitMiddleware", "Request", "client_address"]

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


class RateLimitMiddleware(Gate[Application]):
    """Lets requests pass to ``app`` as ``limiter`` decides, and answers 429 in its place where it denies.

    Requests never wait for room. The limiter's bucket must not be one that has to be awaited.
    """

    _asks = "decide"

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        outcome = self._outcome(_WsgiRequest(environ, self._rules))
        answer = outcome.answer
        if outcome.fields:
            start_response = _adding(outcome.fields, start_response)
        if answer is None:
            return self.app(environ, start_response)
        if not isinstance(answer, Answer):
            given: Iterable[bytes] = answer(environ, start_response)
            return given
        start_response(_status_line(answer.status), answer.all_headers())
        body = answer.body_to(environ["REQUEST_METHOD"])
        return [body] if body else []

    def _outcome(self, request: Request) -> Outcome:
        steps = self._steps(request, self.limiter.decide)
        try:
            step = next(steps)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        steps.close()
        drop(step)
        raise TypeError(f"nothing can be awaited in WSGI: {step!r}. Use functions and buckets that are not async.")


class _WsgiRequest(Request):
    __slots__ = ()

    @property
    def kind(self) -> str:
        return "http"

    @property
    def method(self) -> str:
        return str(self.raw["REQUEST_METHOD"])

    @property
    def path(self) -> str:
        path: str = self.raw.get("SCRIPT_NAME", "") + self.raw.get("PATH_INFO", "")
        return path.encode("latin-1", "replace").decode("utf-8", "replace") or "/"

    def header(self, name: str) -> Optional[str]:
        name = name.upper().replace("-", "_")
        bare = name in ("CONTENT_TYPE", "CONTENT_LENGTH")
        value = self.raw.get(name if bare else f"HTTP_{name}")
        return None if value is None else str(value)

    def _peer(self) -> Optional[str]:
        return self.raw.get("REMOTE_ADDR") or None


def _adding(fields: Fields, start_response: StartResponse) -> StartResponse:
    """``start_response``, with our fields added where the application has none of their kind."""

    def start_with_fields(status: str, headers: list[tuple[str, str]], *exc_info: Any, **named: Any) -> Any:
        missing = missing_from((name for name, _ in headers), fields)
        return start_response(status, [*headers, *missing], *exc_info, **named)

    return start_with_fields


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Status {status}"
