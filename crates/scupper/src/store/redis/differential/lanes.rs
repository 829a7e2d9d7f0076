//! Lanes of rates that others asked for.

use std::time::Duration;

use crate::quota::{Algorithm, Quota};
use crate::rate::Rate;
use crate::store::batch::Action;
use crate::store::redis::differential::comparison::{Comparison, Way};

const HOUR: u64 = 3_600_000_000;

/// More rates than are remembered: those that are settled first are forgotten first, and of equals those that came last.
#[test]
fn promise_7_of_rates_without_end_the_longest_are_remembered() {
    let mut comparison = Comparison::new();
    let quota = |algorithm, limit: u64, hours: u64| {
        Quota::new(algorithm, Rate::new(limit, Duration::from_hours(hours)).unwrap()).unwrap()
    };
    for algorithm in [Algorithm::Gcra, Algorithm::FixedWindow] {
        // With GCRA, a unit of each is drained at the same time.
        for is_alike in [false, true] {
            comparison.begin();
            let mut clock = 1_000 * HOUR;
            for hours in 1..72 {
                let limit = if is_alike { hours } else { 3 };
                comparison.acquire(clock, &quota(algorithm, limit, hours), 1, Way::Plain);
                clock += u64::from(!is_alike);
            }
            for hours in (1..72).rev() {
                let limit = if is_alike { hours } else { 3 };
                comparison.ask(clock, Action::Peek { quota: &quota(algorithm, limit, hours) });
            }
            for hours in [1, 2, 7, 8, 9, 70, 71] {
                let limit = if is_alike { hours } else { 3 };
                comparison.acquire(clock + hours * HOUR / 2, &quota(algorithm, limit, hours), 1, Way::Plain);
            }
        }
    }
}

/// A rate of the same interval goes on with what is in use, whatever its limit was.
#[test]
fn a_rate_of_a_known_interval_begins_with_what_is_in_use() {
    let mut comparison = Comparison::new();
    for algorithm in Algorithm::ALL {
        let quotas: Vec<Quota> = ["10/s, 30/min", "7/s", "5/500ms, 7/s, 20/min", "30/min", "10/s, 31/min"]
            .iter()
            .map(|rates| Quota::new(algorithm, *rates).unwrap())
            .collect();
        for start in [0, 60_000_000 * 7] {
            comparison.begin();
            for step in 0..200_u64 {
                let quota = &quotas[usize::try_from(step * step / 3 % 5).unwrap()];
                let clock = start + step * 70_001;
                comparison.acquire(clock, quota, 1 + step % 3, Way::Plain);
                comparison.ask(clock, Action::Peek { quota: &quotas[usize::try_from(step % 5).unwrap()] });
            }
        }
    }
}
