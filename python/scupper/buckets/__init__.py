"""The buckets that there are."""

from .in_memory_bucket import InMemoryBucket
from .mp_bucket import MultiprocessBucket
from .postgres import PostgresBucket
from .postgres import Queries as PgQueries
from .redis_bucket import RedisBucket
from .redis_state import RedisStateStore
from .sqlite_bucket import Queries as SQLiteQueries
from .sqlite_bucket import SQLiteBucket, SQLiteClock
from .state_bucket import InMemoryStateStore, MultiprocessStateStore, StateBucket
from .store_bucket import StoreBucket

__all__ = [
    "InMemoryBucket",
    "InMemoryStateStore",
    "MultiprocessBucket",
    "MultiprocessStateStore",
    "PgQueries",
    "PostgresBucket",
    "RedisBucket",
    "RedisStateStore",
    "SQLiteBucket",
    "SQLiteClock",
    "SQLiteQueries",
    "StateBucket",
    "StoreBucket",
]
