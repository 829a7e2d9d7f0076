//! Every operation on one bucket.

use std::time::Duration;

use crate::algorithm::{Ledger, Refund};
use crate::error::{Error, ErrorKind, Result};
use crate::quota::Quota;
use crate::rate::Rate;
use crate::store::batch::{Action, Operation};
use crate::store::bucket::state::BucketState;
use crate::store::outcome::{Admission, Reply, Snapshot, Usage};
use crate::time::{Timestamp, micros_ceil};

impl BucketState {
    /// The latest time that a caller may bring: 2^63 microseconds. After it, there would be no time for waits.
    pub const LATEST: Timestamp = Timestamp::from_micros(1 << 63);

    /// Carries out one operation on this bucket, at the operation's own time or else at `now`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for a weight or a number of units outside 1 to [`Rate::MAX_LIMIT`], or a time after
    /// [`LATEST`](Self::LATEST); [`ErrorKind::AlgorithmMismatch`] if the operation's quota is of another algorithm than the
    /// bucket, and the bucket owes anything; one that owes nothing takes the new algorithm; [`ErrorKind::Unsupported`] for a
    /// list, which is of a whole store.
    pub fn apply(&mut self, operation: &Operation<'_>, now: Timestamp) -> Result<Reply> {
        check(operation)?;
        let clock = operation.at.unwrap_or(now).as_micros();
        if operation.at.is_some() && self.sequence == 0 {
            // Not before what the bucket has seen: nothing can have been admitted earlier.
            self.since = clock.max(self.high_water);
        }
        let reply = match operation.action {
            Action::Acquire { quota, weight, .. } => Reply::Acquired(self.acquire(quota, clock, weight)?),
            Action::Peek { quota } => return self.peek(quota, clock).map(Reply::Peeked),
            Action::Refund(admission) => {
                // Who keeps time for itself need not say it to give back: the last time it said is as good.
                let own_time = self.rare.as_ref().and_then(|rare| rare.own_time).map(|(caller, _)| caller);
                let clock = operation.at.map(Timestamp::as_micros).or(own_time).unwrap_or(clock);
                Reply::Refunded(self.refund(clock, admission))
            }
            Action::Penalize { quota, units } => Reply::Penalized(self.penalize(quota, clock, units)?),
            Action::Reset => Reply::Reset(self.reset(clock)),
            Action::Hold { quota, duration } => Reply::Held(self.hold(quota, clock, duration)?),
            Action::List { .. } => {
                return Err(Error::new(ErrorKind::Unsupported, "one bucket cannot list the buckets of its store"));
            }
        };
        if let Some(at) = operation.at
            && reply.concerns_the_bucket()
        {
            self.rare.get_or_insert_default().own_time = Some((at.as_micros(), now.as_micros()));
        }
        Ok(reply)
    }

    fn peek(&self, quota: &Quota, clock: u64) -> Result<Snapshot> {
        if self.quota == *quota && !self.is_far_back(clock) {
            return Ok(self.snapshot(clock.max(self.high_water), clock));
        }
        // A look with other rates, or at another time, changes nothing for those who use the bucket.
        let mut other = self.clone();
        let now = other.enter(quota, clock)?;
        Ok(other.snapshot(now, clock))
    }

    fn snapshot(&self, now: u64, clock: u64) -> Snapshot {
        let usage = self.quota.paces().iter().enumerate().map(|(rate, pace)| {
            let (used, reset_at) = self.ledger.usage(rate, pace, now);
            Usage::new(pace.rate, used, Timestamp::from_micros(reset_at))
        });
        let held_until = self.rare.as_ref().map(|rare| rare.held_until).filter(|held_until| *held_until > now);
        Snapshot::new(Timestamp::from_micros(clock), held_until.map(Timestamp::from_micros), usage.collect())
    }

    fn refund(&mut self, clock: u64, admission: Admission) -> u64 {
        let now = clock.max(self.high_water);
        let later = self.sequence.wrapping_sub(admission.sequence);
        let floor = self.rare.as_ref().map_or(0, |rare| rare.floor);
        // Counted from the floor, so that a sequence which has wrapped is still in order.
        let is_above_floor =
            admission.sequence.wrapping_sub(floor) <= self.sequence.wrapping_sub(floor) && admission.sequence != floor;
        let tick = admission.tick.as_micros();
        // A clock that has stepped back far leaves no permit that could be told from another.
        if !is_above_floor || tick < self.since || tick > now || self.is_far_back(clock) {
            return 0;
        }
        let refund = Refund { tick, weight: admission.weight, later };
        let retention = self.retention();
        self.ledger.refund(self.quota.paces(), now, &refund, retention)
    }

    fn penalize(&mut self, quota: &Quota, clock: u64, units: u64) -> Result<Timestamp> {
        let now = self.enter(quota, clock)?;
        let keep = self.keep();
        self.ledger.charge(quota.paces(), now, units, keep);
        self.count(now, units);
        Ok(Timestamp::from_micros(now))
    }

    fn reset(&mut self, clock: u64) -> bool {
        let now = self.enter_time(clock);
        let owed = self.owing_until() > now;
        self.ledger = Ledger::new(&self.quota);
        self.high_water = now;
        let rare = self.rare.get_or_insert_default();
        rare.held_until = 0;
        rare.floor = self.sequence;
        owed
    }

    fn hold(&mut self, quota: &Quota, clock: u64, duration: Duration) -> Result<Timestamp> {
        let now = self.enter(quota, clock)?;
        self.high_water = now;
        let rare = self.rare.get_or_insert_default();
        rare.held_until = rare.held_until.max(now.saturating_add(micros_ceil(duration)));
        Ok(Timestamp::from_micros(rare.held_until))
    }
}

/// Whether the numbers of an operation are such that no sum of them leaves its range.
pub(crate) fn check(operation: &Operation<'_>) -> Result<()> {
    check_time(operation.at)?;
    match operation.action {
        Action::Acquire { weight: units, .. } | Action::Penalize { units, .. } => check_units(units),
        _ => Ok(()),
    }
}

#[inline]
pub(crate) fn check_units(units: u64) -> Result<()> {
    if (1..=Rate::MAX_LIMIT).contains(&units) { Ok(()) } else { Err(wrong_units(units)) }
}

#[inline]
pub(crate) fn check_time(at: Option<Timestamp>) -> Result<()> {
    match at {
        Some(at) if at > BucketState::LATEST => Err(too_late(at)),
        _ => Ok(()),
    }
}

#[cold]
fn wrong_units(units: u64) -> Error {
    let wrong = format!("the weight is {units}; it must be at least 1 and at most {}", Rate::MAX_LIMIT);
    Error::new(ErrorKind::InvalidRequest, wrong)
}

#[cold]
fn too_late(at: Timestamp) -> Error {
    let wrong = format!("the time is {at}; it must be at most {}", BucketState::LATEST);
    Error::new(ErrorKind::InvalidRequest, wrong)
}
