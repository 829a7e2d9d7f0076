"""Transports for HTTPX 2 that let a request go out when a limiter admits it."""

from __future__ import annotations

import logging

from ._missing import missing
from ._transport import AwaitedTransport, BlockingTransport

try:
    from httpx2 import AsyncHTTPTransport, ByteStream, HTTPTransport
except ModuleNotFoundError as _error:
    raise missing("httpx2", _error) from None

logger = logging.getLogger(__name__)


class RateLimiterTransport(BlockingTransport, HTTPTransport):
    """Each request, each redirect among them, takes a unit of ``limiter`` first, and waits for it.

    All count together under one name, unless ``per_host`` or ``key`` give each request a name: that of its host, or
    what ``key(request)`` says. With ``learn`` a host that answers 429 or 503 with ``Retry-After`` gets no request of
    anybody over this limiter until then, at most ``longest_hold`` seconds; up to ``resends`` times the request itself
    is sent again after that. Other arguments are those of ``httpx2.HTTPTransport``.

    A request raises ``RuntimeError`` if its unit can never be had, or the limiter is closed.
    """

    _home = __name__
    _bytes = ByteStream


class AsyncRateLimiterTransport(AwaitedTransport, AsyncHTTPTransport):
    """:class:`RateLimiterTransport` for an ``httpx2.AsyncClient``: only the task waits.

    A task that is cancelled while it waits leaves its place.
    """

    _home = __name__
    _bytes = ByteStream
