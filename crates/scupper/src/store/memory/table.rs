use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::num::NonZero;
use std::thread;

use siphasher::sip::SipHasher13;

use crate::error::Result;
use crate::quota::Quota;
use crate::store::bucket::BucketState;
use crate::store::memory::clock::Clock;
use crate::store::memory::pinned::Pinned;
use crate::store::memory::shard::Shard;
use crate::store::memory::sweep::Sweep;
use crate::store::outcome::{Cursor, Page, Verdict};
use crate::sync::{Arc, AtomicU64, BRIEFLY, DecisionLock, Mutex, Ordering};
use crate::time::Timestamp;

/// All buckets of a memory store.
///
/// Keys are hashed once, by a keyed hash that a stranger cannot aim at one slot.
pub(super) struct Table {
    pub(super) shards: Box<[Padded<DecisionLock<Shard, BRIEFLY>>]>,
    hasher: SipHasher13,
    pub(super) clock: Clock,
    pub(super) keys: AtomicU64,
    pub(super) max_keys: u64,
    /// When the next sweep begins; the end of time if none is planned.
    pub(super) sweep_at: AtomicU64,
    /// The latest time at which a sweep was planned.
    pub(super) latest: AtomicU64,
    pub(super) sweep: Mutex<Sweep>,
}

/// Apart from its neighbours by a pair of cache lines, which is what processors fetch at once.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Padded<T>(pub(super) T);

/// A hasher under keys of its own, from the randomness of the standard library.
fn random_hasher() -> SipHasher13 {
    let random = RandomState::new();
    SipHasher13::new_with_keys(random.hash_one(0), random.hash_one(1))
}

impl Table {
    /// Enough that threads seldom meet, and few enough to stay in the nearest cache. The model checker looks at one key, and
    /// at every lock.
    const SHARDS_PER_PROCESSOR: usize = 16;
    const MOST_SHARDS: usize = if cfg!(scupper_shuttle) { 1 } else { 256 };
    /// From the middle of the hash: the tables of the shards look at both ends.
    const SHARD_SHIFT: u32 = 32;
    /// Slots that are looked at while a shard is locked, and before others may use the timer's thread.
    pub(super) const STRIDE: usize = 256;

    pub(super) fn new(clock: Clock, max_keys: u64) -> Self {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        // A power of two, so that a mask chooses.
        let shards = (processors * Self::SHARDS_PER_PROCESSOR).next_power_of_two().min(Self::MOST_SHARDS);
        Self {
            shards: (0..shards).map(|_| Padded::default()).collect(),
            hasher: random_hasher(),
            clock,
            keys: AtomicU64::new(0),
            max_keys,
            sweep_at: AtomicU64::new(u64::MAX),
            latest: AtomicU64::new(0),
            sweep: Mutex::default(),
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.keys.load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn hash(&self, key: &str) -> u64 {
        self.hasher.hash(key.as_bytes())
    }

    #[inline(always)]
    fn shard(&self, hash: u64) -> &DecisionLock<Shard, BRIEFLY> {
        let shard = (hash >> Self::SHARD_SHIFT) as usize & (self.shards.len() - 1);
        &self.shards[shard].0
    }

    /// Works on the bucket of this key, made for the purpose if a quota is given. A bucket that owes nothing afterwards is
    /// not kept, and one for which there is no room is not either: then the work has left no trace, and may be done twice.
    pub(super) fn with<T>(
        self: &Arc<Self>,
        key: &str,
        quota: Option<&Quota>,
        mut work: impl FnMut(&mut BucketState, Timestamp) -> T,
    ) -> Result<Option<T>> {
        let hash = self.hash(key);
        loop {
            let mut shard = self.shard(hash).lock();
            if let Some(done) = shard.with(hash, key, &self.clock, &mut work) {
                return Ok(Some(done));
            }
            let Some(quota) = quota else { return Ok(None) };
            let now = self.clock.now();
            let mut state = BucketState::new(quota, now);
            let done = work(&mut state, now);
            let idle_from = state.idle_from();
            if idle_from <= now {
                return Ok(Some(done));
            }
            if self.reserve() {
                shard.insert(hash, key, state);
                drop(shard);
                self.plan_sweep(now, idle_from);
                return Ok(Some(done));
            }
            drop(shard);
            self.make_room(now)?;
        }
    }

    /// Decides on one unit for a key whose bucket is there, and nothing is out of the ordinary; if not, there is no answer.
    #[inline(always)]
    pub(super) fn acquire_one(&self, key: &str, quota: &Quota) -> Option<Verdict> {
        // Both take a while and need nothing of each other. The bucket's time does not step back.
        let (now, hash) = (self.clock.glance()?, self.hash(key));
        let mut shard = self.shard(hash).lock();
        shard.acquire_one(hash, key, quota, now.as_micros())
    }

    /// Takes a bucket out of its shard for whoever holds a handle, made for the purpose if need be.
    pub(super) fn pin(self: &Arc<Self>, key: &str, quota: &Quota) -> Result<(Arc<Pinned>, u64)> {
        let hash = self.hash(key);
        loop {
            let mut shard = self.shard(hash).lock();
            if let Some(pinned) = shard.pin(hash, key, quota, &self.clock) {
                return Ok((pinned, hash));
            }
            let now = self.clock.now();
            if self.reserve() {
                shard.insert(hash, key, BucketState::new(quota, now));
            } else {
                drop(shard);
                self.make_room(now)?;
            }
        }
    }

    /// A handle is gone: a bucket of this hash may leave once it owes nothing.
    pub(super) fn released(self: &Arc<Self>, hash: u64) {
        let now = self.clock.now();
        self.shard(hash).lock().hasten(now);
        self.plan_sweep(now, now);
    }

    /// The bucket of this key may owe nothing from now on, earlier than was known.
    pub(super) fn hasten(self: &Arc<Self>, key: &str) {
        self.released(self.hash(key));
    }

    fn reserve(&self) -> bool {
        let one_more = |keys| (keys < self.max_keys).then_some(keys + 1);
        self.keys.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    /// Keys that begin with `prefix` and owe something.
    pub(super) fn list(&self, prefix: &str, after: Option<&Cursor>, most: usize) -> Page {
        let most = most.max(1);
        let now = self.clock.now();
        let place = after.and_then(|after| after.place().parse::<u64>().ok()).unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, reason = "a place is a shard and a slot of half the bits each")]
        let (first, mut slot) = ((place >> 32) as usize, (place & u64::from(u32::MAX)) as usize);
        let mut keys = Vec::new();
        for (index, shard) in self.shards.iter().enumerate().skip(first) {
            loop {
                let next = shard.0.lock().list(prefix, now, slot, Self::STRIDE, most, &mut keys);
                match next {
                    Some(next) if keys.len() >= most => {
                        return Page {
                            keys,
                            next: Some(Cursor::new(((index as u64) << 32 | next as u64).to_string())),
                        };
                    }
                    Some(next) => slot = next,
                    None => break,
                }
            }
            slot = 0;
        }
        Page { keys, next: None }
    }
}
