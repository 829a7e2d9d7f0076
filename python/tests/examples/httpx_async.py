"""HTTPX, async: ten tasks share three units a period, while the loop goes on with other work."""

import asyncio
import os
import time

import httpx
from scupper import limiter_factory
from scupper.extras.httpx_limiter import AsyncRateLimiterTransport

URL = os.environ.get("EXAMPLE_URL", "https://example.com")
PERIOD_MS = 100
REQUESTS = 10


async def ticker(ticks: list[float]) -> None:
    """Other work of the loop."""
    while True:
        ticks.append(time.monotonic())
        await asyncio.sleep(PERIOD_MS / 5000)


async def main() -> None:
    limiter = limiter_factory.create_inmemory_limiter(rate_per_duration=3, duration=PERIOD_MS)
    ticks: list[float] = []
    began = time.monotonic()
    other = asyncio.create_task(ticker(ticks))
    async with httpx.AsyncClient(transport=AsyncRateLimiterTransport(limiter=limiter)) as client:
        responses = await asyncio.gather(*(client.get(URL) for _ in range(REQUESTS)))
    other.cancel()
    limiter.close()
    print("statuses", *(response.status_code for response in responses))
    print("periods", int((time.monotonic() - began) * 1000 // PERIOD_MS))
    print("ticks", len(ticks))


if __name__ == "__main__":
    asyncio.run(main())
