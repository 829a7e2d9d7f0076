"""Pools and forks. Each in a program of its own."""

from pathlib import Path

import pytest

from support.kinds import ASLEEP, START, kinds, program
from support.programs import run


class TestPools:
    WORK = """
from concurrent.futures import ProcessPoolExecutor
import multiprocessing
from scupper import Duration, Limiter, Rate, limiter_factory

def acquire(limiter):
    return [limiter.try_acquire("x", blocking=False) for _ in range(3)]

def acquire_global(_):
    return limiter_factory.LIMITER.try_acquire("x", blocking=False)

def wait(limiter):
    return all(limiter.try_acquire("x") for _ in range(3))

if __name__ == "__main__":
    limiter = limiter_factory.create_inmemory_limiter(2, Duration.WEEK)
    quick = limiter_factory.create_inmemory_limiter(1, 10)
    assert limiter.try_acquire("x") and quick.try_acquire("x")
    context = multiprocessing.get_context("METHOD")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        print([*pool.map(acquire, [limiter] * 3, timeout=30)])
        print([*pool.map(wait, [quick] * 2, timeout=30)])
    bucket = limiter.bucket_factory.bucket
    with ProcessPoolExecutor(1, context, limiter_factory.init_global_limiter, (bucket,)) as pool:
        print([*pool.map(acquire_global, range(3), timeout=30)])
    print(limiter.try_acquire("x", blocking=False), limiter.try_acquire("x", blocking=False))
    limiter.close()
"""

    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_a_limiter_is_handed_to_a_pool_and_each_call_has_its_own_copy(self, method: str, tmp_path: Path) -> None:
        assert run(tmp_path, self.WORK.replace("METHOD", method)) == [
            str([[True, False, False]] * 3),
            str([True, True]),
            str([True, False, False]),
            "True False",
        ]


class TestForks:
    CHILD = """
def in_child(work):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            work()
            os._exit(0)
        except BaseException as error:
            print("in the child:", repr(error), flush=True)
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""

    @kinds
    def test_a_child_forked_while_a_thread_waits_is_not_behind_it(self, kind: str, tmp_path: Path) -> None:
        rest = """
assert limiter.try_acquire("one")
thread = threading.Thread(target=lambda: limiter.try_acquire("two", 2), daemon=True)
thread.start()
until_asleep(thread)

def work():
    assert limiter.try_acquire("in the child", blocking=False)
    assert not limiter.try_acquire("in the child", blocking=False)
    assert not asyncio.run(limiter.try_acquire_async("in the child", timeout=0.01))

print(in_child(work), limiter.try_acquire("behind", blocking=False))
"""
        assert run(tmp_path, program(kind, rest, helpers=self.CHILD + ASLEEP)) == ["0 False"]

    def test_a_child_forked_while_a_thread_is_in_a_users_method_is_free(self, tmp_path: Path) -> None:
        rest = """
entered, leave = threading.Event(), threading.Event()

class Slow(InMemoryBucket):
    def put(self, item):
        if item.name == "slow":
            entered.set()
            leave.wait(30)
        return super().put(item)

limiter = Limiter(Slow([Rate(2, Duration.WEEK)]))
thread = threading.Thread(target=lambda: limiter.try_acquire("slow"))
thread.start()
entered.wait(30)

def work():
    assert limiter.try_acquire("in the child", blocking=False)
    assert limiter.try_acquire("in the child")
    assert not limiter.try_acquire("in the child", blocking=False)

print(in_child(work))
leave.set()
thread.join()
print(limiter.try_acquire("x", blocking=False), limiter.try_acquire("x", blocking=False))
"""
        assert run(tmp_path, START + self.CHILD + rest) == ["0", "True False"]

    @kinds
    def test_forks_beside_busy_threads_leave_no_lock_behind(self, kind: str, tmp_path: Path) -> None:
        rest = """
limiter.bucket_factory.bucket.rates = [Rate(10**6, 3 * 10**6)]
done = False

def hammer():
    while not done:
        limiter.try_acquire("x", blocking=False)

threads = [threading.Thread(target=hammer) for _ in range(3)]
for thread in threads:
    thread.start()

def work():
    for _ in range(5):
        assert limiter.try_acquire("in the child", blocking=False) in (True, False)

codes = [in_child(work) for _ in range(20)]
done = True
for thread in threads:
    thread.join()
print(set(codes))
"""
        assert run(tmp_path, program(kind, rest, helpers=self.CHILD)) == ["{0}"]

    @kinds
    def test_a_child_can_wait(self, kind: str, tmp_path: Path) -> None:
        rest = """
limiter.bucket_factory.bucket.rates = [Rate(1, 20)]
assert limiter.try_acquire("x") and limiter.try_acquire("x"), "the parent has waited before"

def work():
    assert limiter.try_acquire("x") and limiter.try_acquire("x", timeout=10)
    assert asyncio.run(limiter.try_acquire_async("x"))

print([in_child(work), in_child(lambda: in_child(work))])
print(limiter.try_acquire("x"))
"""
        assert run(tmp_path, program(kind, rest, helpers=self.CHILD)) == ["[0, 0]", "True"]
