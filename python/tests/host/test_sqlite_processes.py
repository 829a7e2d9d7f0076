"""Processes and paths that share one SQLite file."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from host.connections import bucket_over, connected, in_children, item, puts_by_connection
from support.programs import Program


def test_many_processes_are_admitted_exactly_the_limit_and_none_is_told_that_it_is_busy(tmp_path: Path) -> None:
    path = tmp_path / "limits.db"
    assert sum(in_children(4, puts_by_connection, path, 70, 40)) == 70


def test_with_a_journal_to_write_ahead_too(tmp_path: Path) -> None:
    path = tmp_path / "limits.db"
    connected(path).execute("PRAGMA journal_mode = WAL").connection.close()
    assert sum(in_children(3, puts_by_connection, path, 50, 40)) == 50


KILLED = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN EXCLUSIVE")
for total in range(3, 3000):
    connection.execute("INSERT INTO limits VALUES (?, 'a killed one', 1000000000000, 1)", (total,))
print("in the middle", flush=True)
time.sleep(60)
"""


def test_what_a_killed_process_had_half_done_is_undone(tmp_path: Path) -> None:
    path = tmp_path / "limits.db"
    connection = connected(path)
    bucket = bucket_over(connection)
    assert bucket.put(item())
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "in the middle\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait(30)
    child.stdout.close()
    assert bucket.count() == 1 and bucket.put(item()) and not bucket.put(item())
    connection.close()


def test_two_paths_to_one_file_are_one_limit(tmp_path: Path) -> None:
    (tmp_path / "other").symlink_to(tmp_path / "limits.db")
    connections = [connected(tmp_path / name) for name in ("limits.db", "other")]
    buckets = [bucket_over(each) for each in connections]
    assert [buckets[0].put(item()), buckets[1].put(item()), buckets[0].put(item())] == [True, True, False]
    for each in connections:
        each.close()


def test_a_file_that_cannot_be_written_is_an_error_and_no_denial(tmp_path: Path) -> None:
    path = tmp_path / "limits.db"
    connection = connected(path)
    bucket_over(connection)
    connection.close()
    connection = connected(f"file:{path}?mode=ro", uri=True)
    bucket = bucket_over(connection)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        bucket.put(item())
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        bucket_over(connection, table="another")
    connection.close()


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir or Madam, " * 100)
    connection = connected(path)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        bucket_over(connection)
    connection.close()
    assert path.read_text().startswith("Dear")


def test_ctrl_c_ends_the_wait_for_a_locked_file(tmp_path: Path) -> None:
    path = tmp_path / "limits.db"
    other = connected(path)
    bucket = bucket_over(other)
    other.execute("BEGIN EXCLUSIVE")
    program = Program(
        tmp_path,
        f"""
        import sqlite3
        from scupper import *
        connection = sqlite3.connect({str(path)!r}, timeout=0)
        try:
            print("begins", flush=True)
            SQLiteBucket([Rate(2, Duration.WEEK)], connection, "limits").put(RateItem("x", 10**12))
        except KeyboardInterrupt:
            print("interrupted", connection.in_transaction, flush=True)
        connection.close()
        """,
    )
    assert program.line() == "begins"
    program.signal(signal.SIGINT)
    assert program.end() == "interrupted False\n"
    other.rollback()
    assert bucket.count() == 0 and bucket.put(item())
    other.close()
