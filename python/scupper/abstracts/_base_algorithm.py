"""What all algorithms have in common."""

from __future__ import annotations

from abc import ABC

from .rate import Rate


class Algorithm(ABC):
    """Decides what passes. It holds no state of its own, so that one may serve any number of buckets."""

    def max_weight(self, rate: Rate) -> int:
        """The most units that ``rate`` could ever let pass in one request."""
        return rate.limit
