"""Programs about each kind of limiter."""

import pytest

MAKE = {
    "native": "limiter = Limiter(InMemoryBucket([Rate(2, Duration.WEEK)]))",
    "token bucket": "limiter = Limiter(StateBucket([Rate(2, Duration.WEEK)], TokenBucket()))",
    "user's": """class Mine(InMemoryBucket):
    def put(self, item):
        return super().put(item)

limiter = Limiter(Mine([Rate(2, Duration.WEEK)]), buffer_ms=0)""",
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
