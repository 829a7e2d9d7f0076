"""What a bucket holds: leaks, counts, and looks at it."""

from __future__ import annotations

from random import Random
from typing import Optional

from ..abstracts.rate import Rate
from ._making import Making
from ._scenes import SEEDS, rate_lists, requests
from ._subject import Subject, said


class Keeping(Making):
    """Checks of ``leak``, ``count`` and ``peek``."""

    def test_leak_drops_nothing_that_counts(self) -> None:
        for seed in SEEDS:
            random = Random(seed)
            rates = random.choice(rate_lists())
            with self._subject(rates) as subject:
                for now, weight in requests(rates, random, self.start_ms):
                    if random.random() < 0.3:
                        self._leak_without_loss(subject, now)
                    in_the_way = subject.model.in_the_way(now, weight)
                    if subject.put(now, weight) and in_the_way:
                        over = said(in_the_way[0])
                        raise subject.wrong(f"{weight} at {now} exceeds {over}: a leak dropped what still counts")

    def test_leak_drops_all_that_counts_no_more(self) -> None:
        for rates in rate_lists():
            with self._subject(rates) as subject:
                while subject.expect(self.start_ms):
                    pass
                later = self.start_ms + 2 * rates[-1].interval + 1
                held = subject.count()
                leaked = subject.leak(later)
                if subject.model.keeps_items and (leaked != held or subject.count() != 0):
                    raise subject.wrong(f"leak at {later} dropped {leaked} of {held} units; it must drop all, and say so")

    def test_leak_may_be_called_without_a_time(self) -> None:
        for rates in rate_lists():
            with self._subject(rates) as subject:
                subject.expect(self.start_ms)
                self._leak_without_loss(subject, None)

    def test_count_tells_how_many_units_there_are(self) -> None:
        for rates in rate_lists():
            with self._subject(rates) as subject:
                admitted = 0
                for weight in (1, 2, 1, 3, 1):
                    if subject.expect(self.start_ms, weight):
                        admitted += weight
                    if subject.model.keeps_items and (count := subject.count()) != admitted:
                        raise subject.wrong(f"count gave {count}; {admitted} units were admitted at one time")
                subject.flush()
                if subject.count() != 0:
                    raise subject.wrong("count must give 0 after flush")

    def test_peek_shows_unit_by_unit_from_the_newest(self) -> None:
        with self._subject([Rate(6, 1000)]) as subject:
            if not subject.model.keeps_items:
                return
            for now, (name, weight) in enumerate((("a", 1), ("b", 3), ("c", 2)), self.start_ms):
                subject.expect(now, weight, name)
            for index, (name, now) in enumerate(_units(self.start_ms)):
                item = subject.peek(index)
                if item is None or (item.name, item.timestamp) != (name, now):
                    raise subject.wrong(f"peek({index}) gave {item}; it must be an item of {name!r} with the timestamp {now}")
            if (item := subject.peek(6)) is not None:
                raise subject.wrong(f"peek(6) gave {item}; it must give None, as there are 6 units")

    @staticmethod
    def _leak_without_loss(subject: Subject, now: Optional[int]) -> None:
        before = subject.count()
        leaked = subject.leak(now)
        after = subject.count()
        if subject.model.keeps_items and before - leaked != after:
            raise subject.wrong(f"leak gave {leaked}; the bucket held {before} units before it, and {after} after it")


def _units(start: int) -> list[tuple[str, int]]:
    return [("c", start + 2)] * 2 + [("b", start + 1)] * 3 + [("a", start)]
