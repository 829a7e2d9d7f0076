"""Limiters on real stores, each with a bucket of its own there."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any, List

import pytest

from scupper import Limiter, Rate

from support.threads import BOUND

URLS: dict[str, str] = {}

_numbers = count()


def on(store: str, rates: List[Rate], algorithm: str) -> Callable[[], Limiter]:
    return lambda: Limiter.open(
        URLS[store], rates, key=f"bucket {next(_numbers)}", algorithm=algorithm, call_timeout=BOUND
    )


def on_every_store(rates: List[Rate]) -> list[Any]:
    """Parameters for tests: what makes a limiter on a store of each kind."""
    kinds = [("sqlite", "sliding-window-log"), ("shm", "sliding-window-log"), ("shm", "gcra"), ("redis", "sliding-window-log")]
    return [pytest.param(on(store, rates, algorithm), id=f"{store} {algorithm}") for store, algorithm in kinds]
