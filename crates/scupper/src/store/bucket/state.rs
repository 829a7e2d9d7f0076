//! The state of one bucket, with no clock, no lock and no I/O.

use crate::algorithm::{Blocked, Keep, Ledger, Short};
use crate::error::{Error, ErrorKind, Result};
use crate::pace::Pace;
use crate::quota::{Algorithm, Quota};
use crate::rate::Rate;
use crate::store::outcome::{Admission, Cause, Denial, Verdict};
use crate::time::Timestamp;

/// The state of one key under one algorithm and one list of rates: what a store keeps.
///
/// A store that can hold such a value and lock it decides by [`apply`](Self::apply) and is exact without knowing how; see
/// the `custom_store` example. Time is given with every call. A clock that steps back frees nothing: the bucket's time
/// stands still until the clock has caught up, unless it lies further back than the longest interval; then everything in
/// the bucket keeps its age and goes on from the new time.
///
/// # Examples
/// ```
/// use scupper::store::{BucketState, Operation, Reply, Verdict};
/// use scupper::{Algorithm, Quota, Rate, Timestamp};
///
/// let quota = Quota::new(Algorithm::SlidingWindowLog, Rate::per_second(1)?)?;
/// let mut bucket = BucketState::new(&quota, Timestamp::ZERO);
/// let acquire = Operation::acquire("user:42", &quota, 1);
/// let first = bucket.apply(&acquire, Timestamp::ZERO)?;
/// assert!(matches!(first, Reply::Acquired(Verdict::Admitted(_))));
/// let second = bucket.apply(&acquire, Timestamp::ZERO)?;
/// assert!(matches!(second, Reply::Acquired(Verdict::Denied(denial)) if denial.retry_at.as_micros() == 1_000_001));
/// # Ok::<(), scupper::Error>(())
/// ```
// What an admission writes comes first: beside the lock, it lies in one cache line, and threads that share the bucket pass
// on that line alone.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct BucketState {
    /// The tick of the last change: time goes on from here.
    pub(super) high_water: u64,
    /// All units ever counted.
    pub(super) sequence: u64,
    pub(super) ledger: Ledger,
    pub(super) quota: Quota,
    pub(super) rare: Option<Box<Rare>>,
    /// When this bucket was made.
    pub(super) since: u64,
}

/// What few buckets have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rare {
    /// Nobody is admitted before this.
    pub(super) held_until: u64,
    /// What was admitted up to here cannot be refunded any more: the bucket was reset or its clock went back.
    pub(super) floor: u64,
    /// The longest retention that another list of rates asked for.
    pub(super) retention: u64,
    /// The largest limit that another list of rates asked for.
    pub(super) limit: u64,
    /// What the last caller who keeps time for itself called now, and what the store did.
    pub(super) own_time: Option<(u64, u64)>,
}

/// Another algorithm keeps the bucket, which owes something.
#[cold]
pub(crate) fn mismatch(kept_by: Algorithm, asked: Algorithm) -> Error {
    Error::new(
        ErrorKind::AlgorithmMismatch,
        format!("the bucket is kept by {kept_by}, the request asks for {asked}; reset the bucket or use another key"),
    )
}

/// Microseconds for which an admission can matter to any list of rates that uses the bucket.
fn retention(quota: &Quota, rare: Option<&Rare>) -> u64 {
    quota.retention().max(rare.map_or(0, |rare| rare.retention))
}

/// Why a request is denied: the later of what blocks it and the hold.
#[inline]
pub(super) fn denial(blocked: Option<Blocked>, held_until: u64, clock: u64) -> Denial {
    let (retry_at, rate, cause) = match blocked {
        Some(blocked) if blocked.until >= held_until => (blocked.until, Some(blocked.rate), Cause::Full),
        _ => (held_until, None, Cause::Held),
    };
    Denial { now: Timestamp::from_micros(clock), retry_at: Timestamp::from_micros(retry_at), rate, cause }
}

impl BucketState {
    /// A caller's own time may go slower than the store's, or stand still for a while: so long, in microseconds, what is
    /// owed at it is not forgotten.
    const PATIENCE_WITH_OWN_TIME: u64 = 60_000_000;

