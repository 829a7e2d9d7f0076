"""One request on the general path, where a user's bucket, factory or clock takes part."""

from __future__ import annotations

import asyncio
import threading
from asyncio import AbstractEventLoop, _get_running_loop
from collections.abc import Callable, Coroutine, Generator
from inspect import iscoroutinefunction
from time import monotonic
from typing import TYPE_CHECKING, Any, Optional, Union

from ._await import awaitable, drop, settled
from ._line import Line, line_of, line_to_find
from ._locks import give_back, taken
from ._pause import Detach, Pause
from ._ticket import Ticket
from .abstracts.bucket import AbstractBucket
from .abstracts.rate import RateItem

if TYPE_CHECKING:
    from .limiter import Limiter

Steps = Generator[Any, Any, bool]

_RLOCK = type(threading.RLock())

# A bucket that denies and says that there is nothing to wait for is asked again no sooner than this.
_SHORTEST_REST_SECONDS = 0.001


class Late(Exception):
    """The deadline passed before a lock was free, or before the turn came."""


class Acquisition:
    """Asks ``factory.wrap_item`` and ``factory.get``, then ``bucket.put`` and ``bucket.waiting`` until it is decided.

    The steps are written once, as a generator that yields what has to be slept or awaited. :meth:`run` drives it in a
    thread, and :meth:`run_async` in an event loop. ``deadline`` is a time of ``time.monotonic()``.
    """

    def __init__(
        self, limiter: Limiter, name: str, weight: int, blocking: bool, deadline: Optional[float] = None
    ) -> None:
        self._limiter = limiter
        self._name = name
        self._weight = weight
        self._deadline = deadline
        self._ticket = Ticket(patient=blocking and not self._is_late())
        self._is_in_loop = False
        self._line: Optional[Line] = None
        self._item: Optional[RateItem] = None
        self._bucket: Optional[AbstractBucket] = None

    def aimed_at(self, bucket: AbstractBucket, item: RateItem) -> Acquisition:
        """The same for an item that has its bucket already."""
        self._bucket, self._item = bucket, item
        return self

    def run(self) -> Union[bool, Coroutine[Any, Any, bool]]:
        """The verdict; or, if something gave an awaitable, a coroutine that goes on from there."""
        steps = self._steps()
        try:
            step = next(steps)
            while isinstance(step, Pause) and not self._waits_for_own_loop():
                step.ticket.sleep(step.until)
                step = next(steps)
            self._step_back()
            return self._go_on(steps, step)
        except StopIteration as end:
            return bool(end.value)
        except BaseException:
            steps.close()
            raise

    async def run_async(self) -> bool:
        """The verdict, without ever blocking the event loop on a sleep."""
        self._is_in_loop = True
        self._ticket.loop = _get_running_loop()  # there is none where nobody has to wait
        return await self._drive(self._steps(), Detach)

    async def _go_on(self, steps: Steps, step: Any) -> bool:
        self._is_in_loop = True
        self._ticket.loop = asyncio.get_running_loop()
        if self._line is not None:
            try:
                await self._line_up_again(self._line)
            except BaseException as error:
                drop(step)
                steps.close()
                if isinstance(error, Late):
                    return False
                raise
            if isinstance(step, Pause):
                step = Detach  # what it was to wait for has come
        return await self._drive(steps, step)

    @staticmethod
    async def _drive(steps: Steps, step: Any) -> bool:
        try:
            while True:
                try:
                    if isinstance(step, Pause):
                        await step.ticket.sleep_async(step.until)
                        answer = None
                    else:
                        answer = None if step is Detach else await step
                except BaseException as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            return bool(end.value)

    def _steps(self) -> Steps:
        ticket, limiter = self._ticket, self._limiter
        try:
            self._enlist()
            if self._item is None:
                self._item = yield from self._wrapped()
            if self._bucket is None:
                self._bucket = yield from self._routed(self._item)
            bucket = self._bucket
            if not self._is_in_loop and _must_be_awaited(bucket):
                yield Detach
            self._line = line_of(bucket)
            at_once = self._line.join(ticket, _get_running_loop())
            return (yield from self._decided(self._line, bucket, self._item, at_once))
        except Late:
            return False
        finally:
            ticket.gone = True  # first of all, lest an interrupt here leaves it standing
            try:
                limiter._delist(ticket)
            finally:
                if self._line is not None:
                    self._line.leave(ticket)

    def _decided(self, line: Line, bucket: AbstractBucket, item: RateItem, has_turn: bool) -> Steps:
        ticket, fresh = self._ticket, True
        while True:
            if not has_turn and not line.has_turn(ticket):
                if bucket._never_fits(item) or not (yield from self._turn(line)):
                    return False
                fresh = False
            line.calls(ticket)
            yield from self._leaked(bucket)
            if not fresh:
                item = yield from self._wrapped()
            if (yield from settled(self._put(line, bucket, item))):
                return True
            if not ticket.patient:
                return False
            wait = yield from settled(self._waiting(line, bucket, item))
            if _milliseconds(wait) == -1 or not (yield from self._rested(line, wait)):
                return False
            fresh = has_turn = False

    def _turn(self, line: Line) -> Steps:
        """Waits for the turn. False if it is refused, or too late."""
        while not line.has_turn(self._ticket):
            if line.refuses(self._ticket) or self._is_late():
                return False
            times = (self._deadline, line.look_again_at(self._ticket))
            yield Pause(self._ticket, min((time for time in times if time is not None), default=None))
            self._check_open()
        return True

    def _rested(self, line: Line, wait: int) -> Steps:
        """Waits for room. False if there is none before the deadline."""
        now = monotonic()
        room = now + max(wait, 0) / 1000
        if self._is_late(room) or self._is_late():
            return False
        until = max(room + self._limiter.buffer_ms / 1000, now + _SHORTEST_REST_SECONDS)
        if self._deadline is not None:
            until = min(until, self._deadline)
        line.rests(self._ticket, until)
        while monotonic() < until and not self._ticket.stirred:
            yield Pause(self._ticket, until)
            self._check_open()
        return True

    def _wrapped(self) -> Generator[Any, Any, RateItem]:
        item = self._locked(self._limiter.bucket_factory.wrap_item, self._name, self._weight)
        if not isinstance(item, RateItem):
            item = yield from settled(item)
        if not isinstance(item, RateItem):
            raise AssertionError(f"wrap_item must give a RateItem, not {item!r}")
        return item

    def _routed(self, item: RateItem) -> Generator[Any, Any, AbstractBucket]:
        factory = self._limiter.bucket_factory
        bucket = self._locked(factory.get, item)
        if not isinstance(bucket, AbstractBucket) and awaitable(bucket):
            bucket = yield from self._found(line_to_find(factory), bucket)
        if not isinstance(bucket, AbstractBucket):
            raise AssertionError(f"Invalid bucket: item: {item.name}")
        return bucket

    def _found(self, line: Line, bucket: Any) -> Generator[Any, Any, Any]:
        """What ``get`` gives when it is awaited: one after the other, lest two of them make a bucket for one name."""
        try:
            if not self._is_in_loop:
                yield Detach
            self._line = line
            has_turn = line.join(self._ticket, None)
            if not has_turn and not (yield from self._turn(line)):
                raise Late
            line.calls(self._ticket)
            bucket = yield bucket
        except BaseException:
            drop(bucket)
            raise
        self._step_back()
        self._line, self._ticket.gone = None, False
        if not has_turn:
            self._item = yield from self._wrapped()
        return bucket

    def _enlist(self) -> None:
        self._limiter._enlist(self._ticket)

    def _check_open(self) -> None:
        self._limiter._check_open()

    def _put(self, line: Line, bucket: AbstractBucket, item: RateItem) -> Any:
        return self._inside(line, bucket._put_in(self._is_in_loop), item)

    def _waiting(self, line: Line, bucket: AbstractBucket, item: RateItem) -> Any:
        return self._inside(line, bucket.waiting, item)

    def _leaked(self, bucket: AbstractBucket) -> Generator[Any, Any, None]:
        leaker = self._limiter.bucket_factory._leaker
        if leaker is not None and leaker._is_due(bucket):
            yield from leaker._leak_one(bucket)

    def _inside(self, line: Line, method: Callable[..., Any], *arguments: Any) -> Any:
        before = line.enter((threading.get_ident(), self._ticket))
        try:
            return self._locked(method, *arguments)
        finally:
            line.enter(before)

    def _locked(self, method: Callable[..., Any], *arguments: Any) -> Any:
        lock = self._limiter.lock
        if self._deadline is None and type(lock) is _RLOCK:
            with lock:
                return method(*arguments)
        held = taken(lock, self._deadline)
        if held is None:
            raise Late
        try:
            return method(*arguments)
        finally:
            give_back(held)

    def _is_late(self, at: Optional[float] = None) -> bool:
        return self._deadline is not None and (monotonic() if at is None else at) >= self._deadline

    def _waits_for_own_loop(self) -> bool:
        loop: Optional[AbstractEventLoop] = _get_running_loop()
        return loop is not None and self._line is not None and self._line.held_by(loop)

    def _step_back(self) -> None:
        """Leaves the line until the coroutine is awaited: one that never is would hold up everybody."""
        if self._line is not None:
            self._line.leave(self._ticket)

    async def _line_up_again(self, line: Line) -> None:
        ticket = self._ticket
        ticket.gone = False
        line.join(ticket, None)
        if not await self._drive(self._turn_again(line), Detach):
            raise Late
        line.calls(ticket)

    def _turn_again(self, line: Line) -> Steps:
        return self._turn(line)


def _must_be_awaited(bucket: AbstractBucket) -> bool:
    """Whether that is known before a call."""
    return bucket.is_async if bucket.is_async is not None else iscoroutinefunction(bucket.put)


def _milliseconds(wait: object) -> int:
    if not isinstance(wait, int):
        raise AssertionError(f"waiting must give whole milliseconds, or -1 for never; not {wait!r}")
    return wait
