"""The decision on a request, written once for both kinds of server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, Optional, TypeVar, Union

from .._await import settled
from .._home import with_own_init
from .._verdict import Verdict
from ..abstracts.rate import Rate
from ..limiter import Limiter
from .address import AddressRules, Network
from .answer import too_many_requests, unavailable
from .fields import BOTH, IETF, LEGACY, Fields, fields_of
from .names import countable
from .rates import rates_of
from .request import Request, client_address
from .seldom import Seldom

Key = Callable[[Request], Union[Optional[str], Awaitable[Optional[str]]]]
Weight = Union[int, Callable[[Request], Union[int, Awaitable[int]]]]
Skip = Union[str, Iterable[str], Callable[[Request], Union[bool, Awaitable[bool]]]]
Response = Callable[[Request, Verdict], Any]
Decide = Callable[[str, int], Any]
App = TypeVar("App")

DENY, ALLOW, RAISE = "deny", "allow", "raise"

VERDICT = "scupper.verdict"


@dataclass(frozen=True)
class Outcome:
    """What becomes of a request: it goes on to the application, or ``answer`` is given, an answer or an application."""

    answer: Any = None
    fields: Fields = field(default_factory=list)


PASS = Outcome()


class Gate(Generic[App]):
    """What a middleware is made of, but for the protocol: its options, and the steps from a request to its outcome."""

    _asks: ClassVar[str]
    """The method by which the limiter is asked."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if Gate in cls.__bases__:
            with_own_init(cls)

    def __init__(
        self,
        app: App,
        limiter: Limiter,
        *,
        key: Key = client_address,
        weight: Weight = 1,
        trusted_proxies: Iterable[Union[str, Network]] = (),
        forwarded_header: str = "X-Forwarded-For",
        ipv6_prefix: int = 64,
        headers: Optional[Literal["ietf", "legacy", "both"]] = "ietf",
        on_outage: Literal["deny", "allow", "raise"] = "deny",
        skip: Skip = (),
        response: Optional[Response] = None,
    ) -> None:
        """
        ``key`` gives the name that a request counts for, or None for one that is not limited; ``weight`` its units.
        ``trusted_proxies`` are networks, and ``"unix"`` for peers without an address, whose ``forwarded_header`` is
        believed. IPv6 clients are limited by networks of ``ipv6_prefix`` bits. ``headers`` are told to clients beside
        ``Retry-After``. Where the limiter fails, ``on_outage`` answers 503, lets pass or raises what it raised.
        ``skip`` names paths that are not limited, those below them if they end in a slash, or is a function that says
        so. ``response`` gives, of a request and its verdict, an :class:`Answer` or an application in the place of 429,
        or None for 429.

        Raises ``TypeError`` or ``ValueError`` for an option that is none of these.
        """
        if not callable(getattr(limiter, self._asks, None)):
            raise TypeError(f"limiter must be a Limiter, not {limiter!r}")
        _check_callable("app", app)
        _check_callable("key", key)
        if response is not None:
            _check_callable("response", response)
        if headers not in (IETF, LEGACY, BOTH, None):
            raise ValueError(f"headers must be 'ietf', 'legacy', 'both' or None, not {headers!r}")
        if on_outage not in (DENY, ALLOW, RAISE):
            raise ValueError(f"on_outage must be 'deny', 'allow' or 'raise', not {on_outage!r}")
        self.app = app
        self.limiter = limiter
        self._rules = AddressRules(trusted_proxies, forwarded_header, ipv6_prefix)
        self._key = key
        self._weight = weight if callable(weight) else _checked_weight(weight)
        self._style = headers
        self._on_outage = on_outage
        self._skip = skip if callable(skip) else _Paths(skip)
        self._response = response
        self._outages = Seldom()
        self._nameless = Seldom()

    def _steps(self, request: Request, decide: Decide) -> Generator[Any, Any, Outcome]:
        """Yields what is to be awaited, and is sent the results; ends with the outcome."""
        if (yield from settled(self._skip(request))):
            return PASS
        name = yield from settled(self._key(request))
        if name is None:
            self._nameless.warn("A request was not limited: there is no client address, or the key gave None for it.")
            return PASS
        if not isinstance(name, str):
            raise TypeError(f"key must give a str, or None for a request that is not limited; not {name!r}")
        weight = self._weight
        if callable(weight):
            weight = _checked_weight((yield from settled(weight(request))))
        try:
            verdict = yield from settled(decide(countable(name), weight))
        except Exception as error:
            if self._on_outage == RAISE:
                raise
            return self._without_verdict(error)
        request.raw[VERDICT] = verdict
        fields = fields_of(verdict, self._rates(verdict), self._style)
        if verdict.allowed:
            return Outcome(None, fields)
        answer = None if self._response is None else (yield from settled(self._response(request, verdict)))
        return Outcome(too_many_requests(verdict) if answer is None else answer, fields)

    def _rates(self, verdict: Verdict) -> Sequence[Rate]:
        return rates_of(self.limiter, verdict) if self._style in (IETF, BOTH) else ()

    def _without_verdict(self, error: Exception) -> Outcome:
        done = "let pass" if self._on_outage == ALLOW else "answered 503"
        self._outages.warn(f"The limiter failed; requests are {done}.", error)
        return PASS if self._on_outage == ALLOW else Outcome(unavailable())


class _Paths:
    """Paths that are not limited: one that ends in a slash stands for all below it, and any other for itself."""

    def __init__(self, paths: Union[str, Iterable[str]]) -> None:
        listed = (paths,) if isinstance(paths, str) else tuple(paths)
        for path in listed:
            if not isinstance(path, str):
                raise TypeError(f"a path to skip must be a str, not {path!r}")
            if not path.startswith("/"):
                raise ValueError(f"a path to skip must begin with a slash, not be {path!r}")
            if path == "/":
                raise ValueError("'/' would skip all paths; for that one use skip=lambda request: request.path == '/'")
        self._exact = frozenset(listed)
        self._folders = tuple(path for path in listed if path.endswith("/"))

    def __call__(self, request: Request) -> bool:
        path = request.path
        if path in self._exact:
            return True
        # One that leads up again may end anywhere.
        return path.startswith(self._folders) and ".." not in path.split("/")


def _check_callable(option: str, value: Any) -> None:
    if not callable(value):
        raise TypeError(f"{option} must be a function, not {value!r}")


def _checked_weight(weight: Any) -> int:
    if not isinstance(weight, int):
        raise TypeError(f"weight must be a whole number, not {weight!r}")
    if weight < 0:
        raise ValueError(f"weight must be 0 or more, not {weight!r}")
    return weight
