"""Which lists of rates a bucket can enforce."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from .rate import Rate


def validate_rate_list(rates: Sequence[Rate]) -> bool:
    """Whether ``rates`` is a list that a bucket can enforce, in the order in which it stands.

    It must not be empty, and from each rate to the next the interval and the limit must grow while the limit per
    interval must not: any other pair has a rate that says nothing.
    """
    if not rates:
        return False
    return all(
        earlier.interval < later.interval
        and earlier.limit < later.limit
        and earlier.limit * later.interval >= later.limit * earlier.interval
        for earlier, later in pairwise(rates)
    )


def enforce_rate_list(rates: Any) -> None:
    """Raises ``ValueError`` unless :func:`validate_rate_list` approves of ``rates``."""
    if not validate_rate_list(rates):
        raise ValueError(
            "Invalid rate list: rates must be non-empty and ordered by strictly increasing interval, with strictly "
            f"increasing limits and non-increasing density (limit/interval). Got: {rates}"
        )
