"""Names that are known by another module than the one in which they are written."""

from __future__ import annotations

from typing import Any


def known_by(module: str, *things: Any) -> None:
    """Has classes and functions give ``module`` as theirs: there users import them, and pickles look for them."""
    for thing in things:
        thing.__module__ = module