    /// A bucket that owes nothing.
    #[must_use]
    pub fn new(quota: &Quota, now: Timestamp) -> Self {
        let since = now.as_micros();
        Self { quota: quota.clone(), high_water: 0, sequence: 0, since, ledger: Ledger::new(quota), rare: None }
    }

    /// From this tick of the store's clock on the bucket may be forgotten: it owes nothing, and no permit from before a reset
    /// can be taken for one from after it. For the store to decide what to keep.
    #[must_use]
    pub fn idle_from(&self) -> Timestamp {
        let was_reset = self.rare.as_ref().is_some_and(|rare| rare.floor > 0);
        let remembers = if was_reset { self.high_water.saturating_add(self.retention()) } else { 0 };
        self.on_the_stores_clock(self.owing_until().max(remembers))
    }

    /// The same once the clock reads `now`: a bucket in the future of a clock that stepped back far follows it.
    pub(crate) fn idle_from_at(&mut self, now: Timestamp) -> Timestamp {
        let keeps_own_time = self.rare.as_ref().is_some_and(|rare| rare.own_time.is_some());
        if !keeps_own_time {
            self.enter_time(now.as_micros());
        }
        self.idle_from()
    }

    /// From this tick of the store's clock on the bucket owes nothing: nothing in it counts, and nothing holds it. For lists.
    #[must_use]
    pub fn settled_from(&self) -> Timestamp {
        self.on_the_stores_clock(self.owing_until())
    }

    pub(super) fn owing_until(&self) -> u64 {
        let held_until = self.rare.as_ref().map_or(0, |rare| rare.held_until);
        self.ledger.free_at(self.quota.paces(), self.retention()).max(held_until)
    }

    fn on_the_stores_clock(&self, tick: u64) -> Timestamp {
        let Some((caller, store)) = self.rare.as_ref().and_then(|rare| rare.own_time) else {
            return Timestamp::from_micros(tick);
        };
        let ahead = tick.saturating_sub(caller);
        let patience = if ahead > 0 { Self::PATIENCE_WITH_OWN_TIME } else { 0 };
        Timestamp::from_micros(store.saturating_add(ahead).saturating_add(patience))
    }

    /// The quota of the last operation that brought one.
    #[must_use]
    pub fn quota(&self) -> &Quota {
        &self.quota
    }

    /// Takes the units if they fit, or says why they do not.
    #[inline]
    pub(crate) fn acquire(&mut self, quota: &Quota, clock: u64, weight: u64) -> Result<Verdict> {
        let now = self.enter(quota, clock)?;
        if weight > quota.capacity() {
            return Ok(Verdict::NeverFits { rate: quota.tightest() });
        }
        let held_until = self.rare.as_ref().map_or(0, |rare| rare.held_until);
        let blocked = self.ledger.blocked(quota.paces(), now, weight);
        if blocked.is_none() && held_until <= now {
            self.ledger.charge(quota.paces(), now, weight, self.keep());
            self.count(now, weight);
            let admission = Admission { tick: Timestamp::from_micros(now), weight, sequence: self.sequence };
            return Ok(Verdict::Admitted(admission));
        }
        Ok(Verdict::Denied(denial(blocked, held_until, clock)))
    }

    /// Decides on one unit where nothing is out of the ordinary. If something is, there is no answer, and the bucket is as
    /// it was: ask [`acquire`](Self::acquire). Without `EXPLAIN`, a denial may have no answer either.
    ///
    /// The quota's paces are taken before a lock, to be at hand when the lock is.
    #[inline(always)]
    pub(crate) fn acquire_one_plainly<const EXPLAIN: bool>(
        &mut self,
        quota: &Quota,
        paces: &[Pace],
        clock: u64,
    ) -> Option<Verdict> {
        if self.rare.is_some() || !self.quota.is(quota) {
            return None;
        }
        // Another thread may have read its clock a little later and come first.
        let now = clock.max(self.high_water);
        if now != clock && now - clock > quota.retention() {
            return None;
        }
        match self.ledger.charge_one::<EXPLAIN>(paces, now) {
            Short::Charged => {
                self.count(now, 1);
                let tick = Timestamp::from_micros(now);
                Some(Verdict::Admitted(Admission { tick, weight: 1, sequence: self.sequence }))
            }
            Short::Blocked(blocked) => Some(Verdict::Denied(Denial {
                now: Timestamp::from_micros(clock),
                retry_at: Timestamp::from_micros(blocked.until),
                rate: Some(blocked.rate),
                cause: Cause::Full,
            })),
            Short::Undecided => None,
        }
    }

