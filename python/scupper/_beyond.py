"""What a limiter can do beyond letting requests pass: look, give back, reserve, penalize, hold, forget."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, List, Optional, Tuple, Union, cast

from ._answers import COUNTLESS, not_reserved, usage_of, verdict_of, verdict_of_nothing
from ._arguments import patience_of, seconds_of, whole_number
from ._await import awaitable
from ._general import General
from ._later import asked_later
from ._reservation import Reservation
from ._taken import NotGivenBack, Taken, not_of_own
from ._usage import Usage
from ._verdict import Verdict
from .abstracts.rate import Rate

if TYPE_CHECKING:
    from .limiter import Limiter


class Beyond:
    """The methods of :class:`~scupper.Limiter` that ``try_acquire`` has no place for.

    Each has a form for event loops, whose name ends in ``_async``. Where a bucket is asynchronous, the other form gives
    an awaitable too.
    """

    # The native bucket that decides alone; None where somebody's own code takes part.
    _bound: Any

    def decide(self, name: str = "pyrate", weight: int = 1) -> Verdict:
        """Takes ``weight`` units if they fit now, and tells all about it. It never waits for room, and does not go before
        those who do.

        Of a bucket of your own it tells what :meth:`~scupper.AbstractBucket.waiting` and
        :meth:`~scupper.AbstractBucket.count` do.

        Raises ``ValueError`` for a negative weight.
        """
        weight, native = whole_number("weight", weight, least=0), self._native()
        if native is None:
            return self._general().decide(name, weight)
        if weight == 0:
            return verdict_of_nothing(name, usage_of(self._rates(), native.usage(name)))
        return verdict_of(name, weight, self._rates(), native, native.decide_fully(name, min(weight, COUNTLESS)))

    async def decide_async(self, name: str = "pyrate", weight: int = 1) -> Verdict:
        """:meth:`decide` in an event loop."""
        weight, native = whole_number("weight", weight, least=0), self._native()
        if native is None:
            return await self._general().decide_async(name, weight)
        if weight == 0:
            return verdict_of_nothing(name, usage_of(self._rates(), await _later(native, "usage", name)))
        answer = await _later(native, "decide_fully", name, min(weight, COUNTLESS))
        return verdict_of(name, weight, self._rates(), native, answer)

    def peek(self, name: str = "pyrate") -> Usage:
        """How the bucket is now. Takes nothing.

        Raises ``TypeError`` for a bucket of your own that cannot tell.
        """
        native = self._native()
        if native is None:
            return self._general().peek(name)
        return usage_of(self._rates(), native.usage(name))

    async def peek_async(self, name: str = "pyrate") -> Usage:
        """:meth:`peek` in an event loop."""
        native = self._native()
        if native is None:
            return await self._general().peek_async(name)
        return usage_of(self._rates(), await _later(native, "usage", name))

    def refund(self, verdict: Verdict) -> int:
        """Gives back what a verdict of :meth:`decide` took, if what it was for did not happen. Those who wait may have it.

        Says how many units of it still counted: 0 if it was denied, if they have left their window, if they were given
        back before, or if the bucket was reset.

        A verdict of another limiter is given back where it was taken. What was pickled is another verdict: give back one
        of the two alone, as fixed windows cannot tell that it was given back before. With a store that is away, it may be
        tried again.

        Raises ``TypeError`` for one by a bucket that cannot give back: one of your own, or by a client of yours.
        """
        taken, permit = _to_give_back(verdict)
        if taken is None or permit is None:
            return 0
        native = self._keeper(taken)
        with taken.given_back(permit):
            if native is None:
                return self._general().refund(verdict.name, taken, permit)
            given_back: int = native.refund(permit)
        return given_back

    async def refund_async(self, verdict: Verdict) -> int:
        """:meth:`refund` in an event loop."""
        taken, permit = _to_give_back(verdict)
        if taken is None or permit is None:
            return 0
        native = self._keeper(taken)
        with taken.given_back(permit):
            if native is None:
                return await self._general().refund_async(verdict.name, taken, permit)
            given_back: int = await _later(native, "refund", permit)
        return given_back

    def reserve(self, name: str = "pyrate", weight: int = 1, timeout: Union[int, float] = -1) -> Reservation:
        """Waits for room, for ``timeout`` seconds at the most, and holds ``weight`` units until it is known what was used.

        Raises ``TimeoutError`` if there is no room in time: at once if that is known, as things stand. What a later
        settle, refund or reset gives back is not foreseen. So where most reserve for the worst case and give much back,
        wait without ``timeout``, or bound :meth:`reserve_async` by ``asyncio.wait_for``.

        Raises ``ValueError`` if there never is room, and ``TypeError`` for a bucket that cannot give back: one of your
        own, or by a client of yours.
        """
        weight, limit, native = whole_number("weight", weight, least=1), patience_of(timeout), self._native()
        if native is None:
            return self._general().reserve(name, weight, limit)
        permit = native.reserve(name, min(weight, COUNTLESS), limit)
        return self._reserved(name, weight, limit, native, permit)

    async def reserve_async(
        self, name: str = "pyrate", weight: int = 1, timeout: Union[int, float] = -1
    ) -> Reservation:
        """:meth:`reserve` in an event loop. A task that is cancelled leaves its place and keeps nothing."""
        weight, limit, native = whole_number("weight", weight, least=1), patience_of(timeout), self._native()
        if native is None:
            return await self._general().reserve_async(name, weight, limit)
        permit = await _later(native, "reserve", name, min(weight, COUNTLESS), limit)
        return self._reserved(name, weight, limit, native, permit)

    def penalize(self, name: str, units: int) -> None:
        """Takes units whether or not there is room: a debt that leaves its windows before anybody is admitted again.

        Raises ``TypeError`` for a bucket of your own.
        """
        units, native = whole_number("units", units, least=1), self._native()
        if native is None:
            return self._general().penalize(name, units)
        native.penalize(name, min(units, COUNTLESS))

    async def penalize_async(self, name: str, units: int) -> None:
        """:meth:`penalize` in an event loop."""
        units, native = whole_number("units", units, least=1), self._native()
        if native is None:
            return await self._general().penalize_async(name, units)
        await _later(native, "penalize", name, min(units, COUNTLESS))

    def hold(self, name: str, seconds: Union[int, float]) -> None:
        """Admits nobody for ``seconds``: what to do when a server said *come back later*. A longer hold stays.

        Raises ``TypeError`` for a bucket of your own.
        """
        length, native = seconds_of("seconds", seconds), self._native()
        if native is None:
            return self._general().hold(name, length)
        native.hold(name, length)

    async def hold_async(self, name: str, seconds: Union[int, float]) -> None:
        """:meth:`hold` in an event loop."""
        length, native = seconds_of("seconds", seconds), self._native()
        if native is None:
            return await self._general().hold_async(name, length)
        await _later(native, "hold", name, length)

    def reset(self, name: str) -> bool:
        """Forgets all that was taken, and any hold. Says whether there was anything."""
        native = self._native()
        return self._general().reset(name) if native is None else bool(native.reset(name))

    async def reset_async(self, name: str) -> bool:
        """:meth:`reset` in an event loop."""
        native = self._native()
        return await self._general().reset_async(name) if native is None else bool(await _later(native, "reset", name))

    def _native(self) -> Any:
        """The native bucket to ask alone; None if requests go the general way. Raises if the limiter is closed."""
        if self._bound is None:
            self._limiter._check_open()
        return self._bound

    def _keeper(self, taken: Taken) -> Any:
        """The native bucket that took it, also where the limiter is closed; None if somebody's own code finds it."""
        if taken.is_on_own_time:
            return None
        return self._bound if taken.native is None else taken.native

    @property
    def _limiter(self) -> Limiter:
        return cast("Limiter", self)

    def _general(self) -> General:
        return General(self._limiter)

    def _rates(self) -> List[Rate]:
        """Those of the native bucket."""
        rates: List[Rate] = self._limiter.bucket_factory.bucket.rates  # type: ignore[attr-defined]
        return rates

    def _reserved(self, name: str, weight: int, limit: Optional[float], native: Any, permit: Any) -> Reservation:
        if permit:
            return Reservation(self, name, weight, Taken(native, permit))
        bucket = self._limiter.bucket_factory.bucket  # type: ignore[attr-defined]
        raise not_reserved(bucket, weight, limit)

    def _settle(self, name: str, taken: Taken, permit: Any, units: int) -> None:
        native = self._keeper(taken)
        if native is None:
            self._general().settle(name, taken, permit, units)
        else:
            native.settle(permit, units)

    async def _settle_async(self, name: str, taken: Taken, permit: Any, units: int) -> None:
        native = self._keeper(taken)
        if native is None:
            await self._general().settle_async(name, taken, permit, units)
        else:
            await _later(native, "settle", permit, units)


def _to_give_back(verdict: Verdict) -> Tuple[Optional[Taken], Any]:
    """What a verdict took, and the permit that says so: None if there is nothing to give back."""
    if not isinstance(verdict, Verdict):
        raise TypeError(f"refund takes a Verdict, as decide gives it; not {verdict!r}")
    taken = verdict._taken
    if isinstance(taken, NotGivenBack):
        raise not_of_own("give back what it counted", taken.bucket)
    return (None, None) if taken is None else (taken, taken.take())


async def _later(native: Any, method: str, *arguments: Any) -> Any:
    answer = asked_later(native, method)(*arguments)
    return await cast(Awaitable[Any], answer) if awaitable(answer) else answer
