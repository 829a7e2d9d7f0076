"""One bucket for processes, programs and packages."""

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import redis
from scupper import Duration, Limiter, Rate, RateItem, RedisBucket, RedisStateStore, StateBucket

from support.redis_ways import Way
from support.servers import Redis
from support.threads import BOUND

SHOW = Path(__file__).parents[3] / "docs" / "show-bucket.lua"
EIGHT = 8
WORKER = """
import sys
import redis
from scupper import Duration, Limiter, Rate, RedisBucket

client = redis.Redis(port=int(sys.argv[1]))
limiter = Limiter(RedisBucket.init([Rate(100, Duration.WEEK)], client, sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
print(sum(limiter.try_acquire("x", blocking=False) for _ in range(40)))
client.close()
"""


def test_eight_processes_get_the_limit_and_no_more(server: Redis, key: str) -> None:
    command = [sys.executable, "-c", textwrap.dedent(WORKER), str(server.port), key]
    pipe = subprocess.PIPE
    workers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(EIGHT)]
    try:
        for each in workers:
            assert each.stdout is not None and each.stdout.readline() == "ready\n"
        for each in workers:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()
        admitted = [int(each.communicate(timeout=40)[0]) for each in workers]
    finally:
        for each in workers:
            each.kill()
            each.communicate()
    assert sum(admitted) == 100


def test_it_is_the_bucket_of_a_limiter_at_the_server(server: Redis, plain_way: Way, key: str) -> None:
    bucket = plain_way.bucket(server.port, [Rate(6, Duration.WEEK)], "scupper:" + key)
    mine = Limiter(bucket)
    native = Limiter.open(server.url, Rate(6, Duration.WEEK), key=key, call_timeout=BOUND)
    verdicts = [plain_way.acquire(limiter, "x", blocking=False) for limiter in (mine, native) * 4]
    assert verdicts == [True] * 6 + [False] * 2
    assert plain_way(bucket.count()) == 6
    assert plain_way(bucket.flush()) == 1
    assert native.try_acquire("x", weight=6, blocking=False) is True
    assert plain_way(bucket.put(RateItem("x", bucket.now()))) is False
    mine.close()
    native.close()


def test_so_are_tokens(server: Redis, plain_way: Way, key: str) -> None:
    store = RedisStateStore(plain_way.client(server.port), "scupper:" + key)
    bucket = StateBucket([Rate(6, Duration.WEEK)], store=store)
    native = Limiter.open(server.url, Rate(6, Duration.WEEK), key=key, algorithm="gcra", call_timeout=BOUND)
    mine = Limiter(bucket)
    verdicts = [plain_way.acquire(limiter, "x", blocking=False) for limiter in (native, mine) * 4]
    assert verdicts == [True] * 6 + [False] * 2
    assert plain_way(bucket.count()) == 6
    native.close()


def test_a_log_of_many_events_that_others_wrote_can_be_looked_into(server: Redis, plain_way: Way, key: str) -> None:
    native = Limiter.open(server.url, Rate(500, Duration.WEEK), key=key, call_timeout=BOUND)
    weights = [1 + number % 3 for number in range(60)]
    assert all(native.try_acquire("x", weight=weight, blocking=False) for weight in weights)
    native.close()
    bucket = plain_way.bucket(server.port, [Rate(500, Duration.WEEK)], "scupper:" + key)
    peeked = [plain_way(bucket.peek(index)) for index in range(sum(weights) + 1)]
    assert peeked.pop() is None
    times = [item.timestamp for item in peeked]
    assert times == sorted(times, reverse=True)
    assert plain_way(bucket.count()) == len(times)
    shown = [line for line in show(server, "scupper:" + key)[4:]]
    log = [int(float(line.split()[0]) * 1000) for line in shown for _ in range(int(line.split()[1]))]
    assert log[::-1] == times


def test_its_value_is_of_the_form_that_the_docs_tell(server: Redis, plain_way: Way, key: str) -> None:
    bucket = plain_way.bucket(server.port, [Rate(5, 1000), Rate(9, Duration.HOUR)], key)
    for weight in (1, 3):
        assert plain_way(bucket.put(RateItem("x", bucket.now(), weight))) is True
    lines = show(server, key)
    assert lines[0] == f"{key}: sliding-window-log 5/1000000us 9/3600000000us"
    assert lines[2].endswith("units ever 4") and lines[3] == "4 units in the log"


def show(server: Redis, key: str) -> list[str]:
    with redis.Redis(port=server.port, decode_responses=True) as client:
        lines: Any = client.eval(SHOW.read_text(), 1, key)
    return list(lines)
