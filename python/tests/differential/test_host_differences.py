"""What differs of the buckets that processes share: both outcomes are written down."""

import sqlite3
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from differential.scenario import outcome
from differential.test_differences import differ_in_call
from support.packages import ORACLE, SCUPPER


def of_connection(package: ModuleType, connection: sqlite3.Connection) -> Any:
    connection.execute(package.SQLiteQueries.CREATE_BUCKET_TABLE.format(table="limits"))
    connection.commit()
    return package.SQLiteBucket([package.Rate(2, 1000)], connection, "limits")


def test_a_transaction_of_the_users_is_not_committed() -> None:
    def left(package: ModuleType) -> Any:
        connection = sqlite3.connect(":memory:")
        bucket = of_connection(package, connection)
        connection.execute("CREATE TABLE mine (number INTEGER)")
        connection.execute("INSERT INTO mine VALUES (1)")
        assert bucket.put(package.RateItem("x", 5))
        connection.rollback()
        found = connection.execute("SELECT * FROM mine").fetchall()
        connection.close()
        return len(found)

    differ_in_call(left, ours=("returned", ("int", 0)), theirs=("returned", ("int", 1)))


def test_a_table_that_is_not_there_is_made() -> None:
    def put(package: ModuleType) -> Any:
        connection = sqlite3.connect(":memory:")
        try:
            return package.SQLiteBucket([package.Rate(2, 1000)], connection, "x").put(package.RateItem("x", 5))
        finally:
            connection.close()

    differ_in_call(
        put, ours=("returned", ("bool", True)), theirs=("raised", "OperationalError", "no such table: x")
    )


def test_a_clock_that_is_assigned_to_a_bucket_in_sqlite_is_read() -> None:
    def is_read(package: ModuleType) -> bool:
        class Stopped(package.AbstractClock):  # type: ignore[name-defined,misc]
            def now(self) -> int:
                return 77

        connection = sqlite3.connect(":memory:")
        bucket = of_connection(package, connection)
        bucket._clock = Stopped()
        read = bucket.now() == 77
        bucket.close()
        return bool(read)

    differ_in_call(is_read, ours=("returned", ("bool", True)), theirs=("returned", ("bool", False)))


def in_file(package: ModuleType, path: Path, *rates: tuple[int, int]) -> Any:
    return package.SQLiteBucket.init_from_file(
        [package.Rate(*rate) for rate in rates], db_path=str(path / f"{package.__name__}.db")
    )


def test_a_bucket_in_a_store_counts_what_is_in_use(tmp_path: Path) -> None:
    def counted(package: ModuleType) -> Any:
        bucket = in_file(package, tmp_path, (2, 1000))
        then = bucket.now() - 5000
        assert bucket.put(package.RateItem("x", then)) and bucket.put(package.RateItem("x", then + 5001))
        now = int(bucket.now())
        found = [bucket.count(), bucket.leak(now), bucket.count()]
        bucket.close()
        return found

    ours, theirs = outcome(lambda: counted(SCUPPER)), outcome(lambda: counted(ORACLE))
    assert ours == ("returned", ["list", ("int", 1), ("int", 0), ("int", 1)])
    assert theirs == ("returned", ["list", ("int", 2), ("int", 1), ("int", 1)])


def test_a_bucket_in_a_store_tells_the_rate_that_is_full_for_longest(tmp_path: Path) -> None:
    def failing(package: ModuleType) -> str:
        bucket = in_file(package, tmp_path, (2, 1000), (3, 60_000))
        puts = [bucket.put(package.RateItem("x", 10**12 + tick)) for tick in (0, 5000, 5001, 5002)]
        assert puts == [True, True, True, False]
        bucket.close()
        return repr(bucket.failing_rate)

    differ_in_call(failing, ours=("returned", ("str", "limit=3/60000")), theirs=("returned", ("str", "limit=2/1000")))


def test_sqlites_clock_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def left(package: ModuleType) -> int:
        connection = package.dedicated_sqlite_clock_connection()
        assert package.SQLiteClock(connection).now() > 10**12
        connection.close()
        files = list(tmp_path.iterdir())
        for file in files:
            file.unlink()
        return len(files)

    differ_in_call(left, ours=("returned", ("int", 0)), theirs=("returned", ("int", 1)))
