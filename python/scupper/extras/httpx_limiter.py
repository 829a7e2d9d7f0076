"""Transports for HTTPX that let a request go out when a limiter admits it."""

from __future__ import annotations

import logging
from typing import Any

from ._missing import missing
from ._transport import LimitedTransport

try:
    from httpx import AsyncHTTPTransport, ByteStream, HTTPTransport, Request, Response
except ModuleNotFoundError as _error:
    raise missing("httpx", _error) from None

logger = logging.getLogger(__name__)


class RateLimiterTransport(LimitedTransport, HTTPTransport):
    """Each request, each redirect among them, takes a unit of ``limiter`` first, and waits for it.

    All count together under one name, unless ``per_host`` or ``key`` give each request a name: that of its host, or
    what ``key(request)`` says. With ``learn`` a host that answers 429 or 503 with ``Retry-After`` gets no request of
    anybody over this limiter until then, at most ``longest_hold`` seconds; up to ``resends`` times the request itself
    is sent again after that. Other arguments are those of ``httpx.HTTPTransport``.

    A request raises ``RuntimeError`` if its unit can never be had, or the limiter is closed.
    """

    def handle_request(self, request: Request, **kwargs: Any) -> Response:
        attempt = self._attempt(request, __name__, isinstance(request.stream, ByteStream))
        while True:
            attempt.enter()
            logger.debug("Admitted %s %s", request.method, request.url)
            response = super().handle_request(request, **kwargs)
            try:
                goes_again = attempt.goes_again(response.status_code, response.headers)
            except BaseException:
                response.close()  # the caller never has it
                raise
            if not goes_again:
                return response
            response.close()


class AsyncRateLimiterTransport(LimitedTransport, AsyncHTTPTransport):
    """:class:`RateLimiterTransport` for an ``httpx.AsyncClient``: only the task waits.

    A task that is cancelled while it waits leaves its place.
    """

    async def handle_async_request(self, request: Request, **kwargs: Any) -> Response:
        attempt = self._attempt(request, __name__, isinstance(request.stream, ByteStream))
        while True:
            await attempt.enter_async()
            logger.debug("Admitted %s %s", request.method, request.url)
            response = await super().handle_async_request(request, **kwargs)
            try:
                goes_again = await attempt.goes_again_async(response.status_code, response.headers)
            except BaseException:
                await response.aclose()  # the caller never has it
                raise
            if not goes_again:
                return response
            await response.aclose()
