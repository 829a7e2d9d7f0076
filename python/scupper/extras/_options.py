"""What a client may be told beyond its limiter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any, Optional

from .._single import SingleBucketFactory
from ..abstracts.bucket import AbstractBucket
from ..buckets.store_bucket import StoreBucket

LONGEST_HOLD = 3600.0


@dataclass(frozen=True)
class Options:
    """How requests are counted, and what is done about answers. Times are in seconds.

    Raises ``ValueError`` for what makes no sense.
    """

    per_host: bool = False
    key: Optional[Callable[[Any], Any]] = None
    learn: bool = False
    resends: int = 0
    longest_hold: float = LONGEST_HOLD

    def __post_init__(self) -> None:
        if self.per_host and self.key is not None:
            raise ValueError("per_host and key both say what to count by: give one of them")
        if self.resends < 0:
            raise ValueError(f"resends must be >= 0, not {self.resends}")
        if not isinstance(self.longest_hold, Real):
            raise TypeError(f"longest_hold must be a positive number of seconds, not {self.longest_hold!r}")
        if not self.longest_hold > 0:
            raise ValueError(f"longest_hold must be a positive number of seconds, not {self.longest_hold}")

    def suit(self, limiter: Any) -> Options:
        """The options themselves. ``TypeError`` if ``limiter`` is none; ``ValueError`` if it cannot do what they ask."""
        if not callable(getattr(limiter, "try_acquire", getattr(limiter, "try_acquire_async", None))):
            raise TypeError(f"limiter must be a Limiter, not {limiter!r}")
        factory = getattr(limiter, "bucket_factory", None)
        if self.per_host and type(factory) is SingleBucketFactory and not _is_per_key(factory.bucket):
            raise ValueError(
                "per_host needs a limiter with a bucket for each name, such as Limiter.per_key(rates) gives;"
                " this one counts all hosts together"
            )
        return self

    def name(self, otherwise: Any, request: Any, origin: str) -> Any:
        """What the limiter is asked for on behalf of ``request``, which goes to ``origin``."""
        if self.key is not None:
            return self.key(request)
        return origin if self.per_host else otherwise

    @property
    def learns(self) -> bool:
        return self.learn or self.resends > 0


def _is_per_key(bucket: AbstractBucket) -> bool:
    inside = bucket._stands_for()
    return isinstance(inside, StoreBucket) and inside.key is None
