use hashbrown::HashTable;
use smol_str::SmolStr;

use crate::quota::Quota;
use crate::store::bucket::BucketState;
use crate::store::memory::clock::Clock;
use crate::store::memory::pinned::Pinned;
use crate::store::outcome::Verdict;
use crate::sync::Arc;
use crate::time::Timestamp;

/// A part of the table of buckets, under one lock.
#[derive(Debug)]
pub(super) struct Shard {
    slots: HashTable<Box<Slot>>,
    /// No bucket that the last walk saw can leave earlier.
    idle_from: Timestamp,
    /// No bucket that changed since can leave earlier.
    hastened: Timestamp,
    walks: u64,
    inserts: u64,
}

/// Two cache lines, so that no bucket needs three.
#[derive(Debug)]
#[repr(align(64))]
struct Slot {
    hash: u64,
    key: SmolStr,
    place: Place,
}

/// Where the state of a bucket is.
#[derive(Debug)]
enum Place {
    Here(BucketState),
    Pinned(Arc<Pinned>),
}

impl Slot {
    /// Works on the state at the time that is read once it is locked.
    fn with<T>(&mut self, clock: &Clock, work: impl FnOnce(&mut BucketState, Timestamp) -> T) -> T {
        match &mut self.place {
            Place::Here(state) => work(state, clock.now()),
            Place::Pinned(pinned) => pinned.with(work),
        }
    }

    /// From when on the slot may be given up, unless that is now. A bucket to which there is no handle any more comes back
    /// into the slot, and one that lies in the future of a clock that stepped back follows it.
    fn settle(&mut self, clock: &Clock) -> Option<Timestamp> {
        if let Place::Pinned(pinned) = &mut self.place
            && let Some(pinned) = Arc::get_mut(pinned)
        {
            self.place = Place::Here(pinned.take());
        }
        let Place::Here(state) = &mut self.place else { return Some(Timestamp::MAX) };
        // Read while nobody else has the bucket: an older reading would look like a clock that stepped back.
        let now = clock.now();
        let idle_from = state.idle_from_at(now);
        (idle_from > now).then_some(idle_from)
    }

    fn settled_from(&self) -> Timestamp {
        match &self.place {
            Place::Here(state) => state.settled_from(),
            Place::Pinned(pinned) => pinned.settled_from(),
        }
    }

    fn has_handles(&self) -> bool {
        matches!(&self.place, Place::Pinned(pinned) if Arc::strong_count(pinned) > 1)
    }
}

/// A walk through a shard, a few slots at a time.
#[derive(Debug, Default)]
pub(super) struct Walk {
    next: usize,
    /// Which walk of the shard this is, and how many slots there were.
    started: Option<(u64, usize)>,
    inserts: u64,
    idle_from: Option<Timestamp>,
}

impl Walk {
    pub(super) fn is_under_way(&self) -> bool {
        self.next > 0
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self { slots: HashTable::new(), idle_from: Timestamp::MAX, hastened: Timestamp::MAX, walks: 0, inserts: 0 }
    }
}

impl Shard {
    /// No bucket of this shard can leave earlier; the end of time if none can.
    pub(super) fn idle_from(&self) -> Timestamp {
        self.idle_from.min(self.hastened)
    }

    /// Works on the bucket of this key, if it is there, at the time that is read once it is locked: an earlier reading that
    /// others have overtaken would look like a clock that stepped back.
    pub(super) fn with<T>(
        &mut self,
        hash: u64,
        key: &str,
        clock: &Clock,
        work: impl FnOnce(&mut BucketState, Timestamp) -> T,
    ) -> Option<T> {
        let slot = self.slots.find_mut(hash, |slot| is_same(&slot.key, key))?;
        Some(slot.with(clock, work))
    }

    /// Decides on one unit if the bucket is in this shard, no handle reaches it, and nothing is out of the ordinary.
    #[inline(always)]
    pub(super) fn acquire_one(&mut self, hash: u64, key: &str, quota: &Quota, now: u64) -> Option<Verdict> {
        let slot = self.slots.find_mut(hash, |slot| slot.hash == hash && is_same(&slot.key, key))?;
        let Place::Here(state) = &mut slot.place else { return None };
        state.acquire_one_plainly::<true>(quota, quota.paces(), now)
    }

