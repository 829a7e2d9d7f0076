"""Pools, forks, signals and the end of an interpreter. Each in a program of its own."""

import signal
from pathlib import Path

import pytest

from support.programs import Program, run

MAKE = {
    "native": "limiter = Limiter(InMemoryBucket([Rate(2, Duration.WEEK)]))",
    "token bucket": "limiter = Limiter(StateBucket([Rate(2, Duration.WEEK)], TokenBucket()))",
    "user's": """class Mine(InMemoryBucket):
    def put(self, item):
        return super().put(item)

limiter = Limiter(Mine([Rate(2, Duration.WEEK)]))""",
}
START = "import asyncio, os, signal, sys, threading, time\nfrom scupper import *\n"
ASLEEP = '''
def until_asleep(thread):
    """Return when the kernel has the thread asleep, for longer than a switch between threads."""
    def status():
        with open(f"/proc/self/task/{thread.native_id}/status") as lines:
            fields = dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)
        return fields["State"][0], fields["voluntary_ctxt_switches"]
    calm = 0
    while calm < 5:
        before = status()
        time.sleep(0.003)
        calm = calm + 1 if status() == before and before[0] == "S" else 0
'''

kinds = pytest.mark.parametrize("kind", MAKE)


def program(kind: str, rest: str, *, helpers: str = "") -> str:
    return "\n".join((START, helpers, MAKE[kind], rest))


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
        signal.alarm(20)
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
        assert limiter.try_acquire("in the child", blocking=False)

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


class TestSignals:
    @kinds
    def test_ctrl_c_ends_a_wait_and_leaves_no_trace(self, kind: str, tmp_path: Path) -> None:
        rest = """
assert limiter.try_acquire("one")
print("ready")
try:
    limiter.try_acquire("two", 2)
except KeyboardInterrupt:
    print("interrupted")
print(limiter.try_acquire("two", blocking=False), limiter.try_acquire("three", blocking=False))
"""
        started = Program(tmp_path, program(kind, rest))
        assert started.line() == "ready"
        started.until_asleep()
        started.signal(signal.SIGINT)
        assert started.end().splitlines() == ["interrupted", "True False"]

    @kinds
    def test_ctrl_c_ends_a_waiting_loop(self, kind: str, tmp_path: Path) -> None:
        rest = """
assert limiter.try_acquire("one")

async def main():
    print("ready")
    await limiter.try_acquire_async("two", 2)

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
print(limiter.try_acquire("two", blocking=False), limiter.try_acquire("three", blocking=False))
"""
        started = Program(tmp_path, program(kind, rest))
        assert started.line() == "ready"
        started.until_asleep()
        started.signal(signal.SIGINT)
        assert started.end().splitlines() == ["interrupted", "True False"]

    @kinds
    def test_ctrl_c_reaches_the_main_thread_while_others_wait_on(self, kind: str, tmp_path: Path) -> None:
        rest = """
assert limiter.try_acquire("one")
outcomes = []

def wait():
    try:
        limiter.try_acquire("two", 2)
    except RuntimeError as error:
        outcomes.append(str(error))

thread = threading.Thread(target=wait)
thread.start()
until_asleep(thread)
print("ready")
try:
    limiter.try_acquire("three", 2)
except KeyboardInterrupt:
    print("interrupted", thread.is_alive())
limiter.close()
thread.join()
print(outcomes)
"""
        started = Program(tmp_path, program(kind, rest, helpers=ASLEEP))
        assert started.line() == "ready"
        started.until_asleep()
        started.signal(signal.SIGINT)
        assert started.end().splitlines() == ["interrupted True", "['limiter is closed']"]

    @kinds
    def test_a_signal_whose_handler_returns_does_not_end_a_wait(self, kind: str, tmp_path: Path) -> None:
        rest = """
limiter.bucket_factory.bucket.rates = [Rate(1, 400)]
heard = []
signal.signal(signal.SIGALRM, lambda *_: heard.append(1))
assert limiter.try_acquire("one")
began = time.monotonic()
signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
assert limiter.try_acquire("two")
signal.setitimer(signal.ITIMER_REAL, 0)
print(len(heard) >= 2, time.monotonic() - began >= 0.39)
"""
        assert run(tmp_path, program(kind, rest)) == ["True True"]


