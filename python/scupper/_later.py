"""Native buckets as a coroutine asks them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def asked_later(native: Any, method: str) -> Callable[..., Any]:
    """The form of ``method`` that blocks no event loop: it gives the answer, or an awaitable of it."""
    answer: Callable[..., Any] = getattr(native, f"{method}_async", None) or getattr(native, method)
    return answer
