"""Checks that a bucket of your own keeps to what a limiter promises."""

from ._bucket import BucketConformance, check_bucket
from ._failure import ConformanceError
from ._models import DrainingModel, FixedWindowModel, Model, SlidingWindowModel

__all__ = [
    "BucketConformance",
    "ConformanceError",
    "DrainingModel",
    "FixedWindowModel",
    "Model",
    "SlidingWindowModel",
    "check_bucket",
]
