"""Buckets of either package, by where they keep what they count."""

import multiprocessing
import sqlite3
from functools import cache
from multiprocessing.managers import SyncManager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from support.clocks import HandClock
from support.packages import ORACLE

if TYPE_CHECKING:
    from differential.scenario import Scenario

LOGS = {"sliding_window_log": "SlidingWindowLog", "fixed_window": "FixedWindow"}
STATES = {"gcra": "GCRA", "token_bucket": "TokenBucket"}


def rates_of(package: ModuleType, triples: Any) -> list[Any]:
    return [package.Rate(*triple) for triple in triples]


def make_bucket(package: ModuleType, scenario: "Scenario", clock: HandClock) -> Any:
    """An empty bucket whose time is that of `clock`."""
    rates = rates_of(package, scenario.rates)
    algorithm = getattr(package, {**LOGS, **STATES}[scenario.algorithm])()
    place = (STATES_IN if scenario.algorithm in STATES else LOGS_IN)[scenario.kind]
    bucket = place(package, rates, algorithm)
    bucket._clock = clock
    return bucket


def log_in_memory(package: ModuleType, rates: list[Any], algorithm: Any) -> Any:
    return package.InMemoryBucket(rates, algorithm)


def log_in_sqlite(package: ModuleType, rates: list[Any], algorithm: Any) -> Any:
    connection = sqlite3.connect(":memory:")
    queries = package.SQLiteQueries
    connection.execute(queries.CREATE_BUCKET_TABLE.format(table="a table"))
    connection.execute(queries.CREATE_INDEX_ON_TIMESTAMP.format(index_name="its index", table_name="a table"))
    return _by_hand(package.SQLiteBucket)(rates, connection, "a table", algorithm=algorithm)


@cache
def _by_hand(base: Any) -> Any:
    # The reference's own reads the wall's clock, whatever is assigned to it.
    return type(f"{base.__module__} by hand", (base,), {"now": lambda bucket: bucket._clock.now()})


def log_in_proxy(package: ModuleType, rates: list[Any], algorithm: Any) -> Any:
    return package.MultiprocessBucket(rates, manager().list(), multiprocessing.RLock(), algorithm)


def state_in_memory(package: ModuleType, rates: list[Any], algorithm: Any) -> Any:
    return package.StateBucket(rates, algorithm)


def state_in_proxy(package: ModuleType, rates: list[Any], algorithm: Any) -> Any:
    store = package.MultiprocessStateStore(manager().list(), multiprocessing.RLock())
    return package.StateBucket(rates, algorithm, store)


def log_in_file(package: ModuleType, rates: list[Any], algorithm: Any) -> Any:
    # The reference waits for the disk at each put; in memory it decides the same.
    path = ":memory:" if package is ORACLE else None
    return _by_hand(package.SQLiteBucket).init_from_file(rates, db_path=path, algorithm=algorithm)


def log_in_shared_memory(package: ModuleType, rates: list[Any], algorithm: Any) -> Any:
    if package is ORACLE:
        return log_in_proxy(package, rates, algorithm)
    return package.MultiprocessBucket.init(rates, algorithm)


def state_in_shared_memory(package: ModuleType, rates: list[Any], algorithm: Any) -> Any:
    if package is ORACLE:
        return state_in_memory(package, rates, algorithm)
    return package.StateBucket(rates, algorithm, package.MultiprocessStateStore.init())


LOGS_IN = {
    "memory": log_in_memory,
    "sqlite": log_in_sqlite,
    "proxy": log_in_proxy,
    "file": log_in_file,
    "shared memory": log_in_shared_memory,
}
STATES_IN = {"memory": state_in_memory, "proxy": state_in_proxy, "shared memory": state_in_shared_memory}


@cache
def manager() -> SyncManager:
    """A manager for all tests; it ends with the process."""
    return multiprocessing.Manager()
