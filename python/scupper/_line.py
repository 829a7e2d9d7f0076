"""The line before a bucket: first come, first served, among threads and the tasks of any event loop."""

from __future__ import annotations

import threading
import weakref
from asyncio import AbstractEventLoop
from collections import OrderedDict
from sys import is_finalizing
from time import monotonic
from typing import TYPE_CHECKING, Any, Optional, Tuple

from ._fork import begins_anew
from ._ticket import Ticket

if TYPE_CHECKING:
    from .abstracts.bucket import AbstractBucket, BucketFactory
    from .limiter import Limiter

# A thread that is inside of a call of the bucket, and for whom.
Caller = Tuple[int, Ticket]

# How late the first may be, if it is a task, before others go past it: its event loop is blocked, or stopped for good.
_OVERDUE_SECONDS = 1.0


def line_of(bucket: AbstractBucket) -> Line:
    """The line before ``bucket``, shared by all limiters over it. A wrapper stands in the line of what it wraps."""
    return _line_in(bucket._stands_for().__dict__, "_line")


def line_to_find(factory: BucketFactory) -> Line:
    """The line of those for whom ``factory.get`` finds a bucket where that takes a while."""
    return _line_in(factory.__dict__, "_line_to_find")


def _line_in(attributes: dict[str, Any], name: str) -> Line:
    line = attributes.get(name)
    if line is None:
        line = attributes.setdefault(name, Line())
    assert isinstance(line, Line)
    return line


