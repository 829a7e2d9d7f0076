"""``python -m scupper_bench``: measures, prints a table, and writes the rows."""

from __future__ import annotations

import argparse
import asyncio
import logging
import multiprocessing
from contextlib import ExitStack, closing
from pathlib import Path

from . import in_redis, memory, processes, sqlite
from .contest import Pace
from .rows import Row, render, write


def main() -> None:
    parser = argparse.ArgumentParser(prog="scupper_bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="take seconds instead of minutes; the figures are rough")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures to this file as well")
    arguments = parser.parse_args()
    logging.disable()
    # A child of a fork would inherit the threads' locks, and the peer's lock is one of the default way.
    multiprocessing.set_start_method("spawn")
    pace = Pace.quick() if arguments.quick else Pace.full()
    rows = measure(pace)
    print(render(rows))
    if arguments.json is not None:
        write(arguments.json, rows)


def measure(pace: Pace) -> list[Row]:
    with closing(asyncio.new_event_loop()) as loop, ExitStack() as stack:
        suites = (
            memory.contests(loop),
            processes.contests(stack),
            sqlite.contests(stack),
            in_redis.contests(stack, loop),
        )
        # One after the other: the sides of a contest are made when its turn comes.
        return [contest.row(pace) for contests in suites for contest in contests]


if __name__ == "__main__":
    main()
