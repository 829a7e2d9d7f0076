"""`MultiprocessStateStore`: shared memory by `init`, and the list of a manager."""

import multiprocessing
import pickle
from pathlib import Path
from typing import Any

import pytest

from host.connections import WEEK, in_fork, item, joined
from support.packages import SCUPPER


class Mine(SCUPPER.GCRA):
    """An algorithm of a user's own, as far as native code knows."""

    def step(self, *arguments: Any) -> Any:
        return super().step(*arguments)


ALGORITHMS = pytest.mark.parametrize("algorithm", [SCUPPER.GCRA, SCUPPER.TokenBucket, Mine])


def bucket_over(store: Any, algorithm: Any = SCUPPER.GCRA, limit: int = 3) -> Any:
    return SCUPPER.StateBucket([SCUPPER.Rate(limit, WEEK)], algorithm(), store)


def acquired_of(bucket: Any, count: int) -> int:
    limiter = SCUPPER.Limiter(bucket)
    return sum(limiter.try_acquire("x", blocking=False) for _ in range(count))


def files_of(store: Any) -> list[Path]:
    return [Path(store._values._memory.path), Path(store._values._file.path)]


@ALGORITHMS
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pools_of_any_kind_have_one_limit(algorithm: Any, method: str) -> None:
    bucket = bucket_over(SCUPPER.MultiprocessStateStore.init(), algorithm, 100)
    assert bucket.put(SCUPPER.RateItem("x", bucket.now(), 10))
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert sum(pool.starmap_async(acquired_of, [(bucket, 60)] * 2, chunksize=1).get(100)) == 90
    assert bucket.count() == 100
    bucket.close()


def test_native_code_decides_alone_under_an_algorithm_of_ours() -> None:
    before = multiprocessing.active_children()
    store = SCUPPER.MultiprocessStateStore.init()
    limiter = SCUPPER.Limiter(bucket_over(store))
    assert limiter._bound is not None and multiprocessing.active_children() == before
    assert limiter.try_acquire("x", 3) and not limiter.try_acquire("x", blocking=False)
    other = bucket_over(store)
    assert not other.put(SCUPPER.RateItem("x", other.now())), "buckets over one store count together"
    copy = pickle.loads(pickle.dumps(limiter))
    assert copy._bound is not None and not copy.try_acquire("x", blocking=False)
    other.flush()
    assert copy.try_acquire("x", 3) and limiter.bucket_factory.bucket.count() == 3
    limiter.close()


@ALGORITHMS
def test_times_of_the_callers_choice_are_taken(algorithm: Any) -> None:
    bucket = SCUPPER.StateBucket([SCUPPER.Rate(2, 1000)], algorithm(), SCUPPER.MultiprocessStateStore.init())
    assert [bucket.put(item(1, tick)) for tick in (10_000, 10_000, 10_000, 10_499, 10_500)] == [
        True,
        True,
        False,
        False,
        True,
    ]
    assert not bucket.put(item(1, 10_600)) and bucket.waiting(item(1, 10_600)) == 400


@ALGORITHMS
def test_the_memory_is_its_makers(algorithm: Any) -> None:
    store = SCUPPER.MultiprocessStateStore.init()
    bucket = bucket_over(store, algorithm)
    assert bucket.put(item(1, bucket.now()))
    files = [path for path in files_of(store) if path.exists()]
    assert files != [] and all(path.stat().st_mode & 0o777 == 0o600 for path in files)
    pickle.loads(pickle.dumps(store)).close()
    assert in_fork(lambda: str(bucket.close())) == "None"
    assert all(path.exists() for path in files)
    bucket.close()
    assert not any(path.exists() for path in files)
    with pytest.raises(RuntimeError, match="closed"):
        bucket.put(item(1, bucket.now()))


def test_what_the_store_reads_is_what_it_keeps() -> None:
    rates = [SCUPPER.Rate(2, 1000)]
    for algorithm in (SCUPPER.GCRA(), Mine()):
        store = SCUPPER.MultiprocessStateStore.init()
        assert store.read(algorithm, rates) == (0,)
        assert store.check(algorithm, rates, 10_000, 1).allowed
        store.reset()
        assert store.read(algorithm, rates) == (0,)
        store.close()
    store = SCUPPER.MultiprocessStateStore.init()
    assert store.check(Mine(), [SCUPPER.Rate(3, 1000)], 1, 1).allowed
    (kept,) = store.read(Mine(), [SCUPPER.Rate(3, 1000)])
    assert kept * 3 == 3 * 1000 + 10**6, "fractions are kept exactly"


def test_rates_may_be_changed_while_in_use() -> None:
    store = SCUPPER.MultiprocessStateStore.init()
    bucket = bucket_over(store, limit=1)
    assert bucket.put(item(1, bucket.now())) and not bucket.put(item(1, bucket.now()))
    bucket.rates = [SCUPPER.Rate(9, WEEK, burst=2)]
    assert bucket.put(item(1, bucket.now())) and not bucket.put(item(1, bucket.now()))
    bucket.close()


def test_a_list_of_a_manager_is_taken_as_ever() -> None:
    with multiprocessing.Manager() as manager:
        store = SCUPPER.MultiprocessStateStore(manager.list(), manager.RLock())
        bucket = bucket_over(store)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            assert pool.apply_async(acquired_of, (bucket, 2)).get(100) == 2
            joined(pool)
        assert acquired_of(bucket, 2) == 1
        assert len(store._values) == 1
        bucket.flush()
        assert bucket.count() == 0
