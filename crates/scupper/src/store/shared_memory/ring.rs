use smallvec::SmallVec;

use crate::algorithm::Totals;
use crate::error::Result;
use crate::store::bucket::head;
use crate::store::shared_memory::arena::{Arena, Block, Use};
use crate::store::shared_memory::failure::corrupt;
use crate::store::shared_memory::journal::Change;
use crate::store::shared_memory::slot::at;
use crate::store::shared_memory::words::Words;

/// The log of a bucket: a ring of events in a block of its own. An event is a tick, and all units up to and with it since the
/// ring was written first. A full ring goes on in a block of twice the size, so that it is never larger than twice what its
/// rates can fill.
pub(super) struct Ring<'c, 'w, W: Words + ?Sized> {
    change: &'c Change<'w, W>,
    arena: &'c Arena<'c, 'w, W>,
    /// The block of the slot that the log belongs to.
    slot: u64,
    pub(super) block: Option<Block>,
    capacity: u64,
    start: u64,
    count: u64,
    /// Units before the oldest event, and up to and with the newest.
    base: u64,
    end: u64,
}

/// The word that leads to the block has its order in so many bits.
const ORDER_BITS: u32 = 6;
const ORDERS: u64 = (1 << ORDER_BITS) - 1;

/// Words of an event.
const EVENT: u64 = 2;

impl<'c, 'w, W: Words + ?Sized> Ring<'c, 'w, W> {
    /// So many events have room at first.
    const SMALLEST: u64 = 7;
    /// So many events are changed where they lie, at the most.
    const MOST_TO_MOVE: u64 = 256;

    /// The log of this slot.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if it is none.
    #[inline(always)]
    pub(super) fn read(change: &'c Change<'w, W>, arena: &'c Arena<'c, 'w, W>, slot: u64) -> Result<Self> {
        let [log, base, start, end, count] = at::OF_THE_LOG.map(|place| change.get(slot + place));
        let block = if log == 0 { None } else { Some(arena.block_of(log >> ORDER_BITS, (log & ORDERS) as u32)?) };
        let capacity = block.map_or(0, |block| (block.words() - 1) / EVENT);
        if count > capacity || start >= capacity.max(1) {
            return Err(corrupt("a log in it is longer than its block"));
        }
        if end < base || end > Totals::HIGHEST || end - base < count {
            return Err(corrupt("a log in it counts backwards"));
        }
        Ok(Self { change, arena, slot, block, capacity, start, count, base, end })
    }

    /// Where the nth event lies, from 0.
    #[inline(always)]
    fn place(&self, nth: u64) -> u64 {
        let place = self.start + nth;
        let place = if place >= self.capacity { place - self.capacity } else { place };
        self.block.map_or(0, |block| block.at + 1 + EVENT * place)
    }

    #[inline(always)]
    fn event(&self, nth: u64) -> (u64, u64) {
        let place = self.place(nth);
        (self.change.get(place), self.change.get(place + 1))
    }

    /// Units in the log.
    #[inline(always)]
    pub(super) fn units(&self) -> u64 {
        self.end - self.base
    }

    /// When the nth oldest unit was admitted, from 1.
    #[inline(always)]
    pub(super) fn tick_of(&self, nth: u64) -> Result<u64> {
        let event = if self.units() == self.count {
            nth.wrapping_sub(1)
        } else {
            let end = self.base.saturating_add(nth);
            self.first_that(|(_, total)| total >= end)
        };
        if event < self.count { Ok(self.event(event).0) } else { Err(corrupt("a log in it counts wrongly")) }
    }

    /// The first event of which this holds, as it does of all that come later.
    fn first_that(&self, holds: impl Fn((u64, u64)) -> bool) -> u64 {
        let (mut from, mut to) = (0, self.count);
        while from < to {
            let middle = from + (to - from) / 2;
            if holds(self.event(middle)) { to = middle } else { from = middle + 1 }
        }
        from
    }

    /// All events, the oldest first, with totals that begin anew.
    pub(super) fn events(&self) -> Vec<(u64, u64)> {
        let from_base = |(tick, total): (u64, u64)| (tick, total.wrapping_sub(self.base));
        (0..self.count).map(|nth| from_base(self.event(nth))).collect()
    }

    /// The newest event alone, as if it were all.
    pub(super) fn newest(&self) -> Option<(u64, u64)> {
        (self.count > 0).then(|| (self.event(self.count - 1).0, self.units()))
    }

    /// How many events there are.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// Units that were admitted at this tick or later.
    pub(super) fn units_from(&self, tick: u64) -> u64 {
        let first = self.first_that(|(other, _)| other >= tick);
        self.end.saturating_sub(if first == 0 { self.base } else { self.event(first - 1).1 })
    }

