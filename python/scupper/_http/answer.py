"""What is answered in the place of the application."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from .._verdict import Verdict
from .fields import policy_name, retry_after_seconds

_QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"

# Statuses that allow no body, and so tell no length.
_BODILESS = (204, 304)


@dataclass(frozen=True)
class Answer:
    """A whole HTTP response. ``Content-Length`` is added if need be.

    The body is left out of what answers a ``HEAD``, and of statuses that have none.
    """

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def all_headers(self) -> list[tuple[str, str]]:
        has_length = any(name.lower() == "content-length" for name, _ in self.headers)
        length = [] if has_length or self.status in _BODILESS else [("Content-Length", str(len(self.body)))]
        return [*self.headers, *length]

    def body_to(self, method: str) -> bytes:
        """What is sent of the body."""
        return b"" if method == "HEAD" or self.status in _BODILESS else self.body


def too_many_requests(verdict: Verdict) -> Answer:
    """429, with a problem document (RFC 9457) of the type that the draft of the rate limit fields defines."""
    seconds = retry_after_seconds(verdict)
    if verdict.never:
        detail = f"This request takes {verdict.weight} units, more than can ever be had at once."
    elif seconds is None:
        detail = "Try again later."
    else:
        detail = f"Try again in {seconds} second{'' if seconds == 1 else 's'}."
    policies = [] if verdict.rate is None else [policy_name(verdict.rate)]
    return _problem(429, detail, {"type": _QUOTA_EXCEEDED, "violated-policies": policies})


def unavailable() -> Answer:
    """503: the limiter could not tell. It says nothing of when it will."""
    return _problem(503, "It could not be told whether this request is within its limits.", {})


def _problem(status: int, detail: str, more: dict[str, Any]) -> Answer:
    document = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    body = json.dumps(document).encode()
    return Answer(status, body, (("Content-Type", "application/problem+json"),))
