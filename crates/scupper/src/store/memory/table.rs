use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::task::{Wake, Waker};
use std::time::Duration;

use siphasher::sip::SipHasher13;

use crate::error::{Error, ErrorKind, Result};
use crate::quota::Quota;
use crate::store::bucket::BucketState;
use crate::store::memory::clock::Clock;
use crate::store::memory::pinned::Pinned;
use crate::store::memory::shard::{Shard, Walk};
use crate::store::outcome::{Cursor, Page, Verdict};
use crate::sync::{Arc, AtomicU64, DecisionLock, Mutex, Ordering, Weak, lock};
use crate::time::Timestamp;
use crate::timer::Alarm;

/// All buckets of a memory store.
///
/// Keys are hashed once, by a keyed hash that a stranger cannot aim at one slot.
pub(super) struct Table {
    shards: Box<[Padded<DecisionLock<Shard>>]>,
    hasher: SipHasher13,
    clock: Clock,
    keys: AtomicU64,
    max_keys: u64,
    /// When the next sweep begins; the end of time if none is planned.
    sweep_at: AtomicU64,
    sweep: Mutex<Sweep>,
}

/// Apart from its neighbours by a pair of cache lines, which is what processors fetch at once.
#[derive(Default)]
#[repr(align(128))]
struct Padded<T>(T);

/// A hasher under keys of its own, from the randomness of the standard library.
fn random_hasher() -> SipHasher13 {
    let random = RandomState::new();
    SipHasher13::new_with_keys(random.hash_one(0), random.hash_one(1))
}

/// The sweep that is planned or under way.
#[derive(Debug, Default)]
struct Sweep {
    alarm: Option<Alarm>,
    /// How many alarms were set: the last counts.
    plan: u64,
    shard: usize,
    walk: Walk,
}

struct Sweeper(Weak<Table>);

impl Wake for Sweeper {
    fn wake(self: Arc<Self>) {
        if let Some(table) = self.0.upgrade() {
            table.sweep_slice();
        }
    }
}

impl Table {
    const SHARDS: usize = 64;
    /// From the middle of the hash: the tables of the shards look at both ends.
    const SHARD_SHIFT: u32 = 32;
    /// Idle buckets are looked for a second after the first of them can leave, so that more leave at once…
    const PAUSE: Duration = Duration::from_secs(1);
    /// …and at most this often for the number of keys, which bounds the work to a few hundredths of one processor.
    const PAUSE_PER_KEY: Duration = Duration::from_nanos(2_500);
    /// Slots that are looked at while a shard is locked, and before others may use the timer's thread.
    const STRIDE: usize = 256;
    const SLICE: usize = 16 * Self::STRIDE;

