"""Functions that ask a limiter before each call."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from ._await import awaitable, drop

if TYPE_CHECKING:
    from .limiter import Limiter


def limited(limiter: Limiter, function: Callable[..., Any], name: str, weight: int) -> Callable[..., Any]:
    """``function``, each call of which takes ``weight`` units first, waiting for them."""
    return (
        _limited_async(limiter, function, name, weight)
        if _is_async(function)
        else _limited(limiter, function, name, weight)
    )


def _limited(limiter: Limiter, function: Callable[..., Any], name: str, weight: int) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        admitted = limiter.try_acquire(name=name, weight=weight)
        if awaitable(admitted):
            drop(admitted)
            raise RuntimeError("Can't use async bucket with sync decorator")
        if not admitted:
            raise denied(name, weight)
        return function(*args, **kwargs)

    return wrapper


def _limited_async(limiter: Limiter, function: Callable[..., Any], name: str, weight: int) -> Callable[..., Any]:
    @wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not await limiter.try_acquire_async(name=name, weight=weight):
            raise denied(name, weight)
        return await function(*args, **kwargs)

    return wrapper


def denied(name: str, weight: int) -> RuntimeError:
    return RuntimeError(f"Rate limit for {name!r} can never admit weight={weight}; call denied.")


def _is_async(function: Callable[..., Any]) -> bool:
    while isinstance(function, partial):
        function = function.func
    # Of its type: what a class itself has is for its instances.
    call = getattr(type(function), "__call__", None)
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)
