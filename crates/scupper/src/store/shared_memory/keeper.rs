use crate::error::{ErrorKind, Result};
use crate::quota::Quota;
use crate::store::batch::{Action, Operation};
use crate::store::bucket::{BucketState, acquire_in_place, check};
use crate::store::host_clock::Host;
use crate::store::outcome::{Outcome, Reply, Verdict};
use crate::store::shared_memory::arena::Arena;
use crate::store::shared_memory::bucket::{Head, Loaded, insert, is_idle};
use crate::store::shared_memory::clock;
use crate::store::shared_memory::geometry::{Geometry, at};
use crate::store::shared_memory::in_place::apply_in_place;
use crate::store::shared_memory::journal::Change;
use crate::store::shared_memory::ring::Ring;
use crate::store::shared_memory::table::Table;
use crate::store::shared_memory::words::Words;
use crate::time::Timestamp;

/// Carries out operations on the words, for whoever holds their lock.
pub(super) struct Keeper<'w, W: Words + ?Sized> {
    pub(super) words: &'w W,
    pub(super) geometry: Geometry,
    pub(super) host: &'w dyn Host,
}

impl<'w, W: Words + ?Sized> Keeper<'w, W> {
    /// So many chains are looked at for idle buckets whenever a bucket is made, so that they leave about as fast as others come.
    const CHAINS_IN_PASSING: u64 = 2;
    /// And so many where there is no room.
    pub(super) const CHAINS_FOR_ROOM: u64 = 128;
    const MOST_OF_A_CHAIN: u64 = 32;

    /// A change of the words at the store's time, which is read under the lock. What it says holds once it is committed; if it
    /// fails, it has not been.
    #[inline(always)]
    pub(super) fn change<T>(&self, work: impl FnOnce(&Table<'_, 'w, W>, Timestamp) -> Result<T>) -> Result<T> {
        self.change_at(self.host.since_boot(), work)
    }

    fn change_at<T>(&self, since_boot: u64, work: impl FnOnce(&Table<'_, 'w, W>, Timestamp) -> Result<T>) -> Result<T> {
        let change = Change::begin(self.words)?;
        let now = clock::now(&change, self.host, since_boot)?;
        let arena = Arena::new(&change, self.geometry);
        let done = work(&Table::new(&change, &arena, self.geometry), now)?;
        arena.settle()?;
        drop(arena);
        change.commit()?;
        Ok(done)
    }

    /// Decides on an acquire where the bucket lies, at a reading of the host's clock that may have been taken before the lock:
    /// the bucket's time, which does not step back, is that of the last change of it, and later ones are in order. No answer where
    /// more is to be done than that.
    #[inline(always)]
    pub(super) fn acquire(
        &self,
        since_boot: u64,
        (hash, key): (u64, &str),
        quota: &Quota,
        weight: u64,
    ) -> Result<Option<Verdict>> {
        // Without a function in between, the answer would be moved once more, while it is still being written.
        let change = Change::begin(self.words)?;
        let now = clock::now(&change, self.host, since_boot)?;
        let arena = Arena::new(&change, self.geometry);
        let verdict = in_place(&Table::new(&change, &arena, self.geometry), (hash, key), quota, weight, now)?;
        arena.settle()?;
        drop(arena);
        change.commit()?;
        Ok(verdict)
    }

    /// Decides on an acquire where more is to be done, for example where there is no bucket yet. No answer where that fails.
    pub(super) fn acquire_at_length(&self, (hash, key): (u64, &str), quota: &Quota, weight: u64) -> Option<Verdict> {
        let operation = Operation::acquire(key, quota, weight);
        if let Ok(Reply::Acquired(verdict)) = self.try_apply(hash, &operation) { Some(verdict) } else { None }
    }

    /// Carries out an operation on one bucket.
    pub(super) fn apply(&self, hash: u64, operation: &Operation<'_>) -> Outcome {
        check(operation)?;
        let outcome = self.try_apply(hash, operation);
        match outcome {
            Err(error) if error.kind() == ErrorKind::Capacity => {
                if self.sweep(Self::CHAINS_FOR_ROOM) == 0 {
                    Err(error)
                } else {
                    self.try_apply(hash, operation)
                }
            }
            _ => outcome,
        }
    }

    fn try_apply(&self, hash: u64, operation: &Operation<'_>) -> Outcome {
        let (reply, is_new) = self.change(|table, now| apply_to_bucket(table, hash, operation, now))?;
        if is_new {
            self.sweep(Self::CHAINS_IN_PASSING);
        }
        Ok(reply)
    }

    /// Gives up what is idle in the next piece of the table; says how many buckets those were.
    pub(super) fn make_room(&self) -> usize {
        self.sweep(Self::CHAINS_FOR_ROOM)
    }

    /// Gives up the idle buckets in so many chains; says how many those were. A chain that is damaged is none of those who come
    /// for other buckets.
    fn sweep(&self, chains: u64) -> usize {
        let (since_boot, mut given_up) = (self.host.since_boot(), 0);
        for _ in 0..chains.min(self.geometry.chains) {
            let chain = self.words.load(at::SWEEP);
            // Outside of any change, as every number will do.
            self.words.store(at::SWEEP, chain.wrapping_add(1));
            let next = || self.change_at(since_boot, |table, now| give_up_one(table, chain, now));
            given_up += (0..Self::MOST_OF_A_CHAIN).take_while(|_| matches!(next(), Ok(true))).count();
        }
        given_up
    }
}

#[inline(always)]
fn in_place<W: Words + ?Sized>(
    table: &Table<'_, '_, W>,
    (hash, key): (u64, &str),
    quota: &Quota,
    weight: u64,
    now: Timestamp,
) -> Result<Option<Verdict>> {
    let Some(found) = table.find(hash, key)? else { return Ok(None) };
    let mut head = Head { change: table.change, slot: found.slot };
    let mut log = Ring::read(table.change, table.arena, found.slot.block.at)?;
    acquire_in_place(&mut head, &mut log, quota, now.as_micros(), weight)
}

/// Carries out an operation, where the bucket lies or on it as a whole; says whether it is a new one.
fn apply_to_bucket<W: Words + ?Sized>(
    table: &Table<'_, '_, W>,
    hash: u64,
    operation: &Operation<'_>,
    now: Timestamp,
) -> Result<(Reply, bool)> {
    let name = (hash, operation.key);
    let found = table.find(hash, operation.key)?;
    let Some(found) = found else {
        let Some(quota) = operation.quota() else { return operation.without_bucket().map(|reply| (reply, false)) };
        let mut state = BucketState::new(quota, now);
        let reply = state.apply(operation, now)?;
        let is_kept = state.idle_from() > now;
        if is_kept {
            insert(table, name, &state)?;
        }
        return Ok((reply, is_kept));
    };
    if let Some(reply) = apply_in_place(table, found, operation, now)? {
        return Ok((reply, false));
    }
    let (loaded, mut state) = Loaded::new(table, found)?;
    let reply = state.apply(operation, now)?;
    if state.idle_from() <= now {
        table.remove(found)?;
    } else if !matches!(operation.action, Action::Peek { .. }) {
        loaded.save(table, name, &state)?;
    }
    Ok((reply, false))
}

fn give_up_one<W: Words + ?Sized>(table: &Table<'_, '_, W>, chain: u64, now: Timestamp) -> Result<bool> {
    for found in table.chain(chain)? {
        if is_idle(table, found.slot, now)? {
            table.remove(found)?;
            return Ok(true);
        }
    }
    Ok(false)
}
