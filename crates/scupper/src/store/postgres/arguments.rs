use tokio_postgres::types::ToSql;

use crate::quota::Quota;
use crate::store::batch::Standing;
use crate::store::bucket::{Kind, numbers_of};
use crate::store::postgres::call::Call;
use crate::store::postgres::id::Id;
use crate::store::postgres::job::Job;

/// What the function takes.
#[derive(Debug, Default)]
pub(super) struct Arguments<'a> {
    ids: Vec<Id>,
    keys: Vec<&'a [u8]>,
    /// Where the quota of each key begins, counted from 1.
    quota_of: Vec<i32>,
    quotas: Vec<i64>,
    /// The key of each entry, counted from 1.
    key_of: Vec<i32>,
    weights: Vec<i64>,
    counts: Vec<i32>,
    standings: Vec<i32>,
    may_wait: bool,
}

impl<'a> Arguments<'a> {
    pub(super) fn of(call: &'a Call, may_wait: bool) -> Self {
        let mut arguments = Self { may_wait, ..Self::default() };
        let mut known: Vec<(&Quota, i32)> = Vec::new();
        for (id, group) in &call.0 {
            arguments.ids.push(*id);
            arguments.keys.push(group.jobs.first().map_or("", Job::key).as_bytes());
            let quota = &group.quota;
            // Most often it is the one that was spoken of last, and there is but one.
            let place = known.iter().rev().find(|(other, _)| other.is(quota) || *other == quota).map(|known| known.1);
            let place = place.unwrap_or_else(|| {
                let place = int(arguments.quotas.len() + 1);
                arguments.quotas.extend(numbers(quota));
                known.push((quota, place));
                place
            });
            arguments.quota_of.push(place);
            for entry in &group.entries {
                arguments.key_of.push(int(arguments.ids.len()));
                arguments.weights.push(bigint(entry.weight));
                arguments.counts.push(i32::try_from(entry.count).unwrap_or(i32::MAX));
                arguments.standings.push(match entry.standing {
                    Standing::Alone => 0,
                    Standing::Passing => 1,
                    Standing::Waiting => 2,
                });
            }
        }
        arguments
    }

    pub(super) fn parameters(&self) -> [&(dyn ToSql + Sync); 9] {
        [
            &self.ids,
            &self.keys,
            &self.quota_of,
            &self.quotas,
            &self.key_of,
            &self.weights,
            &self.counts,
            &self.standings,
            &self.may_wait,
        ]
    }
}

/// How many numbers there are, and the first ones of a plain bucket's head: kind, and limit, interval and burst of each rate.
pub(super) fn numbers(quota: &Quota) -> Vec<i64> {
    let rates = quota.rates().len();
    let kind = Kind { algorithm: quota.algorithm(), has_own_time: false, rates, others: 0 };
    let numbers = quota.rates().iter().flat_map(numbers_of);
    let numbers: Vec<i64> = [kind.to_number()].into_iter().chain(numbers).map(bigint).collect();
    let count = i64::try_from(numbers.len()).unwrap_or(i64::MAX);
    [vec![count], numbers].concat()
}

/// No call has more of anything.
fn int(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Bit by bit.
pub(super) const fn bigint(number: u64) -> i64 {
    number.cast_signed()
}
