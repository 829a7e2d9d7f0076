"""What a request took, for as long as it can be given back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ._scupper import StoreError


class Taken:
    """Units of a native bucket, to be given back once at the most.

    ``native`` is that bucket; None where this went through a pickle, as then the limiter finds it. ``permit`` means
    something to that bucket alone. ``is_on_own_time``: whether somebody's own code found the bucket and the time.
    """

    __slots__ = ("_permits", "is_on_own_time", "native")

    def __init__(self, native: Any, permit: Any, is_on_own_time: bool = False) -> None:
        self.native = native
        self.is_on_own_time = is_on_own_time
        self._permits = [] if permit is None else [permit]

    def take(self) -> Any:
        """The permit, for whoever asks first; None for all others."""
        try:
            return self._permits.pop()
        except IndexError:
            return None

    def put_back(self, permit: Any) -> None:
        """For somebody else to take: nothing came of it."""
        self._permits.append(permit)

    @contextmanager
    def given_back(self, permit: Any) -> Iterator[None]:
        """Has the body give ``permit`` back, which may be taken again if the store did not hear of it."""
        try:
            yield
        except StoreError as error:
            if error.kind == "Unavailable":
                self.put_back(permit)
            raise

    def is_left(self) -> bool:
        """Whether there is a permit to take."""
        return bool(self._permits)

    def __deepcopy__(self, memo: Any) -> Taken:
        return self  # a copy can be given back no more often than what it is a copy of

    def __reduce__(self) -> Any:
        return Taken, (None, next(iter(self._permits), None), self.is_on_own_time)


class NotGivenBack:
    """Units of a bucket of the user's own, of the class with this name."""

    __slots__ = ("bucket",)

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket


def not_of_own(what: str, bucket: str) -> TypeError:
    """What is raised where a bucket that is not native, of the class with this name, cannot do ``what``."""
    return TypeError(
        f"{bucket} cannot {what}: it decides by its own methods, as a bucket of yours does and one that was changed. Limiters over "
        "rates, over an InMemoryBucket or a StateBucket as it was made, over what MultiprocessBucket.init and "
        "SQLiteBucket.init_from_file make, and those of Limiter.open and Limiter.per_key can, also on the same key of a server"
    )
