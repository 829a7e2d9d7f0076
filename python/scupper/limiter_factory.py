"""Limiters for the common cases, in one call."""

from __future__ import annotations

import logging
from typing import Optional, Union

from .abstracts._rate_list import Rates
from .abstracts.algorithm import TokenBucket
from .abstracts.bucket import AbstractBucket
from .abstracts.rate import Duration, Rate
from .buckets.in_memory_bucket import InMemoryBucket
from .buckets.sqlite_bucket import SQLiteBucket
from .buckets.state_bucket import StateBucket
from .limiter import Limiter

logger = logging.getLogger(__name__)

LIMITER: Optional[Limiter] = None


def create_inmemory_limiter(
    rate_per_duration: int = 3, duration: Union[int, Duration] = Duration.SECOND, buffer_ms: int = 50
) -> Limiter:
    """A limiter in memory: at most ``rate_per_duration`` units in any ``duration`` (milliseconds)."""
    return Limiter(InMemoryBucket([Rate(rate_per_duration, duration)]), buffer_ms=buffer_ms)


def create_sqlite_bucket(
    rates: Rates,
    db_path: Optional[str],
    table_name: str = "pyrate_limiter",
    use_file_lock: bool = False,
) -> SQLiteBucket:
    """A bucket in an SQLite file, by :meth:`SQLiteBucket.init_from_file`, which says what the arguments mean."""
    return SQLiteBucket.init_from_file(rates, db_path=db_path, table=table_name, use_file_lock=use_file_lock)


def create_sqlite_limiter(
    rate_per_duration: int = 3,
    duration: Union[int, Duration] = Duration.SECOND,
    db_path: Optional[str] = None,
    table_name: str = "rate_bucket",
    buffer_ms: int = 50,
    use_file_lock: bool = False,
) -> Limiter:
    """A limiter for all processes of this host: ``rate_per_duration`` units in any ``duration`` (milliseconds).

    All that are made with one ``db_path`` and ``table_name`` count together; without a path, a file is made for this one.
    """
    rates = [Rate(rate_per_duration, duration)]
    bucket = create_sqlite_bucket(rates, db_path, table_name, use_file_lock)
    return Limiter(bucket, buffer_ms=buffer_ms)


def create_token_bucket_limiter(
    rate_per_duration: int = 3,
    duration: Union[int, Duration] = Duration.SECOND,
    burst: Optional[int] = None,
    buffer_ms: int = 50,
) -> Limiter:
    """A token bucket in memory: ``rate_per_duration`` units each ``duration`` (milliseconds), ``burst`` at once."""
    rate = Rate(rate_per_duration, duration, burst=burst)
    return Limiter(StateBucket([rate], algorithm=TokenBucket()), buffer_ms=buffer_ms)


def init_global_limiter(bucket: AbstractBucket, buffer_ms: int = 50) -> None:
    """Sets ``LIMITER`` of this module to a limiter over ``bucket``: a ready-made initializer for process pools."""
    global LIMITER
    LIMITER = Limiter(bucket, buffer_ms=buffer_ms)
