"""A decorator limits an async function."""

import asyncio
import time

from scupper import limiter_factory

PERIOD_MS = 100

limiter = limiter_factory.create_inmemory_limiter(rate_per_duration=3, duration=PERIOD_MS)


@limiter.as_decorator(name="square", weight=1)
async def square(number: int) -> int:
    """The square of a number."""
    return number * number


async def main() -> None:
    began = time.monotonic()
    squares = await asyncio.gather(*(square(number) for number in range(10)))
    print("squares", *squares)
    print("periods", int((time.monotonic() - began) * 1000 // PERIOD_MS))


if __name__ == "__main__":
    asyncio.run(main())
    limiter.close()
