"""The buckets that there are."""

from .in_memory_bucket import InMemoryBucket
from .mp_bucket import MultiprocessBucket
from .sqlite_bucket import Queries as SQLiteQueries
from .sqlite_bucket import SQLiteBucket, SQLiteClock
from .state_bucket import InMemoryStateStore, MultiprocessStateStore, StateBucket
from .store_bucket import StoreBucket

__all__ = [
    "InMemoryBucket",
    "InMemoryStateStore",
    "MultiprocessBucket",
    "MultiprocessStateStore",
    "SQLiteBucket",
    "SQLiteClock",
    "SQLiteQueries",
    "StateBucket",
    "StoreBucket",
]