class TestEnd:
    @kinds
    def test_an_interpreter_ends_while_threads_wait(self, kind: str, tmp_path: Path) -> None:
        rest = """
assert limiter.try_acquire("one", 2)
for _ in range(4):
    thread = threading.Thread(target=lambda: limiter.try_acquire("two"), daemon=True)
    thread.start()
    until_asleep(thread)
print("end")
"""
        assert run(tmp_path, program(kind, rest, helpers=ASLEEP)) == ["end"]

    @kinds
    def test_an_interpreter_ends_while_threads_are_about_to_be_served(self, kind: str, tmp_path: Path) -> None:
        rest = """
limiter.bucket_factory.bucket.rates = [Rate(1, 2)]

def go_on():
    while True:
        limiter.try_acquire("x")

for _ in range(4):
    threading.Thread(target=go_on, daemon=True).start()
for _ in range(20):
    limiter.try_acquire("x")
print("end")
"""
        for _ in range(3):
            assert run(tmp_path, program(kind, rest)) == ["end"]

    @kinds
    def test_an_interpreter_ends_while_a_loop_runs_in_a_thread(self, kind: str, tmp_path: Path) -> None:
        rest = """
limiter.bucket_factory.bucket.rates = [Rate(1, 2)]

async def go_on():
    while True:
        await limiter.try_acquire_async("x")

async def main():
    await asyncio.gather(*(go_on() for _ in range(4)))

threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
for _ in range(20):
    limiter.try_acquire("x")
print("end")
"""
        for _ in range(3):
            assert run(tmp_path, program(kind, rest)) == ["end"]

    @kinds
    def test_a_loop_ends_while_tasks_wait(self, kind: str, tmp_path: Path) -> None:
        rest = """
assert limiter.try_acquire("one")

async def main():
    tasks = [asyncio.create_task(limiter.try_acquire_async("two", 2)) for _ in range(4)]
    await asyncio.sleep(0)
    print([task.done() for task in tasks])

asyncio.run(main())
print(limiter.try_acquire("three", blocking=False))
"""
        assert run(tmp_path, program(kind, rest)) == [str([False] * 4), "True"]

    @kinds
    def test_a_limiter_that_nobody_closed_goes_with_the_interpreter(self, kind: str, tmp_path: Path) -> None:
        assert run(tmp_path, program(kind, 'print(limiter.try_acquire("x"))')) == ["True"]

    def test_limiters_bring_no_threads_of_their_own(self, tmp_path: Path) -> None:
        text = (
            START
            + """
def threads():
    return len(os.listdir("/proc/self/task"))

kept = [Limiter(Rate(5, 1000)) for _ in range(50)]
assert all(each.try_acquire("x") for each in kept)
few = threads()
kept += [Limiter(Rate(5, 1000)) for _ in range(200)]
assert all(each.try_acquire("x") for each in kept)
print(few <= 4, threads() == few)
"""
        )
        assert run(tmp_path, text) == ["True True"]

    def test_limiters_that_nobody_holds_leave_memory(self, tmp_path: Path) -> None:
        text = (
            START
            + """
import gc, weakref
seen = []
for _ in range(200):
    limiter = Limiter(Rate(5, 1000))
    limiter.try_acquire("x")
    seen += [weakref.ref(limiter), weakref.ref(limiter.bucket_factory.bucket)]
del limiter
gc.collect()
print(sum(each() is not None for each in seen))
"""
        )
        assert run(tmp_path, text) == ["0"]

    def test_a_subinterpreter_is_refused_in_words_or_served(self, tmp_path: Path) -> None:
        text = """
try:
    import _interpreters as interpreters
    interpreter = interpreters.create("legacy")
except ImportError:
    import _xxsubinterpreters as interpreters
    interpreter = interpreters.create(isolated=False)
import scupper

error = interpreters.run_string(interpreter, '''if True:
    try:
        from scupper import Limiter, Rate
        print("served", Limiter(Rate(1, 1000)).try_acquire("x"), flush=True)
    except ImportError as error:
        print("refused", "subinterpreters" in str(error), flush=True)
''')
assert error is None, error
interpreters.destroy(interpreter)
print(scupper.Limiter(scupper.Rate(1, 1000)).try_acquire("x"))
"""
        first, last = run(tmp_path, text)
        assert first in ("served True", "refused True")
        assert last == "True"
