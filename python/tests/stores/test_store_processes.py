"""Signals, forks, pools, pickles and the end of the interpreter. Each in a program of its own."""

import pickle
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.kinds import ASLEEP, START
from support.packages import SCUPPER
from support.programs import Program, run
from support.waits import WEEK

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


def opened(url: str, key: str, rate: str = "Rate(2, Duration.WEEK)") -> str:
    return f"limiter = Limiter.open({url!r}, {rate}, key={key!r}, call_timeout=20)\n"


class TestInterrupts:
    def test_ctrl_c_ends_a_wait_and_takes_nothing(self, url: str, key: str, tmp_path: Path) -> None:
        rest = """
assert limiter.try_acquire("x", 2)
print("waits")
try:
    limiter.try_acquire("x")
except KeyboardInterrupt:
    limiter.bucket_factory.bucket.rates = [Rate(3, Duration.WEEK)]
    print(limiter.bucket_factory.bucket.count(), limiter.try_acquire("x", blocking=False))
"""
        program = Program(tmp_path, START + opened(url, key) + rest)
        assert program.line() == "waits"
        program.until_asleep()
        program.signal(signal.SIGINT)
        assert program.end() == "2 True\n"

    @pytest.mark.parametrize("kind", ["redis", "postgres"])
    def test_ctrl_c_ends_a_call_that_the_store_does_not_answer(
        self, kind: str, request: pytest.FixtureRequest, key: str, tmp_path: Path
    ) -> None:
        server = request.getfixturevalue(f"{kind}_server")
        rest = """
limiter = Limiter.open(limiter.bucket_factory.bucket._url, Rate(2, Duration.WEEK), key="KEY", call_timeout=float("inf"))
assert limiter.try_acquire("x")
print("goes on")
sys.stdin.readline()
try:
    limiter.try_acquire("x", blocking=False)
except KeyboardInterrupt:
    print("interrupted", flush=True)
os._exit(0)
""".replace("KEY", key).replace("sys.stdin.readline()", "signal.sigwait({signal.SIGUSR1})")
        block = "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})\n"
        program = Program(tmp_path, START + block + opened(server.url, key) + rest)
        assert program.line() == "goes on"
        server.stall()
        try:
            program.signal(signal.SIGUSR1)
            program.until_asleep()
            program.signal(signal.SIGINT)
            assert program.line() == "interrupted"
        finally:
            server.go_on()
        assert program.end() == ""


class TestForks:
    def test_a_child_counts_in_the_same_store_and_waits_there(self, shared_url: str, key: str, tmp_path: Path) -> None:
        rest = """
assert limiter.try_acquire("x")

def work():
    assert limiter.try_acquire("x", blocking=False)
    assert not limiter.try_acquire("x", blocking=False)
    limiter.bucket_factory.bucket.rates = [Rate(3, 300)]
    assert limiter.try_acquire("x") and asyncio.run(limiter.try_acquire_async("x"))

print(in_child(work), limiter.bucket_factory.bucket.count() > 1)
"""
        assert run(tmp_path, START + CHILD + opened(shared_url, key) + rest) == ["0 True"]

    def test_a_child_begins_with_memory_of_its_own(self, tmp_path: Path) -> None:
        rest = """
limiter = Limiter.per_key(Rate(2, Duration.WEEK))
assert limiter.try_acquire("x")

def work():
    assert [limiter.try_acquire("x", blocking=False) for _ in range(3)] == [True, True, False]

print(in_child(work), [limiter.try_acquire("x", blocking=False) for _ in range(2)])
"""
        assert run(tmp_path, START + CHILD + rest) == ["0 [True, False]"]

    def test_a_child_forked_while_others_wait_and_ask_is_free(self, url: str, key: str, tmp_path: Path) -> None:
        rest = """
assert limiter.try_acquire("x", 2)
busy = Limiter.open(URL, Rate(10**4, 3 * 10**6), key="KEY-busy", call_timeout=20)
done = False

def hammer():
    while not done:
        busy.try_acquire("x", blocking=False)

async def wait():
    await asyncio.gather(*[limiter.try_acquire_async("x") for _ in range(5)])

def stay():
    try:
        asyncio.run(wait())
    except RuntimeError:
        pass

threads = [threading.Thread(target=hammer) for _ in range(3)] + [threading.Thread(target=stay)]
for thread in threads:
    thread.start()
until_asleep(threads[-1])

def work():
    limiter.bucket_factory.bucket.flush()
    assert limiter.try_acquire("in the child", blocking=False)
    assert asyncio.run(limiter.try_acquire_async("in the child", timeout=5))
    assert all(busy.try_acquire("x", blocking=False) for _ in range(5))

codes = []
for _ in range(8):
    codes.append(in_child(lambda: busy.try_acquire("x", blocking=False)))
done = True
for thread in threads[:3]:
    thread.join()
codes.append(in_child(work) if URL == "memory:" else 0)
limiter.close()
threads[-1].join()
print(set(codes))
"""
        rest = rest.replace("URL", repr(url)).replace("KEY", key)
        assert run(tmp_path, START + CHILD + ASLEEP + opened(url, key) + rest) == ["{0}"]

    def test_what_a_parent_reserved_is_not_given_back_by_its_child(
        self, shared_url: str, key: str, tmp_path: Path
    ) -> None:
        rest = """
bucket = limiter.bucket_factory.bucket
reserved = limiter.reserve("x", 2)

def work():
    global reserved
    reserved = None
    assert bucket.count() == 2, bucket.count()

print(in_child(work), bucket.count())
reserved.settle(1)
print(bucket.count())
"""
        assert run(tmp_path, START + CHILD + opened(shared_url, key) + rest) == ["0 2", "1"]


