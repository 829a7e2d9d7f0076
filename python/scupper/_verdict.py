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
    """

    allowed: bool
    """Whether all units were taken. If not, none was."""
    name: str
    """As it was asked for."""
    weight: int
    """Units that were asked for."""
    limit: int
    """Of the rate that binds."""
    remaining: Optional[int]
    """Units that fit now, under all rates. None where a bucket of your own cannot tell, or a store was out of reach."""
    retry_after: Optional[float] = None
    """After this the same request is admitted if nobody else comes, and not before; while others wait in line, or the
    bucket is held, it is the earliest time at which it may be. None if it was admitted, or never can be."""
    never: bool = False
    """Whether it is heavier than its rates ever allow."""
    reset_after: Optional[float] = 0.0
    """How long until nothing counts any more, if nobody else comes. None where a bucket of your own cannot tell."""
    rate: Optional[Rate] = field(default=None, compare=False)
    """The rate that binds: the one that has no room until then, or that has least room left. None where a hold or an
    outage stands in the way."""
    _taken: Union[None, Taken, NotGivenBack] = field(default=None, repr=False, compare=False)

    def __bool__(self) -> bool:
        return self.allowed
