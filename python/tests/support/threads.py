"""Threads with bounds: a test that fails ends, whatever its threads do."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BOUND = 60.0


class Late(AssertionError):
    """What a test wanted to be there for was over by then: its window was too short for the machine, or nobody waited."""


def in_a_window(attempt: Callable[[int], None], *windows: int) -> None:
    """Make an attempt with ever longer windows, in ms, until this machine is quick enough to see what happens in one."""
    for window in windows[:-1]:
        try:
            return attempt(window)
        except Late:
            pass
    return attempt(windows[-1])


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Return as soon as `condition` holds; fail after the bound."""
    end = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < end, f"never came true: {what}"
        time.sleep(0.001)


def rests(thread: int) -> bool:
    """Whether the kernel has the thread of that number asleep, and not for the interpreter's lock: that one comes round."""
    before = _status(thread)
    for _ in range(5):
        time.sleep(0.002)
        if _status(thread) != before:
            return False
    return before is not None and before[0] == "S"


def _status(thread: int) -> tuple[str, str] | None:
    try:
        lines = Path(f"/proc/self/task/{thread}/status").read_text().splitlines()
    except OSError:
        return None
    fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return fields["State"][0], fields["voluntary_ctxt_switches"]


def signal_once_asleep(thread: int, number: int) -> None:
    """Send this process a signal as soon as that thread of it sleeps."""
    eventually(lambda: rests(thread), "the thread sleeps")
    os.kill(os.getpid(), number)


class Running:
    """A call on a daemon thread of its own."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._outcome: tuple[str, Any] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._outcome = ("returned", self._call())
        except BaseException as error:  # noqa: BLE001 - it is raised again where the test asks for it
            self._outcome = ("raised", error)

    @property
    def ended(self) -> bool:
        return self._outcome is not None

    def result(self) -> Any:
        """What the call returned, or raised; a failure where it does not end within the bound."""
        self._thread.join(BOUND)
        assert self._outcome is not None, "the thread did not end"
        kind, value = self._outcome
        if kind == "raised":
            raise value
        return value

    def until_asleep(self) -> "Running":
        """Return when the thread sleeps."""
        eventually(lambda: self.ended or self._rests(), "the thread sleeps")
        if self.ended:
            raise Late(f"the call did not wait: {self._outcome}")
        return self

    def _rests(self) -> bool:
        return self._thread.native_id is not None and rests(self._thread.native_id)


def together(count: int, call: Callable[[int], Any]) -> list[Any]:
    """Run `call(0)` to `call(count - 1)` at once; their results in that order."""
    gate = threading.Barrier(count)

    def start(index: int) -> Any:
        gate.wait(BOUND)
        return call(index)

    running = [Running(lambda index=index: start(index)) for index in range(count)]
    return [each.result() for each in running]
