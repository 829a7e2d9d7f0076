"""A place in a line, and the sleep of whoever holds it."""

from __future__ import annotations

import asyncio
import threading
from time import monotonic
from typing import Optional


class Ticket:
    """One caller's place. A thread or a task sleeps on it until it is woken, or until a time of ``time.monotonic()``.

    A wake-up that comes before the sleep is not lost, and one may come for no reason: whoever sleeps looks again.
    """

    def __init__(self, patient: bool) -> None:
        self.patient = patient
        self.gone = False
        self.outside = False
        self.thread: Optional[int] = None
        self.resting = False
        self.stirred = False
        self.due: Optional[float] = None
        self.loop: Optional[asyncio.AbstractEventLoop] = None
        self._woken = False
        self._future: Optional[asyncio.Future[None]] = None
        self._signal: Optional[threading.Lock] = None

    def wake(self) -> bool:
        """Ends the sleep, from any thread. False if the sleeper's event loop is closed, so that it can never wake."""
        self._woken = True
        future, signal = self._future, self._signal
        if signal is not None:
            try:
                signal.release()
            except RuntimeError:
                pass  # woken already
        if future is not None:
            try:
                future.get_loop().call_soon_threadsafe(_settle, future)
            except RuntimeError:
                return False
        return self.loop is None or not self.loop.is_closed()

    def sleep(self, until: Optional[float]) -> None:
        """Sleeps in this thread. Signals are served meanwhile, so that an interrupt ends it."""
        signal = threading.Lock()
        signal.acquire()
        self._signal = signal
        try:
            if self._woken:
                return
            if until is None:
                signal.acquire()
            else:
                signal.acquire(timeout=min(max(until - monotonic(), 0), threading.TIMEOUT_MAX))
        finally:
            self._signal = None
            self._woken = False

    async def sleep_async(self, until: Optional[float]) -> None:
        """Sleeps in this task."""
        loop = asyncio.get_running_loop()
        future = self._future = loop.create_future()
        timer = None
        try:
            if self._woken:
                return
            if until is not None:
                timer = loop.call_later(max(until - monotonic(), 0), _settle, future)
            await future
        finally:
            self._future = None
            self._woken = False
            if timer is not None:
                timer.cancel()


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
