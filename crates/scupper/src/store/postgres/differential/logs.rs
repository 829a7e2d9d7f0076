//! Logs that are longer than a row.

use crate::quota::{Algorithm, Quota};
use crate::store::batch::{Action, Operation, Standing};
use crate::store::postgres::differential::asked::{Entry, Run};
use crate::store::postgres::differential::comparison::{Comparison, KEY};
use crate::store::postgres::differential::layout::Layout;
use crate::time::Timestamp;

const NOW: u64 = 1_790_000_000_000_000;

fn log(rates: &str) -> Quota {
    Quota::new(Algorithm::SlidingWindowLog, rates).unwrap()
}

/// One event after another, at the pace at which they leave, through rings of every size.
#[test]
fn promise_7_a_ring_wraps_around_and_does_not_grow() {
    let mut comparison = Comparison::new();
    for limit in [1, 4, 15, 16, 17, 18, 31, 32, 33, 47, 64, 65, 80, 81, 100, 145, 257] {
        let quota = log(&format!("{limit}/{}us", 2 * limit));
        comparison.begin();
        for step in 0..(5 * limit).max(40) {
            let clock = NOW + 2 * step + step / (2 * limit);
            comparison.acquire(clock, &quota, 1);
            if step % 23 == 7 {
                // One that is too early.
                comparison.acquire(clock, &quota, 1);
            }
        }
        let rows = comparison.server.rows(KEY).unwrap();
        let events = rows.recent.len() as u64 + rows.chunks.iter().map(|chunk| chunk.events.len() as u64).sum::<u64>();
        assert!(events <= limit + 16 + 64 + 16, "{events} events under {limit}");
        assert!(rows.slots <= (limit / 64 + 2).next_power_of_two(), "{} slots under {limit}", rows.slots);
    }
    assert_eq!(comparison.undecided, 0);
}

#[test]
fn promise_4_of_events_of_any_weights_the_one_that_binds_is_found() {
    let mut comparison = Comparison::new();
    for quota in ["3000/ms", "900/300us, 3000/2ms", "999/500us, 1000/501us, 5000/9ms"].map(log) {
        comparison.begin();
        let mut weight = 1;
        for step in 0..700 {
            weight = (weight * 7 + step) % 31 + 1;
            comparison.acquire(NOW + 3 * step, &quota, weight);
            if step % 10 == 0 {
                comparison.acquire(NOW + 3 * step, &quota, quota.capacity());
            }
            if step % 97 == 0 {
                let entries = vec![Entry { weight: 5, count: 60, standing: Standing::Alone }, Entry::one(2)];
                comparison.submit(NOW + 3 * step + 1, &[Run { key: KEY, quota: &quota, entries }]).unwrap();
            }
        }
    }
    assert_eq!(comparison.undecided, 0);
}

#[test]
fn promise_7_a_log_that_was_left_alone_is_emptied_little_by_little() {
    let mut comparison = Comparison::new();
    let quota = log("1000/3ms");
    comparison.begin();
    for step in 0..1_000 {
        comparison.acquire(NOW + step, &quota, 1);
    }
    let full = comparison.server.rows(KEY).unwrap();
    for step in 0..600 {
        comparison.acquire(NOW + 1_000_000 + step, &quota, 1);
    }
    let rows = comparison.server.rows(KEY).unwrap();
    assert!(rows.chunks.len() <= 11, "{} chunks of 600 events", rows.chunks.len());
    assert_eq!(rows.slots, full.slots);
}

/// However others have laid the rows, the function goes on from there.
#[test]
fn a_log_goes_on_from_any_rows() {
    let mut comparison = Comparison::new();
    let quota = log("150/400us, 200/900us");
    for recent in [0, 1, 15, 16] {
        // With 58, there are 49 in the last of them: one too many for sixteen more.
        for chunk in [1, 7, 48, 49, 58, 63, 64] {
            for (base, gone, first, spare) in [(0, 0, 0, 0), (5, 3, 6, 1), (1 << 52, 40, 1 << 40, 2)] {
                comparison.begin();
                comparison.layout = Layout { recent, chunk, base, gone, first, spare };
                for step in 0..181 {
                    let penalize = Operation::new(KEY, Action::Penalize { quota: &quota, units: 1 + step % 3 / 2 });
                    comparison.model.apply(&penalize, Timestamp::from_micros(NOW + 2 * step)).unwrap();
                }
                comparison.save(KEY);
                for step in 0..60 {
                    comparison.acquire(NOW + 400 + 11 * step, &quota, 1 + step % 2);
                }
            }
        }
    }
    assert_eq!(comparison.undecided, 0);
}

/// The sequence of units that leave at the same tick.
#[test]
fn promise_1_many_requests_at_one_tick_are_one_event() {
    let mut comparison = Comparison::new();
    let quota = log("5000/s");
    for step in 0..40 {
        let entries = vec![Entry { weight: 1, count: 64, standing: Standing::Alone }; 2];
        comparison.submit(NOW + step / 4, &[Run { key: KEY, quota: &quota, entries }]).unwrap();
    }
    let rows = comparison.server.rows(KEY).unwrap();
    assert_eq!((rows.recent.len(), rows.chunks.len()), (10, 0));
}
