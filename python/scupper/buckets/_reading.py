"""Times that a bucket read itself."""

from __future__ import annotations

from time import time_ns


class Reading(int):
    """A tick that a bucket's own clock gave, as opposed to one that a caller chose.

    A bucket that had to wait for its lock may read its clock anew in place of this one: what is put at a time that is
    past would exceed the limit.
    """

    __slots__ = ()


def wall_ms() -> int:
    """Milliseconds since 1970."""
    return time_ns() // 1_000_000
