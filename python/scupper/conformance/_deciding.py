"""What a bucket decides, and what it tells of it."""

from __future__ import annotations

from typing import List, Optional

from ..abstracts.rate import Rate, RateItem
from ._making import Making
from ._scenes import rate_lists
from ._subject import Subject, said
from ._together import everybody_puts, one_after_the_other


class Deciding(Making):
    """Checks of ``put``, ``failing_rate``, ``waiting`` and ``flush``, and of many at once."""

    def test_it_admits_up_to_the_limit_and_not_one_more(self) -> None:
        for rates in rate_lists():
            with self._subject(rates) as subject:
                most = min(subject.model.most(rate) for rate in rates)
                for _ in range(most + 2):
                    subject.expect(self.start_ms)

    def test_a_unit_counts_until_its_window_ends_and_no_longer(self) -> None:
        for rates in rate_lists():
            for step in (rates[0].interval - 1, rates[0].interval, rates[0].interval + 1):
                with self._subject(rates) as subject:
                    for now in range(self.start_ms, self.start_ms + 6 * step, step):
                        for _ in range(rates[0].limit + 1):
                            subject.expect(now)

    def test_it_never_exceeds_a_rate(self) -> None:
        for subject, now, weight in self._random_requests():
            in_the_way = subject.model.in_the_way(now, weight)
            if subject.put(now, weight) and in_the_way:
                raise subject.wrong(f"{weight} at {now} exceeds {said(in_the_way[0])}: it must be denied")

    def test_it_never_denies_what_fits(self) -> None:
        for subject, now, weight in self._random_requests():
            fits = not subject.model.in_the_way(now, weight)
            if not subject.put(now, weight) and fits:
                raise subject.wrong(f"{weight} at {now} fits all rates: it must be admitted")

    def test_a_weight_is_taken_whole_or_not_at_all(self) -> None:
        with self._subject([Rate(5, 100)]) as subject:
            subject.expect(self.start_ms, 3)
            subject.expect(self.start_ms, 3)  # denied, and nothing of it may count
            subject.expect(self.start_ms, 2)
            subject.expect(self.start_ms, 1)
            subject.expect(self.start_ms + 101, 6)
            subject.expect(self.start_ms + 101, 5)

    def test_it_holds_to_each_of_several_rates(self) -> None:
        with self._subject([Rate(2, 10), Rate(4, 100), Rate(5, 1000)]) as subject:
            for now in range(self.start_ms, self.start_ms + 1200, 11):
                while subject.expect(now):
                    pass

    def test_what_was_denied_by_one_rate_counts_for_no_other(self) -> None:
        with self._subject([Rate(1, 10), Rate(3, 1000)]) as subject:
            for now in (self.start_ms, self.start_ms, self.start_ms, self.start_ms + 11, self.start_ms + 22):
                subject.expect(now)

    def test_failing_rate_is_a_rate_that_has_no_room(self) -> None:
        for subject, now, weight in self._random_requests():
            in_the_way = subject.model.in_the_way(now, weight)
            admitted, failing = subject.put(now, weight), subject.bucket.failing_rate
            if admitted and failing is not None:
                raise subject.wrong(f"failing_rate is {failing!r} after a put that was admitted; it must be None")
            if not admitted and in_the_way and not any(_alike(failing, rate) for rate in in_the_way):
                rates = " or ".join(said(rate) for rate in in_the_way)
                raise subject.wrong(f"failing_rate is {failing!r} after a denial; it must be {rates}, which has no room")

    def test_waiting_is_exact(self) -> None:
        for subject, now, weight in self._random_requests():
            in_the_way = subject.model.in_the_way(now, weight)
            if not subject.put(now, weight) and in_the_way:
                right = _right_waits(subject, now, weight)
                wait = subject.waiting()
                if wait not in right:
                    raise subject.wrong(f"waiting gave {wait} for {weight} denied at {now}; {_in_words(right)}")

    def test_who_waits_as_told_is_admitted(self) -> None:
        for rates in rate_lists():
            with self._subject(rates) as subject:
                now = self.start_ms
                for _ in range(4 * rates[-1].limit):
                    now = self._wait_for_one(subject, now)

    def test_waiting_is_minus_one_for_what_never_fits(self) -> None:
        with self._subject([Rate(3, 10)]) as subject:
            for weight, fills in ((4, 0), (4, 2), (100, 1)):
                for _ in range(fills):
                    subject.expect(self.start_ms)
                if subject.expect(self.start_ms, weight) or subject.waiting() != -1:
                    raise subject.wrong(f"waiting for {weight} must give -1: it is more than ever fits")

    def test_flush_forgets_everything(self) -> None:
        for rates in rate_lists():
            with self._subject(rates) as subject:
                for _ in range(2):
                    while subject.expect(self.start_ms):
                        pass
                    subject.flush()

    def test_put_gives_an_awaitable_if_the_bucket_says_so(self) -> None:
        with self._subject([Rate(2, 10)]) as subject:
            given = subject.bucket.put(RateItem("item", self.start_ms, 1))
            is_async = hasattr(given, "__await__")
            subject.awaited(given)
            if subject.bucket.is_async is not None and subject.bucket.is_async != is_async:
                what = "an awaitable" if is_async else "no awaitable"
                raise subject.wrong(f"is_async is {subject.bucket.is_async}, and put gave {what}")

    def test_who_puts_at_once_never_exceeds_the_limit(self) -> None:
        for now in range(self.start_ms, self.start_ms + 20 if self.is_shared else self.start_ms):
            with self._subject([Rate(3, 1000)]) as subject:
                admitted = everybody_puts(subject, now)
                if admitted != 3:
                    raise subject.wrong(f"{admitted} were admitted of many at once; it must be 3, as one after the other")

    def test_a_limiter_over_it_keeps_to_the_limit_in_both_forms(self) -> None:
        with self._subject([Rate(4, 3_600_000)]) as subject:
            now = subject.awaited(subject.bucket.now())
            if not isinstance(now, int):
                raise subject.wrong(f"now gave {now!r}; it must give whole milliseconds")
            admitted = one_after_the_other(subject, 6)
            if admitted != [True] * 4 + [False] * 2:
                raise subject.wrong(f"try_acquire and try_acquire_async in turn gave {admitted}; the first 4 must pass alone")

    def _wait_for_one(self, subject: Subject, now: int) -> int:
        for _ in range(1 + len(subject.model.rates)):
            if subject.expect(now):
                return now
            now += max(0, subject.waiting())
        raise subject.wrong(f"one unit was not admitted at {now}, after all the waits that waiting told")


def _alike(failing: Optional[Rate], rate: Rate) -> bool:
    return failing is not None and (failing.limit, failing.interval) == (rate.limit, rate.interval)


def _right_waits(subject: Subject, now: int, weight: int) -> List[int]:
    """Until the rate in the way has room, or all have; -1 if they never will."""
    failing, model = subject.bucket.failing_rate, subject.model
    rates = [rate for rate in model.in_the_way(now, weight) if _alike(failing, rate)]
    waits = [model.wait_for(rate, now, weight) for rate in rates[:1]] + [model.wait(now, weight)]
    return sorted({-1 if wait is None else wait for wait in waits})


def _in_words(waits: List[int]) -> str:
    words = ["-1, for never" if wait == -1 else f"{wait} ms, neither sooner nor later" for wait in waits]
    return f"it must be {' or '.join(words)}"
