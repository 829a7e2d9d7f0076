"""Rate limiting: exact, first come first served, for threads and for tasks of any event loop."""

from . import limiter_factory
from ._reservation import Reservation
from ._scupper import StoreError
from ._usage import RateUsage, Usage
from ._verdict import Verdict
from ._version import __version__
from .abstracts import (
    GCRA,
    AbstractBucket,
    Algorithm,
    BucketAsyncWrapper,
    BucketFactory,
    Decision,
    Duration,
    FixedWindow,
    LogAlgorithm,
    Rate,
    RateItem,
    SlidingWindowLog,
    StateAlgorithm,
    StateStore,
    TokenBucket,
)
from .buckets import (
    InMemoryBucket,
    InMemoryStateStore,
    MultiprocessBucket,
    MultiprocessStateStore,
    PgQueries,
    PostgresBucket,
    RedisBucket,
    RedisStateStore,
    SQLiteBucket,
    SQLiteClock,
    SQLiteQueries,
    StateBucket,
)
from .clocks import AbstractClock, MonotonicAsyncClock, MonotonicClock, PostgresClock, WallClock
from .limiter import Limiter, SingleBucketFactory
from .utils import dedicated_sqlite_clock_connection, id_generator, validate_rate_list

__all__ = [
    "__version__",
    "AbstractBucket",
    "AbstractClock",
    "Algorithm",
    "BucketAsyncWrapper",
    "BucketFactory",
    "Decision",
    "Duration",
    "FixedWindow",
    "GCRA",
    "InMemoryBucket",
    "InMemoryStateStore",
    "Limiter",
    "LogAlgorithm",
    "MonotonicAsyncClock",
    "MonotonicClock",
    "MultiprocessBucket",
    "MultiprocessStateStore",
    "PgQueries",
    "PostgresBucket",
    "PostgresClock",
    "Rate",
    "RateItem",
    "RateUsage",
    "RedisBucket",
    "RedisStateStore",
    "Reservation",
    "SQLiteBucket",
    "SQLiteClock",
    "SQLiteQueries",
    "SingleBucketFactory",
    "SlidingWindowLog",
    "StateAlgorithm",
    "StateBucket",
    "StateStore",
    "StoreError",
    "TokenBucket",
    "Usage",
    "Verdict",
    "WallClock",
    "dedicated_sqlite_clock_connection",
    "id_generator",
    "limiter_factory",
    "validate_rate_list",
]
