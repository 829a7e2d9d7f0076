"""What a request passes before it goes out, and its answer on the way in."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, Optional

from .._await import awaitable, drop
from .._decorator import denied
from .._ticket import Ticket
from ..limiter import Limiter
from ._holds import holds_of
from ._options import Options
from ._server_says import REFUSALS, TOO_MANY_REQUESTS, seconds_asked_for

logger = logging.getLogger("scupper.extras")

_IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))


@dataclass(frozen=True)
class Outgoing:
    """What of a request matters here: what the limiter is asked for, where it goes, and whether its body can be sent
    a second time."""

    name: Any
    origin: str
    method: str
    repeatable: bool


class Attempt:
    """One request, from before it goes out until there is an answer for the caller."""

    def __init__(self, limiter: Any, options: Options, outgoing: Outgoing) -> None:
        self._limiter = limiter
        self._options = options
        self._outgoing = outgoing
        self._holds = holds_of(limiter)
        self._resends = options.resends
        self._not_before = 0.0
        self._goes_again = False

    def enter(self) -> None:
        """Waits in this thread until the host may be asked, and for a unit.

        If the host began to be held meanwhile, all of it once more: a unit counts for the time when it was taken.
        """
        while True:
            while (end := self._held_until()) is not None:
                with self._resting() as ticket:
                    ticket.sleep(end)
            admitted = self._limiter.try_acquire(self._outgoing.name)
            if awaitable(admitted):
                drop(admitted)
                raise RuntimeError("Can't use async bucket with a client that is not async")
            if not admitted:
                raise denied(self._outgoing.name, 1)
            if self._held_until() is None:
                return

    async def enter_async(self) -> None:
        """:meth:`enter` in an event loop: only the task waits."""
        while True:
            while (end := self._held_until()) is not None:
                with self._resting() as ticket:
                    await ticket.sleep_async(end)
            if not await self._limiter.try_acquire_async(self._outgoing.name):
                raise denied(self._outgoing.name, 1)
            if self._held_until() is None:
                return

    def keeps(self, response: Any) -> bool:
        """Whether the caller gets this response. If not, as the request goes out again or an exception comes, it is closed."""
        keeps = False
        try:
            keeps = not self.goes_again(response.status_code, response.headers)
        finally:
            if not keeps:
                response.close()
        return keeps

    def goes_again(self, status: int, headers: Mapping[str, str]) -> bool:
        """Takes in an answer, and says whether the request is to :meth:`enter` and to be sent once more.

        That is so if the server refused it, said for how long, and nothing can be done twice by it.
        """
        seconds = self._learned(status, headers)
        if seconds and self._is_held_by_limiter():
            with _tolerated(self._outgoing.origin):
                self._limiter.hold(self._outgoing.name, seconds)
        return self._goes_again

    async def goes_again_async(self, status: int, headers: Mapping[str, str]) -> bool:
        """:meth:`goes_again` in an event loop."""
        seconds = self._learned(status, headers)
        if seconds and self._is_held_by_limiter():
            with _tolerated(self._outgoing.origin):
                await self._limiter.hold_async(self._outgoing.name, seconds)
        return self._goes_again

    def _learned(self, status: int, headers: Mapping[str, str]) -> float:
        """For how many seconds the host is held by this answer; 0 if it is not."""
        options, outgoing = self._options, self._outgoing
        self._goes_again = False
        seconds = seconds_asked_for(status, headers) if options.learns else None
        if seconds is None:
            return 0.0
        held = min(seconds, options.longest_hold)
        if held > 0:
            logger.info("%s is left alone for %g s, as an answer of %d asks", outgoing.origin, held, status)
            self._holds.hold(outgoing.origin, held)
        harmless = status == TOO_MANY_REQUESTS or (status in REFUSALS and outgoing.method.upper() in _IDEMPOTENT)
        if seconds <= options.longest_hold and self._resends and harmless and outgoing.repeatable:
            self._resends -= 1
            self._not_before = monotonic() + seconds
            self._goes_again = True
        return held

    def _is_held_by_limiter(self) -> bool:
        """Whether the limiter, too, can hold the host: then those wait who share it by a store, in other processes."""
        return self._options.per_host and hasattr(self._limiter, "hold")

    def _held_until(self) -> Optional[float]:
        end = max(self._not_before, self._holds.end(self._outgoing.origin) or 0.0)
        return end if end > monotonic() else None

    @contextmanager
    def _resting(self) -> Iterator[Ticket]:
        """A ticket to sleep on, which is woken when the limiter is closed; ``RuntimeError`` if it is closed already."""
        ticket, limiter = Ticket(patient=True), self._limiter
        if not isinstance(limiter, Limiter):
            yield ticket
            return
        try:
            limiter._enlist(ticket)
            yield ticket
        finally:
            limiter._delist(ticket)


@contextmanager
def _tolerated(origin: str) -> Iterator[None]:
    """Lets no error of the limiter take the place of an answer that came."""
    try:
        yield
    except TypeError:
        pass  # a bucket of the user's own, which nobody can hold
    except Exception:
        logger.warning("could not hold %s in the limiter; this process leaves it alone", origin, exc_info=True)
