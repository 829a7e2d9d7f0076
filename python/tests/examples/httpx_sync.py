"""HTTPX, sync: ten requests share three units a period."""

import os
import time

import httpx
from scupper import limiter_factory
from scupper.extras.httpx_limiter import RateLimiterTransport

URL = os.environ.get("EXAMPLE_URL", "https://example.com")
PERIOD_MS = 100
REQUESTS = 10


def main() -> None:
    limiter = limiter_factory.create_inmemory_limiter(rate_per_duration=3, duration=PERIOD_MS)
    began = time.monotonic()
    with httpx.Client(transport=RateLimiterTransport(limiter=limiter)) as client:
        statuses = [client.get(URL).status_code for _ in range(REQUESTS)]
    print("statuses", *statuses)
    print("periods", int((time.monotonic() - began) * 1000 // PERIOD_MS))
    limiter.close()


if __name__ == "__main__":
    main()
