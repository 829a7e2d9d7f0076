"""The public checks of a bucket hold for those that the processes of a host share."""

import multiprocessing
import sqlite3
from typing import Any, List

import pytest
from scupper import AbstractBucket, FixedWindow, MultiprocessBucket, MultiprocessStateStore, Rate, SQLiteBucket, StateBucket
from scupper.conformance import BucketConformance


@pytest.fixture(scope="module", autouse=True)
def manager() -> Any:
    with multiprocessing.Manager() as manager:
        Shared.manager = manager
        yield manager
    for each in Shared.connections:
        each.close()


class Shared:
    manager: Any
    connections: List[sqlite3.Connection] = []


def connection() -> sqlite3.Connection:
    Shared.connections.append(sqlite3.connect(":memory:", check_same_thread=False))
    return Shared.connections[-1]


class InAStore(BucketConformance):
    """A bucket that native code keeps. It holds no items, and counts by its own clock, not by the ticks of puts."""

    test_leak_drops_nothing_that_counts = None  # type: ignore[assignment]
    test_leak_drops_all_that_counts_no_more = None  # type: ignore[assignment]
    test_count_tells_how_many_units_there_are = None  # type: ignore[assignment]
    test_peek_shows_unit_by_unit_from_the_newest = None  # type: ignore[assignment]


class TestOverAConnection(BucketConformance):
    def make(self, rates: List[Rate]) -> AbstractBucket:
        return SQLiteBucket(rates, connection(), "limits")


class TestFixedWindowsOverAConnection(BucketConformance):
    def make(self, rates: List[Rate]) -> AbstractBucket:
        return SQLiteBucket(rates, connection(), "limits", algorithm=FixedWindow())


class TestInAFile(InAStore):
    def make(self, rates: List[Rate]) -> AbstractBucket:
        return SQLiteBucket.init_from_file(rates)


class TestInAList(BucketConformance):
    def make(self, rates: List[Rate]) -> AbstractBucket:
        return MultiprocessBucket(rates, Shared.manager.list(), Shared.manager.RLock())


class TestInSharedMemory(InAStore):
    def make(self, rates: List[Rate]) -> AbstractBucket:
        return MultiprocessBucket.init(rates)


class TestAStateInSharedMemory(InAStore):
    def make(self, rates: List[Rate]) -> AbstractBucket:
        return StateBucket(rates, store=MultiprocessStateStore.init())
