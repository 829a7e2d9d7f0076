"""HTTPX in a pool of processes: all of them share three units a period."""

import os
import time
from concurrent.futures import ProcessPoolExecutor

import httpx
from scupper import MultiprocessBucket, Rate, limiter_factory
from scupper.extras.httpx_limiter import RateLimiterTransport

URL = os.environ.get("EXAMPLE_URL", "https://example.com")
PERIOD_MS = 200
REQUESTS = 10


def fetch(number: int) -> tuple[int, int]:
    """The status of one request, and the process that made it; the pool's initializer made the limiter."""
    limiter = limiter_factory.LIMITER
    assert limiter is not None
    with httpx.Client(transport=RateLimiterTransport(limiter=limiter)) as client:
        return client.get(URL, params={"number": number}).status_code, os.getpid()


def main() -> None:
    bucket = MultiprocessBucket.init([Rate(3, PERIOD_MS)])
    began = time.monotonic()
    with ProcessPoolExecutor(3, initializer=limiter_factory.init_global_limiter, initargs=(bucket,)) as pool:
        fetched = list(pool.map(fetch, range(REQUESTS)))
    print("statuses", *(status for status, _ in fetched))
    print("processes", len({process for _, process in fetched}))
    print("periods", int((time.monotonic() - began) * 1000 // PERIOD_MS))
    bucket.close()


if __name__ == "__main__":
    main()
