"""Signals, and the end of an interpreter. Each in a program of its own."""

import signal
from pathlib import Path

from support.kinds import ASLEEP, START, kinds, program
from support.programs import Program, run


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
limiter.bucket_factory.bucket.rates = [Rate(1, 1000)]
heard = []
signal.signal(signal.SIGALRM, lambda *_: heard.append(1))
began = time.monotonic()
assert limiter.try_acquire("one")
signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
assert limiter.try_acquire("two")
signal.setitimer(signal.ITIMER_REAL, 0)
print(len(heard) >= 2, time.monotonic() - began >= 0.99)
"""
        assert run(tmp_path, program(kind, rest)) == ["True True"]


    def test_a_signal_as_the_turn_comes_ends_no_program_whose_writes_to_a_closed_pipe_do(self, tmp_path: Path) -> None:
        text = (
            START
            + """
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.00005, 0.00005)
limiter = Limiter(Rate(1, 1))
end = time.monotonic() + 3
while time.monotonic() < end:
    limiter.try_acquire("x")
signal.setitimer(signal.ITIMER_REAL, 0)
print("end")
"""
        )
        assert run(tmp_path, text) == ["end"]


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
