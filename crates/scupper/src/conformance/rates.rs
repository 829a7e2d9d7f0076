//! Rates and algorithms that change under a bucket in use.

use std::time::Duration;

use crate::conformance::cases::{Trace, lists_of_one_log, traces};
use crate::conformance::kit::{admitted, denied, log, quota, take, tick, under_each};
use crate::conformance::property::for_all;
use crate::conformance::replay::Replay;
use crate::conformance::subject::Subject;
use crate::error::ErrorKind;
use crate::quota::{Algorithm, Quota};
use crate::store::{Action, Operation, Reply, Standing};

/// Several lists of rates on one log, in any order: each request is held to its own list, over all that anyone took.
pub fn promise_1_lists_that_alternate_on_one_log_see_all_that_was_taken(subject: &Subject) {
    for_all(&traces(lists_of_one_log()), |trace: &Trace| Replay::new(subject, trace, &subject.fresh_key()).run());
}

/// A change takes effect at once and forgets nothing: a stricter list counts what was admitted under a looser one.
pub fn a_change_of_rates_keeps_the_history(subject: &Subject) {
    for quota in under_each("5/s") {
        let key = subject.fresh_key();
        let under = |limit: u64| {
            let rate = crate::rate::Rate::per_second(limit).unwrap();
            Quota::new(quota.algorithm(), rate).unwrap()
        };
        admitted(subject.acquire(&take(&key, &quota, 3, 5_000_000)));
        for limit in [3, 2, 5, 8] {
            let usage = subject.look(&key, &under(limit), Some(tick(5_000_000))).usage[0];
            assert_eq!((usage.used, usage.remaining), (3, limit.saturating_sub(3)), "under {}", under(limit));
        }
        denied(subject.acquire(&take(&key, &under(3), 1, 5_000_000)));
        admitted(subject.acquire(&take(&key, &under(8), 5, 5_000_000)));
        denied(subject.acquire(&take(&key, &under(8), 1, 5_000_000)));
        denied(subject.acquire(&take(&key, &under(5), 1, 5_000_000)));
    }
}

/// A rate that both lists have goes on as it was; a new one beside it makes no room.
pub fn a_rate_that_stays_goes_on_as_it_was(subject: &Subject) {
    for one in under_each("5/s") {
        let two = quota(one.algorithm(), "5/s, 20/min");
        let key = subject.fresh_key();
        admitted(subject.acquire(&take(&key, &one, 2, 60_000_000)));
        admitted(subject.acquire(&take(&key, &two, 2, 60_000_000)));
        admitted(subject.acquire(&take(&key, &one, 1, 60_000_000)));
        for list in [&one, &two] {
            let denial = denied(subject.acquire(&take(&key, list, 1, 60_000_000)));
            assert_eq!(denial.rate, Some(0), "under {list}");
        }
        let used = subject.look(&key, &two, Some(tick(60_000_000))).usage[1].used;
        assert!((3..=5).contains(&used), "a longer rate counts at least from the change: {used} under {two}");
    }
}

/// A longer rate counts from the change at the latest, and from then on to its own end.
pub fn a_longer_rate_counts_from_the_change(subject: &Subject) {
    let (short, long) = (log("3/s"), log("3/s, 4/min"));
    let key = subject.fresh_key();
    admitted(subject.acquire(&take(&key, &short, 2, 0)));
    admitted(subject.acquire(&take(&key, &long, 1, 500_000)));
    admitted(subject.acquire(&take(&key, &long, 1, 1_500_001)));
    let denial = denied(subject.acquire(&take(&key, &long, 1, 1_500_001)));
    assert_eq!((denial.rate, denial.retry_at), (Some(1), tick(60_000_001)));
}

/// Two deployments, two lists, one log: what the short list admits is remembered for as long as the long list asks, as
/// soon as the long list has been used.
pub fn promise_7_the_longest_retention_that_any_list_declared_holds(subject: &Subject) {
    let (short, long) = (log("2/s"), log("2/s, 50/h"));
    let key = subject.fresh_key();
    admitted(subject.acquire(&take(&key, &long, 1, 0)));
    for step in 1..50 {
        admitted(subject.acquire(&take(&key, &short, 1, step * 2_000_000)));
    }
    let denial = denied(subject.acquire(&take(&key, &long, 1, 100_000_000)));
    assert_eq!((denial.rate, denial.retry_at), (Some(1), tick(3_600_000_001)));
    admitted(subject.acquire(&take(&key, &short, 1, 100_000_000)));
    assert_eq!(denied(subject.acquire(&take(&key, &long, 1, 3_600_000_001))).retry_at, tick(3_602_000_001));
}

/// A bucket that owes something keeps its algorithm; whoever brings another gets an error, and changes nothing.
pub fn another_algorithm_is_refused_while_the_bucket_owes(subject: &Subject) {
    for mine in under_each("3/s, 5/min") {
        let key = subject.fresh_key();
        let at = tick(61_000_000);
        admitted(subject.acquire(&take(&key, &mine, 2, 61_000_000)));
        let before = subject.look(&key, &mine, Some(at));
        for other in under_each("3/s, 5/min").filter(|other| *other != mine) {
            let actions = [
                Action::Acquire { quota: &other, weight: 1, standing: Standing::Alone },
                Action::Acquire { quota: &other, weight: 1, standing: Standing::Waiting },
                Action::Peek { quota: &other },
                Action::Penalize { quota: &other, units: 1 },
                Action::Hold { quota: &other, duration: Duration::from_secs(1) },
            ];
            for action in actions {
                let outcome = subject.submit(&[Operation::new(&key, action).at(at)]).remove(0);
                let error = outcome.expect_err("another algorithm is refused");
                assert_eq!(error.kind(), ErrorKind::AlgorithmMismatch, "{error}");
                let said = error.to_string();
                assert!(said.contains(&mine.algorithm().to_string()), "names the bucket's algorithm: {said}");
                assert!(!error.is_transient());
            }
            assert_eq!(subject.look(&key, &mine, Some(at)), before);
        }
    }
}

/// Once it owes nothing, after a reset or after a time of rest, a bucket takes any algorithm.
pub fn another_algorithm_is_welcome_once_the_bucket_owes_nothing(subject: &Subject) {
    for (mine, other) in under_each("3/s").zip(under_each("2/s").cycle().skip(1)) {
        let reset = subject.fresh_key();
        admitted(subject.acquire(&take(&reset, &mine, 3, 5_000_000)));
        assert_eq!(subject.reply(&Operation::new(&reset, Action::Reset).at(tick(5_000_001))), Reply::Reset(true));
        admitted(subject.acquire(&take(&reset, &other, 2, 5_000_002)));
        denied(subject.acquire(&take(&reset, &other, 1, 5_000_003)));
        let rested = subject.fresh_key();
        admitted(subject.acquire(&take(&rested, &mine, 3, 5_000_000)));
        admitted(subject.acquire(&take(&rested, &other, 2, 6_000_001)));
        denied(subject.acquire(&take(&rested, &other, 1, 6_000_002)));
    }
}

/// The same rates from another configuration are the same rates.
pub fn equal_quotas_are_one(subject: &Subject) {
    for first in under_each("3/s") {
        let key = subject.fresh_key();
        for units in 1..=3 {
            let again = quota(first.algorithm(), "3/1000ms");
            assert_eq!(admitted(subject.acquire(&take(&key, &again, 1, 5_000_000))).sequence, units);
        }
        denied(subject.acquire(&take(&key, &first, 1, 5_000_000)));
    }
    assert_eq!(log("3/s").algorithm(), Algorithm::SlidingWindowLog);
}
