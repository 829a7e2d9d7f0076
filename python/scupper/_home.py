"""Names that are known by another module than the one in which they are written."""

from __future__ import annotations

from inspect import isfunction
from types import FunctionType
from typing import Any


def known_by(module: str, *things: Any) -> None:
    """Has classes and functions give ``module`` as theirs: there users import them, and pickles look for them."""
    for thing in things:
        thing.__module__ = module


def named_for(owner: type, *parts: type) -> None:
    """Has the public methods of ``parts``, of which ``owner`` alone is made, bear its name: errors of Python's tell it."""
    for part in parts:
        for name, value in vars(part).items():
            function = getattr(value, "__func__", value)
            if isfunction(function) and not name.startswith("_"):
                function.__module__, function.__qualname__ = owner.__module__, f"{owner.__qualname__}.{name}"


def with_own_init(owner: type) -> None:
    """Gives ``owner`` the ``__init__`` that it inherits, by its own name: errors of Python's tell it."""
    made: Any = owner.__init__  # type: ignore[misc]
    own = FunctionType(made.__code__, made.__globals__, made.__name__, made.__defaults__, made.__closure__)
    own.__kwdefaults__, own.__annotations__, own.__doc__ = made.__kwdefaults__, made.__annotations__, made.__doc__
    own.__qualname__ = f"{owner.__qualname__}.__init__"
    setattr(owner, "__init__", own)  # noqa: B010 - a plain assignment is not for types
