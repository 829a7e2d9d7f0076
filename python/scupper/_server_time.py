"""Times that a server has told."""

from __future__ import annotations

from time import time_ns


class ServerTime(int):
    """Milliseconds since 1970 on a server. A bucket there counts an item of such a time at the server's time of then."""

    __slots__ = ()

    @classmethod
    def about(cls) -> ServerTime:
        """What the server would say, as far as this machine knows."""
        return cls(time_ns() // 1_000_000)
