"""Ten tasks share three units a period, while the loop goes on with other work."""

import asyncio
import time

from scupper import limiter_factory

PERIOD_MS = 100
TASKS = 10


async def ticker(ticks: list[float]) -> None:
    """Other work of the loop."""
    while True:
        ticks.append(time.monotonic())
        await asyncio.sleep(PERIOD_MS / 5000)


async def main() -> None:
    limiter = limiter_factory.create_inmemory_limiter(rate_per_duration=3, duration=PERIOD_MS)
    ticks: list[float] = []

    async def task(number: int) -> int:
        await limiter.try_acquire_async("task", weight=1)
        return number

    began = time.monotonic()
    other = asyncio.create_task(ticker(ticks))
    numbers = await asyncio.gather(*(task(number) for number in range(TASKS)))
    other.cancel()
    limiter.close()
    print("tasks", len(numbers))
    print("periods", int((time.monotonic() - began) * 1000 // PERIOD_MS))
    print("ticks", len(ticks))


if __name__ == "__main__":
    asyncio.run(main())
