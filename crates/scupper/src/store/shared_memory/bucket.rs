use crate::error::Result;
use crate::store::bucket::{BucketState, Log, Numbers, Place};
use crate::store::shared_memory::journal::Change;
use crate::store::shared_memory::ring::Ring;
use crate::store::shared_memory::slot::Slot;
use crate::store::shared_memory::table::{Found, Table};
use crate::store::shared_memory::words::Words;
use crate::time::Timestamp;

/// The head of a bucket, in its slot.
pub(super) struct Head<'c, 'w, W: Words + ?Sized> {
    pub(super) change: &'c Change<'w, W>,
    pub(super) slot: Slot,
}

impl<W: Words + ?Sized> Place for Head<'_, '_, W> {
    #[inline(always)]
    fn get(&self, at: usize) -> u64 {
        let at = at as u64;
        if at < self.slot.head_len { self.change.get(self.slot.head(at)) } else { 0 }
    }

    #[inline(always)]
    fn set(&mut self, at: usize, number: u64) {
        let at = at as u64;
        if at < self.slot.head_len {
            self.change.set(self.slot.head(at), number);
        }
    }
}

impl<W: Words + ?Sized> Log for Ring<'_, '_, W> {
    #[inline(always)]
    fn units(&self) -> u64 {
        Ring::units(self)
    }

    #[inline(always)]
    fn tick_of(&mut self, nth: u64) -> Result<u64> {
        Ring::tick_of(self, nth)
    }

    #[inline(always)]
    fn append(&mut self, tick: u64, weight: u64, keep_from: u64) -> Result<()> {
        Ring::append(self, tick, weight, keep_from)
    }
}

/// A bucket that was taken out of its slot, to be looked at as a whole.
pub(super) struct Loaded {
    found: Found,
    numbers: Numbers,
}

impl Loaded {
    pub(super) fn new<W: Words + ?Sized>(table: &Table<'_, '_, W>, found: Found) -> Result<(Self, BucketState)> {
        let head = found.slot.numbers(table.change)?;
        let events = Ring::read(table.change, table.arena, found.slot.block.at)?.events();
        let state = BucketState::from_numbers(&head, events.clone())?;
        let kind = found.slot.check(table.change)?;
        Ok((Self { found, numbers: Numbers { kind, head, events } }, state))
    }

    /// Writes back what has changed.
    pub(super) fn save<W: Words + ?Sized>(
        &self,
        table: &Table<'_, '_, W>,
        (hash, key): (u64, &str),
        state: &BucketState,
    ) -> Result<()> {
        let new = state.to_numbers();
        let slot = self.found.slot;
        let slot = if new.head.len() == self.numbers.head.len() && new.head.len() < Self::MOST_IN_PLACE {
            for (place, number) in
                new.head.iter().enumerate().filter(|(place, number)| self.numbers.head[*place] != **number)
            {
                table.change.set(slot.head(place as u64), *number);
            }
            slot
        } else {
            table.replace(self.found, hash, key, &new.head)?
        };
        if new.events != self.numbers.events {
            let mut log = Ring::read(table.change, table.arena, slot.block.at)?;
            log.write(&new.events)?;
        }
        Ok(())
    }

    /// A longer head is written anew: it might not go into the journal.
    const MOST_IN_PLACE: usize = 128;
}

/// Writes a bucket that had none.
pub(super) fn insert<W: Words + ?Sized>(
    table: &Table<'_, '_, W>,
    (hash, key): (u64, &str),
    state: &BucketState,
) -> Result<()> {
    let new = state.to_numbers();
    let slot = table.insert(hash, key, &new.head)?;
    Ring::read(table.change, table.arena, slot.block.at)?.write(&new.events)
}

/// A bucket with the newest event of its log alone: enough to know until when it owes something.
fn glance<W: Words + ?Sized>(table: &Table<'_, '_, W>, slot: Slot) -> Result<BucketState> {
    let newest = Ring::read(table.change, table.arena, slot.block.at)?.newest();
    BucketState::from_numbers(&slot.numbers(table.change)?, newest.into_iter().collect())
}

/// Whether this bucket may be forgotten.
pub(super) fn is_idle<W: Words + ?Sized>(table: &Table<'_, '_, W>, slot: Slot, now: Timestamp) -> Result<bool> {
    Ok(glance(table, slot)?.idle_from_at(now) <= now)
}

/// Whether this bucket owes anything.
pub(super) fn owes<W: Words + ?Sized>(table: &Table<'_, '_, W>, slot: Slot, now: Timestamp) -> Result<bool> {
    Ok(glance(table, slot)?.settled_from() > now)
}
