"""Which lists of rates a bucket can enforce."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, List, Union

from .rate import Rate


# How rates are given: one, or several in any order.
Rates = Union[Rate, Sequence[Rate]]


def ordered(rates: Rates) -> List[Rate]:
    """``rates`` by growing interval. Raises ``TypeError`` or ``AttributeError`` for what is no rates."""
    try:
        return sorted([rates] if isinstance(rates, Rate) else rates, key=lambda rate: rate.interval)
    except (AttributeError, TypeError) as error:
        raise type(error)(not_rates(rates)) from None


def is_rates(value: object) -> bool:
    """Whether it is a rate, or a list or tuple of nothing but rates."""
    return isinstance(value, Rate) or (isinstance(value, (list, tuple)) and all(isinstance(each, Rate) for each in value))


def not_rates(value: object) -> str:
    """What is said of ``value`` that was given for rates."""
    # A URL in the wrong place may have a password in it.
    shown = f"{value.partition('://')[0]}://..." if isinstance(value, str) and "://" in value else value
    return f"rates must be a Rate or a list of them, such as Rate(5, Duration.SECOND); not {shown!r}"


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
