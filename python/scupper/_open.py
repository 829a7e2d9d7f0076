"""Limiters on a store, in one call."""

from __future__ import annotations

from typing import Any, Optional, Type, TypeVar, Union

from .abstracts._rate_list import Rates
from .abstracts.algorithm import Algorithm
from .buckets.store_bucket import Outage, StoreBucket

T = TypeVar("T")


class Opens:
    """What makes limiters whose buckets are in a store."""

    @classmethod
    def open(
        cls: Type[T],
        url: str,
        rates: Rates,
        *,
        key: str = "default",
        algorithm: Union[str, Algorithm] = "sliding-window-log",
        outage: Outage = "error",
        call_timeout: Optional[float] = None,
        max_waiting: Optional[int] = None,
        denial_cache: Optional[float] = None,
        buffer_ms: int = 50,
    ) -> T:
        """A limiter over one bucket in the store at ``url``: names are labels, and all who use ``key`` there share it.

        Who gives no ``key`` shares the one that is called ``"default"``. ``outage`` says what becomes of requests for
        units while the store cannot tell: ``"error"``, ``"fail-open"``, ``"fail-closed"``, or a rate or a list of rates
        by which this process decides meanwhile. The other arguments are those of
        :class:`~scupper.buckets.StoreBucket`, which says what they mean. A server is not reached before the first
        request; a file is opened at once, whatever ``outage`` says.
        """
        if key is None:
            raise ValueError("the key is None; Limiter.per_key(rates, store=url) gives each name its own bucket")
        options = _options(algorithm, outage, call_timeout, max_waiting, denial_cache)
        return _over(cls, StoreBucket(url, rates, key=key, **options), buffer_ms)

    @classmethod
    def per_key(
        cls: Type[T],
        rates: Rates,
        *,
        store: Optional[str] = None,
        prefix: str = "",
        algorithm: Union[str, Algorithm] = "sliding-window-log",
        outage: Outage = "error",
        call_timeout: Optional[float] = None,
        max_waiting: Optional[int] = None,
        denial_cache: Optional[float] = None,
        buffer_ms: int = 50,
    ) -> T:
        """A limiter that counts each name by itself, in this process's memory or in the store at the URL ``store``.

        A name of which nothing counts any more takes no room. Calls that give no name have one bucket in common, that
        of the name ``"pyrate"``. In a store that others use too, ``prefix`` keeps the names apart from theirs. The other
        arguments are those of :class:`~scupper.buckets.StoreBucket`; :meth:`open` says what ``outage`` may be.
        """
        options = _options(algorithm, outage, call_timeout, max_waiting, denial_cache)
        url = "memory:" if store is None else store
        return _over(cls, StoreBucket(url, rates, key=None, prefix=prefix, **options), buffer_ms)


def _over(cls: Type[T], bucket: StoreBucket, buffer_ms: int) -> T:
    make: Any = cls
    limiter: T = make(bucket, buffer_ms=buffer_ms)
    return limiter


def _options(algorithm: Any, outage: Any, call_timeout: Any, max_waiting: Any, denial_cache: Any) -> dict[str, Any]:
    return {
        "algorithm": algorithm,
        "outage": outage,
        "call_timeout": call_timeout,
        "max_waiting": max_waiting,
        "denial_cache": denial_cache,
    }
