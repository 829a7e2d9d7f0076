"""The limiter: what users ask."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Awaitable, Callable
from functools import wraps
from inspect import getattr_static
from types import MethodType, TracebackType
from typing import Any, List, Optional, Tuple, Type, TypeVar, Union, cast

from ._acquisition import Acquisition
from ._arguments import deadline_of
from ._await import awaitable
from ._beyond import Beyond
from ._decorator import limited
from ._fork import begins_anew
from ._home import known_by, named_for
from ._line import line_of
from ._locks import LockLike, combined_lock
from ._open import Opens
from ._scupper import LimiterBase, MemoryBucket, StoreBucket
from ._single import SingleBucketFactory, native_bucket_of
from ._ticket import Ticket
from .abstracts._rate_list import Rates, not_rates
from .abstracts.bucket import AbstractBucket, BucketFactory
from .abstracts.rate import Rate, RateItem
from .buckets.in_memory_bucket import InMemoryBucket

__all__ = [
    "DecoratorWrapper",
    "ItemMapping",
    "Limiter",
    "LockLike",
    "SingleBucketFactory",
    "combined_lock",
    "logger",
]

logger = logging.getLogger(__name__)

ItemMapping = Callable[[Any], Tuple[str, int]]
DecoratorWrapper = Callable[[Callable[[Any], Any]], Callable[[Any], Any]]

_Self = TypeVar("_Self", bound="Limiter")

# A limiter that replaces one of these, or a factory that is assigned, is asked for every request.
_DECIDING = ("_try_acquire", "handle_bucket_put", "bucket_factory")


class Limiter(Opens, Beyond, LimiterBase):
    """Lets requests pass as the rates allow: at once, or when their turn has come.

    ``argument`` is a rate or a list of rates (which makes a bucket in memory), a bucket, or a factory that finds the
    bucket for a name. Threads, and tasks of any event loop, share a limiter; it may be made before there is a loop.

    ``buffer_ms`` is slack for clocks that disagree: where a bucket, factory, clock or algorithm of the user's own takes
    part, a wait is that many milliseconds longer than the bucket said. Our own buckets wait exactly and do not read it.

    Raises ``AssertionError`` for any other argument, and ``ValueError`` for rates that cannot be enforced.
    """

    bucket_factory: BucketFactory
    buffer_ms: int
    lock: Any

    def __init__(self, argument: Union[BucketFactory, AbstractBucket, Rates], buffer_ms: int = 50) -> None:
        if isinstance(buffer_ms, (Rate, list, tuple)):
            raise TypeError("buffer_ms must be a number, not a Rate; give the rates as one list")
        self.buffer_ms = buffer_ms
        self.bucket_factory = self._init_bucket_factory(argument)
        self._begin()

    def _init_bucket_factory(self, argument: Any) -> BucketFactory:
        if isinstance(argument, Rate):
            argument = [argument]
        if isinstance(argument, (list, tuple)):
            if not argument:
                raise AssertionError("Rates must not be empty")
            if not isinstance(argument[0], Rate):
                raise AssertionError(f"Not valid rates list: {not_rates(argument)}")
            logger.info("Initializing default bucket(InMemoryBucket) with rates: %s", argument)
            argument = InMemoryBucket(argument)
        if isinstance(argument, AbstractBucket):
            argument = SingleBucketFactory(argument)
        if not isinstance(argument, BucketFactory):
            raise AssertionError(f"Not a valid bucket/bucket-factory: {_not_limiting(argument)}")
        return argument

    def _begin(self) -> None:
        self._closed = False
        factory = self.bucket_factory
        self._bucket_lock = factory.bucket.limiter_lock() if type(factory) is SingleBucketFactory else None
        self._after_fork()
        begins_anew(self)
        self._bind_if_plain()

    def _after_fork(self) -> None:
        own = threading.RLock()
        self.lock = own if self._bucket_lock is None else (self._bucket_lock, own)
        self._tickets: set[Ticket] = set()

    def buckets(self) -> List[AbstractBucket]:
        """The buckets that are leaked in the background."""
        return self.bucket_factory.get_buckets()

    def dispose(self, bucket: Union[int, AbstractBucket]) -> bool:
        """Leaks ``bucket`` (or the one with that ``id()``) no more. False if it was not leaked."""
        return self.bucket_factory.dispose(bucket)

    async def try_acquire_async(
        self, name: str = "pyrate", weight: int = 1, blocking: bool = True, timeout: Union[int, float] = -1
    ) -> bool:
        """:meth:`try_acquire` in an event loop: only the task waits, and a task that is cancelled leaves its place."""
        answer: Union[None, bool, Awaitable[bool]] = self._ask(name, weight, blocking, timeout)
        if answer is None:
            answer = self._try_acquire(name, weight, blocking=blocking, timeout=timeout, _force_async=True)
        return answer if isinstance(answer, bool) else await answer

    def _try_acquire(
        self,
        name: str,
        weight: int,
        blocking: bool,
        timeout: Union[int, float] = -1,
        _force_async: bool = False,
        _allow_async_result: bool = True,
    ) -> Union[bool, Awaitable[bool]]:
        """Where native code does not decide alone: checks the arguments and asks everybody who takes part."""
        deadline = deadline_of(blocking, timeout)
        self._check_open()
        if not weight >= 0:
            raise AssertionError("item's weight must be >= 0")
        if weight == 0:
            return True
        acquisition = Acquisition(self, name, weight, blocking, deadline)
        return acquisition.run_async() if _force_async else acquisition.run()

    def handle_bucket_put(
        self,
        bucket: AbstractBucket,
        item: RateItem,
        blocking: bool,
        _force_async: bool = False,
        deadline: Optional[float] = None,
    ) -> Union[bool, Awaitable[bool]]:
        """Puts ``item`` into ``bucket``, waiting for room if ``blocking``, up to a time of ``time.monotonic()``."""
        self._check_open()
        acquisition = Acquisition(self, item.name, item.weight, blocking, deadline).aimed_at(bucket, item)
        return acquisition.run_async() if _force_async else acquisition.run()

    def as_decorator(self, *, name: str = "ratelimiter", weight: int = 1) -> Callable[[Callable[..., Any]], Any]:
        """Makes a decorator for functions, async or not, of which each call takes ``weight`` units first.

        A call waits for its units as long as it takes. It raises ``RuntimeError`` if they can never be had.
        """

        def decorate(function: Callable[..., Any]) -> Any:
            return limited(self, function, name, weight)

        return decorate

    def close(self) -> None:
        """Closes the buckets of the factory. Whoever waits is woken and raises ``RuntimeError``, as do later calls."""
        native, self._closed = self._bound, True
        self._unbind()
        if native is not None:
            self._wake_native(native)
        for ticket in list(self._tickets):
            ticket.wake()
        self.bucket_factory.close()

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        tb: Optional[TracebackType],
    ) -> None:
        self.close()

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in _DECIDING and "_closed" in self.__dict__:
            self._unbind()

    def __reduce__(self) -> Any:
        return (_empty, (type(self),), self.__getstate__())

    def __getstate__(self) -> dict[str, Any]:
        own = ("lock", "_bucket_lock", "_tickets", "_bound", "try_acquire")
        return {name: value for name, value in self.__dict__.items() if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        closed = self._closed
        self._begin()
        if closed:
            self._closed = True
            self._unbind()

    def _bind_if_plain(self) -> None:
        native = native_bucket_of(self.bucket_factory) if _is_ours(type(self)) else None
        self._bound = native
        if native is None:
            return self._unbind()
        self._bind(native)
        self._sharing()[id(self)] = self

    def _sharing(self) -> weakref.WeakValueDictionary[int, Limiter]:
        """The limiters that are bound to the same bucket."""
        assert isinstance(self.bucket_factory, SingleBucketFactory)
        return line_of(self.bucket_factory.bucket).limiters

    def _unbind(self) -> None:
        """Has every request come through Python from now on."""
        self._bound = None
        self._bind(None)
        if type(self).try_acquire is LimiterBase.try_acquire:
            is_over = self._closed and type(self)._try_acquire is Limiter._try_acquire
            self.__dict__["try_acquire"] = _try_acquire_too_late if is_over else MethodType(_try_acquire_in_python, self)

    def _wake_native(self, native: Union[MemoryBucket, StoreBucket]) -> None:
        others = (other for other in list(self._sharing().values()) if other is not self)
        if not any(other._bound is native for other in others):
            native.close()  # else those of another limiter wait there as well, and all of them go on

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("limiter is closed")

    def _enlist(self, ticket: Ticket) -> None:
        self._tickets.add(ticket)
        self._check_open()

    def _delist(self, ticket: Ticket) -> None:
        self._tickets.discard(ticket)


def _not_limiting(argument: Any) -> str:
    if awaitable(argument):
        return "it is a coroutine: await RedisBucket.init(...) and what else is made with a client to await"
    return f"{not_rates(argument)}. It may also be a bucket, or a factory"


def _empty(cls: Type[Limiter]) -> Limiter:
    return cast(Limiter, cls.__new__(cls))


def _unless_replaced(asked: Any) -> Any:
    """Has what replaced ``try_acquire`` of the class since asked instead, by the arguments as they were given."""
    # Errors of Python's tell the name, and a pickled method is looked for by it.
    asked.__name__, asked.__qualname__ = "try_acquire", "Limiter.try_acquire"

    @wraps(asked)
    def try_acquire(self: Limiter, *args: Any, **kwargs: Any) -> Any:
        if type(self).try_acquire is LimiterBase.try_acquire:
            return asked(self, *args, **kwargs)
        replaced: Any = getattr_static(type(self), "try_acquire")  # it may be no function
        bound = replaced.__get__(self, type(self)) if hasattr(type(replaced), "__get__") else replaced
        return bound(*args, **kwargs)

    return try_acquire


@_unless_replaced
def _try_acquire_in_python(
    self: Limiter, name: str = "pyrate", weight: int = 1, blocking: bool = True, timeout: Union[int, float] = -1
) -> Union[bool, Awaitable[bool]]:
    """What stands for ``try_acquire`` in a limiter that native code does not serve.

    A daemon thread that ends with the interpreter while it runs Python code must not have native code above it.
    """
    return self._try_acquire(name=name, weight=weight, timeout=timeout, blocking=blocking)


def _try_acquire_too_late(
    name: str = "pyrate", weight: int = 1, blocking: bool = True, timeout: Union[int, float] = -1
) -> bool:
    """What stands for ``try_acquire`` in a limiter that is closed.

    It does not know the limiter, which goes, with the connections of its store, as soon as nobody refers to it.
    """
    deadline_of(blocking, timeout)
    raise RuntimeError("limiter is closed")


def _is_ours(cls: type) -> bool:
    return all(getattr(cls, name, None) is kept for name, kept in _AS_MADE.items())


_AS_MADE = {name: getattr(Limiter, name, None) for name in _DECIDING}

known_by(__name__, LockLike, SingleBucketFactory, combined_lock)
named_for(Limiter, Opens, Beyond)
