"""Small helpers."""

from __future__ import annotations

from uuid import uuid4

from ._home import known_by
from .abstracts._rate_list import enforce_rate_list, validate_rate_list

__all__ = ["enforce_rate_list", "id_generator", "validate_rate_list"]


def id_generator(size: int = 10) -> str:
    """A random text of ``size`` hexadecimal digits, at most 32."""
    return uuid4().hex[:size]


known_by(__name__, enforce_rate_list, validate_rate_list)
