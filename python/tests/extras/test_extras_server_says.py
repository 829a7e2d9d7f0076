"""What answers say about waiting, and how it is kept."""

from __future__ import annotations

import os
import threading
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from scupper.extras._holds import Holds, holds_of
from scupper.extras._server_says import seconds_asked_for

from support.clocks import HandClock
from support.http_clients import Told

AT = "Wed, 21 Oct 2150 07:28:00 GMT"


def after(**headers: str) -> float | None:
    return seconds_asked_for(429, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(("value", "seconds"), [("0", 0), ("5", 5), (" 120 ", 120), ("007", 7), ("0.25", 0.25)])
def test_seconds(value: str, seconds: float) -> None:
    assert after(Retry_After=value) == seconds


@pytest.mark.parametrize("form", [AT, "Wednesday, 21-Oct-50 07:28:00 GMT", "Fri Oct 21 07:28:00 2050"])
def test_the_three_forms_of_a_date_are_read(form: str) -> None:
    seconds = after(Retry_After=form)
    assert seconds is not None and seconds > 24 * 3600


def test_a_date_is_told_by_the_clock_of_the_server() -> None:
    assert after(Retry_After=AT, Date="Wed, 21 Oct 2150 07:27:30 GMT") == 30


def test_without_that_by_our_own_clock() -> None:
    at = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=100), usegmt=True)
    for date in ("", "nonsense"):
        seconds = after(Retry_After=at, Date=date)
        assert seconds is not None and 0 < seconds <= 100


def test_a_date_that_is_over_asks_for_nothing_more() -> None:
    assert after(Retry_After="Wed, 21 Oct 2015 07:28:00 GMT") == 0


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "-1", "+1", "1e3", "0x10", "1,5", "5 s", "5;6", "٣", "nan", "inf", "soon", "\x00", "9" * 5000),
        *("Wed, 99 Oct 2150 07:28:00 GMT", "Wed, 21 Oct 99999 07:28:00 GMT", "Wed, 21 Oct 2150 07:28:00 +9999"),
        *("Wed", "W" * 5000),
    ],
)
def test_what_is_neither_is_as_if_it_were_not_there(value: str) -> None:
    assert after(Retry_After=value) is None


@pytest.mark.parametrize("status", [200, 301, 404, 500, 502, 504])
def test_other_answers_may_say_so_and_it_means_nothing(status: int) -> None:
    assert seconds_asked_for(status, {"Retry-After": "5"}) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"RateLimit": '"default";r=0;t=30'}, 30),
        ({"RateLimit": '"default";r=1;t=30'}, None),
        ({"RateLimit": '"a";r=0;t=5, "b";r=0;t=60, "c";r=3;t=900'}, 60),
        ({"RateLimit": '"r=0;t=9, x";r=5;t=5'}, None),
        ({"RateLimit": '"a";t=7;r=0;pk=:abc=:'}, 7),
        ({"RateLimit": "a;r=0"}, None),
        ({"RateLimit": '"' * 100_000 + ";r=0;t=5"}, None),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "12"}, 12),
        ({"RateLimit-Remaining": "1", "RateLimit-Reset": "12"}, None),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "never"}, None),
        ({"RateLimit-Remaining": "0"}, None),
    ],
)
def test_headers_of_the_draft_count_where_nothing_remains(headers: dict[str, str], seconds: float | None) -> None:
    assert seconds_asked_for(200, headers) == seconds
    assert seconds_asked_for(429, headers) == seconds
    assert seconds_asked_for(429, {"Retry-After": "1", **headers}) == 1, "it goes before them"


def test_a_hold_ends_when_its_time_is_over() -> None:
    clock = HandClock(100)
    holds = Holds(clock=clock.now)
    assert holds.hold("a", 5) == 105
    clock.time = 104
    assert holds.end("a") == 105
    assert holds.end("b") is None
    clock.time = 105
    assert holds.end("a") is None
    assert len(holds) == 0


def test_a_hold_is_made_longer_and_never_shorter() -> None:
    clock = HandClock(100)
    holds = Holds(clock=clock.now)
    holds.hold("a", 50)
    assert holds.hold("a", 5) == 150
    assert holds.hold("a", 60) == 160


def test_no_number_of_hosts_takes_more_than_a_bound() -> None:
    clock = HandClock(0)
    holds = Holds(most=3, clock=clock.now)
    for number in range(100):
        holds.hold(f"host {number}", 10 + number)
    assert len(holds) == 3
    assert [holds.end(f"host {number}") for number in (97, 98, 99)] == [107, 108, 109], "the longest holds stay"
    clock.time = 108
    holds.hold("another", 1)
    assert [holds.end(name) for name in ("another", "host 98", "host 99")] == [109, None, 109]


def test_holds_end_with_their_limiter() -> None:
    told = Told()
    holds = holds_of(told)
    assert holds_of(told) is holds
    assert holds_of(Told()) is not holds


def test_holds_of_what_has_no_weak_references_are_kept_too() -> None:
    class Slotted:
        __slots__ = ()

    holds_of(Slotted()).hold("nobody.example", 3000)
    assert holds_of(Slotted()).end("nobody.example") is not None


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_that_is_forked_while_a_thread_holds_the_lock_finds_it_free() -> None:
    holds = Holds()
    holds.hold("a", 3000)
    locked, release = threading.Event(), threading.Event()

    def hold() -> None:
        with holds._lock:
            locked.set()
            release.wait(60)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    assert locked.wait(60)
    child = os.fork()
    if child == 0:
        os._exit(0 if holds._lock.acquire(timeout=30) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    release.set()
    thread.join(60)