    pub(super) fn new(clock: Clock, max_keys: u64) -> Self {
        Self {
            shards: (0..Self::SHARDS).map(|_| Padded::default()).collect(),
            hasher: random_hasher(),
            clock,
            keys: AtomicU64::new(0),
            max_keys,
            sweep_at: AtomicU64::new(u64::MAX),
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
    fn shard(&self, hash: u64) -> &DecisionLock<Shard> {
        let shard = (hash >> Self::SHARD_SHIFT) as usize % Self::SHARDS;
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
                self.plan_sweep(idle_from);
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
        let mut shard = self.shard(hash).try_lock()?;
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
        self.plan_sweep(now);
    }

    /// The bucket of this key may owe nothing from now on, earlier than was known.
    pub(super) fn hasten(self: &Arc<Self>, key: &str) {
        self.released(self.hash(key));
    }

    fn reserve(&self) -> bool {
        let is_room = self.keys.fetch_add(1, Ordering::Relaxed) < self.max_keys;
        if !is_room {
            self.keys.fetch_sub(1, Ordering::Relaxed);
        }
        is_room
    }

    /// Gives up idle buckets of one shard, if any shard has some.
    #[cold]
    fn make_room(&self, now: Timestamp) -> Result<()> {
        for shard in &self.shards {
            let mut shard = shard.0.lock();
            if shard.idle_from() <= now {
                let (left, _) = shard.sweep(&mut Walk::default(), now, usize::MAX);
                self.keys.fetch_sub(left as u64, Ordering::Relaxed);
                if left > 0 {
                    return Ok(());
                }
            }
        }
        Err(Error::new(
            ErrorKind::Capacity,
            format!("the store holds its maximum of {} keys, and all of them still owe something", self.max_keys),
        ))
    }

    /// Has idle buckets looked for soon after `idle_from`, unless that is planned earlier anyway.
    #[inline]
    fn plan_sweep(self: &Arc<Self>, idle_from: Timestamp) {
        let pause = Self::PAUSE.max(Self::PAUSE_PER_KEY.saturating_mul(u32::try_from(self.len()).unwrap_or(u32::MAX)));
        let at = idle_from + pause;
        if at.as_micros() < self.sweep_at.load(Ordering::Relaxed) {
            self.set_alarm(at);
        }
    }

    /// Has the timer start a sweep at this time, unless one is planned earlier. The timer is asked without a lock: it is
    /// foreign code, and may start the sweep before it returns.
    #[cold]
    fn set_alarm(self: &Arc<Self>, at: Timestamp) {
        let mut sweep = lock(&self.sweep);
        if at.as_micros() >= self.sweep_at.load(Ordering::Relaxed) {
            return;
        }
        self.sweep_at.store(at.as_micros(), Ordering::Relaxed);
        sweep.plan += 1;
        let plan = sweep.plan;
        drop(sweep);
        let alarm = self.clock.timer().wake_at(at, Waker::from(Arc::new(Sweeper(Arc::downgrade(self)))));
        let mut sweep = lock(&self.sweep);
        if sweep.plan != plan {
            drop(sweep);
            // Another plan has taken the place of this one; calling it off is foreign code, too.
            drop(alarm);
            return;
        }
        if alarm.is_err() {
            // The timer cannot wake anyone now. The next new bucket asks again.
            self.sweep_at.store(u64::MAX, Ordering::Relaxed);
        }
        let last = std::mem::replace(&mut sweep.alarm, alarm.ok());
        drop(sweep);
        drop(last);
    }

    /// A part of a sweep: short, so that it delays nobody who waits for the timer.
    fn sweep_slice(self: &Arc<Self>) {
        let now = self.clock.now();
        let mut sweep = lock(&self.sweep);
        let mut looked_at = 0;
        while looked_at < Self::SLICE && sweep.shard < self.shards.len() {
            let mut shard = self.shards[sweep.shard].0.lock();
            let (left, is_done) = if shard.idle_from() <= now || sweep.walk.is_under_way() {
                looked_at += Self::STRIDE;
                shard.sweep(&mut sweep.walk, now, Self::STRIDE)
            } else {
                (0, true)
            };
            drop(shard);
            self.keys.fetch_sub(left as u64, Ordering::Relaxed);
            if is_done {
                sweep.shard += 1;
                sweep.walk = Walk::default();
            }
        }
        let is_done = sweep.shard == self.shards.len();
        if is_done {
            sweep.shard = 0;
        }
        self.sweep_at.store(u64::MAX, Ordering::Relaxed);
        drop(sweep);
        if is_done {
            let next = self.shards.iter().map(|shard| shard.0.lock().idle_from()).min();
            next.filter(|next| *next < Timestamp::MAX).into_iter().for_each(|next| self.plan_sweep(next.max(now)));
        } else {
            self.set_alarm(now);
        }
    }

    /// Keys that begin with `prefix` and owe something.
    pub(super) fn list(&self, prefix: &str, after: Option<&Cursor>, most: usize) -> Page {
        let now = self.clock.now();
        let place = after.map_or(0, Cursor::place);
        #[expect(clippy::cast_possible_truncation, reason = "a place is a shard and a slot of half the bits each")]
        let (first, mut slot) = ((place >> 32) as usize, (place & u64::from(u32::MAX)) as usize);
        let mut keys = Vec::new();
        for (index, shard) in self.shards.iter().enumerate().skip(first) {
            if let Some(next) = shard.0.lock().list(prefix, now, slot, most, &mut keys) {
                return Page { keys, next: Some(Cursor::new((index as u64) << 32 | next as u64)) };
            }
            slot = 0;
        }
        Page { keys, next: None }
    }
}
