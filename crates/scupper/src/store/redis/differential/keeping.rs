//! What is kept, and for how long.

use std::time::Duration;

use crate::quota::{Algorithm, Quota};
use crate::store::batch::{Action, Operation, Standing};
use crate::store::outcome::Admission;
use crate::store::redis::differential::comparison::{Comparison, KEY};
use crate::time::Timestamp;

fn quotas(rates: &str) -> impl Iterator<Item = Quota> {
    Algorithm::ALL.into_iter().map(move |algorithm| Quota::new(algorithm, rates).unwrap())
}

#[test]
fn what_would_be_forgotten_at_once_is_not_kept() {
    let mut comparison = Comparison::new();
    for quota in quotas("2/s") {
        let operation = |action| Operation::new(KEY, action);
        let hold = |micros| operation(Action::Hold { quota: &quota, duration: Duration::from_micros(micros) });
        let given = Admission { tick: Timestamp::from_micros(1_000), weight: 1, sequence: 1 };
        let nothing = [
            vec![Operation::acquire(KEY, &quota, 3)],
            vec![operation(Action::Peek { quota: &quota })],
            vec![hold(0)],
            vec![hold(1), operation(Action::Reset)],
            vec![operation(Action::Reset)],
            vec![operation(Action::Refund(given))],
            vec![operation(Action::Peek { quota: &quota }).at(Timestamp::from_micros(5))],
            vec![Operation::acquire(KEY, &quota, 3).at(Timestamp::from_micros(5)), hold(0)],
        ];
        for operations in nothing {
            comparison.begin();
            comparison.submit(1_000, &operations).unwrap();
            assert!(!comparison.has(KEY, 1_000), "{operations:?}");
        }
        let something = [vec![hold(1)], vec![Operation::acquire(KEY, &quota, 1), operation(Action::Reset)]];
        for operations in something {
            comparison.begin();
            comparison.submit(1_000, &operations).unwrap();
            assert!(comparison.has(KEY, 1_000), "{operations:?}");
        }
    }
}

#[test]
fn a_list_has_what_owes_something_until_the_tick_at_which_it_does_not() {
    let mut comparison = Comparison::new();
    for quota in quotas("2/s") {
        for hold in [0, 5_000_000] {
            for own in [None, Some(Timestamp::from_micros(7_000_000))] {
                comparison.begin();
                let now = 9_000_000;
                assert!(!comparison.owes(now, KEY).unwrap());
                let duration = Duration::from_micros(hold);
                let operations =
                    [Operation::acquire(KEY, &quota, 1), Operation::new(KEY, Action::Hold { quota: &quota, duration })];
                comparison.submit(now, &operations.map(|operation| Operation { at: own, ..operation })).unwrap();
                let ticks = (0..=1_000_002).step_by(250_000).chain([500_001, 1_000_001, 1_000_002, hold]);
                for tick in ticks.flat_map(|tick| [tick.saturating_sub(1), tick, tick + 60_000_000]).chain([60_999_999])
                {
                    comparison.owes(now + tick, KEY).unwrap();
                }
            }
        }
    }
}

/// Who keeps the time may go slower than the server, or stand still.
#[test]
fn what_is_owed_at_a_time_of_ones_own_is_kept_a_while_longer() {
    let mut comparison = Comparison::new();
    for quota in quotas("2/s") {
        for later in [0, 1_000, 60_999_999, 61_000_000, 61_000_001, 61_999_999, 62_000_999, 62_001_001, 70_000_000] {
            comparison.begin();
            let acquire = Operation::acquire(KEY, &quota, 2).at(Timestamp::from_micros(7_000_000));
            comparison.submit(9_000_000, &[acquire]).unwrap();
            comparison.submit(9_000_000 + later, &[acquire]).unwrap();
        }
    }
}

/// A permit of an earlier bucket gives nothing back to one that began after it, by whatever time.
#[test]
fn a_bucket_takes_nothing_back_from_before_it_began() {
    let mut comparison = Comparison::new();
    let at = Timestamp::from_micros;
    for quota in quotas("5/10s") {
        let hold = Operation::new(KEY, Action::Hold { quota: &quota, duration: Duration::from_secs(1) });
        let peek = Operation::new(KEY, Action::Peek { quota: &quota });
        let penalize = Operation::new(KEY, Action::Penalize { quota: &quota, units: 1 });
        let behind = Action::Acquire { quota: &quota, weight: 1, standing: Standing::Waiting };
        let passing = Action::Acquire { quota: &quota, weight: 1, standing: Standing::Passing };
        let next = [behind, passing, Operation::acquire(KEY, &quota, 1).action].map(|action| {
            vec![Operation::new(KEY, behind).at(at(5_000_000)), Operation::new(KEY, action).at(at(5_000_050))]
        });
        for look in next.into_iter().chain([vec![peek.at(at(5_000_050))], vec![peek], vec![]]) {
            for tick in [5_000_000, 5_000_020, 5_000_049, 5_000_050, 5_000_051] {
                comparison.begin();
                comparison.submit(5_000_000, &[hold.at(at(5_000_000))]).unwrap();
                comparison.submit(5_000_001, &look).unwrap();
                comparison.submit(5_000_100, &[penalize]).unwrap();
                let permit = Admission { tick: at(tick), weight: 1, sequence: 1 };
                comparison.submit(5_000_101, &[Operation::new(KEY, Action::Refund(permit)), peek]).unwrap();
            }
        }
    }
}

/// At the beginning of time as at any other: who gives back at a time of their own says it.
#[test]
fn a_refund_at_the_beginning_of_time_is_one() {
    let mut comparison = Comparison::new();
    let at = Timestamp::from_micros;
    for quota in quotas("5/50us") {
        for (given_at, back_at) in [(100, Some(0)), (50, Some(0)), (51, Some(0)), (100, Some(1)), (100, None)] {
            comparison.begin();
            let acquire = Operation::acquire(KEY, &quota, 1).at(at(given_at));
            comparison.submit(9_000_000, &[acquire]).unwrap();
            let permit = Admission { tick: at(given_at), weight: 1, sequence: 1 };
            let refund = Operation { at: back_at.map(at), ..Operation::new(KEY, Action::Refund(permit)) };
            comparison.submit(9_000_001, &[refund]).unwrap();
        }
    }
}
