//! What is asked of a bucket besides admission, blocking and asynchronous callers alike.

use std::time::Duration;

use crate::error::Result;
use crate::limiter::answer::{Answer, Effect, only};
use crate::limiter::core::{Core, Demand};
use crate::permit::Permit;
use crate::quota::Quota;
use crate::route::Routed;
use crate::store::{Action, Batch, Cursor, Operation, Outcomes, Page, Reply, Snapshot, check_units, unexpected};
use crate::time::Timestamp;

/// Reads the one reply of a batch, which a store that keeps the contract answers in this form.
macro_rules! read {
    ($reply:path) => {
        |outcomes| match only(outcomes)? {
            $reply(answer) => Ok(answer),
            other => Err(unexpected(&format!("{other:?}"))),
        }
    };
}

/// What limiters and handles ask alike, of a bucket that was routed.
impl Core {
    pub(super) fn look(&self, bucket: &Routed<'_>) -> Answer<Snapshot> {
        self.carry_out(
            &Operation::new(&bucket.key, Action::Peek { quota: &bucket.quota }),
            Effect::None,
            read!(Reply::Peeked),
        )
    }

    /// A look at the bucket that a request goes to.
    pub(super) fn look_at(&self, demand: &Demand<'_>) -> Answer<Snapshot> {
        let look = Operation { at: demand.at, ..Operation::new(&demand.key, Action::Peek { quota: &demand.quota }) };
        self.carry_out(&look, Effect::None, read!(Reply::Peeked))
    }

    pub(super) fn give_back(&self, permit: &Permit<'_>) -> Answer<u64> {
        let (key, effect) = (permit.key(), Effect::Released);
        let afterwards = || effect.tell_afterwards(&self.room, key);
        let refund = self.store.refund(key, permit.admission(), permit.source(), afterwards);
        Answer::new(refund, read!(Reply::Refunded), &self.room, (key, effect))
    }

    pub(super) fn charge(&self, bucket: &Routed<'_>, units: u64) -> Result<Answer<Timestamp>> {
        check_units(units)?;
        let penalty = Action::Penalize { quota: &bucket.quota, units };
        Ok(self.carry_out(&Operation::new(&bucket.key, penalty), Effect::Changed, read!(Reply::Penalized)))
    }

    pub(super) fn hold_back(&self, bucket: &Routed<'_>, duration: Duration) -> Answer<Timestamp> {
        self.store.hold_fallback(&bucket.key, duration);
        let hold = Action::Hold { quota: &bucket.quota, duration };
        self.carry_out(&Operation::new(&bucket.key, hold), Effect::Changed, read!(Reply::Held))
    }

    pub(super) fn forget(&self, bucket: &Routed<'_>) -> Answer<bool> {
        self.carry_out(&Operation::new(&bucket.key, Action::Reset), Effect::Released, read!(Reply::Reset))
    }

    pub(super) fn page(&self, prefix: &str, after: Option<&Cursor>, most: usize) -> Answer<Page> {
        let list = Operation::new(prefix, Action::List { after, most: most.max(1) });
        self.carry_out(&list, Effect::None, read!(Reply::Listed))
    }

    /// Counts so many units for what was admitted, in place of its weight; nothing where it was counted nowhere.
    pub(super) fn settle(&self, permit: &Permit<'_>, quota: &Quota, units: u64) -> Option<Answer<()>> {
        let (key, admission) = (permit.key(), permit.admission());
        let effect = if units < admission.weight { Effect::Released } else { Effect::Changed };
        let afterwards = || effect.tell_afterwards(&self.room, key);
        let submission = self.store.settle((key, admission, permit.source()), quota, units, afterwards)?;
        Some(Answer::new(submission, settled, &self.room, (key, effect)))
    }

    fn carry_out<T>(&self, operation: &Operation<'_>, effect: Effect, read: fn(Outcomes) -> Result<T>) -> Answer<T> {
        let afterwards = || effect.tell_afterwards(&self.room, operation.key);
        let submission = self.store.submit(Batch::from(operation), afterwards);
        Answer::new(submission, read, &self.room, (operation.key, effect))
    }
}

fn settled(outcomes: Outcomes) -> Result<()> {
    match only(outcomes)? {
        Reply::Refunded(_) | Reply::Penalized(_) => Ok(()),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}
