use std::collections::VecDeque;

use crate::algorithm::blocked::{Blocked, Short};
use crate::algorithm::totals::Totals;
use crate::pace::Pace;

/// When each unit was admitted, for as long as it matters.
///
/// A request of weight `w` fits a rate `(limit, interval)` if the unit admitted `limit - w + 1` units ago has left the
/// window: one look at one entry, which is also the exact wait. While every entry is one unit, that unit's place is known
/// without counting. Once a weight or many units in one tick come, entries are events with a running total beside
/// them, which is searched by halving: the cost depends on neither weight nor limit.
#[derive(Clone, Debug, Default)]
pub(crate) struct SlidingWindowLog {
    /// The tick of each event, never earlier than the one before.
    ticks: VecDeque<u64>,
    /// Units up to and including each event; absent while each event is one unit.
    totals: Option<Box<Totals>>,
    /// For so many more single units there is certainly room under the rates but the first.
    assured: u64,
}

/// What of a log anybody may look at again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    /// Microseconds.
    pub(crate) retention: u64,
    /// The newest units: as many as the largest limit.
    pub(crate) units: u64,
}

impl SlidingWindowLog {
    /// So many entries of one unit are kept one by one; beyond, units of one tick become one event.
    const SINGLES: usize = 64 * 1024;
    const SMALLEST: usize = 4;
    /// For so many units at once the rates but the first are looked at.
    const AHEAD: u64 = 512;

    /// Writes down one unit at `now` if it fits all rates, or says which binds; undecided unless every entry is one unit
    /// and there is room for another. Without `EXPLAIN`, it is undecided where it does not fit, too.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "a limit that is not above the number of entries is a usize")]
    pub(crate) fn charge_one<const EXPLAIN: bool>(&mut self, paces: &[Pace], now: u64) -> Short {
        let units = self.ticks.len();
        if self.totals.is_some() || (units >= Self::SINGLES && self.ticks.back() == Some(&now)) {
            return Short::Undecided;
        }
        let [first, others @ ..] = paces else { return Short::Undecided };
        let (limit, interval) = (first.rate.limit(), first.rate.interval_micros());
        if units as u64 >= limit {
            // The bucket's time never lies before its newest entry.
            let tick = self.ticks[units - limit as usize];
            if now - tick <= interval {
                return match others {
                    _ if !EXPLAIN => Short::Undecided,
                    [] => Short::Blocked(Blocked { until: tick.saturating_add(interval).saturating_add(1), rate: 0 }),
                    _ => self.blocked(paces, now, 1).map_or(Short::Undecided, Short::Blocked),
                };
            }
        }
        let is_full = units == self.ticks.capacity();
        let retention = || paces.last().map_or(u64::MAX, |pace| pace.rate.interval_micros());
        if is_full && self.ticks.front().is_none_or(|oldest| now - oldest <= retention()) {
            return Short::Undecided;
        }
        // Last, so that what is noted here holds from the tick of a charge on.
        if !others.is_empty() {
            if self.assured > 0 {
                self.assured -= 1;
            } else if let Some(blocked) = self.assure(paces, now) {
                return Short::Blocked(blocked);
            }
        }
        if is_full {
            self.ticks.pop_front();
        }
        self.ticks.push_back(now);
        Short::Charged
    }

    /// Looks at all rates. If they have room, notes for how many more single units there certainly is under those but the
    /// first: each makes the next entry the one that must have left, and what has left stays away.
    #[cold]
    #[inline(never)]
    fn assure(&mut self, paces: &[Pace], now: u64) -> Option<Blocked> {
        let blocked = self.blocked(paces, now, 1);
        if blocked.is_none() {
            let units = self.ticks.len() as u64;
            // No further than the entries that are there now.
            let ahead = paces.iter().map(|pace| Self::AHEAD.min(pace.rate.limit() - 1)).min().unwrap_or_default();
            let has_room = |pace| self.free_from(units, pace, 1 + ahead) <= now;
            self.assured = if paces.iter().skip(1).all(has_room) { ahead } else { 0 };
        }
        blocked
    }

