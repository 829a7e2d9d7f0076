"""What an algorithm answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from .rate import Rate


@dataclass(frozen=True)
class Decision:
    """Whether a request passes. It passes if no rate failed: see :attr:`allowed` (the object itself is always truthy).

    ``failing_rate`` is the first rate of the list that the request does not fit. ``retry_after_ms`` is the number of
    milliseconds after which the same request would pass if nobody else came; ``None`` if it would never.
    """

    failing_rate: Optional[Rate] = None
    retry_after_ms: Optional[int] = None

    @property
    def allowed(self) -> bool:
        """True if the request passes."""
        return self.failing_rate is None


ADMITTED = Decision()
