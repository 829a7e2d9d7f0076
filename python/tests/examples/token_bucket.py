"""A token bucket lets a burst through at once, and then what its rate gives."""

import time

from scupper import Limiter, Rate, StateBucket, TokenBucket

PERIOD_MS = 250


def main() -> None:
    bucket = StateBucket([Rate(5, PERIOD_MS, burst=10)], algorithm=TokenBucket())
    limiter = Limiter(bucket, buffer_ms=10)
    began = time.monotonic()
    burst = sum(limiter.try_acquire("job", blocking=False) for _ in range(10))
    print("at once", burst)

    for _ in range(5):
        limiter.try_acquire("job")
    print("periods", int((time.monotonic() - began) * 1000 // PERIOD_MS))
    limiter.close()


if __name__ == "__main__":
    main()
