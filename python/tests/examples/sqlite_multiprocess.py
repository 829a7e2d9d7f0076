"""Processes that know of each other by nothing but the path of an SQLite file share one limit."""

import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, wait
from functools import partial
from pathlib import Path

from scupper import Limiter, limiter_factory

LIMIT = 10
PERIOD_MS = 100
TASKS = 30

limiter: Limiter


def begin(path: str) -> None:
    """What each worker does first."""
    global limiter
    limiter = limiter_factory.create_sqlite_limiter(LIMIT, PERIOD_MS, db_path=path, use_file_lock=True)


def task(number: int) -> int:
    """What a worker does, as often as the limit allows."""
    assert limiter.try_acquire("task")
    return number


def main(path: str) -> None:
    with ProcessPoolExecutor(max_workers=3, initializer=partial(begin, path)) as pool:
        wait([pool.submit(task, number) for number in range(LIMIT)])  # the workers are there
        time.sleep(PERIOD_MS / 1000)

        began = time.monotonic()
        numbers = {future.result() for future in [pool.submit(task, number) for number in range(TASKS)]}
        passed = time.monotonic() - began
    print("tasks", len(numbers))
    print("periods", int(passed * 1000 // PERIOD_MS))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(str(Path(folder) / "limits.sqlite"))
