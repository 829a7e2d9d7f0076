"""Names as any limiter can count them."""

from __future__ import annotations

from hashlib import sha256

# Stores refuse longer keys, though only far longer ones; and a client that chooses its name fills no more than this.
LONGEST_NAME = 1024  # bytes


def countable(name: str) -> str:
    """``name``, or its digest where it is too long or has no UTF-8, which would make limiters fail."""
    if name.isascii() and len(name) <= LONGEST_NAME:
        return name
    encoded = name.encode("utf-8", "surrogatepass")
    if len(encoded) <= LONGEST_NAME and encoded.decode("utf-8", "replace") == name:
        return name
    return f"sha256:{sha256(encoded).hexdigest()}"
