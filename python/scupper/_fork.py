"""What a forked child must make anew: locks that a thread held which the child does not have."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forked(Protocol):
    """Something that knows how to begin again in a child process."""

    def _after_fork(self) -> None: ...


_known: weakref.WeakValueDictionary[int, Forked] = weakref.WeakValueDictionary()


def begins_anew(thing: Forked) -> None:
    """Has ``thing._after_fork()`` called in every child that is forked while ``thing`` lives."""
    _known[id(thing)] = thing


def _in_child() -> None:
    for thing in list(_known.values()):
        thing._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
