"""A session of Requests that lets a request go out when a limiter admits it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Optional, Union, cast

from ._attempt import Attempt, Outgoing
from ._missing import missing
from ._options import LONGEST_HOLD, Options
from ._origin import origin_of

try:
    from requests import PreparedRequest, Response, Session
except ModuleNotFoundError as _error:
    raise missing("requests", _error) from None

from ..limiter import Limiter

logger = logging.getLogger(__name__)


class RateLimitedRequestsSession(Session):
    """Each request, each redirect among them, takes a unit of ``limiter`` first, and waits for it.

    All count together under ``name``, unless ``per_host`` or ``key`` give each request a name: that of its host, or
    what ``key(request)`` says of the prepared request. With ``learn`` a host that answers 429 or 503 with
    ``Retry-After`` gets no request of anybody over this limiter until then, at most ``longest_hold`` seconds; up to
    ``resends`` times the request itself is sent again after that. Arguments of other names are ignored.

    A request raises ``RuntimeError`` if its unit can never be had, or the limiter is closed. A session that is closed
    leaves the limiter open. Pickled, it takes its limiter along.
    """

    __attrs__ = [*Session.__attrs__, "_limiter", "_name", "_options"]

    def __init__(
        self,
        limiter: Limiter,
        name: str = __name__,
        *,
        per_host: bool = False,
        key: Optional[Callable[[PreparedRequest], str]] = None,
        learn: bool = False,
        resends: int = 0,
        longest_hold: float = LONGEST_HOLD,
        **_: Any,
    ) -> None:
        super().__init__()
        self._limiter = limiter
        self._name = name
        self._options = Options(per_host, key, learn, resends, longest_hold).suit(limiter)

    def request(self, method: Union[str, bytes], url: Union[str, bytes], *args: Any, **kwargs: Any) -> Response:
        """Sends a request: arguments are those of ``requests.Session.request``."""
        return super().request(cast(str, method), url, *args, **kwargs)

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
        """Sends a prepared request. Redirects come through here too, each for itself."""
        attempt = self._attempt(request)
        while True:
            attempt.enter()
            logger.debug("Admitted %s %s", request.method, request.url)
            response = super().send(request, **kwargs)
            if any(earlier.is_redirect for earlier in response.history):
                return response  # the answer to another request, which was an attempt of its own
            if attempt.keeps(response):
                return response

    def close(self) -> None:
        """Closes the session, and leaves the limiter open."""
        super().close()

    def _attempt(self, request: PreparedRequest) -> Attempt:
        origin = origin_of(request.url or "")
        name = self._options.name(self._name, request, origin)
        repeatable = request.body is None or isinstance(request.body, (bytes, str))
        return Attempt(self._limiter, self._options, Outgoing(name, origin, request.method or "", repeatable))
