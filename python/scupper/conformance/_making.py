"""How a check gets its bucket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from random import Random
from typing import List, Union

from ..abstracts.bucket import AbstractBucket
from ..abstracts.rate import Rate
from ._models import Model, model_of
from ._scenes import SEEDS, rate_lists, requests
from ._subject import Subject


class Making:
    """Makes buckets under test, with a model and an event loop for each."""

    start_ms = 10_000_000
    """The time of the first item. Items of one bucket never go back in time."""

    is_shared = True
    """Whether threads, or tasks if it is asynchronous, may put at once, as when several limiters are over one bucket."""

    def make(self, rates: List[Rate]) -> Union[AbstractBucket, Awaitable[AbstractBucket]]:
        """A new and empty bucket under these rates, which are ordered and valid."""
        raise NotImplementedError(f"{type(self).__name__}.make(rates) must give a new bucket under those rates")

    def model(self, bucket: AbstractBucket, rates: List[Rate]) -> Model:
        """What decides as the bucket should: by its ``algorithm``, the sliding window log unless it has another."""
        return model_of(getattr(bucket, "algorithm", bucket._algorithm), rates)

    def _random_requests(self) -> Iterator[tuple[Subject, int, int]]:
        for seed in SEEDS:
            random = Random(seed)
            rates = random.choice(rate_lists())
            with self._subject(rates) as subject:
                for now, weight in requests(rates, random, self.start_ms):
                    yield subject, now, weight

    @contextmanager
    def _subject(self, rates: List[Rate]) -> Iterator[Subject]:
        loop = asyncio.new_event_loop()
        try:
            subject = Subject.made(self.make(rates), lambda bucket: self.model(bucket, rates), loop)
            try:
                yield subject
            finally:
                subject.bucket.close()
        finally:
            loop.close()