    /// Takes back up to so many units of what was admitted at this tick; says how many. No answer, and nothing done, where
    /// that was many events ago or leaves none.
    pub(super) fn take_back(&mut self, tick: u64, weight: u64) -> Result<Option<u64>> {
        let first = self.first_that(|(other, _)| other >= tick);
        if self.count - first > Self::MOST_TO_MOVE {
            return Ok(None);
        }
        let (mut before, mut taken) = (if first == 0 { self.base } else { self.event(first - 1).1 }, 0);
        let mut kept = SmallVec::<[(u64, u64); 16]>::new();
        for (other, total) in (first..self.count).map(|nth| self.event(nth)) {
            let Some(units) = total.checked_sub(before) else { return Err(corrupt("a log in it counts backwards")) };
            let less = if other == tick { units.min(weight - taken) } else { 0 };
            (before, taken) = (total, taken + less);
            if less < units {
                kept.push((other, total - taken));
            }
        }
        if first == 0 && kept.is_empty() {
            return Ok(None);
        }
        for (nth, (tick, total)) in (first..).zip(&kept) {
            let place = self.place(nth);
            self.change.set(place, *tick);
            self.change.set(place + 1, *total);
        }
        let Some(end) = self.end.checked_sub(taken) else { return Err(corrupt("a log in it counts backwards")) };
        (self.count, self.end) = (first + kept.len() as u64, end);
        self.change.set(self.slot + at::COUNT, self.count);
        self.change.set(self.slot + at::END, self.end);
        Ok(Some(taken))
    }

    /// Adds units at the end. Events before `keep_from` may be dropped to make room.
    #[inline(always)]
    pub(super) fn append(&mut self, tick: u64, weight: u64, keep_from: u64) -> Result<()> {
        if self.end + weight > Totals::HIGHEST {
            // The totals begin anew, as they do not go on for ever.
            self.rewrite(&self.events(), (self.count + 1).max(Self::SMALLEST))?;
        }
        // No event is later than the bucket's time: the newest, in another line of the cache, is seldom looked at.
        let may_be_same = tick <= self.change.get(self.slot + at::HEAD + head::HIGH_WATER as u64);
        let is_same_tick = may_be_same && self.count > 0 && self.event(self.count - 1).0 == tick;
        let is_full = self.count == self.capacity;
        if is_full && !is_same_tick {
            // Before the total is computed: in a new block, totals begin anew.
            self.make_room(keep_from)?;
        }
        let end = (self.end + weight).min(Totals::HIGHEST);
        if is_same_tick {
            self.change.set(self.place(self.count - 1) + 1, end);
        } else {
            let place = self.place(self.count);
            for (place, word) in [(place, tick), (place + 1, end)] {
                // Where room was just made, an event lies there that is to be there again if the change is undone.
                if is_full { self.change.set(place, word) } else { self.change.fill(place, word) }
            }
            self.count += 1;
            self.change.set(self.slot + at::COUNT, self.count);
        }
        self.end = end;
        self.change.set(self.slot + at::END, end);
        Ok(())
    }

    #[cold]
    fn make_room(&mut self, keep_from: u64) -> Result<()> {
        let left = self.first_that(|(tick, _)| tick >= keep_from);
        if left == 0 {
            return self.rewrite(&self.events(), (2 * self.count).max(Self::SMALLEST));
        }
        (self.base, self.start) = (self.event(left - 1).1, (self.start + left) % self.capacity);
        if self.base > self.end {
            return Err(corrupt("a log in it counts backwards"));
        }
        self.count -= left;
        self.change.set(self.slot + at::BASE, self.base);
        self.change.set(self.slot + at::START, self.start);
        self.change.set(self.slot + at::COUNT, self.count);
        Ok(())
    }

    /// Puts these events in the place of all.
    pub(super) fn write(&mut self, events: &[(u64, u64)]) -> Result<()> {
        if events.is_empty() {
            self.replace(None, 0, 0);
            return Ok(());
        }
        self.rewrite(events, Self::SMALLEST)
    }

    /// The same, in a block with room for so many.
    fn rewrite(&mut self, events: &[(u64, u64)], most: u64) -> Result<()> {
        let end = events.last().map_or(0, |(_, total)| *total);
        if end > Totals::HIGHEST {
            return Err(corrupt("a log in it counts backwards"));
        }
        let new = self.arena.take(1 + EVENT * most.max(events.len() as u64), Use::Log)?;
        for (place, (tick, total)) in (new.at + 1..).step_by(2).zip(events) {
            self.change.fill(place, *tick);
            self.change.fill(place + 1, *total);
        }
        self.replace(Some(new), events.len() as u64, end);
        Ok(())
    }

    /// Forgets all events.
    pub(super) fn clear(mut self) {
        self.replace(None, 0, 0);
    }

    fn replace(&mut self, new: Option<Block>, count: u64, end: u64) {
        let old = std::mem::replace(&mut self.block, new);
        let log = new.map_or(0, |new| new.at << ORDER_BITS | u64::from(new.order));
        for (place, word) in at::OF_THE_LOG.into_iter().zip([log, 0, 0, end, count]) {
            self.change.set(self.slot + place, word);
        }
        (self.capacity, self.start) = (new.map_or(0, |new| (new.words() - 1) / EVENT), 0);
        (self.count, self.base, self.end) = (count, 0, end);
        if let Some(old) = old {
            self.arena.give_back(old);
        }
    }
}
