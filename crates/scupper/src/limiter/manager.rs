//! What is asked of a bucket besides admission, blocking and asynchronous callers alike.

use std::time::Duration;

use crate::decision::Permit;
use crate::error::Result;
use crate::limiter::answer::{Answer, only, unexpected};
use crate::limiter::core::{Core, check_weight};
use crate::route::Routed;
use crate::store::{Action, Cursor, Operation, Page, Reply, Snapshot};
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
        self.submit(&Operation::new(&bucket.key, Action::Peek { quota: &bucket.quota }), read!(Reply::Peeked))
    }

    pub(super) fn give_back(&self, permit: &Permit<'_>) -> Answer<u64> {
        self.submit(&Operation::new(permit.key(), Action::Refund(permit.admission())), read!(Reply::Refunded))
    }

    pub(super) fn charge(&self, bucket: &Routed<'_>, units: u64) -> Result<Answer<Timestamp>> {
        check_weight(units)?;
        let penalty = Action::Penalize { quota: &bucket.quota, units };
        Ok(self.submit(&Operation::new(&bucket.key, penalty), read!(Reply::Penalized)))
    }

    pub(super) fn hold_back(&self, bucket: &Routed<'_>, duration: Duration) -> Answer<Timestamp> {
        let hold = Action::Hold { quota: &bucket.quota, duration };
        self.submit(&Operation::new(&bucket.key, hold), read!(Reply::Held))
    }

    pub(super) fn forget(&self, bucket: &Routed<'_>) -> Answer<bool> {
        self.submit(&Operation::new(&bucket.key, Action::Reset), read!(Reply::Reset))
    }

    pub(super) fn page(&self, prefix: &str, after: Option<&Cursor>, most: usize) -> Answer<Page> {
        self.submit(&Operation::new(prefix, Action::List { after, most: most.max(1) }), read!(Reply::Listed))
    }
}
