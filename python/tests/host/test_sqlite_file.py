"""Buckets in a file that native code keeps: `init_from_file`, and the factory's calls."""

import asyncio
import os
import pickle
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from host.connections import WEEK, bucket_over, connected, in_children, item
from host.files import in_file, now_at
from support.packages import SCUPPER
from support.threads import together


def acquired(path: Path, limit: int, count: int) -> int:
    with SCUPPER.Limiter(in_file(path, (limit, WEEK))) as limiter:
        return sum(limiter.try_acquire("x", blocking=False) for _ in range(count))


class TestOneLimit:
    def test_processes_that_open_the_file_have_one_limit(self, tmp_path: Path) -> None:
        assert sum(in_children(4, acquired, tmp_path / "limits.db", 300, 200)) == 300

    def test_buckets_on_one_table_count_together_and_tables_apart(self, tmp_path: Path) -> None:
        path = tmp_path / "limits.db"
        one, same, other = in_file(path), in_file(path), in_file(path, table="other")
        assert one.put(now_at(one, 2)) and not same.put(now_at(same)) and other.put(now_at(other))
        assert (one.count(), same.count(), other.count()) == (2, 2, 1)

    def test_native_code_decides_alone(self, tmp_path: Path) -> None:
        limiter = SCUPPER.Limiter(in_file(tmp_path / "limits.db"))
        assert limiter._bound is not None
        assert limiter.try_acquire("x", weight=2) and not limiter.try_acquire("x", blocking=False)
        bucket = limiter.bucket_factory.bucket
        assert bucket.failing_rate is bucket.rates[0] and bucket.limiter_lock() is None
        limiter.close()

    def test_threads_and_tasks_wait_in_one_line(self, tmp_path: Path) -> None:
        limiter = SCUPPER.Limiter(in_file(tmp_path / "limits.db", (2, 50)))

        async def tasks() -> list[bool]:
            return await asyncio.gather(*(limiter.try_acquire_async("x") for _ in range(4)))

        assert together(2, lambda index: limiter.try_acquire("x")) == [True, True]
        assert asyncio.run(tasks()) == [True] * 4
        limiter.close()

    def test_two_paths_to_one_file_are_one_limit(self, tmp_path: Path) -> None:
        (tmp_path / "other").symlink_to(tmp_path / "limits.db")
        with pytest.raises(ValueError, match="link to a file that does not exist"):
            in_file(tmp_path / "other")
        one, other = in_file(tmp_path / "limits.db"), in_file(tmp_path / "other")
        assert one.put(now_at(one)) and other.put(now_at(other)) and not one.put(now_at(one))

    def test_a_killed_process_keeps_what_it_took_and_nothing_else(self, tmp_path: Path) -> None:
        path = tmp_path / "limits.db"
        bucket = in_file(path, (10**6, WEEK))
        text = (
            "import sys, scupper\n"
            "bucket = scupper.SQLiteBucket.init_from_file([scupper.Rate(10**6, 604800000)], db_path=sys.argv[1])\n"
            "limiter = scupper.Limiter(bucket)\n"
            "while limiter.try_acquire('x'): print('taken', flush=True)\n"
        )
        child = subprocess.Popen([sys.executable, "-c", text, str(path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(20)]
        os.kill(child.pid, signal.SIGKILL)
        said += child.stdout.readlines()
        child.wait(30)
        child.stdout.close()
        assert len(said) <= bucket.count() <= len(said) + 1
        assert bucket.put(now_at(bucket))


class TestFile:
    def test_without_a_path_there_is_a_new_file_which_goes_with_the_bucket(self) -> None:
        one, other = in_file(None), in_file(None)
        folders = [Path(bucket._log.owned.path) for bucket in (one, other)]
        assert one.put(now_at(one, 2)) and other.put(now_at(other, 2))
        assert all(stat.S_IMODE(folder.stat().st_mode) == 0o700 for folder in folders)
        one.close()
        assert [folder.exists() for folder in folders] == [False, True]
        del other
        assert not folders[1].exists()

    def test_a_file_of_its_own_is_gone_at_the_end_of_the_process(self) -> None:
        text = (
            "import scupper\n"
            "bucket = scupper.SQLiteBucket.init_from_file([scupper.Rate(1, 1000)])\n"
            "print(bucket._log.owned.path, scupper.Limiter(bucket).try_acquire('x'))\n"
        )
        path, said = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True).stdout.split()
        assert said == "True" and not Path(path).exists()

    def test_in_memory_it_is_of_this_process_alone(self) -> None:
        one, other = in_file(":memory:"), in_file(":memory:")
        assert one.put(now_at(one, 2)) and not one.put(now_at(one)) and other.put(now_at(other, 2))
        with pytest.raises(TypeError, match="':memory:' is of this process alone"):
            pickle.dumps(one)

    def test_a_file_that_must_be_there_and_is_not(self, tmp_path: Path) -> None:
        for path in (tmp_path / "limits.db", None, ":memory:"):
            with pytest.raises(sqlite3.OperationalError, match="no such table: mine"):
                in_file(path, table="mine", create_new_table=False)
        assert list(tmp_path.iterdir()) == []
        in_file(tmp_path / "limits.db")
        again = in_file(tmp_path / "limits.db", create_new_table=False)
        assert again.put(now_at(again))

    def test_a_file_lock_is_asked_for_and_not_needed(self, tmp_path: Path) -> None:
        bucket = in_file(tmp_path / "limits.db", use_file_lock=True)
        limiter = SCUPPER.Limiter(bucket)
        assert limiter.try_acquire("x", 2, blocking=False) and not limiter.try_acquire("x", blocking=False)
        assert sorted(path.name for path in tmp_path.iterdir() if path.name.endswith(".lock")) == []
        limiter.close()
        with pytest.raises(ValueError, match="^db_path must be specified when using use_file_lock$"):
            in_file(None, use_file_lock=True)

    @pytest.mark.parametrize("name", ["a file.db", "what?%41#.db", "./x/../limits.db"])
    def test_a_path_may_have_any_characters(self, tmp_path: Path, name: str) -> None:
        bucket = in_file(str(tmp_path / name))
        assert bucket.put(now_at(bucket))
        assert (tmp_path / os.path.normpath(name)).is_file()

    def test_a_relative_path_is_known_by_children_of_another_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        bucket = in_file("limits.db")
        pickled = pickle.dumps(bucket)
        monkeypatch.chdir("/")
        copy = pickle.loads(pickled)
        assert copy.put(now_at(copy)) and bucket.count() == 1

    def test_what_is_wrong_with_a_path_is_said_and_what_would_be_right(self, tmp_path: Path) -> None:
        (tmp_path / "letter").write_text("Dear Sir or Madam, " * 100)
        for path, words in [
            (tmp_path / "missing" / "limits.db", "does not exist; make the folder first"),
            (tmp_path, "is a folder; name a file in it"),
            (tmp_path / "letter", "is no SQLite database; name a file that does not exist yet"),
        ]:
            with pytest.raises(ValueError, match=words):
                in_file(path)
        assert (tmp_path / "letter").read_text().startswith("Dear")


class TestForeignFiles:
    def test_a_database_of_the_reference_is_refused_and_left_as_it_is(self, tmp_path: Path) -> None:
        path = tmp_path / "limits.db"
        connection = connected(path)
        connection.execute("CREATE TABLE rate_bucket (name VARCHAR, item_timestamp INTEGER)")
        connection.close()
        before = path.read_bytes()
        with pytest.raises(ValueError, match=r"another program.*SQLiteBucket\(rates, sqlite3.connect\('.*'\), table\)"):
            in_file(path)
        assert path.read_bytes() == before

    def test_a_table_over_a_connection_is_no_native_one_and_the_other_way_round(self, tmp_path: Path) -> None:
        connection = connected(tmp_path / "python.db")
        bucket = bucket_over(connection, table="rate_bucket")
        with pytest.raises(ValueError, match="is open in this process through Python's sqlite3"):
            in_file(tmp_path / "python.db")
        assert bucket.put(item())
        bucket.close()
        del bucket
        with pytest.raises(ValueError, match="another program"):
            in_file(tmp_path / "python.db")
        kept = in_file(tmp_path / "native.db")
        connection = connected(tmp_path / "native.db")
        with pytest.raises(ValueError, match="the file of native buckets"):
            bucket_over(connection, table="rate_bucket")
        connection.close()
        assert kept.put(now_at(kept))

    def test_an_algorithm_of_ones_own_decides_over_a_connection(self, tmp_path: Path) -> None:
        class Half(SCUPPER.SlidingWindowLog):
            def admit(self, rates: Any, counts: Any, weight: int) -> Any:
                return super().admit(rates, [2 * count for count in counts], 2 * weight)

        bucket = in_file(tmp_path / "limits.db", algorithm=Half())
        assert bucket.put(item()) and not bucket.put(item()) and bucket.peek(0).name == "a name"
        assert isinstance(bucket.conn, sqlite3.Connection)
        bucket.close()
        kept = in_file(tmp_path / "native.db", algorithm=SCUPPER.FixedWindow())
        assert kept.put(now_at(kept))
        with pytest.raises(ValueError, match="is open as the file of native buckets"):
            in_file(tmp_path / "native.db", algorithm=Half())
        with pytest.raises(TypeError, match="decide from a log"):
            in_file(tmp_path / "native.db", algorithm=SCUPPER.GCRA())
