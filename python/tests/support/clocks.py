"""Clocks that a test moves."""


class HandClock:
    """Shows what it was set to, and counts how often it was read."""

    def __init__(self, now: int = 0) -> None:
        self.time = now
        self.readings = 0

    def now(self) -> int:
        self.readings += 1
        return self.time


class SteppingClock:
    """Moves on by `step` ms whenever it is read; the first reading is `start`."""

    def __init__(self, start: int, step: int) -> None:
        self.next_reading = start
        self.step = step

    def now(self) -> int:
        reading = self.next_reading
        self.next_reading += self.step
        return reading
