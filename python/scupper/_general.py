"""What a limiter can do beyond letting requests pass, where a bucket, factory or clock of the user's own takes part."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Optional, Union

from ._answers import COUNTLESS, limit_of, not_reserved, usage_of, verdict_by_usage, verdict_of, verdict_of_nothing
from ._await import awaitable, drop
from ._errand import Errand, native_of
from ._looks import usage_by_looking
from ._reservation import Reservation
from ._reserving import Reserving
from ._taken import NotGivenBack, Taken, not_of_own
from ._usage import Usage
from ._verdict import Verdict
from .abstracts.bucket import AbstractBucket

if TYPE_CHECKING:
    from .limiter import Limiter

_IN_WORDS = {"penalize": "take more than there is room for", "hold": "be held"}

_Work = Generator[Any, Any, Any]


class General:
    """Each method of :class:`Beyond`, by asking everybody who takes part."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    def decide(self, name: str, weight: int) -> Verdict:
        verdict: Verdict = self._deciding(name, weight).here()
        return verdict

    async def decide_async(self, name: str, weight: int) -> Verdict:
        verdict: Verdict = await self._deciding(name, weight).in_loop()
        return verdict

    def peek(self, name: str) -> Usage:
        usage: Usage = Errand(self._limiter, name, 1, _look).here()
        return usage

    async def peek_async(self, name: str) -> Usage:
        usage: Usage = await Errand(self._limiter, name, 1, _look).in_loop()
        return usage

    def refund(self, name: str, taken: Taken, permit: Any) -> int:
        units: int = self._giving_back(name, taken, "refund", permit).here()
        return units

    async def refund_async(self, name: str, taken: Taken, permit: Any) -> int:
        units: int = await self._giving_back(name, taken, "refund", permit).in_loop()
        return units

    def settle(self, name: str, taken: Taken, permit: Any, units: int) -> None:
        done = self._giving_back(name, taken, "settle", permit, units).run()
        if awaitable(done):
            drop(done)
            raise TypeError("the bucket is asynchronous: use the reservation with async with, settle_async and cancel_async")

    async def settle_async(self, name: str, taken: Taken, permit: Any, units: int) -> None:
        await self._giving_back(name, taken, "settle", permit, units).in_loop()

    def reserve(self, name: str, weight: int, limit: Optional[float]) -> Reservation:
        reserving = Reserving(self._limiter, name, weight, limit)
        done = reserving.run()
        if awaitable(done):
            return self._reserved_later(done, reserving)  # type: ignore[return-value]
        return reserving.reservation()

    async def reserve_async(self, name: str, weight: int, limit: Optional[float]) -> Reservation:
        reserving = Reserving(self._limiter, name, weight, limit)
        return await self._reserved_later(reserving.run_async(), reserving)

    @staticmethod
    async def _reserved_later(done: Any, reserving: Reserving) -> Reservation:
        await done
        return reserving.reservation()

    def penalize(self, name: str, units: int) -> None:
        self._changing("penalize", name, min(units, COUNTLESS)).here()

    async def penalize_async(self, name: str, units: int) -> None:
        await self._changing("penalize", name, min(units, COUNTLESS)).in_loop()

    def hold(self, name: str, seconds: float) -> None:
        self._changing("hold", name, seconds).here()

    async def hold_async(self, name: str, seconds: float) -> None:
        await self._changing("hold", name, seconds).in_loop()

    def reset(self, name: str) -> bool:
        was_there: bool = Errand(self._limiter, name, 1, _reset).here()
        return was_there

    async def reset_async(self, name: str) -> bool:
        was_there: bool = await Errand(self._limiter, name, 1, _reset).in_loop()
        return was_there

    def _deciding(self, name: str, weight: int) -> Errand:
        return Errand(self._limiter, name, weight, _decide if weight else _decide_nothing)

    def _giving_back(self, name: str, taken: Taken, method: str, *arguments: Any) -> Errand:
        def give_back(errand: Errand) -> _Work:
            native = taken.native or _native_of(errand.bucket, "give back")
            answer = yield from errand.ask(native, method, *arguments)
            errand.make_room()
            return answer

        return Errand(self._limiter, name, 1, give_back, even_closed=True)

    def _changing(self, method: str, name: str, number: Union[int, float]) -> Errand:
        def change(errand: Errand) -> _Work:
            yield from errand.ask(_native_of(errand.bucket, method), method, name, number)

        return Errand(self._limiter, name, 1, change)


def _native_of(bucket: AbstractBucket, what: str) -> Any:
    native = native_of(bucket)
    if native is None:
        raise not_of_own(_IN_WORDS.get(what, what), type(bucket).__name__)
    return native


def _decide(errand: Errand) -> _Work:
    bucket, item, native = errand.bucket, errand.item, native_of(errand.bucket)
    if errand.behind is not None:
        return (yield from _refuse(errand, errand.behind))
    if native is None:
        return (yield from _decide_by_own(errand))
    told = yield from errand.ask(native, "decide_fully", item.name, min(item.weight, COUNTLESS))
    return verdict_of(errand.name, item.weight, bucket.rates, native, told, is_on_own_time=True)


def _decide_by_own(errand: Errand) -> _Work:
    bucket, item = errand.bucket, errand.item
    taken = NotGivenBack(type(bucket).__name__)
    if (yield from errand.call(bucket._put_in(errand.is_in_loop), item)):
        usage = yield from usage_by_looking(errand)
        return verdict_by_usage(errand.name, item.weight, limit_of(None, bucket.rates), usage, taken)
    rate = bucket.failing_rate
    wait = yield from errand.call(bucket.waiting, item)
    usage = yield from usage_by_looking(errand)
    return _denied(errand, None if wait == -1 else max(wait, 0) / 1000, rate, usage)


def _refuse(errand: Errand, behind: float) -> _Work:
    """Others wait for room in line, and so the bucket is not asked."""
    usage = yield from _usage(errand)
    never = errand.bucket._never_fits(errand.item)
    return _denied(errand, None if never else behind, None, usage, "line")


def _denied(
    errand: Errand, retry_after: Optional[float], rate: Any, usage: Optional[Usage], source: str = "store"
) -> Verdict:
    return Verdict(
        False,
        errand.name,
        errand.item.weight,
        limit_of(rate, errand.bucket.rates),
        None if usage is None else usage.remaining,
        retry_after,
        retry_after is None,
        None if usage is None else usage.reset_after,
        rate,
        source,
    )


def _decide_nothing(errand: Errand) -> _Work:
    usage = yield from _usage(errand)
    if usage is not None:
        return verdict_of_nothing(errand.name, usage)
    return verdict_by_usage(errand.name, 0, limit_of(None, errand.bucket.rates), None)


def _look(errand: Errand) -> _Work:
    usage = yield from _usage(errand)
    if usage is None:
        raise not_of_own("tell how much is in use", type(errand.bucket).__name__)
    return usage


def _usage(errand: Errand) -> Generator[Any, Any, Optional[Usage]]:
    native = native_of(errand.bucket)
    if native is None:
        return (yield from usage_by_looking(errand))
    return usage_of(errand.bucket.rates, (yield from errand.ask(native, "usage", errand.item.name)))


def _reset(errand: Errand) -> _Work:
    bucket, native = errand.bucket, native_of(errand.bucket)
    if native is None:
        was_there = (yield from errand.call(bucket._count_in(errand.is_in_loop))) > 0
        yield from errand.call(bucket._flush_in(errand.is_in_loop))
    else:
        was_there = yield from errand.ask(native, "reset", errand.item.name)
    errand.make_room()
    return bool(was_there)
