"""Rates that are told by their place in a list."""

from __future__ import annotations

from collections.abc import Sequence

from .abstracts.rate import Rate


def rate_at(rates: Sequence[Rate], place: int) -> Rate:
    """The rate at ``place``; the last one where the list was replaced by a shorter one since that was told."""
    return rates[min(place, len(rates) - 1)]
