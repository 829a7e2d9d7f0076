"""Buckets over connections, and children that use the same file."""

import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.packages import SCUPPER

WEEK = 7 * 24 * 3600 * 1000


def connected(path: Any, **options: Any) -> sqlite3.Connection:
    return sqlite3.connect(path, **{"check_same_thread": False, **options})


def bucket_over(connection: sqlite3.Connection, *rates: tuple[int, int], table: str = "limits", **more: Any) -> Any:
    return SCUPPER.SQLiteBucket([SCUPPER.Rate(*rate) for rate in rates or [(2, WEEK)]], connection, table, **more)


def item(weight: int = 1, tick: int = 10**12, name: Any = "a name") -> Any:
    return SCUPPER.RateItem(name, tick, weight)


def in_children(count: int, work: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What `work` gives in as many processes that begin at once. They are spawned: nothing of this one is in them."""
    with multiprocessing.get_context("spawn").Pool(count) as pool:
        return pool.starmap_async(work, [arguments] * count, chunksize=1).get(100)


def joined(pool: Any) -> None:
    """Lets the processes of a pool end by themselves. One that is terminated keeps the lock of a manager that it has."""
    pool.close()
    pool.join()


def in_fork(work: Callable[[], str]) -> str:
    """What `work` says in a forked child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            said = work()
        except BaseException as error:  # noqa: BLE001 - the parent is told
            said = repr(error)
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def puts_by_connection(path: Path, limit: int, count: int) -> int:
    """How many of so many puts are admitted, over a connection that waits for nobody by itself."""
    connection = connected(path, timeout=0)
    bucket = bucket_over(connection, (limit, WEEK))
    return sum(bucket.put(item(tick=bucket.now())) for _ in range(count))
