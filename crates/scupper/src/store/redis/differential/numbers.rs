//! Where numbers end.

use crate::quota::{Algorithm, Quota};
use crate::rate::Rate;
use crate::store::batch::{Action, Operation, Standing};
use crate::store::outcome::{Admission, Reply, Verdict};
use crate::store::redis::differential::comparison::{Comparison, KEY, Way};
use crate::store::redis::encode::HALF;

/// Doubles are exact up to here.
const END: u64 = 1 << 53;

/// When thousands of the largest penalties at 5,000 are gone, and the bucket is not.
const LATER: u64 = 500_000;

fn largest() -> impl Iterator<Item = Quota> {
    Algorithm::ALL.into_iter().map(|algorithm| Quota::new(algorithm, "1000000000000/100us").unwrap())
}

#[test]
fn the_sequence_goes_on_where_its_first_number_is_full() {
    let mut comparison = Comparison::new();
    for quota in largest() {
        for way in [Way::Plain, Way::Looking] {
            comparison.begin();
            comparison.penalize(5_000, &quota, HALF - 4);
            let given: Vec<_> = [(0, 1), (0, 2), (1, 3), (2, 1), (2, 2), (3, 3)]
                .into_iter()
                .filter_map(|(tick, weight)| comparison.acquire(LATER + tick, &quota, weight, way))
                .collect();
            assert_eq!(given[2].sequence, HALF + 2);
            for admission in given.into_iter().rev() {
                comparison.ask(LATER + 3, Action::Refund(admission));
                comparison.ask(LATER + 3, Action::Peek { quota: &quota });
            }
        }
    }
    assert!(comparison.server.short > 12, "only {} were decided by the short way", comparison.server.short);
}

#[test]
fn many_acquires_that_are_alike_go_past_it_together() {
    let mut comparison = Comparison::new();
    for quota in largest() {
        for left in [1, 3, 6, 7] {
            for look in [None, Some(Operation::new(KEY, Action::Peek { quota: &quota }))] {
                comparison.begin();
                comparison.penalize(5_000, &quota, HALF - left);
                let mut operations = vec![Operation::acquire(KEY, &quota, 2); 3];
                operations.extend(look);
                let outcomes = comparison.submit(LATER, &operations).unwrap();
                let Ok(Reply::Acquired(Verdict::Admitted(last))) = &outcomes[2] else { panic!("{outcomes:?}") };
                assert_eq!(last.sequence, HALF - left + 6);
                comparison.acquire(LATER + 1, &quota, 1, Way::Plain);
            }
        }
    }
}

#[test]
fn permits_are_told_apart_beyond_it() {
    let mut comparison = Comparison::new();
    for quota in largest() {
        for before in [HALF - 2, HALF - 1, HALF, 3 * HALF - 1] {
            comparison.begin();
            comparison.penalize(5_000, &quota, before);
            let given: Vec<_> = (0..4).filter_map(|_| comparison.acquire(LATER, &quota, 1, Way::Plain)).collect();
            for (place, admission) in given.iter().enumerate() {
                if place == 2 {
                    comparison.ask(LATER, Action::Reset);
                    comparison.acquire(LATER, &quota, 1, Way::Plain);
                }
                for sequence in [admission.sequence - 1, admission.sequence + 4, admission.sequence] {
                    comparison.ask(LATER, Action::Refund(Admission { sequence, ..*admission }));
                }
            }
        }
    }
}

/// The last permit is given back at once, whatever its number is.
#[test]
fn the_last_permit_is_known_at_the_edge() {
    let mut comparison = Comparison::new();
    for quota in largest() {
        for way in [Way::Plain, Way::Looking] {
            comparison.begin();
            comparison.penalize(5_000, &quota, HALF - 4);
            for tick in LATER..LATER + 8 {
                let permit = comparison.acquire(tick, &quota, 1, way).unwrap();
                let next = Admission { sequence: permit.sequence + 1, ..permit };
                comparison.ask(tick, Action::Refund(next));
                assert_eq!(comparison.ask(tick, Action::Refund(permit)), Reply::Refunded(1));
            }
        }
    }
}

/// A bucket that was reset is kept for as long as a permit from before could be taken for one from after.
#[test]
fn a_reset_is_remembered_at_the_edge() {
    let mut comparison = Comparison::new();
    for algorithm in Algorithm::ALL {
        let quota = Quota::new(algorithm, "1000000000000/10s").unwrap();
        comparison.begin();
        comparison.penalize(5_000, &quota, HALF);
        comparison.ask(5_000, Action::Reset);
        comparison.acquire(2_005_000, &quota, 1, Way::Plain);
        comparison.ask(4_005_000, Action::Reset);
    }
}

