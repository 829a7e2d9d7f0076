//! A clock that steps back far: everything keeps its age.

use std::time::Duration;

use crate::quota::{Algorithm, Quota};
use crate::store::batch::Action;
use crate::store::outcome::Reply;
use crate::store::redis::differential::comparison::{Comparison, KEY, Way};

const NOW: u64 = 1_790_000_000_000_000;

fn hold(quota: &Quota, micros: u64) -> Action<'_> {
    Action::Hold { quota, duration: Duration::from_micros(micros) }
}

/// What is as old as the longest interval still counts, and what is a tick older does not, also next to the beginning of time.
#[test]
fn promise_6_what_is_about_to_leave_leaves_when_it_would_have() {
    let mut comparison = Comparison::new();
    for algorithm in Algorithm::ALL {
        let quota = Quota::new(algorithm, "3/50us").unwrap();
        for (gap, age) in (0..4).flat_map(|gap| (46..53).map(move |age| (gap, age))) {
            for to in [0, 1, 20, 1_000] {
                comparison.begin();
                comparison.acquire(5_000, &quota, 1, Way::Plain);
                comparison.acquire(5_000 + gap, &quota, 1, Way::Plain);
                // Nothing but the bucket's time changes.
                comparison.ask(5_000 + age, hold(&quota, 0));
                comparison.ask(to, Action::Peek { quota: &quota });
                for tick in 0..4 {
                    comparison.acquire(to + tick, &quota, 3, Way::Looking);
                    comparison.acquire(to + tick, &quota, 2, Way::Looking);
                    comparison.ask(to + tick, Action::Peek { quota: &quota });
                }
            }
        }
    }
}

/// A step that admits nobody is one, and the key goes when it would have gone after it.
#[test]
fn promise_6_a_denial_notices_it_too() {
    let mut comparison = Comparison::new();
    for algorithm in Algorithm::ALL {
        let quota = Quota::new(algorithm, "2/10s").unwrap();
        for way in [Way::Plain, Way::Looking] {
            comparison.begin();
            comparison.acquire(NOW, &quota, 2, Way::Plain);
            let back = NOW - 500_000_000_000;
            assert!(comparison.acquire(back, &quota, 1, way).is_none());
            let expiry = comparison.server.expiry(KEY).unwrap() * 1_000;
            assert!(expiry < back + 22_000_000, "it expires at {expiry}, and now is {back}");
            for later in [1, 3_000_000, 9_999_999, 10_000_000, 10_000_001] {
                comparison.acquire(back + later, &quota, 1, way);
            }
        }
    }
}

/// Logs of every length go on, through the ring that they then have.
#[test]
fn promise_6_a_ring_goes_on_from_there() {
    let mut comparison = Comparison::new();
    for limit in (14..24).chain([30, 40, 50]) {
        let quota = Quota::new(Algorithm::SlidingWindowLog, format!("{limit}/{}us", 2 * limit).as_str()).unwrap();
        comparison.begin();
        let mut clock = NOW;
        for round in 0..4 {
            for step in 0..3 * limit {
                let permit = comparison.acquire(clock, &quota, 1, Way::Plain);
                if step % 11 == 10 {
                    comparison.ask(clock, Action::Peek { quota: &quota });
                    if let Some(permit) = permit {
                        comparison.ask(clock + 1, Action::Refund(permit));
                    }
                }
                clock += 2;
            }
            clock -= 1_000_000 + round;
        }
    }
}

/// Before the beginning of time there are no ticks: what would lie there is all at the first.
#[test]
fn promise_6_what_is_older_than_time_is_at_its_beginning() {
    let mut comparison = Comparison::new();
    let quota = Quota::new(Algorithm::SlidingWindowLog, "9/50us").unwrap();
    for to in [0, 1, 2, 3] {
        comparison.begin();
        for tick in 0..4 {
            comparison.acquire(5_000 + tick, &quota, 1, Way::Plain);
        }
        let permit = comparison.acquire(to, &quota, 3, Way::Plain).unwrap();
        let mut refunded = 0;
        for _ in 0..4 {
            let Reply::Refunded(units) = comparison.ask(to, Action::Refund(permit)) else { panic!("no refund") };
            comparison.ask(to, Action::Peek { quota: &quota });
            refunded += units;
        }
        assert!(refunded >= 3);
        for tick in [to + 49, to + 50, to + 51, to + 52] {
            comparison.acquire(tick, &quota, 9, Way::Looking);
        }
    }
}
