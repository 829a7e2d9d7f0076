"""The workers of a pool share one limit in shared memory."""

import time
from concurrent.futures import ProcessPoolExecutor, wait
from functools import partial

from scupper import Limiter, MultiprocessBucket, Rate

LIMIT = 20
PERIOD_MS = 100
TASKS = 60

limiter: Limiter


def begin(bucket: MultiprocessBucket) -> None:
    """What each worker does first."""
    global limiter
    limiter = Limiter(bucket)


def task(number: int) -> int:
    """What a worker does, as often as the limit allows."""
    assert limiter.try_acquire("task")
    return number


def main() -> None:
    bucket = MultiprocessBucket.init([Rate(LIMIT, PERIOD_MS)])
    with ProcessPoolExecutor(max_workers=4, initializer=partial(begin, bucket)) as pool:
        wait([pool.submit(task, number) for number in range(LIMIT)])  # the workers are there
        time.sleep(PERIOD_MS / 1000)

        began = time.monotonic()
        numbers = {future.result() for future in [pool.submit(task, number) for number in range(TASKS)]}
        passed = time.monotonic() - began
    print("tasks", len(numbers))
    print("periods", int(passed * 1000 // PERIOD_MS))
    bucket.close()


if __name__ == "__main__":
    main()