    /// Puts a new bucket in place. The key must not be there.
    pub(super) fn insert(&mut self, hash: u64, key: &str, state: BucketState) {
        self.hasten(state.idle_from());
        self.inserts += 1;
        let slot = Box::new(Slot { hash, key: key.into(), place: Place::Here(state) });
        self.slots.insert_unique(hash, slot, |slot| slot.hash);
    }

    /// Says that a bucket may have become free earlier than it was.
    pub(super) fn hasten(&mut self, idle_from: Timestamp) {
        self.hastened = self.hastened.min(idle_from);
    }

    /// Moves the bucket of this key out of the shard, so that a handle can reach it without looking it up.
    pub(super) fn pin(&mut self, hash: u64, key: &str, quota: &Quota, clock: &Clock) -> Option<Arc<Pinned>> {
        let slot = self.slots.find_mut(hash, |slot| is_same(&slot.key, key))?;
        if let Place::Pinned(pinned) = &slot.place {
            return Some(Arc::clone(pinned));
        }
        let placeholder = BucketState::new(quota, Timestamp::ZERO);
        let Place::Here(state) = std::mem::replace(&mut slot.place, Place::Here(placeholder)) else {
            return None;
        };
        let pinned = Arc::new(Pinned::new(state, quota, clock));
        slot.place = Place::Pinned(Arc::clone(&pinned));
        Some(pinned)
    }

    /// Gives up idle buckets among the next `most` slots; says how many left and whether the walk is at its end.
    ///
    /// A bucket with a handle stays, and is not waited for: dropping the handle hastens the shard.
    pub(super) fn sweep(&mut self, walk: &mut Walk, clock: &Clock, most: usize) -> (usize, bool) {
        if walk.started != Some((self.walks, self.slots.num_buckets())) {
            // A new walk, or one that another walk or a growing table has overtaken.
            self.walks += 1;
            *walk = Walk {
                started: Some((self.walks, self.slots.num_buckets())),
                inserts: self.inserts,
                ..Walk::default()
            };
            self.hastened = Timestamp::MAX;
        }
        let end = self.slots.num_buckets().min(walk.next.saturating_add(most));
        let mut left = 0;
        for index in walk.next..end {
            let Ok(mut entry) = self.slots.get_bucket_entry(index) else { continue };
            if entry.get().has_handles() {
                continue;
            }
            if let Some(idle_from) = entry.get_mut().settle(clock) {
                walk.idle_from = Some(walk.idle_from.map_or(idle_from, |earliest| earliest.min(idle_from)));
            } else {
                entry.remove();
                left += 1;
            }
        }
        walk.next = end;
        let is_done = end == self.slots.num_buckets();
        if is_done {
            self.idle_from = walk.idle_from.unwrap_or(Timestamp::MAX);
            if walk.inserts != self.inserts {
                // What was put in meanwhile may have moved others past the walk.
                self.hasten(clock.now());
            }
            if self.slots.len() < self.slots.capacity() / 4 {
                self.slots.shrink_to_fit(|slot| slot.hash);
            }
        }
        (left, is_done)
    }

    /// Adds keys that begin with `prefix` and owe something, from the slot `from` on, `stride` slots and up to `most` keys in
    /// all; says where to go on if that was not all.
    pub(super) fn list(
        &self,
        prefix: &str,
        now: Timestamp,
        from: usize,
        stride: usize,
        most: usize,
        keys: &mut Vec<String>,
    ) -> Option<usize> {
        for index in from..self.slots.num_buckets() {
            if keys.len() >= most || index - from >= stride {
                return Some(index);
            }
            if let Some(slot) = self.slots.get_bucket(index)
                && slot.key.starts_with(prefix)
                && slot.settled_from() > now
            {
                keys.push(slot.key.to_string());
            }
        }
        None
    }
}

/// Whether two keys are the same. Most are short, and a call to compare them would be a good part of a decision.
#[inline(always)]
fn is_same(first: &str, second: &str) -> bool {
    let (first, second) = (first.as_bytes(), second.as_bytes());
    if first.len() != second.len() {
        return false;
    }
    match first.len() {
        8..=16 => first.first_chunk::<8>() == second.first_chunk() && first.last_chunk::<8>() == second.last_chunk(),
        17..=32 => first.first_chunk::<16>() == second.first_chunk() && first.last_chunk::<16>() == second.last_chunk(),
        _ => first == second,
    }
}
