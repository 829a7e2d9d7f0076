//! Every operation on one bucket.

use std::time::Duration;

use crate::algorithm::{Ledger, Refund};
use crate::error::{Error, ErrorKind, Result};
use crate::quota::Quota;
use crate::store::batch::{Action, Operation};
use crate::store::bucket::state::BucketState;
use crate::store::outcome::{Admission, Reply, Snapshot, Usage};
use crate::time::{Timestamp, micros_ceil};

impl BucketState {
    /// Carries out one operation on this bucket, at the operation's own time or else at `now`.
    ///
    /// # Errors
    /// [`ErrorKind::AlgorithmMismatch`] if the operation's quota is of another algorithm than the bucket;
    /// [`ErrorKind::Unsupported`] for a list, which is no matter of one bucket.
    pub fn apply(&mut self, operation: &Operation<'_>, now: Timestamp) -> Result<Reply> {
        let now = match operation.at {
            Some(at) => {
                let rare = self.rare.get_or_insert_default();
                rare.own_time = Some((at.as_micros(), now.as_micros()));
                at.as_micros()
            }
            None => now.as_micros(),
        };
        match operation.action {
            Action::Acquire { quota, weight, .. } => self.acquire(quota, now, weight).map(Reply::Acquired),
            Action::Peek { quota } => self.peek(quota, now).map(Reply::Peeked),
            Action::Refund(admission) => Ok(Reply::Refunded(self.refund(now, admission))),
            Action::Penalize { quota, units } => self.penalize(quota, now, units).map(Reply::Penalized),
            Action::Reset => Ok(Reply::Reset(self.reset(now))),
            Action::Hold { quota, duration } => self.hold(quota, now, duration).map(Reply::Held),
            Action::List { .. } => {
                Err(Error::new(ErrorKind::Unsupported, "one bucket cannot list the buckets of its store"))
            }
        }
    }

    fn peek(&mut self, quota: &Quota, clock: u64) -> Result<Snapshot> {
        let now = self.enter_time(clock);
        if self.quota != *quota {
            // A look with other rates changes nothing for those who use the bucket.
            let mut other = self.clone();
            other.adopt(quota, now)?;
            return Ok(other.snapshot(now, clock));
        }
        Ok(self.snapshot(now, clock))
    }

    fn snapshot(&self, now: u64, clock: u64) -> Snapshot {
        let usage = self.quota.paces().iter().enumerate().map(|(rate, pace)| {
            let (used, reset_at) = self.ledger.usage(rate, pace, now);
            Usage {
                rate: pace.rate,
                used,
                remaining: pace.rate.burst().saturating_sub(used),
                reset_at: Timestamp::from_micros(reset_at),
            }
        });
        let held_until = self.rare.as_ref().map(|rare| rare.held_until).filter(|held_until| *held_until > now);
        Snapshot {
            now: Timestamp::from_micros(clock),
            held_until: held_until.map(Timestamp::from_micros),
            usage: usage.collect(),
        }
    }

    fn refund(&mut self, clock: u64, admission: Admission) -> u64 {
        let now = self.enter_time(clock);
        let later = self.sequence.wrapping_sub(admission.sequence);
        let floor = self.rare.as_ref().map_or(0, |rare| rare.floor);
        // Counted from the floor, so that a sequence which has wrapped is still in order.
        let is_above_floor =
            admission.sequence.wrapping_sub(floor) <= self.sequence.wrapping_sub(floor) && admission.sequence != floor;
        let tick = admission.tick.as_micros();
        if !is_above_floor || tick < self.since || tick > now {
            return 0;
        }
        let refund = Refund { tick, weight: admission.weight, later };
        let retention = self.retention();
        self.ledger.refund(self.quota.paces(), now, &refund, retention)
    }

    fn penalize(&mut self, quota: &Quota, clock: u64, units: u64) -> Result<Timestamp> {
        let now = self.enter(quota, clock)?;
        let retention = self.retention();
        self.ledger.charge(quota.paces(), now, units, retention);
        self.count(now, units);
        Ok(Timestamp::from_micros(now))
    }

    fn reset(&mut self, clock: u64) -> bool {
        let now = self.enter_time(clock);
        let owed = self.ledger.free_at(self.quota.paces(), self.retention()) > now
            || self.rare.as_ref().is_some_and(|rare| rare.held_until > now);
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
