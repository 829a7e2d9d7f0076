"""A request on the general path that waits for units which can be given back."""

from __future__ import annotations

import math
from time import monotonic
from typing import TYPE_CHECKING, Any, Optional

from ._acquisition import Acquisition
from ._answers import COUNTLESS, not_reserved
from ._await import awaitable
from ._errand import native_of, times_of
from ._later import asked_later
from ._line import Line
from ._reservation import Reservation
from ._taken import Taken, not_of_own
from .abstracts.bucket import AbstractBucket
from .abstracts.rate import RateItem

if TYPE_CHECKING:
    from .limiter import Limiter


class Reserving(Acquisition):
    """Asks the native bucket of a bucket as it was made, in the place of ``put`` and ``waiting``."""

    def __init__(self, limiter: Limiter, name: str, weight: int, limit: Optional[float]) -> None:
        super().__init__(limiter, name, weight, True, None if limit is None else monotonic() + limit)
        self._limit = limit
        self._taken: Optional[Taken] = None
        self._wait = 0

    def reservation(self) -> Reservation:
        """What was reserved; raises if nothing was."""
        if self._taken is not None:
            return Reservation(self._limiter, self._name, self._weight, self._taken)
        if self._bucket is None:
            raise TimeoutError(f"no bucket was found within {self._limit} seconds")
        raise not_reserved(self._bucket, self._weight, self._limit)

    def _put(self, line: Line, bucket: AbstractBucket, item: RateItem) -> Any:
        native = native_of(bucket)
        if native is None:
            raise not_of_own("reserve", type(bucket).__name__)
        asked = asked_later(native, "decide_fully") if self._is_in_loop else native.decide_fully
        told = asked(item.name, min(item.weight, COUNTLESS), *times_of(native, item))
        return self._told_later(native, told) if awaitable(told) else self._told(native, told)

    async def _told_later(self, native: Any, told: Any) -> bool:
        return self._told(native, await told)

    def _told(self, native: Any, told: Any) -> bool:
        allowed, _, retry_after, *_, permit, _ = told
        if allowed:
            self._taken = Taken(native, permit, is_on_own_time=True)
        self._wait = -1 if retry_after is None else math.ceil(retry_after * 1000)
        return bool(allowed)

    def _waiting(self, line: Line, bucket: AbstractBucket, item: RateItem) -> int:
        return self._wait
