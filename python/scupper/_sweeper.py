"""The one thread of the process that leaks buckets."""

from __future__ import annotations

import logging
import threading
import weakref
from multiprocessing.util import Finalize
from sys import is_finalizing
from time import monotonic
from typing import TYPE_CHECKING, Optional

from ._fork import begins_anew

if TYPE_CHECKING:
    from ._leaker import Leaker

logger = logging.getLogger("scupper")

# For so many seconds a process that ends waits for a sweep.
_PATIENCE = 2.0

# Before the end of a manager, whose priority is 100.
_FIRST = 1000


class Sweeper:
    """Has leakers sweep when they are due, in a daemon thread that lives while there is a leaker to serve."""

    def __init__(self) -> None:
        self._after_fork()
        begins_anew(self)

    def _after_fork(self) -> None:
        # The leakers of the parent come again when their buckets are next asked.
        self._changed = threading.Condition()
        self._due: dict[int, tuple[weakref.ref[Leaker], float]] = {}
        self._thread: Optional[threading.Thread] = None
        self._has_ended = False
        self._end: Optional[Finalize] = None

    def serves(self, leaker: Leaker) -> bool:
        """Whether ``leaker`` was added and not removed."""
        return id(leaker) in self._due

    def add(self, leaker: Leaker) -> None:
        """Has ``leaker`` sweep now, and from then on when it says."""
        new = None
        with self._changed:
            if self._has_ended:
                return
            self._due[id(leaker)] = (weakref.ref(leaker), monotonic())
            if self._thread is None:
                new = self._thread = threading.Thread(target=self._run, name=leaker.name, daemon=True)
            self._changed.notify()
        if new is not None:
            self._start(new)

    def _start(self, thread: threading.Thread) -> None:
        """Not under the lock: a thread that begins may let a leaker go, which removes itself, before it says that it runs."""
        if self._end is None:
            self._end = Finalize(None, self._finish, exitpriority=_FIRST)
        try:
            thread.start()
        except RuntimeError:
            self._thread = None
            raise

    def remove(self, leaker: Leaker) -> None:
        """Has ``leaker`` sweep no more. A sweep that goes on is not waited for."""
        # At the interpreter's end, a thread that was stopped may have the lock.
        if id(leaker) in self._due and not is_finalizing():
            with self._changed:
                self._due.pop(id(leaker), None)
                self._changed.notify()

    def _finish(self) -> None:
        """Lets a sweep end, and none begin, before the process does: it may have a lock that nobody else would release."""
        if not self._changed.acquire(timeout=_PATIENCE):
            return
        try:
            self._has_ended = True
            self._due.clear()
            self._changed.notify()
            thread = self._thread
        finally:
            self._changed.release()
        if thread is not None:
            thread.join(_PATIENCE)

    def _run(self) -> None:
        while (leaker := self._next()) is not None:
            try:
                again = leaker._sweep()
            except Exception:
                logger.exception("Leaking failed; it is tried again")
                again = monotonic() + leaker.leak_interval / 1000
            with self._changed:
                if id(leaker) in self._due:
                    self._due[id(leaker)] = (weakref.ref(leaker), again)
            del leaker

    def _next(self) -> Optional[Leaker]:
        """Sleeps until a leaker is due. None, and the thread ends, if there is none left."""
        with self._changed:
            # A copy, and one that is made without a step of Python's: whatever runs here may let a leaker go, which removes itself.
            while due := self._due.copy():
                identity, (reference, at) = min(due.items(), key=lambda entry: entry[1][1])
                leaker = reference()
                if leaker is None:
                    self._due.pop(identity, None)
                elif at <= monotonic():
                    return leaker
                else:
                    del leaker
                    self._changed.wait(min(at - monotonic(), threading.TIMEOUT_MAX))
            self._thread = None
            return None


SWEEPER = Sweeper()