    /// The last of the rates to have room for `weight` units, and when.
    pub(crate) fn blocked(&self, paces: &[Pace], now: u64, weight: u64) -> Option<Blocked> {
        let units = self.units();
        Blocked::last(paces.iter().map(|pace| self.free_from(units, pace, weight)), now)
    }

    /// The first microsecond at which `weight` units fit this rate.
    fn free_from(&self, units: u64, pace: &Pace, weight: u64) -> u64 {
        // So many of the oldest units must have left.
        let leaving = (units + weight).saturating_sub(pace.rate.limit());
        if leaving == 0 {
            return 0;
        }
        self.tick_of(leaving).saturating_add(pace.rate.interval_micros()).saturating_add(1)
    }

    /// Units in the log, those that have left every window but were not dropped yet included.
    fn units(&self) -> u64 {
        self.totals.as_ref().map_or(self.ticks.len() as u64, |totals| totals.end() - totals.base)
    }

    /// When the `nth` oldest unit (from 1) was admitted.
    fn tick_of(&self, nth: u64) -> u64 {
        let event = match &self.totals {
            None => usize::try_from(nth - 1).unwrap_or(usize::MAX),
            Some(totals) => {
                let end = totals.base + nth;
                totals.ends.partition_point(|other| *other < end)
            }
        };
        self.ticks[event]
    }

    /// Writes down `weight` units at `now`, whether or not they fit.
    pub(crate) fn charge(&mut self, paces: &[Pace], now: u64, weight: u64, keep: Keep) {
        self.assured = 0;
        if weight == 1 && self.totals.is_none() {
            self.charge_single(paces, now, keep);
        } else {
            self.charge_event(paces, now, weight, keep);
        }
    }

    fn charge_single(&mut self, paces: &[Pace], now: u64, keep: Keep) {
        let length = self.ticks.len();
        if length >= Self::SINGLES && self.ticks.back() == Some(&now) {
            return self.charge_event(paces, now, 1, keep);
        }
        if length == self.ticks.capacity() {
            self.make_room(paces, now, keep);
        }
        self.ticks.push_back(now);
    }

    fn charge_event(&mut self, paces: &[Pace], now: u64, weight: u64, keep: Keep) {
        if self.ticks.len() == self.ticks.capacity() {
            self.make_room(paces, now, keep);
        }
        let same_tick = self.ticks.back() == Some(&now);
        let units = self.ticks.len() as u64;
        let totals = self.totals.get_or_insert_with(|| Box::new(Totals { ends: (1..=units).collect(), base: 0 }));
        if totals.base > Totals::HIGHEST {
            totals.renumber();
        }
        let end = (totals.end() + weight).min(totals.base + Totals::HIGHEST);
        match totals.ends.back_mut() {
            Some(last) if same_tick => *last = end,
            _ => {
                totals.ends.push_back(end);
                self.ticks.push_back(now);
            }
        }
    }

