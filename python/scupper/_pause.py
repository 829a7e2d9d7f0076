"""What an acquisition asks of whoever drives it, beside awaiting a user's awaitable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from ._ticket import Ticket


@dataclass(frozen=True)
class Pause:
    """Sleep on the ticket until it is woken, or until a time of ``time.monotonic()``."""

    ticket: Ticket
    until: Optional[float]


class Detach:
    """Go on in an event loop: the bucket's methods give awaitables."""
