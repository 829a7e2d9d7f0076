"""What users may implement themselves, and the nouns that go with it."""

from .algorithm import (
    GCRA,
    Algorithm,
    Decision,
    FixedWindow,
    LogAlgorithm,
    SlidingWindowLog,
    State,
    StateAlgorithm,
    TokenBucket,
)
from .bucket import AbstractBucket, BucketFactory
from .rate import Duration, Rate, RateItem
from .store import StateStore
from .wrappers import BucketAsyncWrapper

__all__ = [
    "AbstractBucket",
    "Algorithm",
    "BucketAsyncWrapper",
    "BucketFactory",
    "Decision",
    "Duration",
    "FixedWindow",
    "GCRA",
    "LogAlgorithm",
    "Rate",
    "RateItem",
    "SlidingWindowLog",
    "State",
    "StateAlgorithm",
    "StateStore",
    "TokenBucket",
]
