"""The ways a limiter over memory decides: by native code, or through what a user wrote."""

from collections.abc import Callable
from typing import Any

from support.packages import SCUPPER

Rates = tuple[tuple[int, Any], ...]


class UsersBucket(SCUPPER.InMemoryBucket):
    """Overrides a method, and so is called each time; counts the calls."""

    puts = 0

    def put(self, item: Any) -> Any:
        self.puts += 1
        return super().put(item)


class UsersFactory(SCUPPER.BucketFactory):
    """Routes everything to one bucket of the package."""

    def __init__(self, bucket: Any) -> None:
        self.bucket = bucket

    def wrap_item(self, name: str, weight: int = 1) -> Any:
        return SCUPPER.RateItem(name, self.bucket.now(), weight)

    def get(self, item: Any) -> Any:
        return self.bucket


def rates(pairs: Rates) -> list[Any]:
    return [SCUPPER.Rate(limit, interval) for limit, interval in pairs]


def native(*pairs: Any) -> Any:
    return SCUPPER.Limiter(SCUPPER.InMemoryBucket(rates(pairs)))


def native_tokens(*pairs: Any) -> Any:
    return SCUPPER.Limiter(SCUPPER.StateBucket(rates(pairs), SCUPPER.TokenBucket()))


def users_bucket(*pairs: Any) -> Any:
    return SCUPPER.Limiter(UsersBucket(rates(pairs)), buffer_ms=0)


def users_factory(*pairs: Any) -> Any:
    return SCUPPER.Limiter(UsersFactory(SCUPPER.InMemoryBucket(rates(pairs))), buffer_ms=0)


def async_bucket(*pairs: Any) -> Any:
    return SCUPPER.Limiter(SCUPPER.BucketAsyncWrapper(SCUPPER.InMemoryBucket(rates(pairs))), buffer_ms=0)


Path = Callable[..., Any]
SYNC: tuple[Path, ...] = (native, native_tokens, users_bucket, users_factory)
LOGS: tuple[Path, ...] = (native, users_bucket, users_factory)
ASYNC: tuple[Path, ...] = (*SYNC, async_bucket)


def named(path: Path) -> str:
    return path.__name__.replace("_", " ")


def bucket_of(limiter: Any) -> Any:
    """The log or the state behind a limiter of these."""
    found = limiter.bucket_factory.bucket
    return getattr(found, "bucket", found)


def admitted(limiter: Any) -> list[Any]:
    """The units that a log holds, the oldest first."""
    bucket = bucket_of(limiter)
    return [bucket.peek(index) for index in reversed(range(bucket.count()))]
