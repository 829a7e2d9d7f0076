//! The library's own decisions, on buckets that are kept as the store keeps them.

use std::collections::{HashMap, HashSet};

use crate::store::batch::Operation;
use crate::store::bucket::BucketState;
use crate::store::line::Line;
use crate::store::outcome::{Outcome, Reply, Usage, Verdict};
use crate::time::Timestamp;

#[derive(Default)]
pub(super) struct Model {
    buckets: HashMap<String, BucketState>,
    /// Whether a bucket has owed something for so long that a double cannot tell the time from the next: there, time has ended.
    pub(super) is_beyond_doubles: bool,
}

impl Model {
    pub(super) fn bucket(&self, key: &str) -> Option<&BucketState> {
        self.buckets.get(key)
    }

    pub(super) fn forget(&mut self, key: &str) {
        self.buckets.remove(key);
    }

    pub(super) fn carry_out(&mut self, operations: &[Operation<'_>], now: Timestamp) -> Vec<Outcome> {
        let (mut line, mut new) = (Line::default(), HashSet::new());
        let mut outcomes = Vec::with_capacity(operations.len());
        for operation in operations {
            if !self.buckets.contains_key(operation.key) {
                let Some(quota) = operation.quota() else {
                    outcomes.push(operation.without_bucket());
                    continue;
                };
                self.buckets.insert(operation.key.to_owned(), BucketState::new(quota, now));
                new.insert(operation.key);
            }
            let bucket = self.buckets.get_mut(operation.key).unwrap();
            outcomes.push(line.pass(operation, || bucket.apply(operation, now)));
            self.is_beyond_doubles |= is_beyond(operation.at.unwrap_or(now) + bucket.settled_from().since(now));
        }
        // What would be forgotten at once is not kept at all.
        self.buckets.retain(|key, bucket| !new.contains(key.as_str()) || bucket.idle_from() > now);
        outcomes
    }
}

pub(super) fn is_beyond(time: Timestamp) -> bool {
    time.as_micros() >= 1 << 53
}

/// Whether it names a time, or so many units, that a double cannot tell from the next.
pub(super) fn says_beyond_doubles(reply: &Reply) -> bool {
    let last = match reply {
        Reply::Acquired(Verdict::Denied(denial)) => denial.retry_at.as_micros(),
        Reply::Peeked(snapshot) => {
            let numbers = |usage: &Usage| usage.reset_at.as_micros().max(usage.used);
            snapshot.usage.iter().map(numbers).max().unwrap_or_default()
        }
        Reply::Held(until) => until.as_micros(),
        Reply::Refunded(units) => *units,
        _ => 0,
    };
    last >= 1 << 53
}
