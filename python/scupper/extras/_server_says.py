"""How long a server asks to be left alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Optional

TOO_MANY_REQUESTS = 429
REFUSALS = (TOO_MANY_REQUESTS, 503)

# More digits than any wait that is meant.
_SECONDS = re.compile(r"[0-9]{1,300}(\.[0-9]{0,300})?", re.ASCII)
_DATE = re.compile(r"[A-Z][a-z]{2}[ -~]{1,60}")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_PARAMETER = re.compile(r";\s*([rt])=([0-9]{1,300})(?=\s*(?:;|$))")


def seconds_asked_for(status: int, headers: Mapping[str, str]) -> Optional[float]:
    """How many seconds the server wants no request, by a response with these headers; None if it says nothing of it.

    ``Retry-After`` counts where the status is 429 or 503. Otherwise, or if there is none that can be read, the
    ``RateLimit`` headers do, where they say that nothing remains.
    """
    if status in REFUSALS:
        wait = _retry_after(headers)
        if wait is not None:
            return wait
    return _until_reset(headers)


def _retry_after(headers: Mapping[str, str]) -> Optional[float]:
    value = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    at = _date(value)
    if at is None:
        return None
    # The server's own time, where it tells it: its clock need not agree with ours.
    now = _date(headers.get("Date", "").strip()) or datetime.now(timezone.utc)
    return max((at - now).total_seconds(), 0.0)


def _date(text: str) -> Optional[datetime]:
    if not _DATE.fullmatch(text):
        return None
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=timezone.utc)


def _until_reset(headers: Mapping[str, str]) -> Optional[float]:
    """The time until units come back, by the draft of the IETF: in one header, or in the three of before."""
    used_up = [limit.get("t") for limit in _limits(headers.get("RateLimit", "")) if limit.get("r") == "0"]
    if headers.get("RateLimit-Remaining", "").strip() == "0":
        used_up.append(headers.get("RateLimit-Reset", "").strip())
    waits = [float(reset) for reset in used_up if reset is not None and re.fullmatch(r"[0-9]{1,300}", reset)]
    return max(waits, default=None)


def _limits(header: str) -> list[dict[str, str]]:
    """The parameters of each limit: ``"default";r=0;t=30`` has r, what remains, and t, the seconds until it is reset."""
    return [dict(_PARAMETER.findall(limit)) for limit in _QUOTED.sub("", header[:10_000]).split(",")]
