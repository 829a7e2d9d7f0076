"""The buckets that there are."""

from .in_memory_bucket import InMemoryBucket
from .state_bucket import InMemoryStateStore, StateBucket
from .store_bucket import StoreBucket

__all__ = ["InMemoryBucket", "InMemoryStateStore", "StateBucket", "StoreBucket"]
