"""What the transports of HTTPX and HTTPX 2 have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

from .._home import with_own_init
from ..limiter import Limiter
from ._attempt import Attempt, Outgoing
from ._options import LONGEST_HOLD, Options
from ._origin import origin_of


class LimitedTransport:
    """Goes before a transport's own class: takes its limiter and options, and leaves the other arguments to it."""

    limiter: Limiter

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if LimitedTransport in cls.__bases__:
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

    def _attempt(self, request: Any, name: str, repeatable: bool) -> Attempt:
        origin = origin_of(str(request.url))
        name = self._options.name(name, request, origin)
        return Attempt(self.limiter, self._options, Outgoing(name, origin, request.method, repeatable))
