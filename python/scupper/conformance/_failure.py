"""What a check says of a bucket that is wrong."""

from __future__ import annotations


class ConformanceError(AssertionError):
    """A bucket does not keep a promise: which, and what it did."""
