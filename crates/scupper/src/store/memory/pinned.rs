use crate::error::Result;
use crate::quota::Quota;
use crate::store::bucket::BucketState;
use crate::store::memory::clock::Clock;
use crate::store::outcome::{Admission, Cause, Denial, Verdict};
use crate::sync::{AtomicU64, DecisionLock, IN_TURNS, Ordering};
use crate::time::Timestamp;

/// A bucket that lives apart from its shard because someone holds a handle to it, and apart from all else in memory: what
/// threads share by accident costs them as much as what they share on purpose.
#[derive(Debug)]
#[repr(C, align(128))]
pub(super) struct Pinned {
    state: DecisionLock<BucketState, IN_TURNS>,
    full: FullUntil,
    quota: Quota,
    clock: Clock,
}

impl Pinned {
    pub(super) fn new(state: BucketState, quota: &Quota, clock: &Clock) -> Self {
        Self { state: DecisionLock::new(state), full: FullUntil::default(), quota: quota.clone(), clock: clock.clone() }
    }

    /// Works on the state under its lock; what is known about denials without looking is forgotten.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut BucketState, Timestamp) -> T) -> T {
        let mut state = self.state.lock();
        self.full.forget();
        work(&mut state, self.clock.now())
    }

    /// The state, for its slot: nobody holds a handle any more.
    pub(super) fn take(&mut self) -> BucketState {
        self.state.get_mut().clone()
    }

    pub(super) fn settled_from(&self) -> Timestamp {
        self.state.lock().settled_from()
    }

    /// Takes one unit if that is all there is to do; if not, ask [`acquire`](Self::acquire).
    #[inline(always)]
    pub(super) fn admit_one(&self, quota: &Quota) -> Option<Admission> {
        match self.admit_one_plainly(quota) {
            Plain { tick: 0, .. } => None,
            Plain { tick, sequence } => Some(Admission { tick: Timestamp::from_micros(tick), weight: 1, sequence }),
        }
    }

    /// The usual case alone. It calls nothing and answers in two registers: on this path, saving registers and passing the
    /// answer through memory would cost as much as the decision.
    #[inline(never)]
    fn admit_one_plainly(&self, quota: &Quota) -> Plain {
        if self.full.is_known() {
            return Plain::default();
        }
        // Read before the lock, so that the lock is held for the arithmetic alone. The bucket's time does not step back.
        let (paces, Some(now)) = (quota.paces(), self.clock.glance()) else { return Plain::default() };
        let Some(mut state) = self.state.try_lock() else { return Plain::default() };
        match state.acquire_one_plainly::<false>(quota, paces, now.as_micros()) {
            Some(Verdict::Admitted(admission)) => {
                Plain { tick: admission.tick.as_micros(), sequence: admission.sequence }
            }
            _ => Plain::default(),
        }
    }

    /// What is known without the lock: that one unit does not fit yet.
    #[inline(always)]
    pub(super) fn known_denial(&self, quota: &Quota) -> Option<Denial> {
        let may_be = self.full.is_known() && quota.is(&self.quota);
        if may_be { self.full.denial(self.clock.now(), quota) } else { None }
    }

    pub(super) fn acquire(&self, quota: &Quota, weight: u64) -> Result<Verdict> {
        let is_usual = weight == 1 && quota.is(&self.quota);
        if is_usual && let Some(denial) = self.known_denial(quota) {
            return Ok(Verdict::Denied(denial));
        }
        let mut state = self.state.lock();
        // Read under the lock: an earlier reading that others have overtaken would look like a clock that stepped back.
        let now = self.clock.now();
        let verdict = state.acquire(quota, now.as_micros(), weight)?;
        match &verdict {
            Verdict::Denied(denial) if is_usual => self.full.remember(denial),
            Verdict::Admitted(_) => self.full.forget(),
            _ => {}
        }
        Ok(verdict)
    }
}

/// An admission; at tick zero there was none, or none without a closer look.
#[derive(Clone, Copy, Debug, Default)]
struct Plain {
    tick: u64,
    sequence: u64,
}

/// Until when one unit does not fit, known without the lock: a flood on a full bucket is answered by reading alone.
///
/// It is written under the lock, and forgotten by whatever could make it untrue.
#[derive(Debug, Default)]
struct FullUntil(AtomicU64);

impl FullUntil {
    const RATE_BITS: u32 = 5;
    const RATE_MASK: u64 = (1 << Self::RATE_BITS) - 1;

    fn remember(&self, denial: &Denial) {
        if let (Cause::Full, Some(rate)) = (denial.cause, denial.rate)
            && let (until, rate) = (denial.retry_at.as_micros(), rate as u64)
            && until >> (u64::BITS - Self::RATE_BITS) == 0
            && rate <= Self::RATE_MASK
        {
            self.0.store(until << Self::RATE_BITS | rate, Ordering::Release);
        }
    }

    #[inline]
    fn forget(&self) {
        if self.0.load(Ordering::Relaxed) != 0 {
            self.0.store(0, Ordering::Release);
        }
    }

    #[inline(always)]
    fn is_known(&self) -> bool {
        self.0.load(Ordering::Acquire) != 0
    }

    #[inline]
    fn denial(&self, now: Timestamp, quota: &Quota) -> Option<Denial> {
        let known = self.0.load(Ordering::Acquire);
        let until = known >> Self::RATE_BITS;
        // Further ahead than an interval, the clock has stepped back so far that the bucket must see it.
        let is_denied = until > now.as_micros() && until - now.as_micros() <= quota.retention();
        is_denied.then(|| Denial {
            now,
            retry_at: Timestamp::from_micros(until),
            rate: Some((known & Self::RATE_MASK) as usize),
            cause: Cause::Full,
        })
    }
}
