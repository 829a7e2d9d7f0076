"""The rates by which a request was decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._single import SingleBucketFactory
from .._verdict import Verdict
from ..abstracts.rate import Rate


def rates_of(limiter: Any, verdict: Verdict) -> Sequence[Rate]:
    """All rates where one bucket decides; where a factory chose among many, the one that bound."""
    factory = getattr(limiter, "bucket_factory", None)
    if isinstance(factory, SingleBucketFactory):
        return factory.bucket.rates
    return () if verdict.rate is None else (verdict.rate,)
