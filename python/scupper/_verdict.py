"""The answer to a request that does not wait."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Union

from ._taken import NotGivenBack, Taken
from .abstracts.rate import Rate


@dataclass(frozen=True)
class Verdict:
    """Whether a request was admitted, and how its bucket was left. True if it was.

    Times are seconds. A verdict can be pickled.

    Attributes:
        allowed: Whether all units were taken. If not, none was.
        name: As it was asked for.
        weight: Units that were asked for.
        limit: Of the rate that binds; the least limit where none can be named.
        remaining: Units that fit now, under all rates. None where a bucket that is not native cannot tell, or a store
            was out of reach.
        retry_after: After this the same request is admitted if nobody else comes, and not before; while others wait in
            line, or the bucket is held, it is the earliest time at which it may be. None if it was admitted, or never
            can be.
        never: Whether it is heavier than its rates ever allow.
        reset_after: How long until nothing counts any more, if nobody else comes. None where a bucket that is not native
            cannot tell, as with every algorithm but the sliding window log.
        rate: The rate that binds: the one that has no room until then, or that has least room left. None where a hold,
            an outage or others in line stand in the way.
        source: Who decided: ``"store"``, that is the bucket, wherever it is kept; ``"line"``, where others wait for it
            and it was not asked; ``"denial_cache"``, a denial that is still fresh; or, while a store is out of reach,
            its outage policy: ``"fail_open"``, which counts nowhere, ``"fail_closed"`` or ``"fallback"``.
    """

    allowed: bool
    name: str
    weight: int
    limit: int
    remaining: Optional[int]
    retry_after: Optional[float] = None
    never: bool = False
    reset_after: Optional[float] = 0.0
    rate: Optional[Rate] = field(default=None, compare=False)
    source: str = field(default="store", compare=False)
    _taken: Union[None, Taken, NotGivenBack] = field(default=None, repr=False, compare=False)

    def __bool__(self) -> bool:
        return self.allowed
