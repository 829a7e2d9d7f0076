"""Buckets of a user's own, for the tests of the general path."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic, sleep

from scupper import AbstractBucket, Rate, RateItem


class Gate(AbstractBucket):
    """Full until somebody gives it room; tells who came, and how many were inside at once."""

    is_async = False

    def __init__(self, room: int = 0, wait_ms: int = 2, hold_seconds: float = 0.0) -> None:
        self.rates = [Rate(1000, 1000)]
        self.room = room
        self.wait_ms = wait_ms
        self.hold_seconds = hold_seconds
        self.admitted: list[object] = []
        self.puts: list[object] = []
        self.inside = 0
        self.most_inside = 0
        self.error: BaseException | None = None

    def put(self, item: RateItem) -> bool:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            self.puts.append(item.name)
            if self.hold_seconds:
                sleep(self.hold_seconds)
            if self.error is not None:
                raise self.error
            if self.room < item.weight:
                self.failing_rate = self.rates[0]
                return False
            self.room -= item.weight
            self.admitted.append(item.name)
            return True
        finally:
            self.inside -= 1

    def waiting(self, item: RateItem) -> int:
        return self.wait_ms

    def leak(self, current_timestamp: int | None = None) -> int:
        return 0

    def flush(self) -> None:
        self.room = 0

    def count(self) -> int:
        return len(self.admitted)

    def peek(self, index: int) -> RateItem | None:
        return None


class AsyncGate(Gate):
    """The same with a put to await, in which it lingers if told to."""

    is_async = True

    async def put(self, item: RateItem) -> bool:  # type: ignore[override]
        import asyncio

        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            await asyncio.sleep(self.hold_seconds)
        finally:
            self.inside -= 1
        hold, self.hold_seconds = self.hold_seconds, 0.0
        try:
            return Gate.put(self, item)
        finally:
            self.hold_seconds = hold

    async def waiting(self, item: RateItem) -> int:  # type: ignore[override]
        return self.wait_ms


def until(condition: object, seconds: float = 60.0) -> None:
    """Waits for ``condition()``, for so long at most."""
    end = monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert monotonic() < end, "it did not come about in time"
        sleep(0.001)


def in_line(bucket: AbstractBucket) -> int:
    """How many wait before ``bucket``."""
    from scupper._line import line_of

    return len(line_of(bucket)._tickets)


def thread(function: Callable[..., object], *args: object) -> Running:
    """Runs it beside the test."""
    running = Running(function, args)
    running.start()
    return running


class Running(threading.Thread):
    """Keeps what came of it."""

    def __init__(self, function: Callable[..., object], args: tuple[object, ...]) -> None:
        super().__init__(daemon=True)
        self._function, self._args = function, args
        self.result: object = None
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self.result = self._function(*self._args)
        except Exception as error:
            self.error = error
