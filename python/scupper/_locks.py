"""Several locks taken as one."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, Protocol, Union, cast


class LockLike(Protocol):
    """A lock of a thread, a process or a file."""

    def acquire(self, blocking: bool = ..., timeout: float = ...) -> Any: ...

    def release(self) -> Any: ...


Locks = Union[Iterable[LockLike], LockLike]


def each(locks: Locks) -> list[LockLike]:
    """The locks in the order in which they are taken."""
    if hasattr(locks, "acquire"):
        return [cast(LockLike, locks)]
    return list(locks)


@contextmanager
def combined_lock(locks: Locks, blocking: bool, timeout: Union[int, float] = -1) -> Iterator[None]:
    """Holds one lock, or all of several, taken in their order.

    Waits for them unless ``blocking`` is false, for ``timeout`` seconds at most (-1: for ever).

    Raises ``TimeoutError``, holding none, if they were not free in time.
    """
    if not blocking:
        timeout = 0
    deadline = None if timeout == -1 else monotonic() + timeout
    held = taken(locks, deadline)
    if held is None:
        raise TimeoutError("Timeout while acquiring combined lock.")
    try:
        yield
    finally:
        give_back(held)


def taken(locks: Locks, deadline: Union[float, None]) -> Union[list[LockLike], None]:
    """The locks, all held, to be given to :func:`give_back`; None, holding none, if they were not free by then."""
    held: list[LockLike] = []
    try:
        for lock in each(locks):
            if not _acquired(lock, deadline):
                give_back(held)
                return None
            held.append(lock)
    except BaseException:  # an interrupt too: what is held already must not stay locked
        give_back(held)
        raise
    return held


def give_back(held: list[LockLike]) -> None:
    """Releases the locks, the last taken first."""
    while held:
        held.pop().release()


def _acquired(lock: LockLike, deadline: Union[float, None]) -> bool:
    # Locks of threads, processes and files agree on no more than these two calls, and a False.
    if deadline is None:
        return lock.acquire() is not False
    left = min(max(deadline - monotonic(), 0), threading.TIMEOUT_MAX)
    try:
        return lock.acquire(timeout=left) is not False
    except TimeoutError:
        return False