    #[inline(always)]
    pub(super) fn count(&mut self, now: u64, weight: u64) {
        self.high_water = now;
        self.sequence = self.sequence.wrapping_add(weight);
    }

    pub(super) fn keep(&self) -> Keep {
        let units = self.quota.rates().iter().map(Rate::limit).max().unwrap_or_default();
        let others = self.rare.as_ref().map_or(0, |rare| rare.limit);
        Keep { retention: self.retention(), units: units.max(others) }
    }

    pub(super) fn retention(&self) -> u64 {
        retention(&self.quota, self.rare.as_deref())
    }

    #[inline(always)]
    pub(super) fn enter(&mut self, quota: &Quota, clock: u64) -> Result<u64> {
        if !self.quota.is(quota) && self.quota != *quota {
            // Before anything changes, and at the latest time that the bucket knows of.
            self.check_algorithm(quota, clock.max(self.high_water))?;
            let now = self.enter_time(clock);
            self.adopt(quota, now);
            return Ok(now);
        }
        Ok(self.enter_time(clock))
    }

    /// The bucket's time at this reading of the clock.
    #[inline(always)]
    pub(super) fn enter_time(&mut self, clock: u64) -> u64 {
        if clock < self.high_water { self.step_back(clock) } else { clock }
    }

    /// Whether the bucket's time is the store's, and goes on at this reading of its clock: then what is older than an operation
    /// looks at is of no matter to it.
    #[cfg(feature = "postgres")]
    pub(crate) fn goes_on_at(&self, clock: Timestamp) -> bool {
        let keeps_own_time = self.rare.as_ref().is_some_and(|rare| rare.own_time.is_some());
        !keeps_own_time && !self.is_far_back(clock.as_micros())
    }

    /// Whether the clock has stepped back so far that the bucket must follow it.
    pub(super) fn is_far_back(&self, clock: u64) -> bool {
        self.high_water.saturating_sub(clock) > self.retention()
    }

    #[cold]
    fn step_back(&mut self, clock: u64) -> u64 {
        let newest = self.high_water;
        if !self.is_far_back(clock) {
            return newest;
        }
        self.ledger.rebase(self.quota.paces(), newest, clock, self.retention());
        self.high_water = clock;
        self.since = self.since.min(clock);
        let floor = self.sequence;
        let rare = self.rare.get_or_insert_default();
        rare.held_until = rare.held_until.saturating_sub(newest - clock);
        rare.floor = floor;
        clock
    }

    /// A bucket that owes nothing may change its algorithm, any other may not.
    pub(super) fn check_algorithm(&self, quota: &Quota, now: u64) -> Result<()> {
        let owes = || self.ledger.free_at(self.quota.paces(), self.retention()) > now;
        if self.quota.algorithm() == quota.algorithm() || !owes() {
            return Ok(());
        }
        Err(mismatch(self.quota.algorithm(), quota.algorithm()))
    }

    #[inline(never)]
    pub(super) fn adopt(&mut self, quota: &Quota, now: u64) {
        let keep = self.keep();
        if self.quota.algorithm() == quota.algorithm() {
            self.ledger.adopt(self.quota.paces(), quota.paces(), now);
        } else {
            self.ledger = Ledger::new(quota);
        }
        self.quota = quota.clone();
        let own = self.keep();
        if keep.retention > own.retention || keep.units > own.units {
            let rare = self.rare.get_or_insert_default();
            (rare.retention, rare.limit) = (keep.retention, keep.units);
        }
    }
}
