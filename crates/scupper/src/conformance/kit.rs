//! Short words for what every check says.

use std::time::Duration;

use crate::quota::{Algorithm, Quota};
use crate::rates::Rates;
use crate::store::{Action, Admission, Denial, Operation, Outcome, Reply, Standing, Verdict};
use crate::time::Timestamp;

/// A quota from its text.
#[track_caller]
pub(super) fn quota(algorithm: Algorithm, rates: &str) -> Quota {
    Quota::new(algorithm, rates.parse::<Rates>().unwrap()).unwrap()
}

pub(super) fn log(rates: &str) -> Quota {
    quota(Algorithm::SlidingWindowLog, rates)
}

/// The same rates under every algorithm.
pub(super) fn under_each(rates: &str) -> impl Iterator<Item = Quota> + Clone {
    Algorithm::ALL.into_iter().map(move |algorithm| quota(algorithm, rates))
}

pub(super) const fn tick(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap()
}

/// An acquire at the caller's time.
pub(super) fn take<'a>(key: &'a str, quota: &'a Quota, weight: u64, at: u64) -> Operation<'a> {
    Operation::acquire(key, quota, weight).at(tick(at))
}

/// An acquire that keeps its place in line.
pub(super) fn in_line<'a>(key: &'a str, quota: &'a Quota, weight: u64) -> Operation<'a> {
    standing(Standing::Waiting, key, quota, weight)
}

pub(super) fn standing<'a>(standing: Standing, key: &'a str, quota: &'a Quota, weight: u64) -> Operation<'a> {
    Operation::new(key, Action::Acquire { quota, weight, standing })
}

pub(super) fn verdict(outcome: &Outcome) -> Verdict {
    match outcome {
        Ok(Reply::Acquired(verdict)) => *verdict,
        other => panic!("{other:?} is no answer to an acquire"),
    }
}

#[track_caller]
pub(super) fn admitted(verdict: Verdict) -> Admission {
    match verdict {
        Verdict::Admitted(admission) => admission,
        other => panic!("not admitted: {other:?}"),
    }
}

#[track_caller]
pub(super) fn denied(verdict: Verdict) -> Denial {
    match verdict {
        Verdict::Denied(denial) => denial,
        other => panic!("not denied: {other:?}"),
    }
}
