"""A bucket under test, with its model beside it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Deque, Optional, Union

from .._await import awaitable
from ..abstracts.bucket import AbstractBucket
from ..abstracts.rate import Rate, RateItem
from ._failure import ConformanceError
from ._models import Model

_STEPS_TOLD = 8


class Subject:
    """Calls the bucket, awaits what it gives, and remembers the last steps for what is said if it is wrong."""

    def __init__(self, bucket: AbstractBucket, model: Model, loop: asyncio.AbstractEventLoop) -> None:
        self.bucket = bucket
        self.model = model
        self._loop = loop
        self._steps: Deque[str] = deque(maxlen=_STEPS_TOLD)
        self.item = RateItem("", 0)

    @classmethod
    def made(
        cls,
        bucket: Union[AbstractBucket, Awaitable[AbstractBucket]],
        model: Callable[[AbstractBucket], Model],
        loop: asyncio.AbstractEventLoop,
    ) -> Subject:
        """Of a bucket, or of what gives one when it is awaited."""
        made: Any = loop.run_until_complete(_gives(bucket)) if awaitable(bucket) else bucket
        return cls(made, model(made), loop)

    def awaited(self, value: Any) -> Any:
        """The value, or what it gives when it is awaited."""
        return self._loop.run_until_complete(_gives(value)) if awaitable(value) else value

    def put(self, now: int, weight: int = 1, name: str = "item") -> bool:
        """Puts an item and says what the bucket did. The model counts what the bucket admitted."""
        self.item = RateItem(name, now, weight)
        admitted = self.awaited(self.bucket.put(self.item))
        self._steps.append(f"put {weight} at {now}: {'admitted' if admitted else 'denied'}")
        if admitted is not True and admitted is not False:
            raise self.wrong(f"put gave {admitted!r}; it must give True or False")
        if admitted:
            self.model.take(now, weight)
        return admitted

    def expect(self, now: int, weight: int = 1, name: str = "item") -> bool:
        """Puts an item, and requires of the bucket what the model says. Says whether it was admitted."""
        in_the_way = self.model.in_the_way(now, weight)
        used = {rate: self._used(rate, now) for rate in self.model.rates}
        admitted = self.put(now, weight, name)
        if admitted and in_the_way:
            rate = in_the_way[0]
            raise self.wrong(f"{weight} at {now} exceeds {said(rate)}, {used[rate]}: it must be denied")
        if not admitted and not in_the_way:
            uses = "; ".join(f"{said(rate)}, {used[rate]}" for rate in self.model.rates)
            raise self.wrong(f"{weight} at {now} fits, and must be admitted: {uses}")
        return admitted

    def waiting(self) -> int:
        """What the bucket says of the item that was put last."""
        wait = self.awaited(self.bucket.waiting(self.item))
        self._steps.append(f"waiting: {wait!r}")
        if not isinstance(wait, int):
            raise self.wrong(f"waiting gave {wait!r}; it must give whole milliseconds, or -1 for never")
        return wait

    def leak(self, now: Optional[int] = None) -> int:
        """What a leak says, at the bucket's own time if there is none. 0 if that was refused."""
        try:
            leaked = self.awaited(self.bucket.leak() if now is None else self.bucket.leak(now))
        except AssertionError:
            if now is not None:
                raise
            leaked = 0
        except Exception as error:
            if now is not None:
                raise
            raise self.wrong(
                f"leak() without a time raised {error!r}; its time may be left out: then it is that of now(), or AssertionError says no"
            ) from error
        self._steps.append(f"leak at {'no time' if now is None else now}: {leaked!r}")
        if not isinstance(leaked, int):
            raise self.wrong(f"leak gave {leaked!r}; it must give how many units it dropped")
        return leaked

    def flush(self) -> None:
        self.awaited(self.bucket.flush())
        self._steps.append("flush")
        self.model.clear()

    def count(self) -> int:
        count: int = self.awaited(self.bucket.count())
        self._steps.append(f"count: {count!r}")
        return count

    def peek(self, index: int) -> Optional[RateItem]:
        item: Optional[RateItem] = self.awaited(self.bucket.peek(index))
        return item

    def wrong(self, what: str) -> ConformanceError:
        """What is wrong, and how it came to it."""
        rates = ", ".join(said(rate) for rate in self.model.rates)
        steps = "".join(f"\n  {step}" for step in self._steps)
        return ConformanceError(f"{what}\nrates: {rates}; the last steps, in units and milliseconds:{steps}")

    def _used(self, rate: Rate, now: int) -> str:
        return f"of which {self.model.used(rate, now)} are in use"


def said(rate: Rate) -> str:
    """A rate in words."""
    burst = "" if rate.burst == rate.limit else f" with bursts of {rate.burst}"
    return f"{rate.limit} in {rate.interval} ms{burst}"


async def _gives(value: Any) -> Any:
    return await value
