"""What the reference has and this package does not have, and the other way round."""

# Members that the classes of this package do not have, and will not: see DIFFERENCES.md.
MEMBERS = {
    # There is no task that leaks: callers do it in passing.
    "Leaker": {"aio_leak_task", "leak_async"},
}

# Names that this package has and the reference does not.
BEYOND = {
    "RateUsage",
    "Reservation",
    "StoreBucket",
    "StoreError",
    "Usage",
    "Verdict",
}

# Members that the classes of this package have beside those of the reference.
MORE_MEMBERS = {
    "Limiter": {"open", "per_key"}
    | {f"{name}{form}" for form in ("", "_async") for name in "decide peek refund reserve penalize hold reset".split()},
    "RateLimitedSession": {"delete", "head", "options", "patch", "put"},
}

# Keywords that classes of this package take besides, and that have to be named.
KEYWORDS = {
    "AsyncRateLimiterTransport": {"per_host", "key", "learn", "resends", "longest_hold"},
    "PostgresBucket": {"ignore_old_table", "schema"},
    "RateLimitedRequestsSession": {"per_host", "key", "learn", "resends", "longest_hold"},
    "RateLimitedSession": {"per_host", "key", "learn", "resends", "longest_hold"},
    "RateLimiterTransport": {"per_host", "key", "learn", "resends", "longest_hold"},
}