class TestPools:
    WORK = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from scupper import *

def acquire(limiter):
    return [limiter.try_acquire("x", blocking=False) for _ in range(3)]

if __name__ == "__main__":
    limiter = OPEN
    assert limiter.try_acquire("x")
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("METHOD")) as pool:
        print(sum(sum(each) for each in pool.map(acquire, [limiter] * 4, timeout=30)))
    print(limiter.try_acquire("x", blocking=False))
"""

    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_a_pool_counts_in_the_same_store(self, method: str, shared_url: str, key: str, tmp_path: Path) -> None:
        made = f"Limiter.open({shared_url!r}, Rate(9, Duration.WEEK), key={key!r}, call_timeout=20)"
        program = self.WORK.replace("METHOD", method).replace("OPEN", made)
        assert run(tmp_path, program) == ["8", "False"]

    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_memory_per_key_is_anew_in_each_copy(self, method: str, tmp_path: Path) -> None:
        program = self.WORK.replace("METHOD", method).replace("OPEN", "Limiter.per_key(Rate(2, Duration.WEEK))")
        assert run(tmp_path, program) == ["8", "True"]


class TestPickles:
    def test_a_pickle_has_the_options_and_reaches_the_same_bucket(self, shared_url: str, key: str) -> None:
        # No unit comes back before the copy is asked.
        rates = [SCUPPER.Rate(2, SCUPPER.Duration.HOUR, burst=3), SCUPPER.Rate(5, WEEK)]
        outage = SCUPPER.Rate(1, 1_000)
        options: dict[str, Any] = {"algorithm": "token-bucket", "outage": outage, "max_waiting": 0, "denial_cache": 0.5}
        limiter = SCUPPER.Limiter.open(shared_url, rates, key=key, call_timeout=20, buffer_ms=7, **options)
        assert limiter.try_acquire("x", 2)
        copy = pickle.loads(pickle.dumps(limiter))
        assert (copy.buffer_ms, repr(copy.bucket_factory.bucket.rates)) == (7, repr(rates))
        assert copy.bucket_factory.bucket.count() > 0
        assert copy.try_acquire("x", 2, blocking=False) is False
        with pytest.raises(SCUPPER.StoreError, match="nobody may wait"):
            copy.try_acquire("x", 2)

    def test_a_pickle_of_memory_is_empty(self) -> None:
        limiter = SCUPPER.Limiter.per_key(SCUPPER.Rate(1, WEEK))
        assert limiter.try_acquire("x")
        assert pickle.loads(pickle.dumps(limiter)).try_acquire("x", blocking=False)
        assert not limiter.try_acquire("x", blocking=False)

    def test_a_pickle_of_a_closed_limiter_is_closed(self, one: Callable[..., Any]) -> None:
        limiter = one((1, WEEK))
        limiter.close()
        with pytest.raises(RuntimeError, match="limiter is closed"):
            pickle.loads(pickle.dumps(limiter)).try_acquire("x")

    def test_an_error_of_a_store_keeps_its_kind(self) -> None:
        with pytest.raises(SCUPPER.StoreError) as error:
            SCUPPER.Limiter.open("redis://127.0.0.1:1", SCUPPER.Rate(1, WEEK)).try_acquire("x")
        copy = pickle.loads(pickle.dumps(error.value))
        assert (type(copy), copy.kind, str(copy)) == (SCUPPER.StoreError, "Unavailable", str(error.value))


class TestEnds:
    def test_an_interpreter_ends_while_threads_and_tasks_wait(self, url: str, key: str, tmp_path: Path) -> None:
        rest = """
def work():
    while True:
        limiter.try_acquire("x")

for _ in range(5):
    threading.Thread(target=work, daemon=True).start()

async def wait():
    while True:
        await limiter.try_acquire_async("x")

async def main():
    asyncio.ensure_future(wait())
    for _ in range(10):
        await limiter.try_acquire_async("x")

threading.Thread(target=lambda: asyncio.run(wait()), daemon=True).start()
asyncio.run(main())
print("done")
"""
        assert run(tmp_path, START + opened(url, key, "Rate(1, 10)") + rest) == ["done"]
