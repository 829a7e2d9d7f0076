"""One call of a bucket on the general path, for something else than a request that waits."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Optional, Tuple

from ._acquisition import Acquisition, Steps
from ._await import awaitable, settled
from ._later import asked_later
from ._line import Line
from ._scupper import MemoryBucket
from .abstracts.bucket import AbstractBucket
from .abstracts.rate import RateItem
from .abstracts.wrappers import BucketAsyncWrapper

if TYPE_CHECKING:
    from .limiter import Limiter

# What is done: it gets the errand, and yields what must be awaited.
Work = Callable[["Errand"], Generator[Any, Any, Any]]


class Errand(Acquisition):
    """Finds the bucket as a request does, and does its work there when nobody else calls the bucket.

    It waits for nobody who rests, and steps in meanwhile: ``behind`` tells the work for how long the first in line does.
    """

    answer: Any = None
    behind: Optional[float] = None

    def __init__(self, limiter: Limiter, name: str, weight: int, work: Work, even_closed: bool = False) -> None:
        super().__init__(limiter, name, weight, blocking=False)
        self._work = work
        self._even_closed = even_closed

    def here(self) -> Any:
        """The answer; or, if something gave an awaitable, a coroutine of it."""
        done = self.run()
        return self._later(done) if awaitable(done) else self.answer

    async def in_loop(self) -> Any:
        """The answer, without blocking the event loop."""
        await self.run_async()
        return self.answer

    async def _later(self, done: Any) -> Any:
        await done
        return self.answer

    def _enlist(self) -> None:
        if self._even_closed:
            self._limiter._tickets.add(self._ticket)
        else:
            super()._enlist()

    def _check_open(self) -> None:
        if not self._even_closed:
            super()._check_open()

    def _decided(self, line: Line, bucket: AbstractBucket, item: RateItem, has_turn: bool) -> Steps:
        if not has_turn and not line.has_turn(self._ticket):
            yield from self._turn_again(line)
            self._item = yield from self._wrapped()
        line.calls(self._ticket)
        yield from self._leaked(bucket)
        self.answer = yield from self._work(self)
        return True

    def _turn_again(self, line: Line) -> Steps:
        """Waits for the turn, or takes it from who rests."""
        while not (yield from self._turn(line)):
            self.behind = line.step_in(self._ticket)
            if self.behind is not None:
                break
        return True

    @property
    def name(self) -> str:
        return self._name

    @property
    def is_in_loop(self) -> bool:
        return self._is_in_loop

    @property
    def bucket(self) -> AbstractBucket:
        assert self._bucket is not None
        return self._bucket

    @property
    def item(self) -> RateItem:
        assert self._item is not None
        return self._item

    def call(self, method: Callable[..., Any], *arguments: Any) -> Generator[Any, Any, Any]:
        """What a method of the bucket gives."""
        assert self._line is not None
        return (yield from settled(self._inside(self._line, method, *arguments)))

    def ask(self, native: Any, method: str, *arguments: Any) -> Generator[Any, Any, Any]:
        """What native code tells, at the time of the item where the bucket has no other."""
        asked = asked_later(native, method) if self._is_in_loop else getattr(native, method)
        return (yield from settled(asked(*arguments, *times_of(native, self.item))))

    def make_room(self) -> None:
        """Has the first in line look again."""
        if self._line is not None:
            self._line.stir()


def native_of(bucket: AbstractBucket) -> Any:
    """The native bucket inside of one that is as it was made, wrapped or not; None if there is none."""
    return (bucket._stands_for() if type(bucket) is BucketAsyncWrapper else bucket)._native_bucket()


def times_of(native: Any, item: RateItem) -> Tuple[int, ...]:
    """The time to decide at: the item's, unless it is the store that keeps the time."""
    return (item.timestamp,) if isinstance(native, MemoryBucket) else ()
