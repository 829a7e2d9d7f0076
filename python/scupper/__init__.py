"""Rate limiting: exact, first come first served, for threads and for tasks of any event loop.

Begin with :class:`Limiter`, over one rate or several::

    from scupper import Duration, Limiter, Rate

    limiter = Limiter([Rate(5, Duration.SECOND), Rate(1000, Duration.HOUR)])
    limiter.try_acquire("api")                     # waits its turn; in a task: await limiter.try_acquire_async("api")

* :meth:`Limiter.per_key` gives each name its own limit; :meth:`Limiter.open` counts in a store that processes or
  machines share: ``shm:``, ``sqlite:``, ``redis://`` and ``postgres://``.
* :meth:`Limiter.decide` never waits, and says in a :class:`Verdict` how long to wait and what remains;
  :meth:`Limiter.peek` takes nothing, :meth:`Limiter.refund` gives back, :meth:`Limiter.reserve` is for costs that are
  known only afterwards.
* :class:`RedisBucket`, :class:`PostgresBucket` and :class:`SQLiteBucket` count by a client of the program's own,
  :class:`MultiprocessBucket` for the processes of one program.
* ``scupper.extras`` has HTTP clients that keep to a limit, ``scupper.asgi`` and ``scupper.wsgi`` middleware, and
  ``scupper.conformance`` checks buckets of your own, which derive from :class:`AbstractBucket`.

All names of pyrate-limiter 4.5.1 are there, from modules of the same names.
"""

from . import limiter_factory
from ._reservation import Reservation
from ._scupper import StoreError
from ._usage import RateUsage, Usage
from ._verdict import Verdict
from ._version import __version__
from .abstracts import (
    GCRA,
    AbstractBucket,
    Algorithm,
    BucketAsyncWrapper,
    BucketFactory,
    Decision,
    Duration,
    FixedWindow,
    LogAlgorithm,
    Rate,
    RateItem,
    SlidingWindowLog,
    StateAlgorithm,
    StateStore,
    TokenBucket,
)
from .buckets import (
    InMemoryBucket,
    InMemoryStateStore,
    MultiprocessBucket,
    MultiprocessStateStore,
    PgQueries,
    PostgresBucket,
    RedisBucket,
    RedisStateStore,
    SQLiteBucket,
    SQLiteClock,
    SQLiteQueries,
    StateBucket,
    StoreBucket,
)
from .clocks import AbstractClock, MonotonicAsyncClock, MonotonicClock, PostgresClock, WallClock
from .limiter import Limiter, SingleBucketFactory
from .utils import dedicated_sqlite_clock_connection, id_generator, validate_rate_list

__all__ = [
    "__version__",
    "AbstractBucket",
    "AbstractClock",
    "Algorithm",
    "BucketAsyncWrapper",
    "BucketFactory",
    "Decision",
    "Duration",
    "FixedWindow",
    "GCRA",
    "InMemoryBucket",
    "InMemoryStateStore",
    "Limiter",
    "LogAlgorithm",
    "MonotonicAsyncClock",
    "MonotonicClock",
    "MultiprocessBucket",
    "MultiprocessStateStore",
    "PgQueries",
    "PostgresBucket",
    "PostgresClock",
    "Rate",
    "RateItem",
    "RateUsage",
    "RedisBucket",
    "RedisStateStore",
    "Reservation",
    "SQLiteBucket",
    "SQLiteClock",
    "SQLiteQueries",
    "SingleBucketFactory",
    "SlidingWindowLog",
    "StateAlgorithm",
    "StateBucket",
    "StateStore",
    "StoreBucket",
    "StoreError",
    "TokenBucket",
    "Usage",
    "Verdict",
    "WallClock",
    "dedicated_sqlite_clock_connection",
    "id_generator",
    "limiter_factory",
    "validate_rate_list",
]
