"""What the transports of HTTPX and HTTPX 2 have in common."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ClassVar, Optional

from .._home import with_own_init
from ..limiter import Limiter
from ._attempt import Attempt, Outgoing
from ._options import LONGEST_HOLD, Options
from ._origin import origin_of


class LimitedTransport:
    """Goes before a transport's own class: takes its limiter and options, and leaves the other arguments to it."""

    limiter: Limiter

    # What requests are called where nothing gives them a name, and their logger.
    _home: ClassVar[str]
    # The kind of body that can be sent again.
    _bytes: ClassVar[type]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "_home" in vars(cls):
            with_own_init(cls)

    def __init__(
        self,
        limiter: Limiter,
        *,
        per_host: bool = False,
        key: Optional[Callable[[Any], str]] = None,
        learn: bool = False,
        resends: int = 0,
        longest_hold: float = LONGEST_HOLD,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.limiter = limiter
        self._options = Options(per_host, key, learn, resends, longest_hold).suit(limiter)

    def _attempt(self, request: Any) -> Attempt:
        origin = origin_of(str(request.url))
        name = self._options.name(self._home, request, origin)
        repeatable = isinstance(request.stream, self._bytes)
        return Attempt(self.limiter, self._options, Outgoing(name, origin, request.method, repeatable))

    def _tell(self, request: Any) -> None:
        logging.getLogger(self._home).debug("Admitted %s %s", request.method, request.url)


class BlockingTransport(LimitedTransport):
    """The thread waits."""

    def handle_request(self, request: Any, **kwargs: Any) -> Any:
        attempt = self._attempt(request)
        transport: Any = super()  # the client's own, which stands behind this class
        while True:
            attempt.enter()
            self._tell(request)
            response = transport.handle_request(request, **kwargs)
            if attempt.keeps(response):
                return response


class AwaitedTransport(LimitedTransport):
    """The task waits."""

    async def handle_async_request(self, request: Any, **kwargs: Any) -> Any:
        attempt = self._attempt(request)
        transport: Any = super()  # the client's own, which stands behind this class
        while True:
            await attempt.enter_async()
            self._tell(request)
            response = await transport.handle_async_request(request, **kwargs)
            try:
                goes_again = await attempt.goes_again_async(response.status_code, response.headers)
            except BaseException:
                await response.aclose()  # the caller never has it
                raise
            if not goes_again:
                return response
            await response.aclose()
