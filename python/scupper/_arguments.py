"""Arguments, and what is said of those that are wrong."""

from __future__ import annotations

import math
from numbers import Real
from operator import index
from threading import TIMEOUT_MAX
from time import monotonic
from typing import Optional, Union


def whole_number(what: str, value: object, least: int) -> int:
    """``value`` as an ``int``. ``TypeError`` unless it is a whole number, ``ValueError`` if it is less than ``least``."""
    try:
        number = index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{what} must be a whole number, as an int; not {value!r}") from None
    if number < least:
        raise ValueError(f"{what} must be at least {least}; not {number}")
    return number


def seconds_of(what: str, value: object) -> float:
    """``value`` as a number of seconds. ``TypeError`` unless it is a number, ``ValueError`` unless it can be waited for."""
    if not isinstance(value, Real):
        raise TypeError(f"{what} must be a number of seconds; not {value!r}")
    number = float(value)
    if not 0 <= number < math.inf:
        raise ValueError(f"{what} must be at least 0 and not endless; not {value!r}")
    return number


def not_patience(timeout: object) -> str:
    """What is said of ``timeout`` that is no number."""
    return f"timeout must be a number of seconds, or -1 for no limit; not {timeout!r}"


def patience_of(timeout: object) -> Optional[float]:
    """How many seconds to wait at the most; None, for as long as it takes, where ``timeout`` is -1."""
    if not isinstance(timeout, Real):
        raise TypeError(not_patience(timeout))
    number = float(timeout)
    if number == -1:
        return None
    if not number >= 0:
        raise ValueError(f"timeout must be -1 or >= 0; not {timeout!r}")
    if number > TIMEOUT_MAX:
        raise OverflowError(f"timeout is too large; at most {TIMEOUT_MAX} seconds, or -1 for no limit")
    return number


def deadline_of(blocking: bool, timeout: Union[int, float]) -> Optional[float]:
    """When to give up, by ``time.monotonic()``; None for never."""
    if not isinstance(timeout, Real):
        raise TypeError(not_patience(timeout))
    if (timeout < 0 and timeout != -1) or math.isnan(timeout):
        raise ValueError("timeout must be -1 or >= 0")
    if timeout == -1:
        return None
    if not blocking:
        raise RuntimeError("Can't set timeout with non-blocking")
    if timeout > TIMEOUT_MAX:
        raise OverflowError(f"timeout is too large; at most {TIMEOUT_MAX} seconds")
    return monotonic() + timeout


def counted(number: int, thing: str) -> str:
    """``"1 unit"``, or ``"2 units"``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
