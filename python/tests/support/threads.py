"""Threads with bounds: a test that fails ends, whatever its threads do."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BOUND = 20.0


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Return as soon as `condition` holds; fail after the bound."""
    end = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < end, f"never came true: {what}"
        time.sleep(0.001)


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
        """Return when the kernel has the thread asleep, and not for the interpreter's lock: that one comes round."""
        eventually(lambda: self.ended or self._rests(), "the thread sleeps")
        assert not self.ended, f"the call did not wait: {self._outcome}"
        return self

    def _rests(self) -> bool:
        before = self._status()
        for _ in range(5):
            time.sleep(0.002)
            if self._status() != before:
                return False
        return before is not None and before[0] == "S"

    def _status(self) -> tuple[str, str] | None:
        try:
            lines = Path(f"/proc/self/task/{self._thread.native_id}/status").read_text().splitlines()
        except OSError:
            return None
        fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        return fields["State"][0], fields["voluntary_ctxt_switches"]


def together(count: int, call: Callable[[int], Any]) -> list[Any]:
    """Run `call(0)` to `call(count - 1)` at once; their results in that order."""
    gate = threading.Barrier(count)

    def start(index: int) -> Any:
        gate.wait(BOUND)
        return call(index)

    running = [Running(lambda index=index: start(index)) for index in range(count)]
    return [each.result() for each in running]