/// The totals of a log begin anew before they are too large.
#[test]
fn promise_1_a_log_counts_beyond_what_its_totals_can_hold() {
    let mut comparison = Comparison::new();
    let quota = Quota::new(Algorithm::SlidingWindowLog, "1000000000000/100us").unwrap();
    for left in 0..4 {
        for weight in 1..4 {
            for way in [Way::Plain, Way::Looking] {
                comparison.begin();
                comparison.penalize(1_000, &quota, 4_000 * Rate::MAX_LIMIT);
                comparison.penalize(1_060, &quota, 4_000 * Rate::MAX_LIMIT);
                comparison.penalize(1_120, &quota, END - 8_000 * Rate::MAX_LIMIT - 1 - left);
                comparison.penalize(1_125, &quota, 1);
                // What came at 1,125 is still there.
                assert!(comparison.acquire(1_221, &quota, weight, way).is_some());
                for tick in [1_221, 1_222, 1_225, 1_226, 1_321, 1_322] {
                    comparison.acquire(tick, &quota, Rate::MAX_LIMIT - weight - 1, way);
                    comparison.ask(tick, Action::Peek { quota: &quota });
                }
            }
        }
    }
}

#[test]
fn promise_1_a_long_log_counts_beyond_what_its_totals_can_hold() {
    let mut comparison = Comparison::new();
    let quota = Quota::new(Algorithm::SlidingWindowLog, "1000000000000/100us").unwrap();
    for left in [1, 50] {
        for heavy in [1, 2, Rate::MAX_LIMIT - 100] {
            comparison.begin();
            comparison.penalize(940, &quota, 4_500 * Rate::MAX_LIMIT);
            comparison.penalize(1_000, &quota, END - 4_500 * Rate::MAX_LIMIT - 150 - left);
            (1_001..1_110).for_each(|tick| comparison.penalize(tick, &quota, 1));
            for tick in 1_110..1_400 {
                comparison.acquire(tick, &quota, heavy, Way::Plain);
                comparison.acquire(tick, &quota, 1, Way::Plain);
                comparison.acquire(tick, &quota, Rate::MAX_LIMIT - 50, Way::Looking);
            }
        }
    }
}

/// Products next to 2^53, which a double cannot tell from the number after it.
#[test]
fn promise_9_no_product_is_rounded() {
    let mut comparison = Comparison::new();
    // 2^53 + 1 is 321 times the first interval, 2^53 - 1 is 441,650,591 times the second, 2^53 is 8,192 times the third.
    for (interval, limits, weights) in [
        (28_059_810_762_433_u64, vec![1_024, 1_000, 512, 321], 320..323),
        (20_394_401, vec![1 << 30, 441_650_592], 441_650_590..441_650_593),
        (1 << 40, vec![8_193, 10_000], 8_191..8_194),
    ] {
        for limit in limits {
            let rate = format!("{limit}/{interval}us+{}", weights.end.max(limit));
            let quota = Quota::new(Algorithm::Gcra, rate.as_str()).unwrap();
            for weight in weights.clone() {
                comparison.begin();
                comparison.ask(1_000, Action::Penalize { quota: &quota, units: weight });
                comparison.ask(1_000, Action::Peek { quota: &quota });
                comparison.acquire(1_001, &quota, 1, Way::Plain);
                comparison.ask(1_001, Action::Peek { quota: &quota });
            }
        }
    }
}

#[test]
fn promise_4_the_largest_rates_are_exact() {
    let mut comparison = Comparison::new();
    let (most, longest) = (Rate::MAX_LIMIT, u64::try_from(Rate::MAX_INTERVAL.as_micros()).unwrap());
    for algorithm in Algorithm::ALL {
        for (limit, weights) in [(most, [1, 7, 123_456_789_011]), (most - 1, [2, 999_999_937, 3]), (3, [1, 1, 1])] {
            let quota = Quota::new(algorithm, Rate::new(limit, Rate::MAX_INTERVAL).unwrap()).unwrap();
            for way in [Way::Plain, Way::Looking] {
                comparison.begin();
                let start = 5 * longest + 17;
                comparison.ask(start, Action::Penalize { quota: &quota, units: 1 });
                for (tick, weight) in (start..).zip(weights) {
                    comparison.acquire(tick, &quota, weight, way);
                }
                comparison.ask(start + 5, Action::Peek { quota: &quota });
                // All of it has room at the tick that is said, and not before.
                let all = Action::Acquire { quota: &quota, weight: limit, standing: Standing::Alone };
                let Reply::Acquired(Verdict::Denied(denial)) = comparison.ask(start + 6, all) else { panic!("in use") };
                let retry_at = denial.retry_at.as_micros();
                assert!(comparison.acquire(retry_at - 1, &quota, limit, way).is_none());
                assert!(comparison.acquire(retry_at, &quota, limit, way).is_some());
            }
        }
    }
}

/// What came later under one list would take longer than all time to drain under the other.
#[test]
fn what_takes_longer_than_time_to_drain_leaves_nothing_to_give_back() {
    let mut comparison = Comparison::new();
    let [fast, slow] = ["1000000000000/us", "2/100d"].map(|rates| Quota::new(Algorithm::Gcra, rates).unwrap());
    let permit = comparison.acquire(1_000, &fast, 1, Way::Plain).unwrap();
    comparison.penalize(1_000, &fast, Rate::MAX_LIMIT);
    for later in [0, 1] {
        comparison.acquire(1_000 + later, &slow, 1, Way::Plain);
        comparison.ask(1_000 + later, Action::Refund(permit));
        comparison.ask(1_000 + later, Action::Peek { quota: &slow });
    }
}