    /// Drops what no request will look at again, or else doubles the room for events, but not beyond what the rates can fill.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self, paces: &[Pace], now: u64, keep: Keep) {
        self.leak(now, keep.retention);
        self.drop_old_debt(keep.units);
        let length = self.ticks.len();
        if length == self.ticks.capacity() {
            let most = paces.last().map_or(u64::MAX, |pace| pace.rate.limit());
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            let room = (2 * length).max(Self::SMALLEST).min(most).max(length + 1);
            self.ticks.reserve_exact(room - length);
        }
    }

    /// After tens of thousands of penalties, the oldest of them lie beyond the largest limit, and no request looks further
    /// back than that: only what is said to be in use becomes too little.
    fn drop_old_debt(&mut self, most: u64) {
        while self.ticks.len() > Self::SINGLES && self.units() > most {
            let first = self.totals.as_ref().map_or(1, |totals| totals.ends[0] - totals.base);
            if self.units() - first < most {
                return;
            }
            self.drop_oldest();
        }
    }

    fn leak(&mut self, now: u64, retention: u64) {
        while let Some(oldest) = self.ticks.front()
            && oldest.saturating_add(retention) < now
        {
            self.drop_oldest();
        }
        if self.ticks.is_empty() {
            self.totals = None;
        }
    }

    fn drop_oldest(&mut self) {
        self.ticks.pop_front();
        if let Some(totals) = &mut self.totals {
            totals.base = totals.ends.pop_front().unwrap_or(totals.base);
        }
    }

    /// Takes back up to `weight` units of what was admitted at `tick`; says how many.
    pub(crate) fn refund(&mut self, tick: u64, weight: u64, now: u64, retention: u64) -> u64 {
        self.assured = 0;
        if tick.saturating_add(retention) < now {
            return 0;
        }
        let first = self.ticks.partition_point(|other| *other < tick);
        let Some(totals) = &mut self.totals else {
            let same = self.ticks.range(first..).take_while(|other| **other == tick);
            let refunded = same.take(usize::try_from(weight).unwrap_or(usize::MAX)).count();
            self.ticks.drain(first..first + refunded);
            return refunded as u64;
        };
        if self.ticks.get(first) != Some(&tick) {
            return 0;
        }
        // Singles of one tick may stand beside each other where the totals came later.
        let mut refunded = 0;
        while refunded < weight && self.ticks.get(first) == Some(&tick) {
            let units = totals.ends[first] - totals.before(first);
            let taken = units.min(weight - refunded);
            totals.ends.range_mut(first..).for_each(|end| *end -= taken);
            if taken == units {
                totals.ends.remove(first);
                self.ticks.remove(first);
            }
            refunded += taken;
        }
        refunded
    }

    /// Units in the window of this rate, and from when on there are none if nobody comes.
    pub(crate) fn usage(&self, pace: &Pace, now: u64) -> (u64, u64) {
        let interval = pace.rate.interval_micros();
        let first = self.ticks.partition_point(|tick| tick.saturating_add(interval) < now);
        let used = match &self.totals {
            None => (self.ticks.len() - first) as u64,
            Some(totals) => totals.end() - totals.before(first),
        };
        (used, if used > 0 { self.free_at(interval) } else { now })
    }

    /// Goes on under other rates: it remembers admissions, and every list reads them its own way.
    pub(crate) fn adopt(&mut self) {
        self.assured = 0;
    }

    /// From when on nothing in the log matters to a window of this length.
    pub(crate) fn free_at(&self, retention: u64) -> u64 {
        self.ticks.back().map_or(0, |newest| newest.saturating_add(retention).saturating_add(1))
    }

    /// Goes on at `to` as if it were `from`, which is later: every entry keeps its age, and what has left stays away.
    pub(crate) fn rebase(&mut self, from: u64, to: u64, retention: u64) {
        self.assured = 0;
        self.leak(from, retention);
        let by = from - to;
        self.ticks.iter_mut().for_each(|tick| *tick = tick.saturating_sub(by));
    }

    /// Events and all units up to and with each, the oldest first.
    pub(crate) fn events(&self) -> impl Iterator<Item = (u64, u64)> {
        let total =
            |event: usize| self.totals.as_ref().map_or(event as u64 + 1, |totals| totals.ends[event] - totals.base);
        self.ticks.iter().enumerate().map(move |(event, tick)| (*tick, total(event)))
    }

    /// The log of these events, if they are in order and none came later than `newest`.
    pub(crate) fn from_events(events: &[(u64, u64)], newest: u64) -> Option<Self> {
        if events.last().is_some_and(|(tick, _)| *tick > newest) {
            return None;
        }
        let mut before = (0, 0);
        for event in events {
            if event.0 < before.0 || event.1 < before.1 || event.1 > Totals::HIGHEST {
                return None;
            }
            before = *event;
        }
        let ticks: VecDeque<u64> = events.iter().map(|(tick, _)| *tick).collect();
        let is_single = before.1 == events.len() as u64;
        let ends = || events.iter().map(|(_, end)| *end).collect();
        Some(Self { ticks, totals: (!is_single).then(|| Box::new(Totals { ends: ends(), base: 0 })), assured: 0 })
    }
}