class Line:
    """Tickets in the order in which they came. The first has the turn: it alone calls the bucket, or rests.

    Who rests waits for room; the patient behind it wait for their turn, and the impatient are refused. While the
    first is calling nobody is refused: a bucket that is busy is not full.
    """

    def __init__(self) -> None:
        self.limiters: weakref.WeakValueDictionary[int, Limiter] = weakref.WeakValueDictionary()
        self._caller: Optional[Caller] = None
        self._after_fork()
        begins_anew(self)

    def _after_fork(self) -> None:
        # Taken again by the same thread if a signal's handler, or a coroutine that is thrown away, comes in between.
        self._lock = threading.RLock()
        self._tickets: OrderedDict[Ticket, None] = OrderedDict()
        self._impatient: set[Ticket] = set()
        self._appointed: Optional[Ticket] = None
        self._threads: dict[int, Ticket] = {}
        if self._caller is not None and self._caller[0] != threading.get_ident():
            self._caller = None

    def __reduce__(self) -> Any:
        return (Line, ())

    def join(self, ticket: Ticket, loop_here: Optional[AbstractEventLoop]) -> bool:
        """Adds ``ticket`` at the end, and says whether it may call at once.

        A call from inside a call of the same thread, or from a signal's handler while that thread waits, stands
        outside of the line: it cannot wait for itself. A thread that blocks a running event loop (``loop_here``) goes
        before the tasks of that loop: they cannot move until it returns. If it is impatient, and the first waits for
        room, it need not wait for them.
        """
        thread = threading.get_ident()
        with self._lock:
            if self._is_calling(thread) or (ticket.loop is None and self._is_in_line(thread)):
                ticket.outside = True
                return True
            if ticket.loop is None:
                ticket.thread = thread
                self._threads[thread] = ticket
            if loop_here is not None and ticket.loop is None and (ticket.patient or not self._is_full()):
                self._add_before(ticket, loop_here)
            else:
                self._tickets[ticket] = None
            if not ticket.patient:
                self._impatient.add(ticket)
            self._appoint(ticket)
            return self._appointed is ticket

    def leave(self, ticket: Ticket) -> None:
        """Takes ``ticket`` out, if it is in the line, and lets the next go on."""
        if is_finalizing():
            return  # nobody goes on, and a thread that was stopped may have the lock
        with self._lock:
            ticket.gone = True
            self._tickets.pop(ticket, None)
            self._impatient.discard(ticket)
            if ticket.thread is not None:
                self._threads.pop(ticket.thread, None)
                ticket.thread = None
            self._appoint(ticket)

    def has_turn(self, ticket: Ticket) -> bool:
        """Whether ``ticket`` may call now. Whoever is gone, or is held up by its event loop, does not bar the way."""
        if ticket.outside:
            return True
        with self._lock:
            self._tickets.setdefault(ticket)  # a child process began with an empty line
            self._appoint(ticket)
            if not self._way_is_free(ticket):
                return False
            self._tickets.move_to_end(ticket, last=False)
            self._appointed = ticket
            return True

    def calls(self, ticket: Ticket) -> None:
        """Says that the first goes to call the bucket."""
        ticket.resting = False
        ticket.due = None

    def rests(self, ticket: Ticket, until: float) -> None:
        """Says that the first found no room and sleeps until then. The impatient behind it are woken to go."""
        ticket.resting = True
        ticket.stirred = False
        ticket.due = until
        if not ticket.outside and self._impatient:
            with self._lock:
                for impatient in list(self._impatient):
                    impatient.wake()

    def stir(self) -> None:
        """Says that there may be room now: whoever rests looks again."""
        with self._lock:
            for ticket in self._tickets:
                if ticket.resting:
                    ticket.stirred = True
                    ticket.wake()

    def step_in(self, ticket: Ticket) -> Optional[float]:
        """Gives ``ticket`` the turn while the first rests, and says for how many seconds more; None if it does not rest.

        It is for calls that take no room.
        """
        with self._lock:
            first = next(iter(self._tickets), None)
            if first is None or not first.resting:
                return None
            self._tickets.move_to_end(ticket, last=False)
            self._appointed = ticket
            return 0.0 if first.due is None else max(0.0, first.due - monotonic())

    def refuses(self, ticket: Ticket) -> bool:
        """Whether ``ticket`` would have to wait for room, which it will not."""
        if ticket.patient:
            return False
        with self._lock:
            return self._is_full()

    def look_again_at(self, ticket: Ticket) -> Optional[float]:
        """When to see whether the first still moves. None if it is a thread, or of the loop of ``ticket``."""
        with self._lock:
            first = next(iter(self._tickets), None)
            if first is None or first.loop is None or first.loop is ticket.loop:
                return None
            return max(first.due or 0, monotonic()) + _OVERDUE_SECONDS

    def held_by(self, loop: AbstractEventLoop) -> bool:
        """Whether the first is a task of ``loop`` in the middle of a call."""
        with self._lock:
            first = next(iter(self._tickets), None)
            return first is not None and first.loop is loop and first.due is None

    def enter(self, caller: Optional[Caller]) -> Optional[Caller]:
        """Notes who is inside of a call of the bucket, and gives what was noted before."""
        before, self._caller = self._caller, caller
        return before

    # An interrupt may keep somebody from telling of having left, but for the mark of the ticket.

    def _is_calling(self, thread: int) -> bool:
        caller = self._caller
        return caller is not None and caller[0] == thread and not caller[1].gone

    def _is_in_line(self, thread: int) -> bool:
        ticket = self._threads.get(thread)
        return ticket is not None and not ticket.gone

    def _is_full(self) -> bool:
        """Whether the first waits for room."""
        first = next(iter(self._tickets), None)
        return first is not None and first.resting

    def _add_before(self, ticket: Ticket, loop: AbstractEventLoop) -> None:
        tickets = list(self._tickets)
        at = next((i for i, other in enumerate(tickets) if other.loop is loop), len(tickets))
        if at == 0 and tickets and tickets[0].due is None:
            at = 1  # in the middle of a call
        tickets.insert(at, ticket)
        self._tickets = OrderedDict.fromkeys(tickets)

    def _way_is_free(self, ticket: Ticket) -> bool:
        first = next(iter(self._tickets))
        if first is ticket:
            return True
        if not _held_up(first):
            return False
        for other in list(self._tickets):
            if other is ticket:
                break
            if other.loop is not first.loop and not _held_up(other):
                return False
        return True

    def _appoint(self, caller: Ticket) -> None:
        """Gives the turn to the first that is still there. It is woken, unless it is the caller itself."""
        while (first := next(iter(self._tickets), None)) is not self._appointed or (first and first.gone):
            if first is not None and (first.gone or not self._give_turn(first, caller)):
                self._tickets.pop(first, None)
            else:
                self._appointed = first

    @staticmethod
    def _give_turn(first: Ticket, caller: Ticket) -> bool:
        first.due = max(first.due or 0, monotonic())
        return first is caller or first.wake()


def _held_up(ticket: Ticket) -> bool:
    """Whether it is a task whose event loop is stopped, or so busy that it should have moved long ago."""
    if ticket.loop is None:
        return False
    if not ticket.loop.is_running():
        return True
    return ticket.due is not None and monotonic() > ticket.due + _OVERDUE_SECONDS
