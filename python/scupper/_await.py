"""What a user's method gives back: a value, or something to await for it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Generator
from typing import Any, TypeVar, Union

T = TypeVar("T")


# What users' methods mostly give, and what nobody awaits.
_PLAIN = (bool, int, type(None))


def awaitable(value: object) -> bool:
    """Whether ``value`` must be awaited."""
    return type(value) not in _PLAIN and inspect.isawaitable(value)


def settled(value: Union[T, Awaitable[T]]) -> Generator[Any, Any, T]:
    """The value itself, after yielding what must be awaited for it to whoever drives the generator."""
    if awaitable(value):
        result: T = yield value
        return result
    return value  # type: ignore[return-value]


def drop(value: object) -> None:
    """Ends a coroutine that nobody will await, without Python's warning that nobody did."""
    if inspect.iscoroutine(value):
        value.close()
