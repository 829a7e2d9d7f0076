"""The examples of the pages on decisions and on own buckets, run from top to bottom."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from scupper import MultiprocessBucket, Rate, SQLiteBucket
from scupper.buckets import StoreBucket
from scupper.conformance import BucketConformance, ConformanceError, check_bucket

from support.pages import ROOT, examples



def run(page: str, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, object], list[str]]:
    """What the page's examples define, and what they print."""
    shown = examples(f"docs/python/{page}")
    assert len(shown) >= 4
    made: dict[str, object] = {"__name__": "example"}
    for example in shown:
        exec(compile(example, page, "exec"), made)
    return made, capsys.readouterr().out.splitlines()


def test_the_examples_of_decisions_print_what_they_say(capsys: pytest.CaptureFixture[str]) -> None:
    _, printed = run("decisions.md", capsys)
    assert printed[0] == "1"
    assert 0.9 < float(printed[1]) <= 1.000001
    assert printed[2] == "limit=3/1.0s 3"
    assert printed[3] == "2 1 3"
    assert [line.split(" ")[:3] for line in printed[4:6]] == [["limit=3/1.0s", "2", "1"], ["limit=100/1.0h", "2", "98"]]
    assert printed[6:] == ["1"]


def test_the_bucket_of_the_page_passes_every_check(capsys: pytest.CaptureFixture[str]) -> None:
    made, _ = run("own-buckets.md", capsys)
    checks = made["TestListBucket"]
    assert isinstance(checks, type) and issubclass(checks, BucketConformance)
    check_bucket(made["ListBucket"], checks)  # type: ignore[arg-type]


def test_the_page_names_every_check() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/python/own-buckets.md").read_text()))
    assert named == {name for name in dir(BucketConformance) if name.startswith("test_")}


def test_the_failure_that_the_page_shows_is_what_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    made, _ = run("own-buckets.md", capsys)
    base = made["ListBucket"]
    assert isinstance(base, type)

    class OneTooMany(base):  # type: ignore[misc]
        def put(self, item: object) -> bool:
            self.items.append(item)
            return True

    with pytest.raises(ConformanceError) as failure:
        check_bucket(OneTooMany)
    [shown] = examples("docs/python/own-buckets.md", "text")
    assert shown.rstrip() in str(failure.value)


def test_native_buckets_in_a_store_fail_no_other_checks_than_the_page_names(tmp_path: Path) -> None:
    numbers = itertools.count()

    def in_a_file(rates: list[Rate]) -> SQLiteBucket:
        return SQLiteBucket.init_from_file(rates, f"table{next(numbers)}", str(tmp_path / "limits.db"))

    peek = "test_peek_shows_unit_by_unit_from_the_newest"
    # Whether these fail depends on whether what counts no more has left already.
    others = {"test_leak_drops_all_that_counts_no_more", "test_count_tells_how_many_units_there_are"}
    for make in (MultiprocessBucket.init, in_a_file, lambda rates: StoreBucket("memory:", rates)):
        failed = failed_by(make)
        assert peek in failed and failed - others == {peek}


def failed_by(make: Callable[[list[Rate]], object]) -> set[str]:
    with pytest.raises(ConformanceError) as failure:
        check_bucket(make)  # type: ignore[arg-type]
    return set(re.findall(r"^(test_\w+):", str(failure.value), re.MULTILINE))
