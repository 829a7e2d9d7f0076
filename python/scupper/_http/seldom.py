"""Warnings that one fault brings about at every request, written once in a while."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from .._fork import begins_anew

logger = logging.getLogger("scupper.http")

INTERVAL_SECONDS = 60.0


class Seldom:
    """Logs one warning at most once in ``INTERVAL_SECONDS``, with how often it was held back since the last."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._next = float("-inf")
        self._held_back = 0
        self._after_fork()
        begins_anew(self)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()

    def __reduce__(self) -> Any:
        return Seldom, (self._clock,)

    def warn(self, text: str, error: BaseException | None = None) -> None:
        with self._lock:
            now = self._clock()
            if now < self._next:
                self._held_back += 1
                return
            self._next = now + INTERVAL_SECONDS
            held_back, self._held_back = self._held_back, 0
        more = f" ({held_back} more since the last such warning)" if held_back else ""
        logger.warning("%s%s", text, more, exc_info=error)
