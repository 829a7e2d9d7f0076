"""The header fields that tell a client of its limit.

``RateLimit`` and ``RateLimit-Policy`` are those of draft-ietf-httpapi-ratelimit-headers-11. Times are whole seconds,
rounded up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Optional

from .._verdict import Verdict
from ..abstracts.rate import Rate

Fields = list[tuple[str, str]]

IETF, LEGACY, BOTH = "ietf", "legacy", "both"

RETRY_AFTER = "Retry-After"

# Whoever sets one field of a group is taken to mean all of it.
_GROUPS = (
    frozenset(("retry-after",)),
    frozenset(("ratelimit", "ratelimit-policy")),
    frozenset(("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")),
)

# The largest integer of a structured field: 15 digits.
_LARGEST = 10**15 - 1

_UNITS = ((604_800_000, "w"), (86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"), (1, "ms"))


def fields_of(verdict: Verdict, rates: Sequence[Rate], style: Optional[str]) -> Fields:
    """What tells of ``verdict``, in the chosen style; ``rates`` are those of the bucket, as far as they are known."""
    fields: Fields = []
    retry_after = retry_after_seconds(verdict)
    if retry_after is not None:
        fields.append((RETRY_AFTER, str(retry_after)))
    if style in (IETF, BOTH):
        fields += _standard(verdict, rates)
    if style in (LEGACY, BOTH):
        fields += _legacy(verdict)
    return fields


def missing_from(present: Iterable[str], fields: Fields) -> Fields:
    """Those of ``fields`` whose group the application, which has set the fields named ``present``, leaves to us."""
    names = {name.lower() for name in present}
    taken = frozenset[str]().union(*(group for group in _GROUPS if not group.isdisjoint(names)))
    return [field for field in fields if field[0].lower() not in taken]


def retry_after_seconds(verdict: Verdict) -> Optional[int]:
    """How long to wait after a denial: at least a second, and never too short. None where no wait is known to help."""
    if verdict.allowed or verdict.retry_after is None or not math.isfinite(verdict.retry_after):
        return None
    return max(1, math.ceil(verdict.retry_after))


def policy_name(rate: Rate) -> str:
    """The rate as one writes it, such as ``5/s``, ``100/15min`` or ``5/s+10`` with a burst."""
    return _NAMES(int(rate.limit), rate.interval, int(rate.burst))


def _named(limit: int, interval: int, burst: int) -> str:
    size, unit = next(each for each in _UNITS if interval % each[0] == 0)
    count = interval // size
    return f"{limit}/{'' if count == 1 else count}{unit}{'' if burst == limit else f'+{burst}'}"


_NAMES = lru_cache(256)(_named)


def _standard(verdict: Verdict, rates: Sequence[Rate]) -> Fields:
    fields: Fields = []
    if rates:
        fields.append(("RateLimit-Policy", ", ".join(_policy(rate) for rate in rates)))
    remaining, reset = _remaining(verdict), _reset_seconds(verdict)
    if verdict.rate is not None and remaining is not None:
        window = "" if reset is None else f";t={min(max(reset, _paced_seconds(verdict, remaining)), _LARGEST)}"
        fields.append(("RateLimit", f'"{policy_name(verdict.rate)}";r={min(remaining, _LARGEST)}{window}'))
    return fields


def _paced_seconds(verdict: Verdict, remaining: int) -> int:
    """How long what remains must last at the pace of the rate, so that no client reads a faster one out of both."""
    rate = verdict.rate
    if rate is None or verdict.retry_after is not None:
        return 0
    return _ceiling(remaining * rate.interval, int(rate.limit) * 1000)


def _policy(rate: Rate) -> str:
    return f'"{policy_name(rate)}";q={min(int(rate.limit), _LARGEST)};w={min(_ceiling(rate.interval, 1000), _LARGEST)}'


def _legacy(verdict: Verdict) -> Fields:
    values = {"Limit": int(verdict.limit), "Remaining": _remaining(verdict), "Reset": _reset_seconds(verdict)}
    return [(f"X-RateLimit-{name}", str(value)) for name, value in values.items() if value is not None]


def _remaining(verdict: Verdict) -> Optional[int]:
    """The units that fit now; none, where a bucket that denied cannot tell."""
    if verdict.remaining is None:
        return None if verdict.allowed else 0
    return max(0, verdict.remaining)


def _reset_seconds(verdict: Verdict) -> Optional[int]:
    """For how long no more than what remains may be used: after a denial until the request would pass.

    Else until nothing counts any more, but no longer than the rate's own window: other rates may look back further.
    """
    retry_after = retry_after_seconds(verdict)
    if retry_after is not None or verdict.reset_after is None or not math.isfinite(verdict.reset_after):
        return retry_after
    seconds = max(0, math.ceil(verdict.reset_after))
    return seconds if verdict.rate is None else min(seconds, _window_seconds(verdict.rate))


def _window_seconds(rate: Rate) -> int:
    """The longest that units of the rate count: the interval, or until a larger burst has drained."""
    return _ceiling(rate.interval * max(int(rate.limit), int(rate.burst)), int(rate.limit) * 1000)


def _ceiling(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)
