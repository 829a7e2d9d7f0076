"""A session of aiohttp that lets a request go out when a limiter admits it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Optional

from ._attempt import Attempt, Outgoing
from ._missing import missing
from ._options import LONGEST_HOLD, Options
from ._origin import origin_of

try:
    from aiohttp import BytesPayload, ClientHandlerType, ClientRequest, ClientResponse, ClientSession, RequestInfo
    from multidict import CIMultiDict, CIMultiDictProxy
    from yarl import URL
except ModuleNotFoundError as _error:
    raise missing("aiohttp", _error) from None
except ImportError:
    raise ImportError("scupper.extras.aiohttp_limiter needs aiohttp 3.12 or newer", name="aiohttp") from None

from ..limiter import Limiter

logger = logging.getLogger(__name__)


class RateLimitedSession:
    """Each request, each redirect among them, takes a unit of ``limiter`` first, and waits for it: only the task does.

    All count together under ``name``, unless ``per_host`` or ``key`` give each request a name: that of its host, or
    what ``key(request_info)`` says of an ``aiohttp.RequestInfo``. With ``learn`` a host that answers 429 or 503 with
    ``Retry-After`` gets no request of anybody over this limiter until then, at most ``longest_hold`` seconds; up to
    ``resends`` times the request itself is sent again after that. Other arguments are those of
    ``aiohttp.ClientSession``, which also says how it is to be made: in an event loop.

    A request raises ``RuntimeError`` if its unit can never be had, or the limiter is closed. The first wait of a call
    does not count against its ``timeout``; those before a redirect is followed or a request sent again do. A session
    that is closed leaves the limiter open.
    """

    def __init__(
        self,
        limiter: Limiter,
        name: str = "pyrate",
        *,
        per_host: bool = False,
        key: Optional[Callable[[RequestInfo], str]] = None,
        learn: bool = False,
        resends: int = 0,
        longest_hold: float = LONGEST_HOLD,
        **kwargs: Any,
    ) -> None:
        self.name = name
        self._limiter = limiter
        self._options = Options(per_host, key, learn, resends, longest_hold).suit(limiter)
        self._base_url = kwargs.get("base_url")
        self._middlewares = tuple(kwargs.get("middlewares") or ())
        self._session = ClientSession(**kwargs)

    async def get(self, *a: Any, **k: Any) -> ClientResponse:
        """``aiohttp.ClientSession.get`` with the same arguments; to be awaited."""
        return await self._send("GET", a, k)

    async def post(self, *a: Any, **k: Any) -> ClientResponse:
        """``aiohttp.ClientSession.post`` with the same arguments; to be awaited."""
        return await self._send("POST", a, k)

    async def put(self, *a: Any, **k: Any) -> ClientResponse:
        """``aiohttp.ClientSession.put`` with the same arguments; to be awaited."""
        return await self._send("PUT", a, k)

    async def patch(self, *a: Any, **k: Any) -> ClientResponse:
        """``aiohttp.ClientSession.patch`` with the same arguments; to be awaited."""
        return await self._send("PATCH", a, k)

    async def delete(self, *a: Any, **k: Any) -> ClientResponse:
        """``aiohttp.ClientSession.delete`` with the same arguments; to be awaited."""
        return await self._send("DELETE", a, k)

    async def head(self, *a: Any, **k: Any) -> ClientResponse:
        """``aiohttp.ClientSession.head`` with the same arguments; to be awaited."""
        return await self._send("HEAD", a, k)

    async def options(self, *a: Any, **k: Any) -> ClientResponse:
        """``aiohttp.ClientSession.options`` with the same arguments; to be awaited."""
        return await self._send("OPTIONS", a, k)

    async def __aenter__(self) -> RateLimitedSession:
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the session, and leaves the limiter open."""
        await self._session.close()

    async def _send(self, method: str, a: tuple[Any, ...], k: dict[str, Any]) -> ClientResponse:
        first = self._first_hop(method, a, k)
        await self._attempt(first).enter_async()  # not in a middleware: there the time for the whole call runs already
        theirs = k.get("middlewares")
        k["middlewares"] = (*(self._middlewares if theirs is None else theirs), _Hops(self, first))
        response: ClientResponse = await getattr(self._session, method.lower())(*a, **k)
        return response

    def _attempt(self, outgoing: Outgoing) -> Attempt:
        return Attempt(self._limiter, self._options, outgoing)

    def _first_hop(self, method: str, a: tuple[Any, ...], k: dict[str, Any]) -> Outgoing:
        """What is known of a request that aiohttp has not made yet."""
        try:
            url = URL(a[0] if a else k.get("url", ""))
        except (TypeError, ValueError):
            url = URL()  # the session will say so
        if self._base_url is not None:
            url = URL(self._base_url).join(url)
        headers = CIMultiDict(self._session.headers)
        headers.update(k.get("headers") or {})
        return self._outgoing(RequestInfo(url, method, CIMultiDictProxy(headers), url), repeatable=False)

    def _outgoing(self, info: RequestInfo, repeatable: bool) -> Outgoing:
        origin = origin_of(str(info.url))
        return Outgoing(self._options.name(self.name, info, origin), origin, info.method, repeatable)


class _Hops:
    """The innermost middleware of one call, through which each of its requests goes, redirects too."""

    def __init__(self, session: RateLimitedSession, entered: Outgoing) -> None:
        self._session = session
        self._entered: Optional[Outgoing] = entered

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        session, entered, self._entered = self._session, self._entered, None
        repeatable = isinstance(request.body, (bytes, BytesPayload))
        if entered is not None and entered.origin == origin_of(str(request.url)):
            attempt = session._attempt(replace(entered, method=request.method, repeatable=repeatable))
        else:
            attempt = session._attempt(session._outgoing(request.request_info, repeatable))
            await attempt.enter_async()
        while True:
            logger.debug("Admitted %s %s", request.method, request.url)
            response = await handler(request)
            try:
                goes_again = await attempt.goes_again_async(response.status, response.headers)
            except BaseException:
                response.close()  # the caller never has it
                raise
            if not goes_again:
                return response
            response.release()
            await attempt.enter_async()
