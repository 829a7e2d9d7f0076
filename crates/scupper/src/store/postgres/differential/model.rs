//! The library's own decisions, as the function would answer them.

use std::collections::HashMap;

use crate::quota::Quota;
use crate::store::batch::Operation;
use crate::store::bucket::{BucketState, Kind, Numbers, numbers_of};
use crate::store::line::Line;
use crate::store::outcome::{Cause, Outcome, Reply, Verdict};
use crate::store::postgres::differential::asked::{Answer, Run, UNDECIDED};
use crate::time::Timestamp;

#[derive(Default)]
pub(super) struct Model {
    buckets: HashMap<String, BucketState>,
}

/// What is not below this, the function leaves undecided.
const FARTHEST: u64 = 1 << 61;

impl Model {
    pub(super) fn bucket(&self, key: &str) -> Option<&BucketState> {
        self.buckets.get(key)
    }

    /// In place of what was there.
    pub(super) fn put(&mut self, key: &str, bucket: BucketState) {
        self.buckets.insert(key.to_owned(), bucket);
    }

    /// Carries out any operation.
    pub(super) fn apply(&mut self, operation: &Operation<'_>, now: Timestamp) -> Outcome {
        let bucket = match (self.buckets.get_mut(operation.key), operation.quota()) {
            (Some(bucket), _) => bucket,
            (None, Some(quota)) => {
                self.buckets.entry(operation.key.to_owned()).or_insert_with(|| BucketState::new(quota, now))
            }
            (None, None) => return operation.without_bucket(),
        };
        bucket.apply(operation, now)
    }

    /// Carries out a run.
    pub(super) fn decide(&mut self, run: &Run<'_>, now: Timestamp) -> Vec<Answer> {
        let is_new = !self.buckets.contains_key(run.key);
        let mut line = Line::default();
        let mut answers = Vec::new();
        for entry in &run.entries {
            let operation = entry.operation(run);
            let mut answer = [1, 0, 0, 0, 0, 0, 0, 0];
            for _ in 0..entry.count {
                let outcome = line.pass(&operation, || self.apply(&operation, now));
                // Another algorithm than the bucket's.
                let Ok(reply) = outcome else { return vec![UNDECIDED; run.entries.len()] };
                if take(&mut answer, &reply) {
                    // So it is for each of those that follow.
                    break;
                }
            }
            answers.push(answer);
        }
        if is_new && answers.iter().all(|answer| answer[1] == 0) {
            self.buckets.remove(run.key);
        }
        answers
    }

    /// Whether the bucket has to be seen as a whole for this.
    pub(super) fn is_out_of_the_ordinary(&self, key: &str, quota: &Quota, now: Timestamp) -> bool {
        let Some(bucket) = self.bucket(key) else { return now.as_micros() >= FARTHEST };
        let Numbers { kind, head, .. } = bucket.to_numbers();
        let plain = Kind { algorithm: quota.algorithm(), has_own_time: false, rates: quota.rates().len(), others: 0 };
        let rates: Vec<u64> = quota.rates().iter().flat_map(numbers_of).collect();
        let (high_water, retention) = (head[4], quota.retention().max(head[1]));
        let lanes = if kind.has_lanes() { &head[kind.lane_at(0)..] } else { &[] };
        let numbers = [head[1], head[3], high_water, head[5], now.as_micros()];
        kind != plain
            || head[10..10 + rates.len()] != rates
            || high_water.saturating_sub(now.as_micros()) > retention
            || numbers.iter().chain(lanes).any(|number| *number >= FARTHEST)
    }
}

/// Adds a verdict to those of the same entry; says whether it is the last that is told.
fn take(answer: &mut Answer, reply: &Reply) -> bool {
    let Reply::Acquired(verdict) = reply else { panic!("an acquire is answered with {reply:?}") };
    match verdict {
        Verdict::Admitted(admission) => {
            answer[1] += 1;
            answer[2] = admission.tick.as_micros().cast_signed();
            answer[3] = admission.sequence.cast_signed();
            return false;
        }
        Verdict::Denied(denial) => {
            answer[4] = denial.now.as_micros().cast_signed();
            answer[5] = denial.retry_at.as_micros().cast_signed();
            answer[6] = denial.rate.map_or(-1, |rate| i64::try_from(rate).unwrap());
            answer[7] = match denial.cause {
                Cause::Full => 1,
                Cause::Queued => 2,
                Cause::Held => 3,
                Cause::Outage => panic!("no bucket says so"),
            };
        }
        Verdict::NeverFits { rate } => *answer = [2, 0, 0, 0, 0, 0, i64::try_from(*rate).unwrap(), 0],
    }
    true
}
