//! Every outcome of random lives of buckets is the one that a naive model gives.

use crate::conformance::cases::{Trace, quotas, traces};
use crate::conformance::property::for_all;
use crate::conformance::replay::Replay;
use crate::conformance::subject::Subject;
use proptest::strategy::Strategy;

/// Acquire, peek, refund, penalize, reset and hold, one by one and in batches, under every algorithm and any list of rates,
/// with a clock that stands, moves, lands on edges and steps back: each outcome is the oracle's.
pub fn every_outcome_is_that_of_the_naive_model(subject: &Subject) {
    for_all(&traces(quotas().prop_map(|quota| vec![quota])), |trace: &Trace| {
        Replay::new(subject, trace, &subject.fresh_key()).run()
    });
}
