"""A user's classes, each of whose methods writes down that it was called, and with what."""

from types import ModuleType
from typing import Any

from support.clocks import HandClock

Call = tuple[str, tuple[Any, ...], dict[str, Any]]
METHODS = {
    "factory": ("wrap_item", "get"),
    "bucket": ("now", "put", "waiting", "leak", "flush", "count", "peek"),
    "clock": ("now",),
    "algorithm": ("window_start", "max_weight", "blocking_offset", "retry_after", "initial", "step", "consumed"),
    "store": ("check", "read", "reset", "close"),
}


class Log:
    """What was called, in order."""

    def __init__(self, package: ModuleType) -> None:
        self.package = package
        self.calls: list[str] = []

    def taken(self) -> list[str]:
        """The calls since the last look."""
        calls, self.calls = self.calls, []
        return calls

    def names(self) -> list[str]:
        return [call.split("(")[0] for call in self.taken()]

    def spy(self, base: type, role: str) -> Any:
        """A subclass of `base` that overrides what the base has of the role's methods."""
        overridden = {
            name: self._method(base, role, name) for name in METHODS[role] if callable(getattr(base, name, None))
        }
        return type(f"Spied{base.__name__}", (base,), overridden)

    def _method(self, base: type, role: str, name: str) -> Any:
        def method(instance: Any, *arguments: Any, **named: Any) -> Any:
            words = [shown(each) for each in arguments] + [f"{key}={shown(value)}" for key, value in named.items()]
            self.calls.append(f"{role}.{name}({', '.join(words)})")
            return getattr(base, name)(instance, *arguments, **named)

        return method


def shown(value: Any) -> str:
    """An argument as both packages would write it."""
    kind = type(value).__name__
    if kind == "RateItem":
        return f"item {value.name} {value.timestamp} {value.weight}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(shown(each) for each in value)}]"
    if isinstance(value, (int, str, type(None))) or kind == "Rate":
        return repr(value)
    return kind


def spied_limiter(log: Log, bucket: Any, *, clock: HandClock | None = None) -> Any:
    """A limiter over a spied factory, without leaks in the background."""
    if clock is not None:
        bucket._clock = clock
    factory = log.spy(log.package.SingleBucketFactory, "factory")(bucket, schedule_leak=False)
    limiter = log.package.Limiter(factory, buffer_ms=0)
    log.taken()
    return limiter


def agree(ours: list[str], theirs: list[str]) -> bool:
    """Whether everything that is called there is called here, in that order, and nothing else but the algorithm.

    An algorithm is asked about all rates here, so that a wait is over all of them; it keeps no state that this could change.
    What a bucket asks of itself is its own affair.
    """
    rest = iter(ours)
    return all(call in rest for call in theirs if call not in ITS_OWN_AFFAIR) and without_algorithm(
        ours
    ) == without_algorithm(theirs)


ITS_OWN_AFFAIR = {"bucket.count()"}


def without_algorithm(calls: list[str]) -> list[str]:
    return [call for call in calls if not call.startswith("algorithm.") and call not in ITS_OWN_AFFAIR]
